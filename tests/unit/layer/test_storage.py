import base64
import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import boto3
import pytest
from boto3.dynamodb.conditions import Attr, ConditionBase, Key
from botocore.exceptions import ClientError
from hypothesis import given
from hypothesis import strategies as st

from paygo import storage
from paygo.storage import (
    ABSENT,
    PRESENT,
    ConditionFailed,
    InvalidCursor,
    Table,
    TransactionRefused,
    from_attributes,
    sortable,
    to_attributes,
)

values = st.recursive(
    st.none() | st.booleans() | st.text() | st.integers(min_value=-(10**30), max_value=10**30),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(min_size=1), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.text(min_size=1), values, max_size=4))
def test_an_item_survives_its_way_through_attributes(item: dict[str, Any]) -> None:
    assert from_attributes(to_attributes(item)) == item


def test_numbers_are_read_as_integers() -> None:
    number = from_attributes({"n": {"N": "1E+3"}})["n"]

    assert number == 1000
    assert not isinstance(number, Decimal)


times = st.datetimes(datetime(1000, 1, 1), datetime(9000, 1, 1), timezones=st.timezones())


@given(times, times)
def test_sortable_times_sort_as_the_times_do(one: datetime, other: datetime) -> None:
    assert (sortable(one) < sortable(other)) == (one.astimezone(UTC) < other.astimezone(UTC))
    assert datetime.fromisoformat(sortable(one)) == one.astimezone(UTC)


def test_an_item_that_is_not_there_is_none(table: Table) -> None:
    assert table.get(pk="A", sk="1") is None


def test_an_item_is_read_as_it_was_put(table: Table) -> None:
    item = {"pk": "A", "sk": "1", "amount": 5, "name": "Amina", "gone": None}

    table.put(item)

    assert table.get(pk="A", sk="1") == item


def test_a_first_write_happens_once(table: Table) -> None:
    table.put({"pk": "A", "sk": "1", "n": 1}, ABSENT)

    with pytest.raises(ConditionFailed):
        table.put({"pk": "A", "sk": "1", "n": 2}, ABSENT)

    assert table.get(pk="A", sk="1") == {"pk": "A", "sk": "1", "n": 1}


def test_an_update_sets_what_it_names_and_keeps_the_rest(table: Table) -> None:
    table.put({"pk": "A", "sk": "1", "state": "old", "kept": True})

    table.update({"pk": "A", "sk": "1"}, {"state": "new", "size": 2}, Attr("state").eq("old"))

    assert table.get(pk="A", sk="1") == {"pk": "A", "sk": "1", "state": "new", "size": 2, "kept": True}


def test_an_update_whose_condition_fails_changes_nothing(table: Table) -> None:
    table.put({"pk": "A", "sk": "1", "state": "old"})

    with pytest.raises(ConditionFailed):
        table.update({"pk": "A", "sk": "1"}, {"state": "new"}, Attr("state").eq("other"))

    assert table.get(pk="A", sk="1") == {"pk": "A", "sk": "1", "state": "old"}


def test_an_update_without_a_condition_makes_the_item(table: Table) -> None:
    table.update({"pk": "A", "sk": "1"}, {"state": "new"})

    assert table.get(pk="A", sk="1") == {"pk": "A", "sk": "1", "state": "new"}


def test_an_error_that_is_no_condition_is_not_hidden() -> None:
    nowhere = Table("nowhere", boto3.client("dynamodb"))

    with pytest.raises(ClientError, match="ResourceNotFound"):
        nowhere.put({"pk": "A", "sk": "1"}, ABSENT)


def test_a_transaction_does_all_or_nothing(table: Table) -> None:
    table.put({"pk": "A", "sk": "1"})
    table.put({"pk": "A", "sk": "3"})

    with pytest.raises(TransactionRefused) as refused:
        table.transact(
            [
                table.putting({"pk": "A", "sk": "1"}, ABSENT),
                table.putting({"pk": "A", "sk": "2"}, ABSENT),
                table.updating({"pk": "A", "sk": "4"}, {"n": 1}, PRESENT),
            ]
        )

    assert refused.value.failed == (0, 2)
    assert table.get(pk="A", sk="2") is None


def test_a_transaction_whose_conditions_hold_writes_everything(table: Table) -> None:
    table.put({"pk": "A", "sk": "1", "n": 1})

    table.transact(
        [
            table.updating({"pk": "A", "sk": "1"}, {"n": 2}, Attr("n").eq(1)),
            table.putting({"pk": "A", "sk": "2"}, ABSENT),
        ]
    )

    assert table.get(pk="A", sk="1") == {"pk": "A", "sk": "1", "n": 2}
    assert table.get(pk="A", sk="2") == {"pk": "A", "sk": "2"}


