from collections.abc import Sequence
from datetime import datetime
from typing import Any

import pytest

from operations.deaths import LETTER
from operations.errors import LogBatch
from operations.model import (
    KILLED,
    Contended,
    DeadMessage,
    ErrorReport,
    Filter,
    Letter,
    LetterClosed,
    LetterNotFound,
    Notice,
    NoticeRefused,
    NotRedrivable,
    State,
    What,
)
from operations.usecases import (
    LETTERS_A_CALL,
    LONGEST_PAUSE,
    NOTICE_WINDOW,
    SCANNED_A_CALL,
    TRIES,
    archive,
    discard,
    discard_some,
    find,
    list_letters,
    redrive,
    redrive_some,
    report_errors,
    show_open,
    show_open_in,
    tell_operators,
)
from tests.unit.operations.fakes import (
    FakeAttempts,
    FakeChannel,
    FakeGauge,
    FakeLetters,
    FakeNotices,
    FakeReports,
    FakeSender,
)
from tests.unit.operations.makers import MINUTE, NOW, OPERATOR, attempt, event, letter, message, queue

WHY = "The provider refunded it."


class Archive:
    """Letters, and what is needed to archive more."""

    def __init__(self) -> None:
        self.letters = FakeLetters()
        self.attempts = FakeAttempts()
        self.sender = FakeSender()

    def take(self, dead: DeadMessage, now: datetime = NOW) -> Letter:
        return archive(dead, self.letters, self.attempts, now)

    def many(self, count: int, place: str = "ledger/book-payments", **other: Any) -> list[Letter]:
        taken = len(self.letters.letters)
        return [
            self.take(message(place, message_id=f"m-{number}", body=event(number), **other), NOW + number * MINUTE)
            for number in range(taken, taken + count)
        ]

    def redrive(self, letter_id: str) -> Letter:
        return redrive(letter_id, self.letters, self.sender, OPERATOR, NOW)

    def discard(self, letter_id: str) -> Letter:
        return discard(letter_id, self.letters, OPERATOR, WHY, NOW)

    def redrive_some(self, wanted: Filter, **other: Any) -> tuple[Sequence[Letter], tuple[str, ...], str | None]:
        values = {"per_second": 10.0, "cursor": None, "wait": _no_wait} | other
        page, skipped = redrive_some(wanted, self.letters, self.sender, OPERATOR, NOW, **values)
        return page.letters, skipped, page.next_cursor

    def what(self, letter_id: str) -> list[What]:
        return [entry.what for entry in self.letters.history(letter_id)]


def _no_wait(_seconds: float) -> None:
    message = "nothing is to be waited for"
    raise AssertionError(message)


@pytest.fixture
def archived() -> Archive:
    return Archive()


def test_a_dead_message_becomes_an_open_letter_with_its_attempts(archived: Archive) -> None:
    archived.attempts.rows["paygo-test-ledger-book-payments", "event-1"] = [attempt(count) for count in (9, 10)]

    taken = archived.take(message())

    assert find(taken.letter_id, archived.letters) == taken
    assert (taken.state, taken.attempts, taken.reason) == (State.OPEN, 10, "CurrencyMismatch")
    assert archived.letters.body(taken) == message().body
    (entry,) = archived.letters.history(taken.letter_id)
    assert (entry.what, entry.at, entry.message_id, len(entry.attempts)) == (What.ARCHIVED, NOW, "message-1", 10)


def test_a_functions_letter_asks_for_no_attempts(archived: Archive) -> None:
    archived.attempts.rows["paygo-test-devices-answer-credit", "event-1"] = [attempt(1)]

    assert archived.take(message("devices/answer-credit")).reason == "unreadable record"


def test_a_message_delivered_twice_is_archived_once(archived: Archive) -> None:
    first = archived.take(message())

    assert archived.take(message(), NOW + MINUTE) == first
    assert archived.what(first.letter_id) == [What.ARCHIVED]


def test_a_message_delivered_again_after_its_redrive_does_not_open_it(archived: Archive) -> None:
    first = archived.take(message())
    archived.redrive(first.letter_id)

    assert archived.take(message(), NOW + MINUTE).state is State.REDRIVEN


