"""The transactional outbox: an event is an item of the transaction that changes the state.

OUTBOX#<event id>   OUTBOX   the event, in the index `unpublished` until it is marked as published

`paygo.publisher` does the rest.
See https://docs.aws.amazon.com/prescriptive-guidance/latest/cloud-design-patterns/transactional-outbox.html.
"""

import hashlib

from paygo.events import Event, EventData
from paygo.storage import ABSENT, Item, Table, Write, sortable

PREFIX = "OUTBOX#"
INDEX = "unpublished"
SINCE = "unpublished_since"
SHARDS = "0123456789abcdef"
"""The index has so many partitions, for no partition takes more than 1,000 writes a second."""

MAX_EVENT_BYTES = 380_000
"""Somewhat less than an item may have, which is 400 KB with the names and values that stand beside the event."""


class EventTooLarge(ValueError):
    """An event does not fit into an item of a table."""


def outbox_write[Data: EventData](table: Table, event: Event[Data]) -> Write:
    """Return the write that makes a transaction publish `event`.

    Raises
    ------
    EventTooLarge
        When the event does not fit into an item.
    """
    content = event.model_dump_json()
    if (length := len(content.encode())) > MAX_EVENT_BYTES:
        message = (
            f"Event {event.id} ({event.type}) has {length} bytes, and an outbox takes {MAX_EVENT_BYTES}: "
            "put what is large into S3 and its key into the event."
        )
        raise EventTooLarge(message)
    occurred_at = sortable(event.time)
    return table.putting(
        {
            **outbox_key(event.id),
            "event_id": event.id,
            "type": event.type,
            "correlation_id": event.correlationid,
            "occurred_at": occurred_at,
            "event": content,
            INDEX: hashlib.sha256(event.id.encode()).hexdigest()[0],
            SINCE: occurred_at,
        },
        ABSENT,
    )


def outbox_key(event_id: str) -> dict[str, str]:
    """Return the key of the event's item."""
    return {"pk": PREFIX + event_id, "sk": "OUTBOX"}


def event_id_of(item: Item) -> str:
    """Return the id of the event that the item, or its entry in the index, is for."""
    return str(item["pk"]).removeprefix(PREFIX)
