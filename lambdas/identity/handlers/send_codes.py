"""Consumes `identity.code-requested.v1`: the code that confirms an address is e-mailed to it."""

from identity import composition
from identity.usecases.confirming import mail_code
from paygo.composition import handled_events
from paygo.consumer import consumer
from paygo.events import CodeRequested, Event

REGISTRATIONS = composition.registrations()
POST = composition.post()


def mail(event: Event[CodeRequested]) -> None:
    """Send the code."""
    mail_code(REGISTRATIONS, POST, event.data, event.id)


# Sending cannot be part of a transaction of ours, so what was sent is remembered by the event's id.
handler = consumer(CodeRequested, mail, once=handled_events())