@pytest.mark.parametrize("close", ["redrive", "discard"])
def test_a_closed_letter_that_dies_again_is_open_again_with_its_history(archived: Archive, close: str) -> None:
    rows = archived.attempts.rows["paygo-test-ledger-book-payments", "event-1"] = [attempt(10)]
    first = archived.take(message())
    getattr(archived, close)(first.letter_id)
    rows.append(attempt(10, message_id="message-2", error_type="AccountClosed"))

    again = archived.take(message(message_id="message-2"), NOW + 10 * MINUTE)

    assert (again.letter_id, again.state, again.deaths, again.attempts) == (first.letter_id, State.OPEN, 2, 20)
    assert (again.reason, again.dead_at) == ("AccountClosed", NOW + 10 * MINUTE)
    assert archived.what(first.letter_id)[0::2] == [What.ARCHIVED, What.ARCHIVED]
    last = archived.letters.history(first.letter_id)[-1]
    assert {one.message_id for one in last.attempts} == {"message-2"}


def test_a_copy_that_dies_beside_the_first_is_the_same_letter_and_counts_no_attempt_twice(archived: Archive) -> None:
    key = "paygo-test-ledger-book-payments", "event-1"
    archived.attempts.rows[key] = [
        one for count in range(1, 11) for one in (attempt(count), attempt(count, message_id="copy"))
    ]
    first = archived.take(message())

    again = archived.take(message(message_id="copy"))

    assert (again.letter_id, again.deaths, again.attempts) == (first.letter_id, 2, 20)
    assert KILLED not in {one.error_type for one in archived.letters.history(first.letter_id)[-1].attempts}


def test_a_redriven_message_without_an_event_is_known_by_its_letter(archived: Archive) -> None:
    first = archived.take(message(body="no event"))
    archived.redrive(first.letter_id)

    again = archived.take(message(body="no event", message_id="message-2", attributes={LETTER: first.letter_id}))

    assert (again.letter_id, again.deaths) == (first.letter_id, 2)


@pytest.mark.parametrize("body", ["another body", "no event"])
def test_a_message_that_only_claims_to_be_a_letter_is_a_letter_of_its_own(archived: Archive, body: str) -> None:
    first = archived.take(message(body="no event"))
    place = "ledger/book-payments" if body == "another body" else "notifications/mail-payments"

    other = archived.take(message(place, body=body, message_id="m-2", attributes={LETTER: first.letter_id}))

    assert other.letter_id != first.letter_id
    assert archived.letters.body(first) == "no event"


def test_a_message_that_claims_to_be_an_unknown_letter_is_archived(archived: Archive) -> None:
    assert archived.take(message(attributes={LETTER: "unknown"})).event_id == "event-1"


def test_archiving_outlasts_whoever_archives_the_same_letter(archived: Archive) -> None:
    archived.letters.before_writing = [letter(number=1)]

    taken = archived.take(message(body=event(1), message_id="message-2"))

    assert taken.deaths == 2

    archived.letters.before_writing = [taken.model_copy(update={"version": 7})]
    assert archived.take(message(body=event(1), message_id="message-3")).version == 8


def test_archiving_that_never_gets_through_is_an_error_to_repeat(archived: Archive) -> None:
    taken = archived.take(message())
    archived.letters.before_writing = [taken.model_copy(update={"version": 10 + number}) for number in range(TRIES)]

    with pytest.raises(Contended, match="message-2"):
        archived.take(message(message_id="message-2"))


def test_a_redriven_letter_was_sent_first_and_says_who_did_it(archived: Archive) -> None:
    taken = archived.take(message())

    redriven = archived.redrive(taken.letter_id)

    assert archived.sender.sent == [(taken.letter_id, message().body, 0)]
    assert redriven.state is State.REDRIVEN
    assert find(taken.letter_id, archived.letters) == redriven
    entry = archived.letters.history(taken.letter_id)[-1]
    assert (entry.what, entry.by, entry.at, entry.message_id) == (What.REDRIVEN, OPERATOR, NOW, "sent-1")


def test_a_letter_that_could_not_be_sent_stays_open(archived: Archive) -> None:
    taken = archived.take(message("device/rules"))

    with pytest.raises(NotRedrivable):
        archived.redrive(taken.letter_id)

    assert find(taken.letter_id, archived.letters).state is State.OPEN
    assert archived.what(taken.letter_id) == [What.ARCHIVED]


