import io
import json
from typing import Any

import pytest
from aws_lambda_powertools import Logger

from operations.errors import LogBatch, errors_of, group_of, place_of
from operations.model import SeenError
from tests.unit.operations.makers import seen_error

GROUP = "/aws/lambda/paygo-test-ledger-book-payments"
REQUEST = "1c5e7f0a-9d1f-4b3c-8a2e-7f6d5c4b3a21"


def batch(*messages: str, kind: str = "DATA_MESSAGE") -> LogBatch:
    lines = [{"id": str(at), "timestamp": 1795255500000 + at, "message": text} for at, text in enumerate(messages)]
    return LogBatch.model_validate(
        {"messageType": kind, "logGroup": GROUP, "logStream": "2026/11/21/[1]abc", "logEvents": lines}
    )


def one(message: str | dict[str, Any]) -> SeenError:
    (error,) = errors_of(batch(message if isinstance(message, str) else json.dumps(message)), "paygo-test")
    return error


def test_an_error_says_in_which_function_and_log_it_happened() -> None:
    error = one({"level": "ERROR", "exception_name": "CurrencyMismatch", "correlation_id": "c-1"})

    assert (error.service, error.function) == ("ledger", "book-payments")
    assert (error.log_group, error.log_stream) == (GROUP, "2026/11/21/[1]abc")
    assert error.at.timestamp() == 1795255500
    assert (error.type, error.correlation_id) == ("CurrencyMismatch", "c-1")


@pytest.mark.parametrize("with_frames", [True, False])
def test_what_powertools_logs_is_read(with_frames: bool) -> None:
    written = io.StringIO()
    logger = Logger(service=f"errors-{with_frames}", stream=written, serialize_stacktrace=with_frames)
    logger.append_keys(correlation_id="c-1", function_request_id=REQUEST)
    source = "def fail():\n    raise LookupError('Amina')\n"
    scope: dict[str, Any] = {}
    exec(compile(source, "/var/task/ledger/usecases.py", "exec"), scope)  # noqa: S102 (a frame of another file)
    try:
        scope["fail"]()
    except LookupError:
        logger.exception("A message could not be handled")

    error = one(written.getvalue())

    assert (error.type, error.place) == ("LookupError", "ledger/usecases.py:2")
    assert (error.correlation_id, error.request_id) == ("c-1", REQUEST)
    assert "Amina" not in error.model_dump_json()


def test_what_is_logged_without_an_exception_has_the_place_of_the_logging() -> None:
    error = one({"level": "CRITICAL", "location": "handler:12", "message": "Amina is unhappy"})

    assert (error.type, error.place) == ("Error", "ledger/book-payments handler:12")
    assert "Amina" not in error.model_dump_json()


@pytest.mark.parametrize(
    ("text", "kind", "place", "request_id"),
    [
        (f"2026-11-21T10:05:00.000Z {REQUEST} Task timed out after 15.00 seconds\n\n", "TimedOut", None, REQUEST),
        (f"RequestId: {REQUEST} Error: Runtime exited with error: signal: killed", "RuntimeExited", None, REQUEST),
        ("[ERROR] Runtime.ImportModuleError: Unable to import module", "Runtime.ImportModuleError", None, None),
        (
            '[ERROR] ValueError: no\nTraceback:\n  File "/var/task/ledger/model.py", line 3, in x',
            "ValueError",
            "ledger/model.py:3",
            None,
        ),
        (f"[ERROR]\t2026-11-21T10:05:00.000Z\t{REQUEST}\tsomething failed", "Error", None, REQUEST),
        ('{"level": "INFO", "message": "[ERROR]"}', "Error", None, None),
        ("[1]", "Error", None, None),
    ],
)
def test_what_the_runtime_writes_is_read(text: str, kind: str, place: str | None, request_id: str | None) -> None:
    error = one(text)

    assert (error.type, error.place, error.request_id) == (kind, place or "ledger/book-payments", request_id)


def test_a_type_that_is_no_name_is_not_repeated() -> None:
    assert one({"level": "ERROR", "exception_name": "Amina <amina@example.org>"}).type == "Error"


@pytest.mark.parametrize(
    "trace", [None, 3, {"frames": None}, {"frames": ["x", {"file": 3, "line": "x"}]}, {"frames": [{}]}]
)
def test_a_stack_trace_of_another_shape_is_left_out(trace: object) -> None:
    error = one({"level": "ERROR", "stack_trace": trace, "location": 7})

    assert error.place == "ledger/book-payments"


@pytest.mark.parametrize(
    ("text", "errors"),
    [
        ('[ERROR] Exception: Unauthorized\rTraceback (most recent call last):\r\u00a0\u00a0File "/var/task/x.py"', 0),
        ("[ERROR] Exception: Unauthorized", 0),
        ("[ERROR] Exception: Unauthorized by a partner\rTraceback (most recent call last):", 1),
        ("[ERROR] ValueError: Unauthorized", 1),
    ],
)
def test_the_refusal_of_a_token_is_an_answer_and_no_error(text: str, errors: int) -> None:
    assert len(list(errors_of(batch(text), "paygo-test"))) == errors


def test_a_control_message_has_no_errors() -> None:
    assert list(errors_of(batch("[ERROR] x", kind="CONTROL_MESSAGE"), "paygo-test")) == []


def test_the_innermost_line_of_the_service_is_the_place() -> None:
    frames = [
        ("/opt/python/paygo/consumer.py", 70),
        ("/var/task/ledger/handlers/book_payments.py", 20),
        ("/opt/python/paygo/storage.py", 99),
        ("/opt/python/boto3/client.py", 5),
    ]

    assert place_of(frames, "ledger") == "ledger/handlers/book_payments.py:20"
    assert place_of([frames[0], frames[2], frames[3]], "ledger") == "paygo/storage.py:99"
    assert place_of([("/home/paygo/.paygo/cloud/boto3/client.py", 5)], "ledger") is None


def test_errors_of_the_same_service_type_and_place_are_one_group() -> None:
    groups = {
        group_of(seen_error(**other))
        for other in ({}, {"service": "devices"}, {"type": "ValueError"}, {"place": "ledger/model.py:1"})
    }

    assert len(groups) == 4
    assert group_of(seen_error(function="open-accounts", correlation_id="c-2")) == group_of(seen_error())


def test_a_delivery_is_known_by_its_lines() -> None:
    assert batch("a", "b").delivery == batch("c", "d").delivery
    assert batch("a", "b").delivery != batch("a").delivery