class Cancelling:
    """A client whose transactions are cancelled for these reasons, one after another, and then go through."""

    exceptions = boto3.client("dynamodb", region_name="us-east-1").exceptions

    def __init__(self, *reasons: str) -> None:
        self.reasons = list(reasons)

    def transact_write_items(self, **_: Any) -> None:
        if self.reasons:
            raise self.exceptions.TransactionCanceledException(
                {
                    "Error": {"Code": "TransactionCanceledException"},
                    "CancellationReasons": [{"Code": "None"}, {"Code": self.reasons.pop(0)}],
                },
                "TransactWriteItems",
            )


def test_a_transaction_that_meets_another_one_is_tried_again() -> None:
    client = Cancelling("TransactionConflict", "TransactionConflict")

    Table("any", client).transact([])  # type: ignore[arg-type]

    assert client.reasons == []


def test_a_transaction_that_meets_another_one_and_then_a_changed_item_is_refused() -> None:
    client = Cancelling("TransactionConflict", "ConditionalCheckFailed")

    with pytest.raises(TransactionRefused) as refused:
        Table("any", client).transact([])  # type: ignore[arg-type]

    assert refused.value.failed == (1,)


def test_a_transaction_that_meets_others_again_and_again_is_an_error_to_retry() -> None:
    client = Cancelling(*["TransactionConflict"] * 9)

    with pytest.raises(client.exceptions.TransactionCanceledException):
        Table("any", client).transact([])  # type: ignore[arg-type]

    assert len(client.reasons) == 4


def test_a_transaction_cancelled_for_another_reason_is_not_tried_again() -> None:
    client = Cancelling("ValidationError", "ValidationError")

    with pytest.raises(client.exceptions.TransactionCanceledException):
        Table("any", client).transact([])  # type: ignore[arg-type]

    assert len(client.reasons) == 1


def test_a_transaction_deletes_an_item_whose_condition_holds(table: Table) -> None:
    table.put({"pk": "A", "sk": "1", "n": 1})

    with pytest.raises(TransactionRefused):
        table.transact([table.deleting({"pk": "A", "sk": "1"}, Attr("n").eq(2))])
    table.transact([table.deleting({"pk": "A", "sk": "1"}, Attr("n").eq(1))])

    assert table.get(pk="A", sk="1") is None


def test_a_transaction_happens_only_while_what_it_checks_holds(table: Table) -> None:
    writes = [table.checking({"pk": "A", "sk": "1"}, ABSENT), table.putting({"pk": "A", "sk": "2"})]
    table.put({"pk": "A", "sk": "1"})

    with pytest.raises(TransactionRefused) as refused:
        table.transact(writes)

    assert refused.value.failed == (0,)
    assert table.get(pk="A", sk="2") is None


def fill(table: Table, count: int) -> None:
    for number in range(count):
        table.put({"pk": "A", "sk": f"ENTRY#{number}", "n": number})
    table.put({"pk": "A", "sk": "OTHER#1"})
    table.put({"pk": "B", "sk": "ENTRY#9"})


@pytest.mark.parametrize(("order", "expected"), [("ascending", [0, 1, 2, 3, 4]), ("descending", [4, 3, 2, 1, 0])])
def test_pages_together_are_the_whole_list_in_order(table: Table, order: Any, expected: list[int]) -> None:
    fill(table, 5)

    seen: list[int] = []
    cursor = None
    while True:
        page = table.query("A", prefix="ENTRY#", limit=2, cursor=cursor, order=order)
        assert len(page.items) <= 2
        seen += [item["n"] for item in page.items]
        cursor = page.next_cursor
        if cursor is None:
            break

    assert seen == expected


def seen_of(table: Table, condition: ConditionBase, *, limit: int) -> list[list[int]]:
    pages, cursor = [], None
    while True:
        page = table.query("A", prefix="ENTRY#", limit=limit, cursor=cursor, condition=condition)
        pages.append([item["n"] for item in page.items])
        cursor = page.next_cursor
        if cursor is None:
            return pages


