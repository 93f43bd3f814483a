"""Consumes `identity.registration-moved.v1`: the bureau is asked how far it is with a check that it took."""

from datetime import UTC, datetime

from identity import composition
from identity.model import RegistrationState
from identity.usecases.causes import Cause
from identity.usecases.checking import follow_check
from paygo.composition import source
from paygo.consumer import consumer
from paygo.events import Event, RegistrationMoved
from paygo.partners import LONGEST_CALL

REGISTRATIONS = composition.registrations()
SOURCE = source()


def follow(event: Event[RegistrationMoved]) -> None:
    """Ask about a check that is under way."""
    if event.data.state != RegistrationState.CHECKING:
        return
    follow_check(
        REGISTRATIONS,
        composition.bureau,
        event.data.registration_id,
        since=event.time,
        cause=Cause(SOURCE, event.correlationid),
        now=datetime.now(UTC),
    )


handler = consumer(RegistrationMoved, follow, spare=LONGEST_CALL)
