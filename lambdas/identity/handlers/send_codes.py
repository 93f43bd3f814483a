"""Consumes `identity.code-requested.v1`: the code that confirms an address is e-mailed to it."""

from datetime import UTC, datetime

from identity import composition
from identity.usecases.causes import Cause
from identity.usecases.confirming import mail_code
from paygo.composition import handled_events, source
from paygo.consumer import consumer
from paygo.events import CodeRequested, Event

REGISTRATIONS = composition.registrations()
POST = composition.post()
SOURCE = source()


def mail(event: Event[CodeRequested]) -> None:
    """Send the code."""
    cause = Cause(SOURCE, event.correlationid)
    mail_code(REGISTRATIONS, POST, event.data, event.id, cause=cause, now=datetime.now(UTC))


# Sending cannot be part of a transaction of ours, so what was sent is remembered by the event's id.
handler = consumer(CodeRequested, mail, once=handled_events())
