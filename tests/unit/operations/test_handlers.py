import base64
import gzip
import io
import json
from collections.abc import Callable, Iterator
from itertools import repeat
from typing import Any

import boto3
import pytest
import responses
from moto.cloudwatch.models import MetricDatum, cloudwatch_backends
from moto.core.models import DEFAULT_ACCOUNT_ID
from moto.ses.models import ses_backends
from moto.sns.models import sns_backends

from operations import composition
from operations.handlers import (
    archive_dead_letters,
    count_dead_letters,
    dead_letters,
    notify_operators,
    report_errors,
)
from operations.model import Letter, State
from operations.repository import LetterTable
from paygo.storage import Table
from tests.unit.operations.makers import EVENT, STACK, event, letter
from tests.unit.operations.test_deaths import FUNCTION_RECORD
from tests.unit.operations.test_reports import report

DEAD = f"arn:aws:sqs:us-east-1:123456789012:{STACK}-ledger-book-payments-dead"
USER = "arn:aws:iam::123456789012:user/operator"

type Request = Callable[..., tuple[int, dict[str, Any]]]


def record(
    message_id: str = "message-1",
    body: Any = EVENT,
    *,
    arn: str = DEAD,
    receives: int = 11,
    system: dict[str, str] | None = None,
    attributes: dict[str, Any] | None = None,
) -> dict[str, Any]:
    return {
        "messageId": message_id,
        "receiptHandle": "receipt",
        "body": body if isinstance(body, str) else json.dumps(body),
        "attributes": {"ApproximateReceiveCount": str(receives), "SentTimestamp": "1795255500000"} | (system or {}),
        "messageAttributes": attributes or {},
        "eventSource": "aws:sqs",
        "eventSourceARN": arn,
    }


def archive(context: Any, *records: dict[str, Any]) -> Any:
    return archive_dead_letters.handler({"Records": list(records)}, context)


def open_letters(table: Table) -> list[Any]:
    return list(LetterTable(table).all_open())


def metrics() -> dict[str, float]:
    """The number last shown for each queue."""
    data = cloudwatch_backends[DEFAULT_ACCOUNT_ID]["us-east-1"].metric_data
    return {
        str(datum.dimensions[0].value): datum.value
        for datum in data
        if isinstance(datum, MetricDatum) and datum.name == "OpenDeadLetters"
    }


def test_dead_messages_are_archived_and_counted(table: Table, attempts_table: Table, context: Any, log: Any) -> None:
    answered = archive(context, record(), record("message-2", event(2)))

    assert answered == {"batchItemFailures": []}
    assert {one.event_id for one in open_letters(table)} == {"event-1", "event-2"}
    assert metrics() == {f"{STACK}-ledger-book-payments-dead": 2}
    assert "Archived" in log.getvalue()
    assert "Amina" not in log.getvalue()


def test_a_message_that_cannot_be_archived_stays_in_its_queue_alone(
    table: Table, attempts_table: Table, context: Any, log: Any
) -> None:
    broken = record("message-2")
    del broken["attributes"]["SentTimestamp"]

    answered = archive(context, broken, record())

    assert answered == {"batchItemFailures": [{"itemIdentifier": "message-2"}]}
    assert len(open_letters(table)) == 1
    assert "A dead letter could not be archived" in log.getvalue()