def test_a_condition_leaves_out_items_and_not_the_way_on(table: Table, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(table, 8)

    assert seen_of(table, Attr("n").is_in([1, 2, 3, 6]), limit=2) == [[1, 2], [3, 6]]
    assert seen_of(table, Attr("n").eq(5), limit=2) == [[5]]
    monkeypatch.setattr(storage, "EXAMINED", 3)
    assert seen_of(table, Attr("n").eq(5), limit=2) == [[], [5], []]


def test_there_is_nothing_under_a_key_that_is_too_long_for_an_item(table: Table) -> None:
    assert table.get(pk="\N{SNOWMAN}" * 683, sk="DEVICE") is None
    assert table.get(pk="HOUSEHOLD#1", sk="D" * 1025) is None


def cursor_after(sk: str) -> str:
    return base64.urlsafe_b64encode(json.dumps({"sk": sk}).encode()).decode().rstrip("=")


@pytest.mark.parametrize("sk", ["DEVICE#" + "1" * 1018, "DEVICE#\ud800"], ids=["too long", "no text"])
def test_a_cursor_that_no_key_can_have_led_to_is_refused(table: Table, sk: str) -> None:
    with pytest.raises(InvalidCursor):
        table.query("HOUSEHOLD#1", prefix="DEVICE#", limit=1, cursor=cursor_after(sk))


@pytest.mark.parametrize(
    "cursor",
    ["%%%", "bm90IGpzb24", "e30", "eyJzayI6IDF9", "WzFd", "eyJzayI6ICJPVEhFUiMxIn0", "\N{SNOWMAN}"],
    ids=["not base64", "not JSON", "without a key", "a number", "a list", "another prefix", "not ASCII"],
)
def test_a_cursor_of_ones_own_making_is_refused(table: Table, cursor: str) -> None:
    with pytest.raises(InvalidCursor):
        table.query("A", prefix="ENTRY#", limit=2, cursor=cursor)


class Conflicting:
    """A client whose writes meet a transaction some times."""

    def __init__(self, times: int) -> None:
        self.times = times

    def put_item(self, **_: Any) -> None:
        if self.times:
            self.times -= 1
            raise ClientError({"Error": {"Code": "TransactionConflictException", "Message": ""}}, "PutItem")


def test_a_single_write_that_meets_a_transaction_is_tried_again() -> None:
    client = Conflicting(times=4)

    Table("any", client).put({"pk": "A"})  # type: ignore[arg-type]

    assert client.times == 0


def test_a_single_write_that_meets_transactions_again_and_again_is_an_error_to_retry() -> None:
    with pytest.raises(ClientError, match="TransactionConflictException"):
        Table("any", Conflicting(times=5)).put({"pk": "A"})  # type: ignore[arg-type]


def test_attributes_are_removed_with_the_update_that_sets_others(table: Table) -> None:
    table.put({"pk": "A", "sk": "1", "state": "new", "hidden": 1, "also": 2})

    table.update({"pk": "A", "sk": "1"}, {"state": "old"}, Attr("state").eq("new"), remove=("hidden", "also"))

    assert table.get(pk="A", sk="1") == {"pk": "A", "sk": "1", "state": "old"}


def test_numbers_are_added_to_and_begin_at_nothing(table: Table) -> None:
    key = {"pk": "A", "sk": "1"}

    assert table.add(key, {"calls": 1, "bytes": 10}) == {"calls": 1, "bytes": 10}
    assert table.add(key, {"calls": 1, "bytes": -3}) == {"calls": 2, "bytes": 7}


def test_an_item_of_numbers_may_expire(table: Table) -> None:
    key = {"pk": "A", "sk": "1"}

    assert table.add(key, {"calls": 1}, expires_at=1_800_000_000) == {"calls": 1}

    assert table.get(**key) == {**key, "calls": 1, "expires_at": 1_800_000_000}


def test_an_index_holds_only_what_carries_its_keys(table: Table) -> None:
    for place in range(3):
        table.put({"pk": f"A{place}", "sk": "1", "unpublished": "a", "unpublished_since": str(place)})
    table.put({"pk": "B", "sk": "1"})

    found = table.query_index("unpublished", Key("unpublished").eq("a") & Key("unpublished_since").lt("2"))

    assert [item["pk"] for item in found] == ["A0", "A1"]


def test_a_scan_finds_what_the_condition_asks_for_and_goes_on_behind_a_key(table: Table) -> None:
    for place in range(5):
        table.put({"pk": f"A{place}", "sk": "1", "even": place % 2 == 0})

    def found(**after: str) -> list[str]:
        return [item["pk"] for items, _ in table.scan(Attr("even").eq(True), after=after) for item in items]

    everything = found()
    first, *others = everything

    assert sorted(everything) == ["A0", "A2", "A4"]
    assert found(pk=first, sk="1") == others


def test_all_pages_of_an_index_and_of_a_table_are_read(table: Table) -> None:
    large = "x" * 300_000
    for place in range(5):
        table.put({"pk": f"A{place}", "sk": "1", "unpublished": "a", "unpublished_since": str(place), "large": large})

    assert len(list(table.query_index("unpublished", Key("unpublished").eq("a")))) == 5
    pages = list(table.scan(Attr("large").exists()))
    assert sum(len(items) for items, _ in pages) == 5
    assert [last for _, last in pages] == [{"pk": pages[0][0][-1]["pk"], "sk": "1"}, None]
