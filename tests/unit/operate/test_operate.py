"""The operators' command line, against answers that the contract's models make."""

import io
import json
import re
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import boto3
import pytest

from operate import pages
from operate.access import find_stack
from operate.errors import OperateError
from operations import wire
from operations.model import Entry, Letter, State, What
from tests.unit.operate.conftest import API, Run
from tests.unit.operations.makers import EVENT, MINUTE, NOW, OPERATOR, attempt, letter


def listed(*letters: Letter, cursor: str | None = None) -> Any:
    items = tuple(wire.DeadLetter.of(one, "us-east-1") for one in letters)
    return json.loads(wire.DeadLetterPage(items=items, next_cursor=cursor).model_dump_json())


def detail(one: Letter, *entries: Entry, body: str | None = json.dumps(EVENT)) -> Any:
    return json.loads(wire.DeadLetterDetail.read(one, body, entries, "us-east-1").model_dump_json())


def moved(*letter_ids: str, skipped: tuple[str, ...] = (), cursor: str | None = None) -> Any:
    answer = wire.Moved(letter_ids=letter_ids, skipped=skipped, next_cursor=cursor, dead_before=NOW)
    return json.loads(answer.model_dump_json())


def sent(api: Any, place: int = -1) -> Any:
    return json.loads(api.calls[place].request.body)


def test_the_list_says_what_why_how_old_and_how_often(run: Run, api: Any) -> None:
    recent = letter(number=2, dead_at=datetime.now(UTC) - timedelta(minutes=5))
    api.get(f"{API}/operations/dead-letters", json=listed(letter(number=1), cursor="next"))
    api.get(f"{API}/operations/dead-letters", json=listed(recent))

    status, out, _ = run("list")

    assert status == 0
    assert re.search(r"^ +2  ledger/book-payments  CurrencyMismatch$", out, re.MULTILINE)
    (line,) = [line for line in out.splitlines() if line.strip().startswith(recent.letter_id[:8])]
    for word in ("ledger/book-payments", "payments.payment-confirmed.v1", "event-2", "5m", "10", "1"):
        assert word in line.split()
    assert "cursor=next" in api.calls[1].request.url
    assert api.calls[0].request.headers["Authorization"].startswith("AWS4-HMAC-SHA256 Credential=AKIAOPERATOR/")


def test_the_list_is_narrowed_by_service_consumer_reason_and_state(run: Run, api: Any) -> None:
    api.get(f"{API}/operations/dead-letters", json=listed())

    status, out, _ = run("list", "--consumer", "ledger/book-payments", "--reason", "Too late", "--state", "redriven")

    assert (status, out) == (0, "No redriven dead letters.\n")
    assert api.calls[0].request.params == {
        "service": "ledger",
        "consumer": "book-payments",
        "reason": "Too late",
        "state": "redriven",
        "limit": "100",
    }


def test_the_list_can_be_read_by_a_program(run: Run, api: Any) -> None:
    api.get(f"{API}/operations/dead-letters", json=listed(letter()))

    status, out, _ = run("list", "--json")

    assert (status, json.loads(out)[0]["letter_id"]) == (0, letter().letter_id)


HISTORY = (
    Entry(
        at=NOW,
        what=What.ARCHIVED,
        message_id="message-1",
        attempts=(attempt(1).model_copy(update={"at": None, "error_type": "killed or timed out"}), attempt(2)),
    ),
    Entry(at=NOW + MINUTE, what=What.DISCARDED, by=OPERATOR, why="It was refunded."),
)


def test_a_letter_is_shown_with_every_attempt_and_what_was_done(run: Run, api: Any) -> None:
    api.get(f"{API}/operations/dead-letters/{letter().letter_id}", json=detail(letter(), *HISTORY))

    status, out, _ = run("show", letter().letter_id)

    assert status == 0
    assert "attempt 1   at an unknown time  killed or timed out at ledger/usecases.py:88" in out
    assert "attempt 2   2026-11-21 10:07:00 UTC  CurrencyMismatch at ledger/usecases.py:88" in out
    assert "    The account is in KES." in out
    assert "    log https://us-east-1.console.aws.amazon.com/" in out
    assert f"discarded   2026-11-21 10:26:00 UTC by {OPERATOR.name} from 192.0.2.1: It was refunded." in out
    assert "Amina" not in out