def test_a_letter_whose_body_is_gone_is_not_sent(archived: Archive) -> None:
    taken = archived.take(message())
    del archived.letters.bodies[taken.letter_id]

    with pytest.raises(NotRedrivable, match="is gone"):
        archived.redrive(taken.letter_id)

    assert archived.sender.sent == []


@pytest.mark.parametrize("first", ["redrive", "discard"])
@pytest.mark.parametrize("second", ["redrive", "discard"])
def test_a_closed_letter_is_neither_redriven_nor_discarded(archived: Archive, first: str, second: str) -> None:
    taken = archived.take(message())
    getattr(archived, first)(taken.letter_id)
    sent = len(archived.sender.sent)

    with pytest.raises(LetterClosed):
        getattr(archived, second)(taken.letter_id)

    assert len(archived.sender.sent) == sent
    assert len(archived.what(taken.letter_id)) == 2


def test_an_unknown_letter_is_not_found(archived: Archive) -> None:
    for act in (archived.redrive, archived.discard):
        with pytest.raises(LetterNotFound):
            act("unknown")


def test_a_letter_that_dies_again_while_it_is_redriven_stays_open_and_the_redrive_is_written_down(
    archived: Archive,
) -> None:
    taken = archived.take(message())
    archived.letters.before_writing = [taken.died_again(taken, ())]

    after = archived.redrive(taken.letter_id)

    assert (after.state, after.deaths) == (State.OPEN, 2)
    assert archived.what(taken.letter_id) == [What.ARCHIVED, What.REDRIVEN]


def test_a_discarded_letter_says_who_did_it_and_why(archived: Archive) -> None:
    taken = archived.take(message())

    assert archived.discard(taken.letter_id).state is State.DISCARDED

    entry = archived.letters.history(taken.letter_id)[-1]
    assert (entry.what, entry.by, entry.why) == (What.DISCARDED, OPERATOR, WHY)
    assert archived.sender.sent == []


def test_a_letter_that_dies_again_while_it_is_discarded_stays_open(archived: Archive) -> None:
    taken = archived.take(message())
    archived.letters.before_writing = [taken.died_again(taken, ())]

    with pytest.raises(LetterClosed, match="changed in this moment"):
        archived.discard(taken.letter_id)

    assert find(taken.letter_id, archived.letters).state is State.OPEN


def test_a_list_holds_what_the_filter_takes(archived: Archive) -> None:
    ledger = archived.many(2)
    (mail,) = archived.many(1, "notifications/mail-payments")
    reason = {"reason": "invalid data: x"}
    (poison,) = archived.many(1, attributes=reason, was_moved=False)

    def listed(**wanted: Any) -> list[Letter]:
        page = list_letters(State.OPEN, Filter(**wanted), archived.letters, limit=10, cursor=None)
        return list(page.letters)

    assert listed() == [*ledger, poison, mail]
    assert listed(service="ledger") == [*ledger, poison]
    assert listed(consumer="mail-payments") == [mail]
    assert listed(reason="invalid data") == [poison]
    assert listed(dead_before=NOW) == ledger[:1]


def test_a_filtered_list_goes_on_until_its_page_is_full(archived: Archive) -> None:
    archived.many(5)
    poison = archived.many(3, attributes={"reason": "invalid data"}, was_moved=False)
    wanted = Filter(reason="invalid data")

    first = list_letters(State.OPEN, wanted, archived.letters, limit=2, cursor=None)
    rest = list_letters(State.OPEN, wanted, archived.letters, limit=2, cursor=first.next_cursor)

    assert list(first.letters + rest.letters) == poison
    assert rest.next_cursor is None


def test_a_list_that_skips_too_many_answers_with_where_to_go_on(archived: Archive) -> None:
    archived.many(SCANNED_A_CALL + 1)

    page = list_letters(State.OPEN, Filter(reason="none"), archived.letters, limit=100, cursor=None)

    assert page.letters == ()
    assert page.next_cursor is not None


