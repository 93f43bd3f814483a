"""What a dead-letter queue delivers, read: consumers' messages, and the records that Lambda and AWS IoT make."""

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from operations.deaths import BODY_PART, RECEIVES, attempts_key, own_attributes, parts, read_death
from operations.model import KILLED, Attempt, DeadMessage, Kind, Letter
from tests.unit.operations.makers import EVENT, MINUTE, NOW, attempt, letter, message, queue

FUNCTION_RECORD: dict[str, Any] = {
    "version": "1.0",
    "timestamp": "2026-11-21T10:20:00.000Z",
    "requestContext": {
        "requestId": "invocation-9",
        "functionArn": "arn:aws:lambda:us-east-1:123456789012:function:paygo-test-devices-answer-credit:live",
        "condition": "RetriesExhausted",
        "approximateInvokeCount": 3,
    },
    "requestPayload": {"device_id": "device-1"},
    "responsePayload": {
        "errorMessage": "AWS IoT did not answer.",
        "errorType": "ReadTimeoutError",
        "stackTrace": [
            '  File "/var/task/devices/handlers/answer_credit.py", line 30, in handler\n    answer(device)\n',
            '  File "/opt/python/botocore/client.py", line 5, in call\n    raise\n',
        ],
    },
}
STREAM_RECORD: dict[str, Any] = {
    "requestContext": {"requestId": "invocation-9", "condition": "RetryAttemptsExhausted"},
    "DDBStreamBatchInfo": {
        "shardId": "shardId-1",
        "startSequenceNumber": "100",
        "endSequenceNumber": "200",
        "batchSize": 7,
    },
}
RULE_RECORD: dict[str, Any] = {
    "ruleName": "paygo_test_answer_credit",
    "failures": [{"failedAction": "LambdaAction", "errorMessage": "The function was throttled."}],
}


def read(dead: DeadMessage, *rows: Attempt) -> Letter:
    return read_death(dead, rows, NOW).letter


def test_a_letter_names_its_event_its_consumer_and_why_it_died() -> None:
    found = read(message(), *(attempt(count) for count in range(1, 11)))

    assert (found.consumer, found.queue.name) == ("ledger/book-payments", "paygo-test-ledger-book-payments-dead")
    assert (found.event_type, found.event_id, found.correlation_id) == (
        "payments.payment-confirmed.v1",
        "event-1",
        "request-1",
    )
    assert (found.reason, found.error) == ("CurrencyMismatch", "The account is in KES.")
    assert (found.first_seen, found.dead_at) == (NOW - 20 * MINUTE, NOW)
    assert (found.attempts, found.deaths, found.last_attempt) == (10, 1, attempt(10))


def test_a_receive_that_left_nothing_behind_was_killed_or_timed_out() -> None:
    death = read_death(message(), [attempt(2), attempt(4)], NOW)

    assert len(death.attempts) == RECEIVES
    assert [one.error_type for one in death.attempts[:5]] == [
        KILLED,
        "CurrencyMismatch",
        KILLED,
        "CurrencyMismatch",
        KILLED,
    ]
    assert (death.letter.reason, death.letter.error) == (KILLED, KILLED)


def test_a_worker_that_was_always_killed_is_the_reason() -> None:
    found = read(message())

    assert (found.reason, found.error, found.attempts) == (KILLED, KILLED, RECEIVES)


def test_attempts_at_copies_stand_before_those_at_the_message_that_died() -> None:
    rows = [attempt(10), attempt(2, message_id="copy")]

    death = read_death(message(), rows, NOW)

    assert [(one.message_id, one.receive_count) for one in death.attempts][:3] == [
        ("copy", 1),
        ("copy", 2),
        ("message-1", 1),
    ]
    assert death.letter.last_attempt == attempt(10)


def test_what_the_consumer_gave_up_at_once_has_its_reason() -> None:
    dead = message(attributes={"reason": "invalid data: data.amount: Field required"}, was_moved=False)

    found = read(dead, attempt(1, message_id="original"))

    assert (found.reason, found.error) == ("invalid data", "invalid data: data.amount: Field required")
    assert found.attempts == 2
    assert found.last_attempt is not None
    assert (found.last_attempt.error_type, found.last_attempt.at) == ("invalid data", dead.sent_at)
    assert found.last_attempt.log_group == "/aws/lambda/paygo-test-ledger-book-payments"


def test_what_was_not_ready_once_did_not_die_of_that() -> None:
    copied = {"reason": "the account is not open", "not-ready": "3"}

    assert read(message(attributes=copied), attempt(10)).reason == "CurrencyMismatch"


def test_what_there_was_no_time_for_and_is_given_up_then_has_its_reason() -> None:
    found = read(message(attributes={"reason": "not JSON", "not-ready": "0"}, was_moved=False))

    assert (found.reason, found.attempts) == ("not JSON", 1)


def test_what_the_topic_could_not_deliver_was_never_tried() -> None:
    found = read(message(was_moved=False))

    assert (found.reason, found.attempts, found.last_attempt) == ("not delivered", 0, None)
    assert found.error == "The topic could not hand it to paygo-test-ledger-book-payments."
    assert found.event_id == "event-1"


