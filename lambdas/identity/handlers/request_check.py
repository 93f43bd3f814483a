"""Consumes `identity.registration-submitted.v1`: bureau or bank is asked who somebody is."""

from datetime import UTC, datetime

from identity import composition
from identity.usecases.causes import Cause
from identity.usecases.checking import request_check
from paygo.composition import source
from paygo.consumer import consumer
from paygo.events import Event, RegistrationSubmitted
from paygo.partners import LONGEST_CALL

REGISTRATIONS = composition.registrations()
SOURCE = source()


def check(event: Event[RegistrationSubmitted]) -> None:
    """Have the registration checked."""
    request_check(
        REGISTRATIONS,
        composition.bureau,
        composition.bank,
        event.data.registration_id,
        intent=event.id,
        cause=Cause(SOURCE, event.correlationid),
        now=datetime.now(UTC),
    )


handler = consumer(RegistrationSubmitted, check, spare=LONGEST_CALL)