def test_some_letters_are_redriven_at_the_rate(archived: Archive) -> None:
    letters = archived.many(12)
    archived.many(1, "notifications/mail-payments")

    sent, skipped, cursor = archived.redrive_some(Filter(service="ledger"), per_second=0.5)

    assert [one.letter_id for one in sent] == [one.letter_id for one in letters[:5]]
    assert [delay for _, _, delay in archived.sender.sent] == [0, 2, 4, 6, 8]
    assert (skipped, all(one.state is State.REDRIVEN for one in sent)) == ((), True)

    more, _, cursor = archived.redrive_some(Filter(service="ledger"), per_second=100.0, cursor=cursor)
    assert [one.letter_id for one in more] == [one.letter_id for one in letters[5:]]
    assert cursor is None


def test_a_call_redrives_no_more_than_its_share(archived: Archive) -> None:
    archived.many(LETTERS_A_CALL + 1)

    sent, _, cursor = archived.redrive_some(Filter(), per_second=100.0)
    assert len(sent) == LETTERS_A_CALL
    assert cursor is not None

    slow, _, _ = archived.redrive_some(Filter(), per_second=0.1, cursor=cursor)
    assert len(slow) == 1


def test_invocations_are_waited_between(archived: Archive) -> None:
    archived.many(3, "devices/answer-credit")
    waited: list[float] = []

    sent, _, _ = archived.redrive_some(Filter(), per_second=4.0, wait=waited.append)

    assert len(sent) == 3
    assert waited == [0.25, 0.25]


def test_what_cannot_be_redriven_is_skipped_and_stays(archived: Archive) -> None:
    (stuck,) = archived.many(1, "device/rules")
    (fine,) = archived.many(1)

    sent, skipped, _ = archived.redrive_some(Filter())

    assert ([one.letter_id for one in sent], skipped) == ([fine.letter_id], (stuck.letter_id,))


def test_some_letters_are_discarded_with_one_reason(archived: Archive) -> None:
    letters = archived.many(3)
    archived.letters.before_writing = [None, letters[1].died_again(letters[1], ())]

    page, skipped = discard_some(Filter(), archived.letters, OPERATOR, WHY, NOW, cursor=None)

    assert [one.letter_id for one in page.letters] == [letters[0].letter_id, letters[2].letter_id]
    assert skipped == (letters[1].letter_id,)
    assert archived.letters.history(letters[0].letter_id)[-1].why == WHY


def test_open_letters_are_counted_by_queue(archived: Archive) -> None:
    closed, *_ = archived.many(3)
    archived.many(1, "notifications/mail-payments")
    archived.discard(closed.letter_id)
    gauge = FakeGauge()

    counts = {queue().name: 2, queue("notifications/mail-payments").name: 1}
    assert show_open(archived.letters, gauge) == counts
    assert gauge.shown == [counts]


def test_a_queue_that_was_emptied_is_shown_as_empty(archived: Archive) -> None:
    archived.many(2)
    gauge = FakeGauge()

    show_open_in([queue(), queue("notifications/mail-payments"), queue()], archived.letters, gauge)
    show_open_in([], archived.letters, gauge)

    assert gauge.shown == [{queue().name: 2, queue("notifications/mail-payments").name: 0}]


