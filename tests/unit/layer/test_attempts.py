import json

import pytest

from paygo import storage
from paygo.attempts import place_of


def raised_here(error: Exception, *, cause: Exception | None = None) -> Exception:
    with pytest.raises(type(error)) as caught:
        raise error from cause
    return caught.value


def raised_in_the_layer() -> Exception:
    with pytest.raises(ArithmeticError) as caught:
        storage.from_attributes({"amount": {"N": "none"}})
    return caught.value


def raised_in_a_library(text: object = "no") -> Exception:
    with pytest.raises((ValueError, TypeError)) as caught:
        json.loads(text)  # type: ignore[arg-type]
    return caught.value


def line_of(function: object, offset: int) -> int:
    return int(function.__code__.co_firstlineno) + offset  # type: ignore[attr-defined]


@pytest.fixture(autouse=True)
def service(monkeypatch: pytest.MonkeyPatch) -> None:
    # The service whose lines count is, here, the tests themselves.
    monkeypatch.setenv("POWERTOOLS_SERVICE_NAME", "tests")


def test_an_error_arose_where_it_was_raised() -> None:
    assert place_of(raised_here(ValueError())) == f"tests/unit/layer/test_attempts.py:{line_of(raised_here, 2)}"


def test_an_error_arose_in_the_services_line_that_led_to_it() -> None:
    for raised in (raised_in_the_layer, raised_in_a_library):
        assert place_of(raised()) == f"tests/unit/layer/test_attempts.py:{line_of(raised, 2)}"


def test_where_no_line_is_the_services_the_layers_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POWERTOOLS_SERVICE_NAME", "ledger")

    assert place_of(raised_in_the_layer()).startswith("paygo/storage.py:")
    assert place_of(raised_in_a_library()) == "unknown"


def test_where_no_line_is_ours_that_of_the_cause_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POWERTOOLS_SERVICE_NAME", "ledger")

    assert place_of(raised_here(ValueError(), cause=raised_in_the_layer())).startswith("paygo/storage.py:")


def test_a_packages_own_module_is_named_in_full(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POWERTOOLS_SERVICE_NAME", "json")

    assert place_of(raised_in_a_library()).startswith("json/decoder.py:")
    assert place_of(raised_in_a_library(object())).startswith("json/__init__.py:")


def test_an_error_that_was_never_raised_has_no_place() -> None:
    assert place_of(ValueError()) == "unknown"
