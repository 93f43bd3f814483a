"""Consumes `identity.registration-moved.v1`: a registration waits here until it is decided or expires."""

from datetime import UTC, datetime

from identity import composition
from identity.usecases.causes import Cause
from identity.usecases.registrations import expire
from paygo.composition import source
from paygo.consumer import consumer
from paygo.events import Event, RegistrationMoved

REGISTRATIONS = composition.registrations()
SOURCE = source()


def wait(event: Event[RegistrationMoved]) -> None:
    """Let a registration expire that nobody has decided."""
    if event.data.previous is not None:
        return
    cause = Cause(SOURCE, event.correlationid)
    expire(REGISTRATIONS, event.data.registration_id, cause=cause, now=datetime.now(UTC))


handler = consumer(RegistrationMoved, wait)