def test_a_flood_is_counted_in_full_only_every_minute(archived: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("operations.usecases.COUNTED_AT_ONCE", 2)
    archived.many(3)
    gauge = FakeGauge()

    show_open_in([queue()], archived.letters, gauge)
    show_open(archived.letters, gauge)

    assert gauge.shown == [{queue().name: 2}, {queue().name: 3}]


def log_batch(*lines: str, function: str = "ledger-book-payments", at: int = 0) -> LogBatch:
    return LogBatch.model_validate(
        {
            "messageType": "DATA_MESSAGE",
            "logGroup": f"/aws/lambda/paygo-test-{function}",
            "logStream": "stream",
            "logEvents": [
                {"id": f"{at}-{place}", "timestamp": int(NOW.timestamp() * 1000) + at + place, "message": line}
                for place, line in enumerate(lines)
            ],
        }
    )


class Reporting:
    def __init__(self) -> None:
        self.reports = FakeReports()
        self.notices = FakeNotices()
        self.waits: list[float] = []

    def __call__(self, batch: LogBatch, now: datetime = NOW) -> int:
        return report_errors(batch, "paygo-test", self.reports, self.notices, now, wait=self.waits.append)

    @property
    def only(self) -> ErrorReport:
        (report,) = self.reports.reports.values()
        return report


@pytest.fixture
def reporting() -> Reporting:
    return Reporting()


def test_errors_of_a_kind_are_one_report_and_one_notice(reporting: Reporting) -> None:
    assert reporting(log_batch("[ERROR] ValueError: a", "[ERROR] ValueError: b")) == 1

    report = reporting.only
    assert (report.service, report.type, report.place, report.count) == (
        "ledger",
        "ValueError",
        "ledger/book-payments",
        2,
    )
    assert report.first_seen == NOW
    assert report.last_seen > NOW
    assert reporting.notices.published == [report]


def test_errors_of_two_kinds_are_two_reports_and_two_notices(reporting: Reporting) -> None:
    assert reporting(log_batch("[ERROR] ValueError: a", "[ERROR] KeyError: b")) == 2

    assert len(reporting.notices.published) == 2


def test_operators_are_told_of_an_error_at_most_once_an_hour(reporting: Reporting) -> None:
    for at, now in enumerate((NOW, NOW + MINUTE, NOW + NOTICE_WINDOW - MINUTE, NOW + NOTICE_WINDOW)):
        reporting(log_batch("[ERROR] ValueError: a", at=at), now)

    assert [report.count for report in reporting.notices.published] == [1, 4]
    assert reporting.only.notified_at == NOW + NOTICE_WINDOW


def test_lines_delivered_twice_are_counted_once(reporting: Reporting) -> None:
    for _ in range(2):
        reporting(log_batch("[ERROR] ValueError: a"))

    assert reporting.only.count == 1
    assert len(reporting.notices.published) == 1


def test_an_older_line_that_comes_late_is_not_the_latest(reporting: Reporting) -> None:
    reporting(log_batch("[ERROR] ValueError: a", at=60_000))
    reporting(log_batch("[ERROR] ValueError: a", at=0))

    assert reporting.only.last_seen == NOW + MINUTE


def test_a_notice_that_did_not_get_out_is_given_with_the_next_try(reporting: Reporting) -> None:
    reporting.notices.broken = True
    with pytest.raises(ConnectionError):
        reporting(log_batch("[ERROR] ValueError: a"))

    reporting.notices.broken = False
    reporting(log_batch("[ERROR] ValueError: a"), NOW + MINUTE)

    assert [report.count for report in reporting.notices.published] == [1]


def test_a_notice_that_did_not_get_out_is_not_taken_back_from_who_gave_it_meanwhile(reporting: Reporting) -> None:
    class Overtaken(FakeNotices):
        def publish(self, report: ErrorReport) -> None:
            reporting.reports.contended = 1
            raise ConnectionError

    reporting.notices = Overtaken()
    with pytest.raises(ConnectionError):
        reporting(log_batch("[ERROR] ValueError: a"))

    assert reporting.only.notified_at == NOW


def test_counting_outlasts_others_who_count(reporting: Reporting) -> None:
    reporting.reports.contended = TRIES - 1

    reporting(log_batch("[ERROR] ValueError: a"))

    assert reporting.only.count == 1
    assert len(reporting.waits) == TRIES - 1
    assert all(0 <= pause <= LONGEST_PAUSE * 2**place for place, pause in enumerate(reporting.waits))


def test_counting_that_never_gets_through_is_an_error_to_repeat(reporting: Reporting) -> None:
    reporting.reports.contended = TRIES

    with pytest.raises(Contended):
        reporting(log_batch("[ERROR] ValueError: a"))


def test_operators_are_told_on_every_channel_even_when_one_refuses() -> None:
    notice = Notice(notice_id="n-1", subject="s", text="t")
    broken, fine = FakeChannel(refuses=True), FakeChannel()

    with pytest.raises(NoticeRefused, match="not today"):
        tell_operators(notice, [broken, fine])

    assert fine.told == [notice]
    tell_operators(notice, [fine])
    assert len(fine.told) == 2


def test_only_open_letters_close_and_only_closed_ones_open() -> None:
    opened = letter()
    for state in (State.REDRIVEN, State.DISCARDED):
        closed = opened.moved(state)
        assert closed.version == opened.version + 1
        assert closed.moved(State.OPEN).state is State.OPEN
        with pytest.raises(LetterClosed):
            closed.moved(state)
    with pytest.raises(LetterClosed):
        opened.moved(State.OPEN)
