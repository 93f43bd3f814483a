"""How the handling of an event may end, other than done; a service's model may import it."""

from datetime import timedelta


class NotReady(Exception):
    """The event cannot be handled yet: it comes back later, which spends none of its receives.

    Parameters
    ----------
    reason
        What is waited for; it is logged and kept beside the message, so it names no person.
    retry_in
        How long to wait, as it is; left out, each time longer than the time before, in the stack's own scale.
    """

    def __init__(self, reason: str, retry_in: timedelta | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.retry_in = retry_in
