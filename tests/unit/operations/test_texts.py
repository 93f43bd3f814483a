from datetime import UTC, datetime

import pytest

from operations.model import ErrorReport
from operations.texts import Alarm, alarm_notice, attempt_link, error_notice, log_link, other_notice
from tests.unit.operations.makers import MINUTE, NOW, attempt, letter, seen_error

NAME = "paygo-test-ledger-book-payments-dead"
REGION = "eu-west-1"


def alarm(state: str = "ALARM", **other: object) -> Alarm:
    return Alarm.model_validate(
        {"AlarmName": NAME, "NewStateValue": state, "StateChangeTime": "2026-11-21T10:26:00.000+0000", "Region": "x"}
        | other
    )


def test_an_alarm_is_told_with_its_letters_their_reasons_and_logs() -> None:
    letters = [letter(number=number) for number in range(12)]

    notice = alarm_notice("n-1", alarm(AlarmDescription="Look at it."), "paygo-test", REGION, letters)

    assert notice.notice_id == "n-1"
    assert notice.subject == "[paygo-test] ALARM ledger-book-payments-dead: 12 dead letters"
    assert notice.text.startswith(f"{NAME} is ALARM since 2026-11-21 10:26:00 UTC.\n\nLook at it.\n")
    assert "  12 x CurrencyMismatch\n" in notice.text
    assert f"  {letters[0].letter_id}  payments.payment-confirmed.v1 event-0  first seen 2026-11-21 10:05:00 UTC\n" in (
        notice.text
    )
    assert notice.text.count("    log: https://eu-west-1.console.aws.amazon.com/") == 10
    assert "  and 2 more\n" in notice.text
    assert "make dead-letters BRANCH=<the branch of paygo-test>" in notice.text
    assert "Amina" not in notice.text


def test_one_letter_without_an_event_or_a_log_is_told_too() -> None:
    bare = letter().model_copy(update={"event_type": None, "event_id": None, "last_attempt": None})

    notice = alarm_notice("n-1", alarm(), "paygo-test", REGION, [bare])

    assert notice.subject.endswith(": 1 dead letter")
    assert f"  {bare.letter_id}  message  first seen" in notice.text
    assert "log:" not in notice.text
    assert "more" not in notice.text


@pytest.mark.parametrize(
    ("letters", "sentence"),
    [(None, "The letters could not be read"), ([], "None is archived")],
)
def test_an_alarm_without_letters_is_told(letters: list[object] | None, sentence: str) -> None:
    notice = alarm_notice("n-1", alarm(), "paygo-test", REGION, letters)  # type: ignore[arg-type]

    assert notice.subject == "[paygo-test] ALARM ledger-book-payments-dead"
    assert sentence in notice.text


def test_the_end_of_an_alarm_is_told_in_a_line() -> None:
    notice = alarm_notice("n-1", alarm("OK", StateChangeTime=None), "paygo-test", REGION, [])

    assert notice.subject == "[paygo-test] OK ledger-book-payments-dead"
    assert notice.text == f"{NAME} is OK.\n"


def test_an_error_is_told_with_where_how_often_and_its_log() -> None:
    report = ErrorReport(
        group="9f2c4a1b7d3e",
        service="ledger",
        type="CurrencyMismatch",
        place="ledger/usecases.py:88",
        count=30,
        first_seen=NOW - 5 * MINUTE,
        latest=seen_error(),
    )

    notice = error_notice("n-1", report, "paygo-test", REGION)

    assert notice.subject == "[paygo-test] ERROR ledger: CurrencyMismatch at ledger/usecases.py:88"
    assert "in paygo-test-ledger-book-payments.\n" in notice.text
    assert "first seen      2026-11-21 10:20:00 UTC\n" in notice.text
    assert "last seen       2026-11-21 10:25:00 UTC\n" in notice.text
    assert "how often       30\n" in notice.text
    assert "correlation id  request-1\n" in notice.text
    assert "log             https://eu-west-1.console.aws.amazon.com/" in notice.text
    assert "Report 9f2c4a1b7d3e" in notice.text


def test_an_error_without_a_correlation_id_says_so() -> None:
    report = ErrorReport(
        group="g",
        service="s",
        type="t",
        place="p",
        count=1,
        first_seen=NOW,
        latest=seen_error(correlation_id=None),
    )

    assert "correlation id  not known\n" in error_notice("n-1", report, "paygo-test", REGION).text


def test_a_message_of_another_kind_is_told_by_its_id() -> None:
    assert "message n-1," in other_notice("n-1", "paygo-test").text


def test_a_link_leads_to_the_log_around_the_moment() -> None:
    at = datetime(2026, 11, 21, 10, 5, tzinfo=UTC)

    assert log_link("us-east-1", "/aws/lambda/f", "2026/11/21/[1]abc", at) == (
        "https://us-east-1.console.aws.amazon.com/cloudwatch/home?region=us-east-1#logsV2:log-groups/log-group/"
        "$252Faws$252Flambda$252Ff/log-events/2026$252F11$252F21$252F$255B1$255Dabc"
        "$3Fstart$3D1795255440000$26end$3D1795255560000"
    )
    assert log_link("us-east-1", "/g", None, None).endswith("/log-group/$252Fg")


def test_an_attempt_that_left_no_log_has_no_link() -> None:
    assert attempt_link(attempt(1).model_copy(update={"log_group": None}), REGION) is None