def test_the_message_itself_is_shown_when_asked_for(run: Run, api: Any) -> None:
    api.get(f"{API}/operations/dead-letters/{letter().letter_id}", json=detail(letter()))

    assert "Amina" in run("show", letter().letter_id, "--body")[1]
    assert "Amina" not in run("show", letter().letter_id, "--json")[1]
    assert "Amina" in run("show", letter().letter_id, "--json", "--body")[1]


def test_a_message_cannot_steer_the_terminal(run: Run, api: Any) -> None:
    hostile = letter().model_copy(update={"error": "\x1b[2J[bold]\x07"})
    api.get(f"{API}/operations/dead-letters/{letter().letter_id}", json=detail(hostile, body="\x1b]0;x\x07"))

    out = run("show", letter().letter_id, "--body")[1]

    assert "\x1b" not in out
    assert "[bold]" in out


def test_a_letter_whose_message_is_gone_says_so(run: Run, api: Any) -> None:
    api.get(f"{API}/operations/dead-letters/{letter().letter_id}", json=detail(letter(), body=None))

    assert "The body is gone." in run("show", letter().letter_id, "--body")[1]


def test_a_letter_is_named_by_the_beginning_of_its_id(run: Run, api: Any) -> None:
    api.get(f"{API}/operations/dead-letters", json=listed(letter(number=1), letter(number=2)))
    wanted = letter(number=2).letter_id
    redriven = letter(number=2).moved(State.REDRIVEN)
    answer = json.loads(wire.DeadLetter.of(redriven, "us-east-1").model_dump_json())
    api.post(f"{API}/operations/dead-letters/{wanted}/redrive", json=answer)

    status, out, _ = run("redrive", wanted[:8])

    assert (status, out) == (0, f"Redriven: {wanted}\n")
    assert len(api.calls[-1].request.headers["Idempotency-Key"]) == 36


@pytest.mark.parametrize(("named", "sentence"), [("", "2 letters begin with"), ("zz", "No letter begins with zz.")])
def test_a_name_that_means_no_letter_or_several_is_refused(run: Run, api: Any, named: str, sentence: str) -> None:
    api.get(f"{API}/operations/dead-letters", json=listed(letter(number=1), letter(number=2)))

    status, _, err = run("show", named)

    assert status == 1
    assert sentence in err


def test_a_letter_that_dies_again_at_once_is_told(run: Run, api: Any) -> None:
    answer = json.loads(wire.DeadLetter.of(letter(), "us-east-1").model_dump_json())
    api.post(f"{API}/operations/dead-letters/{letter().letter_id}/redrive", json=answer)

    assert "died again at once" in run("redrive", letter().letter_id)[1]


