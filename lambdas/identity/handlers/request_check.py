"""Consumes identity.registration-submitted.v1."""

from identity import composition
from identity.usecases.registrations import request_check
from paygo.consumer import consumer
from paygo.events import Event, RegistrationSubmitted
from paygo.partners import LONGEST_CALL

REGISTRATIONS = composition.registrations()
BUREAU = composition.bureau()


def check(event: Event[RegistrationSubmitted]) -> None:
    """Ask the bureau about the registration."""
    request_check(REGISTRATIONS, BUREAU, event.data.registration_id, intent=event.id)


handler = consumer(RegistrationSubmitted, check, spare=LONGEST_CALL)
