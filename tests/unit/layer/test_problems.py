from http import HTTPStatus

from paygo.problems import Place, Problem, invalid_request, not_found, unexpected


def test_a_problem_is_rfc_9457s_object() -> None:
    problem = Problem(HTTPStatus.CONFLICT, "sold-out", "Nothing is left", "Come back tomorrow.")

    assert problem.document("r-1") == {
        "type": "urn:paygo:problem:sold-out",
        "title": "Nothing is left",
        "status": 409,
        "detail": "Come back tomorrow.",
        "instance": "urn:paygo:request:r-1",
    }


def test_an_invalid_request_names_each_place() -> None:
    document = invalid_request(Place("/a", "is wrong"), Place("/b/0", "is missing")).document("r-1")

    assert document["status"] == 400
    assert document["errors"] == [
        {"pointer": "/a", "detail": "is wrong"},
        {"pointer": "/b/0", "detail": "is missing"},
    ]


def test_what_does_not_exist_is_named() -> None:
    problem = not_found("device")

    assert (problem.status, problem.title) == (404, "There is no such device")


def test_an_unexpected_error_tells_nothing_but_how_to_go_on() -> None:
    document = unexpected().document("r-1")

    assert document["status"] == 500
    assert "report the `instance`" in document["detail"]