def test_some_letters_are_redriven_page_by_page_at_the_rate(
    run: Run, api: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits: list[float] = []
    monkeypatch.setattr("time.sleep", waits.append)
    api.post(f"{API}/operations/redrives", json=moved("a", "b", cursor="next"))
    api.post(f"{API}/operations/redrives", json=moved("c", skipped=("d",)))

    status, out, _ = run("redrive", "--service", "ledger", "--rate", "5")

    assert status == 0
    assert out.splitlines() == ["  2 redriven", "  not redriven: d; look at it with show", "3 redriven, 1 not"]
    assert sent(api, 0) == {"service": "ledger", "per_second": 5.0}
    assert sent(api, 1) == {
        "service": "ledger",
        "per_second": 5.0,
        "cursor": "next",
        "dead_before": "2026-11-21T10:25:00+00:00",
    }
    assert waits == [0.4]
    wire.Redrives.model_validate(sent(api, 1), strict=False)


def test_all_letters_are_redriven_when_that_is_said(run: Run, api: Any) -> None:
    api.post(f"{API}/operations/redrives", json=moved())

    assert run("redrive", "--all")[:2] == (0, "0 redriven\n")
    assert sent(api) == {"per_second": 10.0}


def test_a_letter_is_discarded_with_a_reason(run: Run, api: Any) -> None:
    answer = json.loads(wire.DeadLetter.of(letter(), "us-east-1").model_dump_json())
    api.post(f"{API}/operations/dead-letters/{letter().letter_id}/discard", json=answer)

    assert run("discard", letter().letter_id, "--reason", "It was refunded.")[0] == 0
    assert sent(api) == {"reason": "It was refunded."}


def test_some_letters_are_discarded_with_a_reason(run: Run, api: Any) -> None:
    api.post(f"{API}/operations/discards", json=moved("a"))

    status, out, _ = run("discard", "--service", "ledger", "--died-of", "CurrencyMismatch", "--reason", "Refunded.")

    assert (status, out) == (0, "1 discarded\n")
    assert sent(api) == {"filter": {"service": "ledger", "reason": "CurrencyMismatch"}, "reason": "Refunded."}
    wire.Discards.model_validate(sent(api))


@pytest.mark.parametrize("answer", ["y\n", "n\n"])
def test_a_person_is_asked_first(run: Run, api: Any, monkeypatch: pytest.MonkeyPatch, answer: str) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.setattr(sys, "stdin", Terminal(answer))
    api.get(f"{API}/operations/dead-letters", json=listed(letter()))
    api.post(f"{API}/operations/redrives", json=moved("a"))

    out = run("redrive", "--service", "ledger")[1]

    assert "Redrive 1 letter at 10 a second?" in out
    assert ("1 redriven" in out) == (answer == "y\n")
    assert (api.calls[-1].request.method == "POST") == (answer == "y\n")


def test_a_person_is_told_when_nothing_is_meant(run: Run, api: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.stdin, "isatty", lambda: True, raising=False)
    api.get(f"{API}/operations/dead-letters", json=listed())

    assert run("discard", "--all", "--reason", "because")[1] == "No open letters are meant.\n"


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["redrive"], "Which letters?"),
        (["redrive", "abc", "--all"], "not both"),
        (["redrive", "--all", "--service", "ledger"], "--all means every open letter"),
        (["redrive", "--service", "devices", "--consumer", "ledger/book-payments"], "is not of the service devices"),
        (["discard", "abc"], "Say why"),
        (["discard", "abc", "--reason", "  "], "Say why"),
        (["list", "--state", "lost"], "open, redriven or discarded, not lost"),
    ],
)
def test_what_is_not_clear_is_asked_in_a_line_and_nothing_is_called(
    run: Run, api: Any, words: list[str], sentence: str
) -> None:
    status, _, err = run(*words)

    assert status == 1
    assert sentence in err
    assert err.count("\n") == 1
    assert len(api.calls) == 0


def test_a_wrong_option_is_told_in_a_line(run: Run) -> None:
    status, _, err = run("list", "--nonsense")

    assert status == 2
    assert err.startswith("paygo: No such option")
    assert err.count("\n") == 1


def test_what_the_api_refuses_is_told_in_a_line(run: Run, api: Any) -> None:
    problem = {"type": "urn:paygo:problem:letter-closed", "title": "It is closed", "status": 409, "detail": "Look."}
    api.post(f"{API}/operations/dead-letters/{letter().letter_id}/redrive", json=problem, status=409)

    assert run("redrive", letter().letter_id) == (1, "", "paygo: 409 It is closed. Look.\n")


def test_an_api_that_does_not_answer_is_told_in_a_line(run: Run) -> None:
    status, _, err = run("list")

    assert status == 1
    assert err.startswith("paygo: No answer from GET /operations/dead-letters")
    assert err.count("\n") == 1


