"""Token buckets, which is how AWS holds callers to a rate.

A bucket has room for as many tokens as calls may come at once, is filled at the rate, and a call takes one; without one
it is refused, and costs nothing: https://docs.aws.amazon.com/AWSEC2/latest/APIReference/throttling.html tells how they
work, https://docs.aws.amazon.com/apigateway/latest/developerguide/limits.html how large they are where it matters here.
"Five requests per second" are five within any second that follows a pause, so a bucket holds no fewer than those.
"""

from paygo_limits import Rate

_ROUNDING = 1e-6


class TokenBucket:
    """One rate's bucket, full when made.

    Parameters
    ----------
    rate
        What it is filled with.
    now
        The seconds of a clock that is the same for all its calls.
    """

    def __init__(self, rate: Rate, now: float) -> None:
        self._rate = rate
        self._capacity = float(max(rate.burst, rate.calls))
        self._tokens = self._capacity
        self._filled_at = now

    def has_token(self, now: float) -> bool:
        """Whether a call may be made."""
        self._fill(now)
        return self._tokens >= 1 - _ROUNDING

    def take(self, now: float) -> None:
        """Pay for a call."""
        self._fill(now)
        self._tokens -= 1

    def _fill(self, now: float) -> None:
        gained = (now - self._filled_at) / self._rate.seconds_each
        self._tokens = min(self._capacity, self._tokens + gained)
        self._filled_at = now
