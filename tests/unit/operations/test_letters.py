"""What every keeper of letters does: the fake of the other tests and the table."""

from datetime import timedelta
from typing import TYPE_CHECKING

import boto3
import pytest

from operations.deaths import BODY_PART
from operations.model import Contended, Entry, Filter, Letter, State, What
from operations.repository import KEPT_CLOSED, AttemptTable, LetterTable
from paygo.storage import Table, sortable
from tests.unit.operations.fakes import FakeLetters
from tests.unit.operations.makers import MINUTE, NOW, OPERATOR, attempt, letter, queue

if TYPE_CHECKING:
    from operations.usecases import Letters

ARCHIVED = Entry(at=NOW, what=What.ARCHIVED, message_id="message-1", attempts=(attempt(10),))
REDRIVEN = Entry(at=NOW + MINUTE, what=What.REDRIVEN, by=OPERATOR, message_id="message-2")


@pytest.fixture(params=["fake", "table"])
def letters(request: pytest.FixtureRequest, table: Table) -> "Letters":
    return FakeLetters() if request.param == "fake" else LetterTable(table)


def listed(letters: "Letters", state: State = State.OPEN, within: Filter | None = None) -> list[Letter]:
    return list(letters.page(state, within or Filter(), limit=100, cursor=None).letters)


def test_a_kept_letter_is_found_with_its_body_and_history(letters: "Letters") -> None:
    letters.keep(letter(), "the body", ARCHIVED)

    assert letters.find(letter().letter_id) == letter()
    assert letters.body(letter()) == "the body"
    assert letters.history(letter().letter_id) == (ARCHIVED,)
    assert letters.knows(letter().letter_id, "message-1")
    assert listed(letters) == [letter()]


def test_an_unknown_letter_is_not_found(letters: "Letters") -> None:
    assert letters.find("letter") is None
    assert letters.body(letter()) is None
    assert letters.history("letter") == ()
    assert not letters.knows("letter", "message-1")


def test_a_letter_is_kept_once(letters: "Letters") -> None:
    letters.keep(letter(), "the body", ARCHIVED)

    with pytest.raises(Contended):
        letters.keep(letter(), "another", ARCHIVED.model_copy(update={"message_id": "message-9"}))

    assert letters.body(letter()) == "the body"
    assert len(letters.history(letter().letter_id)) == 1


def test_a_changed_letter_is_listed_under_its_new_state_alone(letters: "Letters") -> None:
    letters.keep(letter(), "the body", ARCHIVED)

    letters.change(letter(), letter().moved(State.REDRIVEN), REDRIVEN)

    assert letters.find(letter().letter_id) == letter().moved(State.REDRIVEN)
    assert listed(letters) == []
    assert listed(letters, State.REDRIVEN) == [letter().moved(State.REDRIVEN)]
    assert letters.history(letter().letter_id) == (ARCHIVED, REDRIVEN)
    assert not letters.knows(letter().letter_id, "message-2")


def test_a_letter_that_changed_since_it_was_read_is_not_changed(letters: "Letters") -> None:
    letters.keep(letter(), "the body", ARCHIVED)
    letters.change(letter(), letter().moved(State.DISCARDED), REDRIVEN)

    with pytest.raises(Contended):
        letters.change(letter(), letter().moved(State.REDRIVEN), REDRIVEN)

    assert listed(letters, State.DISCARDED) == [letter().moved(State.DISCARDED)]
    assert len(letters.history(letter().letter_id)) == 2


def test_a_message_is_archived_once(letters: "Letters") -> None:
    letters.keep(letter(), "the body", ARCHIVED)

    with pytest.raises(Contended):
        letters.change(letter(), letter().died_again(letter(), ()), ARCHIVED, body="the body")

    assert letters.find(letter().letter_id) == letter()


def test_a_letter_that_died_again_at_the_same_time_stays_listed(letters: "Letters") -> None:
    letters.keep(letter(), "the body", ARCHIVED)
    again = letter().died_again(letter(), ())

    letters.change(letter(), again, ARCHIVED.model_copy(update={"message_id": "message-2"}), body="the body")

    assert listed(letters) == [again]


def test_something_can_be_noted_whatever_the_state(letters: "Letters") -> None:
    letters.keep(letter(), "the body", ARCHIVED)

    letters.note(letter().letter_id, REDRIVEN)

    assert letters.history(letter().letter_id) == (ARCHIVED, REDRIVEN)
    assert letters.find(letter().letter_id) == letter()