def test_a_sweep_that_failed_says_so_as_any_call() -> None:
    found = read(message("ledger/publish-outbox", body=FUNCTION_RECORD | {"requestPayload": {"action": "sweep"}}))

    assert (found.reason, found.error, found.attempts) == ("ReadTimeoutError", "AWS IoT did not answer.", 1)


def test_a_copys_first_seen_is_that_of_the_first() -> None:
    assert read(message(attributes={"first-seen": "2026-11-20T10:00:00+00:00"})).first_seen == datetime(
        2026, 11, 20, 10, tzinfo=UTC
    )


@pytest.mark.parametrize("written", ["yesterday", "2026-11-20T10:00:00"])
def test_a_first_seen_that_is_no_time_is_not_believed(written: str) -> None:
    assert read(message(attributes={"first-seen": written})).first_seen == NOW - 20 * MINUTE


@pytest.mark.parametrize(
    "body", ["no JSON", "[1]", "3", '{"id": 3, "type": {}}', "", '{"id": "Amina Odhiambo"}', "[" * 100_000]
)
def test_poison_is_a_letter_of_its_own(body: str) -> None:
    dead = message(body=body, attributes={"reason": "not JSON"}, was_moved=False)

    found = read(dead)

    assert (found.event_id, found.event_type, found.reason) == (None, None, "not JSON")
    assert attempts_key(dead) == "message-1"
    assert found.letter_id != read(message(body=body, message_id="message-2")).letter_id


def test_the_same_event_is_the_same_letter_in_its_queue_alone() -> None:
    first = read(message())

    assert read(message(message_id="message-2")).letter_id == first.letter_id
    assert read(message("notifications/mail-payments")).letter_id != first.letter_id
    assert read(message(body=EVENT | {"data": {}})).letter_id != first.letter_id


def test_attempts_are_found_by_the_events_id() -> None:
    assert attempts_key(message()) == "event-1"


def test_a_failed_invocation_says_what_and_where() -> None:
    death = read_death(message("devices/answer-credit", body=FUNCTION_RECORD), [], NOW)

    assert (death.letter.reason, death.letter.error) == ("ReadTimeoutError", "AWS IoT did not answer.")
    assert (death.letter.event_id, death.letter.queue.kind) == (None, Kind.FUNCTION)
    (one,) = death.attempts
    assert (one.receive_count, one.at) == (3, datetime(2026, 11, 21, 10, 20, tzinfo=UTC))
    assert (one.place, one.request_id) == ("devices/handlers/answer_credit.py:30", "invocation-9")
    assert one.log_group == "/aws/lambda/paygo-test-devices-answer-credit"


def test_an_invocation_that_grew_too_old_has_no_error_but_a_condition() -> None:
    record = FUNCTION_RECORD | {"requestContext": {"condition": "EventAgeExceeded"}, "responsePayload": None}

    death = read_death(message("devices/answer-credit", body=record), [], NOW)

    assert (death.letter.reason, death.letter.error) == ("EventAgeExceeded", "EventAgeExceeded")
    assert (death.attempts[0].receive_count, death.attempts[0].place) == (0, None)


@pytest.mark.parametrize("place", ["devices/answer-credit", "ledger/publish-outbox"])
def test_a_record_that_lambda_did_not_make_is_kept_too(place: str) -> None:
    assert read(message(place, body="no JSON")).reason == "unreadable record"


def test_stream_records_that_were_given_up_are_named() -> None:
    found = read(message("ledger/publish-outbox", body=STREAM_RECORD))

    assert found.reason == "RetryAttemptsExhausted"
    assert found.error == "7 records of shardId-1, from 100 to 200"
    assert found.last_attempt is None


def test_a_devices_message_that_reached_no_function_says_why() -> None:
    found = read(message("device/rules", body=RULE_RECORD))

    assert (found.queue.kind, found.reason, found.error) == (
        Kind.OTHER,
        "LambdaAction",
        "The function was throttled.",
    )


@pytest.mark.parametrize("body", [{}, {"failures": []}, {"failures": ["x"]}, {"failures": 3}, {"failures": [{}]}, "x"])
def test_what_comes_from_nowhere_is_kept(body: Any) -> None:
    found = read(message("device/rules", body=body))

    assert (found.reason, found.error) == ("not from a consumer", "not from a consumer")


def test_a_redriven_message_starts_fresh_and_says_which_letter_it_was() -> None:
    dead = letter(attributes={"reason": "r", "not-ready": "2", "first-seen": "x", "not-before": "y"})

    sent = own_attributes(dead)

    assert {name: one.value for name, one in sent.items()} == {
        "type": "payments.payment-confirmed.v1",
        "dead-letter": dead.letter_id,
    }


@given(st.text(max_size=20), st.integers(0, 3))
def test_the_parts_of_a_body_are_the_body(text: str, times: int) -> None:
    body = text + "x" * (BODY_PART * times)

    assert "".join(parts(body)) == body
    assert all(len(part) <= BODY_PART for part in parts(body))
    assert parts(body)


def test_a_queues_name_says_its_service_and_consumer() -> None:
    assert (queue().service, queue().consumer, queue().kind) == ("ledger", "book-payments", Kind.QUEUE)
    assert queue().source == "paygo-test-ledger-book-payments"