def test_a_letter_whose_number_cannot_be_shown_is_archived(
    table: Table, attempts_table: Table, context: Any, log: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Broken:
        def show(self, _counts: object) -> None:
            raise ConnectionError

    monkeypatch.setattr(archive_dead_letters, "GAUGE", Broken())

    assert archive(context, record()) == {"batchItemFailures": []}
    assert len(open_letters(table)) == 1
    assert "could not be shown" in log.getvalue()


@pytest.mark.parametrize(
    ("other", "reason"),
    [
        ({"receives": 11}, "killed or timed out"),
        ({"receives": 1, "system": {"DeadLetterQueueSourceArn": DEAD.removesuffix("-dead")}}, "killed or timed out"),
        ({"receives": 1}, "invalid data"),
    ],
)
def test_who_sent_a_message_here_says_what_it_died_of(
    table: Table, attempts_table: Table, context: Any, other: dict[str, Any], reason: str
) -> None:
    attributes = {
        "reason": {"dataType": "String", "stringValue": "invalid data: x"},
        "raw": {"dataType": "Binary", "binaryValue": "AAE="},
    }

    archive(context, record(attributes=attributes, **other))

    (one,) = open_letters(table)
    assert one.reason == reason
    assert one.attributes["raw"].value == "AAE="


def test_the_attempts_of_the_consumer_are_in_the_letters_history(
    table: Table, attempts_table: Table, context: Any
) -> None:
    attempts_table.put(
        {
            "pk": f"{STACK}-ledger-book-payments#event-1",
            "sk": "2026-11-21T10:05:00.000000+00:00#10#message-1",
            "message_id": "message-1",
            "receive_count": 10,
            "error_type": "CurrencyMismatch",
            "error": "The account is in KES.",
            "place": "ledger/usecases.py:88",
            "request_id": "invocation-1",
            "log_group": "/aws/lambda/x",
            "log_stream": "y",
            "expires_at": 1,
        }
    )

    archive(context, record())

    (one,) = open_letters(table)
    assert (one.reason, one.attempts, one.last_attempt.place) == ("CurrencyMismatch", 10, "ledger/usecases.py:88")


def test_an_event_that_failed_for_days_between_its_waits_is_archived_with_the_latest_attempts(
    table: Table, attempts_table: Table, context: Any
) -> None:
    for number in range(150):
        attempts_table.put(
            {
                "pk": f"{STACK}-ledger-book-payments#event-1",
                "sk": f"2026-11-21T10:05:00.{number:06}+00:00#1#copy-{number}",
                "message_id": f"copy-{number}",
                "receive_count": 1,
                "error_type": "PartnerRefused",
                "error": "\u20ac" * 1000,
            }
        )

    assert archive(context, record()) == {"batchItemFailures": []}

    (one,) = open_letters(table)
    (entry,) = LetterTable(table).history(one.letter_id)
    assert [attempt.message_id for attempt in entry.attempts if attempt.at] == [f"copy-{n}" for n in range(90, 150)]


def test_open_letters_are_counted_every_minute(table: Table, attempts_table: Table, context: Any, log: Any) -> None:
    archive(context, record())

    count_dead_letters.handler({"action": "sweep"}, context)

    assert metrics() == {f"{STACK}-ledger-book-payments-dead": 1}
    assert '"open_letters":1' in log.getvalue()


@pytest.fixture
def request_(tables: None, api_event: Any, context: Any) -> Request:
    """Call a route as an operator does; each call has an Idempotency-Key of its own unless it brings one."""
    made = iter(range(1000))

    def send(
        method: str,
        path: str,
        body: object = None,
        *,
        key: str | None = None,
        user: str | None = USER,
        resource: str | None = None,
        **other: Any,
    ) -> tuple[int, dict[str, Any]]:
        headers = {"Idempotency-Key": key or f"intent-{next(made):03}"} if method == "POST" else {}
        asked = api_event(method, path, resource=resource or path, body=body, headers=headers, **other)
        asked["requestContext"]["identity"]["userArn"] = user
        answered = dead_letters.handler(asked, context)
        return answered["statusCode"], json.loads(answered["body"])

    return send


@pytest.fixture
def letter_id(request_: Request, table: Table, context: Any) -> str:
    """An open letter."""
    boto3.client("sqs").create_queue(QueueName=f"{STACK}-ledger-book-payments")
    archive(context, record())
    (one,) = open_letters(table)
    return str(one.letter_id)


def act(request_: Request, letter_id: str, what: str, body: object = None, **other: Any) -> tuple[int, dict[str, Any]]:
    return request_("POST", f"/operations/dead-letters/{letter_id}/{what}", body, **other)


def waiting() -> list[Any]:
    sqs = boto3.client("sqs")
    url = sqs.get_queue_url(QueueName=f"{STACK}-ledger-book-payments")["QueueUrl"]
    return list(sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", []))


def test_an_operator_lists_open_letters(request_: Request, letter_id: str) -> None:
    status, page = request_("GET", "/operations/dead-letters")

    assert (status, page["next_cursor"]) == (200, None)
    (item,) = page["items"]
    assert (item["letter_id"], item["service"], item["consumer"]) == (letter_id, "ledger", "book-payments")
    assert (item["event_id"], item["reason"], item["attempts"]) == ("event-1", "killed or timed out", 10)
    assert "body" not in item


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({"service": "ledger", "consumer": "book-payments", "reason": "killed or timed out"}, 1),
        ({"service": "devices"}, 0),
        ({"reason": "Other"}, 0),
        ({"state": "redriven"}, 0),
    ],
)
def test_a_list_can_be_narrowed(request_: Request, letter_id: str, query: dict[str, str], found: int) -> None:
    assert len(request_("GET", "/operations/dead-letters", query=query)[1]["items"]) == found