def test_an_interrupted_redrive_says_that_the_rest_is_as_it_was(
    run: Run, api: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(_seconds: float) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("time.sleep", interrupt)
    api.post(f"{API}/operations/redrives", json=moved("a", cursor="next"))

    status, out, err = run("redrive", "--all")

    assert (status, out) == (130, "  1 redriven\n")
    assert "the other letters are as they were" in err


def report(group: str, seen: str) -> dict[str, Any]:
    return {
        "group": group,
        "service": "ledger",
        "function": "book-payments",
        "type": "CurrencyMismatch",
        "place": "ledger/usecases.py:88",
        "count": 30,
        "first_seen": "2026-11-21T10:00:00Z",
        "last_seen": seen,
        "notified_at": None,
        "correlation_id": None,
        "request_id": None,
        "log_group": "g",
        "log_stream": "s",
        "log_url": f"https://logs.example.org/{group}",
    }


def test_errors_are_listed_latest_first(run: Run, api: Any) -> None:
    old, new = report("old", "2026-11-21T10:05:00Z"), report("new", "2026-11-21T10:06:00Z")
    api.get(f"{API}/operations/error-reports", json={"items": [old], "next_cursor": "next"})
    api.get(f"{API}/operations/error-reports", json={"items": [new], "next_cursor": None})

    status, out, _ = run("errors")

    assert status == 0
    assert out.index("/new") < out.index("/old")
    assert "    30  ledger  CurrencyMismatch  ledger/usecases.py:88" in out


def test_errors_can_be_read_by_a_program_and_may_be_none(run: Run, api: Any) -> None:
    api.get(f"{API}/operations/error-reports", json={"items": [], "next_cursor": None})

    assert run("errors")[1] == "No errors were reported in the last thirty days.\n"
    assert json.loads(run("errors", "--json")[1]) == []


@pytest.mark.parametrize(
    ("seconds", "written"),
    [(-5, "0s"), (0, "0s"), (59, "59s"), (60, "1m"), (61, "1m 1s"), (7200, "2h"), (90_000, "1d 1h"), (86_459, "1d")],
)
def test_an_age_has_its_two_largest_units(seconds: int, written: str) -> None:
    assert pages.age(NOW, NOW - timedelta(seconds=seconds)) == written


def test_a_branch_without_a_name_has_no_stack(home: Path) -> None:
    with pytest.raises(OperateError, match="needs a branch"):
        find_stack(" ", None, None)


def test_a_description_that_cannot_be_read_is_told(home: Path) -> None:
    (home / "stacks" / "paygo-x.json").write_text("{")

    with pytest.raises(OperateError, match="deploy the branch again"):
        find_stack("x", None, None)


def test_a_stopped_cloud_has_no_operator(home: Path) -> None:
    (home / "cloud" / "credentials").unlink()

    with pytest.raises(OperateError, match="is it running"):
        find_stack("x", None, None)


def test_a_stack_that_was_deployed_elsewhere_is_found_by_its_name(home: Path) -> None:
    made = boto3.client("apigateway", region_name="eu-west-1").create_rest_api(name="paygo-y")

    access = find_stack("y", None, "eu-west-1")

    assert access.api_url == f"https://{made['id']}.execute-api.eu-west-1.amazonaws.com/v"
    assert (access.region, access.keys().token) == ("eu-west-1", "testing")


def test_a_stack_that_is_nowhere_is_told(home: Path) -> None:
    with pytest.raises(OperateError, match="no stack paygo-y in us-east-1"):
        find_stack("y", None, "us-east-1")


def test_a_stack_in_an_account_needs_a_profile(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")

    with pytest.raises(OperateError, match="PROFILE="):
        find_stack("y", None, None)


def test_a_stack_that_was_deployed_from_here_to_an_account_is_called_where_it_is(home: Path) -> None:
    url = "https://abc.execute-api.eu-west-1.amazonaws.com/v"
    described = {"api_url": url, "region": "eu-west-1", "endpoint_url": None}
    (home / "stacks" / "paygo-y.json").write_text(json.dumps(described))

    access = find_stack("y", None, None)

    assert (access.api_url, access.region, access.stack) == (url, "eu-west-1", "paygo-y")
