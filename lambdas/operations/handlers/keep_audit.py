"""Consumes `identity.audit-recorded.v1`: keeps who did what, when and from where."""

from operations import composition
from operations.audit import AuditEvent
from paygo.consumer import consumer
from paygo.events import AuditRecorded, Event

AUDIT = composition.audit()


def handle(event: Event[AuditRecorded]) -> None:
    """Keep the event."""
    AUDIT.keep(
        AuditEvent(event_id=event.id, at=event.time, correlation_id=event.correlationid, **event.data.model_dump())
    )


handler = consumer(AuditRecorded, handle)
