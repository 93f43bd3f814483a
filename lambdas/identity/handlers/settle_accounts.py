"""Consumes `identity.registration-moved.v1`: the account of a decided registration is let in or removed."""

from identity import composition
from identity.model import DECIDED
from identity.usecases.registrations import settle_account
from paygo.consumer import consumer
from paygo.events import Event, RegistrationMoved

REGISTRATIONS = composition.registrations()


def settle(event: Event[RegistrationMoved]) -> None:
    """Bring the account to where the registration is."""
    if event.data.state in DECIDED:
        settle_account(REGISTRATIONS, composition.users, event.data.registration_id)


handler = consumer(RegistrationMoved, settle)
