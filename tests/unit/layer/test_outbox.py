import hashlib
from datetime import UTC, datetime
from typing import Any

import pytest

from paygo.events import Event, RegistrationSubmitted
from paygo.outbox import MAX_EVENT_BYTES, EventTooLarge, outbox_write
from paygo.storage import Table, TransactionRefused

NOW = datetime(2026, 11, 21, 10, 0, tzinfo=UTC)


def submitted() -> Event[RegistrationSubmitted]:
    return Event[RegistrationSubmitted].about(
        "r-1", RegistrationSubmitted(registration_id="r-1"), source="/s/identity", time=NOW, correlation_id="c-1"
    )


def kept(table: Table, event: Event[RegistrationSubmitted]) -> dict[str, Any]:
    item = table.get(pk=f"OUTBOX#{event.id}", sk="OUTBOX")
    assert item is not None
    return item


def test_an_event_waits_in_the_table_and_never_expires_unpublished(table: Table) -> None:
    event = submitted()

    table.transact([outbox_write(table, event)])

    item = kept(table, event)
    assert Event[RegistrationSubmitted].model_validate_json(item["event"]) == event
    assert "expires_at" not in item


def test_an_event_enters_the_outbox_once(table: Table) -> None:
    event = submitted()
    table.transact([outbox_write(table, event)])

    with pytest.raises(TransactionRefused):
        table.transact([outbox_write(table, event)])


def test_an_unpublished_event_is_found_by_its_shard_and_time(table: Table) -> None:
    event = submitted()

    table.transact([outbox_write(table, event)])

    item = kept(table, event)
    assert item["unpublished"] == hashlib.sha256(event.id.encode()).hexdigest()[0]
    assert item["unpublished_since"] == item["occurred_at"] == "2026-11-21T10:00:00.000000+00:00"


def event_of(length: int) -> Event[RegistrationSubmitted]:
    event = submitted()
    missing = length - len(event.model_dump_json())
    return event.model_copy(update={"data": RegistrationSubmitted(registration_id="r-1" + "x" * missing)})


def test_the_largest_event_fits_into_a_transaction(table: Table) -> None:
    event = event_of(MAX_EVENT_BYTES)

    table.transact([outbox_write(table, event)])

    assert len(kept(table, event)["event"]) == MAX_EVENT_BYTES


def test_an_event_that_is_larger_says_what_to_do(table: Table) -> None:
    event = event_of(MAX_EVENT_BYTES + 1)

    with pytest.raises(EventTooLarge, match=rf"{event.id} .* has 380001 bytes.*put what is large into S3"):
        outbox_write(table, event)
