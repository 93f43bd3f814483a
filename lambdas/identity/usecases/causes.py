"""What brings a change about."""

from dataclasses import dataclass

from paygo.audit import Origin


@dataclass(frozen=True, slots=True)
class Cause:
    """Where an event comes from: the service, the request or message that it follows, and who sent that.

    Parameters
    ----------
    origin
        None for what nobody asked for, as a registration that expires.
    """

    source: str
    correlation_id: str
    origin: Origin | None = None