def test_a_list_that_is_asked_for_wrongly_is_refused(request_: Request) -> None:
    status, problem = request_("GET", "/operations/dead-letters", query={"state": "lost", "limit": "0"})

    assert status == 400
    assert {place["pointer"] for place in problem["errors"]} == {"/state", "/limit"}


def test_an_operator_reads_a_letter_with_its_body_and_history(request_: Request, letter_id: str) -> None:
    act(request_, letter_id, "discard", {"reason": "The provider refunded it."})

    status, found = request_("GET", f"/operations/dead-letters/{letter_id}")

    assert (status, found["state"]) == (200, "discarded")
    assert json.loads(found["body"]) == EVENT
    *attempts, archived, discarded = found["history"]
    assert [one["receive_count"] for one in attempts] == list(range(1, 11))
    assert {one["error_type"] for one in attempts} == {"killed or timed out"}
    assert (archived["what"], archived["message_id"]) == ("archived", "message-1")
    assert (discarded["what"], discarded["by"], discarded["source_ip"], discarded["reason"]) == (
        "discarded",
        USER,
        "192.0.2.1",
        "The provider refunded it.",
    )


def test_a_failed_invocation_links_to_its_log(request_: Request, table: Table, context: Any) -> None:
    archive(context, record(body=FUNCTION_RECORD, arn=DEAD.replace("ledger-book-payments", "devices-answer-credit")))

    (item,) = request_("GET", "/operations/dead-letters")[1]["items"]

    assert (item["kind"], item["reason"]) == ("function", "ReadTimeoutError")
    assert "paygo-test-devices-answer-credit" in item["log_url"]


def test_an_operator_redrives_a_letter(request_: Request, letter_id: str, table: Table, log: io.StringIO) -> None:
    status, answered = act(request_, letter_id, "redrive")

    assert (status, answered["state"]) == (200, "redriven")
    (message,) = waiting()
    assert json.loads(message["Body"]) == EVENT
    assert open_letters(table) == []
    assert metrics() == {f"{STACK}-ledger-book-payments-dead": 0}
    assert "Amina" not in log.getvalue()
    assert USER not in log.getvalue()


def test_a_request_sent_twice_redrives_once(request_: Request, letter_id: str) -> None:
    answers = [act(request_, letter_id, "redrive", key="the-same-key") for _ in range(2)]

    assert answers[0] == answers[1]
    assert len(waiting()) == 1