def test_letters_are_listed_by_consumer_and_age(letters: "Letters") -> None:
    mail = letter("notifications/mail-payments", number=1, dead_at=NOW - 5 * MINUTE)
    old, new = letter(number=2, dead_at=NOW - MINUTE), letter(number=3)
    for number, one in enumerate((mail, new, old)):
        letters.keep(one, "", ARCHIVED.model_copy(update={"message_id": f"m-{number}"}))

    assert listed(letters) == [old, new, mail]
    assert listed(letters, within=Filter(service="ledger")) == [old, new]
    assert listed(letters, within=Filter(service="notifications", consumer="mail-payments")) == [mail]
    assert listed(letters, within=Filter(service="ledger", consumer="book")) == []
    assert list(letters.open_in(queue())) == [old, new]
    assert list(letters.all_open()) == [old, new, mail]


def test_a_list_goes_on_behind_its_cursor(letters: "Letters") -> None:
    kept = [letter(number=number, dead_at=NOW + number * MINUTE) for number in range(3)]
    for one in kept:
        letters.keep(one, "", ARCHIVED)

    first = letters.page(State.OPEN, Filter(), limit=2, cursor=None)
    rest = letters.page(State.OPEN, Filter(), limit=2, cursor=first.next_cursor)

    assert (first.letters, rest.letters) == (tuple(kept[:2]), tuple(kept[2:]))
    assert rest.next_cursor is None


def test_a_body_larger_than_an_item_comes_back_whole(table: Table) -> None:
    body = "€" * (4 * BODY_PART + 1)
    large = letter().model_copy(update={"body_parts": 5})

    LetterTable(table).keep(large, body, ARCHIVED)

    assert LetterTable(table).body(large) == body


def bodies(table: Table) -> list[dict[str, object]]:
    return [dict(item) for item in table.query(f"LETTER#{letter().letter_id}", prefix="BODY#", limit=10).items]


def test_a_closed_letters_body_goes_after_thirty_days_and_an_open_ones_stays(table: Table) -> None:
    letters = LetterTable(table)
    letters.keep(letter(), "the body", ARCHIVED)
    assert "expires_at" not in bodies(table)[0]

    closed = letter().moved(State.REDRIVEN)
    letters.change(letter(), closed, REDRIVEN)
    assert bodies(table)[0]["expires_at"] == int((REDRIVEN.at + KEPT_CLOSED).timestamp())

    died = ARCHIVED.model_copy(update={"message_id": "message-2"})
    letters.change(closed, closed.died_again(letter(), ()), died, body="the body")
    assert "expires_at" not in bodies(table)[0]


def test_a_body_of_which_a_part_is_gone_is_gone(table: Table) -> None:
    two = letter().model_copy(update={"body_parts": 2})
    LetterTable(table).keep(two, "x" * (BODY_PART + 1), ARCHIVED)
    boto3.client("dynamodb").delete_item(
        TableName=table.name, Key={"pk": {"S": f"LETTER#{two.letter_id}"}, "sk": {"S": "BODY#001"}}
    )

    assert LetterTable(table).body(two) is None


def test_an_archived_message_is_remembered_for_longer_than_it_may_wait(table: Table) -> None:
    LetterTable(table).keep(letter(), "the body", ARCHIVED)

    item = table.get(pk=f"LETTER#{letter().letter_id}", sk="MESSAGE#message-1")
    assert item is not None
    assert item["expires_at"] >= (NOW + timedelta(days=14)).timestamp()


def test_all_open_letters_are_found_however_many_there_are(table: Table, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("operations.repository._PAGE", 2)
    for number in range(5):
        LetterTable(table).keep(letter(number=number), "", ARCHIVED)

    assert len(list(LetterTable(table).all_open())) == 5


def test_attempts_are_those_of_one_message_of_one_queue(attempts_table: Table) -> None:
    for pk, count in (("q#event-1", 2), ("q#event-1", 1), ("q#event-2", 3), ("other#event-1", 4)):
        one = attempt(count)
        assert one.at is not None
        attempts_table.put(
            {"pk": pk, "sk": f"{sortable(one.at)}#{count}#message-1"} | one.model_dump(mode="json", exclude={"at"})
        )

    assert AttemptTable(attempts_table).of("q", "event-1") == (attempt(1), attempt(2))