def test_a_call_that_died_half_way_is_done_with_the_next(
    request_: Request, letter_id: str, table: Table, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Dies(LetterTable):
        def change(self, *_: Any, **__: Any) -> None:
            raise ConnectionError

    with monkeypatch.context() as patched:
        patched.setattr(dead_letters, "LETTERS", Dies(table))
        assert act(request_, letter_id, "redrive", key="the-same-key")[0] == 500
    assert [one.state for one in open_letters(table)] == [State.OPEN]

    assert act(request_, letter_id, "redrive", key="the-same-key")[0] == 200
    assert len(waiting()) == 2
    assert open_letters(table) == []


@pytest.mark.parametrize(("what", "body"), [("redrive", None), ("discard", {"reason": "too late"})])
def test_a_closed_letter_is_a_conflict(request_: Request, letter_id: str, what: str, body: object) -> None:
    act(request_, letter_id, "discard", {"reason": "too late"})

    status, problem = act(request_, letter_id, what, body)

    assert (status, problem["type"]) == (409, "urn:paygo:problem:letter-closed")


@pytest.mark.parametrize(("what", "body"), [("redrive", None), ("discard", {"reason": "too late"})])
def test_an_unknown_letter_is_not_found(request_: Request, what: str, body: object) -> None:
    assert act(request_, "unknown", what, body)[0] == 404
    assert request_("GET", "/operations/dead-letters/unknown")[0] == 404


def test_what_nothing_here_can_send_is_a_conflict(request_: Request, table: Table, context: Any) -> None:
    archive(context, record(arn=f"arn:aws:sqs:us-east-1:123456789012:{STACK}-device-rules-dead"))
    (one,) = open_letters(table)

    status, problem = act(request_, one.letter_id, "redrive")

    assert (status, problem["type"]) == (409, "urn:paygo:problem:not-redrivable")


@pytest.mark.parametrize("body", [{}, {"reason": "no"}, {"reason": "    "}, {"reason": "fine", "body": "edited"}])
def test_a_discard_needs_a_reason_and_edits_nothing(request_: Request, letter_id: str, body: object) -> None:
    assert act(request_, letter_id, "discard", body)[0] == 400


def test_an_operator_redrives_some_letters(request_: Request, letter_id: str, table: Table, context: Any) -> None:
    archive(context, record("message-2", event(2)))
    asked = {"service": "ledger", "per_second": 0.1}

    status, first = request_("POST", "/operations/redrives", asked)
    rest = request_(
        "POST", "/operations/redrives", asked | {"cursor": first["next_cursor"], "dead_before": first["dead_before"]}
    )[1]

    assert status == 200
    assert len(first["letter_ids"]) == len(rest["letter_ids"]) == 1
    assert (rest["next_cursor"], rest["dead_before"], rest["skipped"]) == (None, first["dead_before"], [])
    assert open_letters(table) == []
    assert len(waiting()) == 2


def test_letters_that_die_while_some_are_redriven_are_not_meant(
    request_: Request, letter_id: str, table: Table
) -> None:
    answered = request_("POST", "/operations/redrives", {"dead_before": "2026-01-01T00:00:00Z"})[1]

    assert answered["letter_ids"] == []
    assert len(open_letters(table)) == 1


@pytest.mark.parametrize("path", ["redrives", "discards"])
def test_a_time_is_a_text(request_: Request, path: str) -> None:
    asked = {"filter": {}, "reason": "All were refunded."} if path == "discards" else {}

    assert request_("POST", f"/operations/{path}", asked | {"dead_before": 0})[0] == 400


def test_an_operator_discards_some_letters(request_: Request, letter_id: str, table: Table) -> None:
    asked = {"filter": {"service": "ledger"}, "reason": "All were refunded."}

    status, answered = request_("POST", "/operations/discards", asked)

    assert (status, answered["letter_ids"]) == (200, [letter_id])
    assert open_letters(table) == []
    assert waiting() == []


def test_a_household_is_no_operator(request_: Request, letter_id: str, table: Table) -> None:
    for other in ({"user": None}, {"identity_id": "us-east-1:x"}, {"authentication_type": "unauthenticated"}):
        for method, path, body in (
            ("GET", "/operations/dead-letters", None),
            ("GET", f"/operations/dead-letters/{letter_id}", None),
            ("POST", f"/operations/dead-letters/{letter_id}/redrive", None),
            ("POST", f"/operations/dead-letters/{letter_id}/discard", {"reason": "because"}),
            ("POST", "/operations/redrives", {}),
            ("POST", "/operations/discards", {"filter": {}, "reason": "because"}),
            ("POST", "/operations/discards", {"nonsense": True}),
            ("GET", "/operations/error-reports", None),
        ):
            status, problem = request_(method, path, body, **other)
            assert (status, problem["type"]) == (403, "urn:paygo:problem:operator-refused"), path

    assert len(open_letters(table)) == 1


def logs(*lines: str) -> dict[str, Any]:
    data = {
        "messageType": "DATA_MESSAGE",
        "owner": "123456789012",
        "logGroup": f"/aws/lambda/{STACK}-ledger-book-payments",
        "logStream": "stream",
        "subscriptionFilters": ["errors"],
        "logEvents": [
            {"id": str(place), "timestamp": 1795255500000, "message": line} for place, line in enumerate(lines)
        ],
    }
    return {"awslogs": {"data": base64.b64encode(gzip.compress(json.dumps(data).encode())).decode()}}


def test_errors_in_a_log_are_reported_told_and_listed(request_: Request, context: Any, log: io.StringIO) -> None:
    topic = boto3.client("sns").create_topic(Name=f"{STACK}-alarms")["TopicArn"]
    error = {"level": "ERROR", "message": "Amina", "exception_name": "CurrencyMismatch", "correlation_id": "c-1"}

    report_errors.handler(logs(json.dumps(error), json.dumps(error)), context)

    ((_, sent, *_),) = sns_backends[DEFAULT_ACCOUNT_ID]["us-east-1"].topics[topic].sent_notifications
    assert json.loads(sent)["error_report"]["count"] == 2
    (item,) = request_("GET", "/operations/error-reports")[1]["items"]
    assert (item["service"], item["type"], item["count"]) == ("ledger", "CurrencyMismatch", 2)
    assert item["correlation_id"] == "c-1"
    assert "Amina" not in log.getvalue() + sent


@pytest.fixture
def told(table: Table, context: Any) -> Callable[[str], Any]:
    """Hand notify-operators a message of the topic and return the mail it made."""
    boto3.client("sesv2").create_email_identity(EmailIdentity="no-reply@paygo.example.org")
    boto3.client("secretsmanager").create_secret(
        Name=f"{STACK}/operations/webhook", SecretString=json.dumps({"url": "https://hooks.example.org/x"})
    )

    def tell(text: str) -> Any:
        with responses.RequestsMock() as chat:
            chat.post("https://hooks.example.org/x", body="ok")
            notify_operators.handler({"Records": [{"Sns": {"MessageId": "n-1", "Message": text}}]}, context)
        (mail,) = ses_backends[DEFAULT_ACCOUNT_ID]["us-east-1"].sent_messages
        return mail

    return tell


ALARM = json.dumps(
    {
        "AlarmName": f"{STACK}-ledger-book-payments-dead",
        "NewStateValue": "ALARM",
        "StateChangeTime": "2026-11-21T10:26:00.000+0000",
        "OldStateValue": "OK",
    }
)


def test_an_alarm_is_mailed_and_posted_with_its_letters(
    told: Callable[[str], Any], table: Table, attempts_table: Table, context: Any, log: io.StringIO
) -> None:
    archive(context, record())

    mail = told(ALARM)

    assert mail.destinations["ToAddresses"] == ["operators@paygo.example.org"]
    assert mail.subject == f"[{STACK}] ALARM ledger-book-payments-dead: 1 dead letter"
    assert "event-1" in mail.body
    assert "Amina" not in mail.body
    assert "operators@" not in log.getvalue()


def test_an_alarm_is_told_even_when_the_letters_cannot_be_read(
    told: Callable[[str], Any], monkeypatch: pytest.MonkeyPatch, log: io.StringIO
) -> None:
    monkeypatch.setattr(notify_operators, "LETTERS", None)

    assert "The letters could not be read" in told(ALARM).body
    assert "could not be read" in log.getvalue()


def test_a_flood_of_letters_keeps_nobody_from_being_told(
    told: Callable[[str], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    class Flood:
        @staticmethod
        def open_in(_: object) -> Iterator[Letter]:
            return repeat(letter())

    monkeypatch.setattr(notify_operators, "LETTERS", Flood)

    mail = told(ALARM)

    assert mail.subject == f"[{STACK}] ALARM ledger-book-payments-dead: 500+ dead letters"
    assert "  and 490+ more\n" in mail.body


def test_nobody_is_told_that_a_new_alarm_is_quiet(context: Any, log: io.StringIO) -> None:
    quiet = json.loads(ALARM) | {"OldStateValue": "INSUFFICIENT_DATA", "NewStateValue": "OK"}

    with responses.RequestsMock():
        notify_operators.handler({"Records": [{"Sns": {"MessageId": "n-1", "Message": json.dumps(quiet)}}]}, context)
    sent = ses_backends[DEFAULT_ACCOUNT_ID]["us-east-1"].sent_messages

    assert not sent
    assert "Told" not in log.getvalue()


def test_an_error_report_is_mailed(told: Callable[[str], Any]) -> None:
    text = json.dumps({"error_report": report().model_dump(mode="json")})

    assert told(text).subject == f"[{STACK}] ERROR ledger: CurrencyMismatch at ledger/usecases.py:88"


@pytest.mark.parametrize("text", ["no JSON", "3", '{"AlarmName": 3}', '{"error_report": {}}'])
def test_a_message_of_another_kind_is_told_by_its_id(told: Callable[[str], Any], text: str, log: io.StringIO) -> None:
    mail = told(text)

    assert "message n-1" in mail.body
    assert text not in mail.body


def test_the_collaborators_come_from_the_settings() -> None:
    sqs, *_ = composition.sender(), composition.channels(), composition.notices()

    assert sqs is composition.sender()
    assert composition.queue(letter().queue.name) == letter().queue
