"""Which stack goes, and why: pure."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

FOREVER = "never"
PROTECTED_STAGES = frozenset({"staging", "production"})
ABANDONED_AFTER = timedelta(days=1)


@dataclass(frozen=True)
class Wish:
    """What the janitor is told.

    Attributes
    ----------
    named
        The stacks that are to go; when there are some, no other does.
    living
        The stacks of all branches that there are; None when nobody says.
    """

    named: frozenset[str] = frozenset()
    living: frozenset[str] | None = None


@dataclass(frozen=True)
class Standing:
    """What is known about a stack.

    Attributes
    ----------
    branch, expires_at, created_at, stage
        As its tags and its state have them; empty where they say nothing.
    hidden
        Whether its state is not the caller's to read, so that nothing else is known.
    protected
        Whether something of it may not be deleted.
    has_state
        Whether a state is kept of it.
    has_folder
        Whether anything else is kept of it, as it is from a deploy's first moment on.
    holder
        Who works on it, as far as anybody can know; empty when nobody does.
    begun
        Why a removal of it was begun that has not ended; empty when none was.
    """

    stack: str
    branch: str = ""
    expires_at: str = ""
    created_at: str = ""
    stage: str = ""
    hidden: bool = False
    protected: bool = False
    has_state: bool = True
    has_folder: bool = False
    holder: str = ""
    begun: str = ""


@dataclass(frozen=True)
class Verdict:
    """Whether a stack goes, and why or why not."""

    goes: bool
    why: str


def decide(standing: Standing, wish: Wish, now: datetime) -> Verdict:
    """Judge a stack; nothing overrules its protection, and nobody's work is taken from under their hands."""
    if standing.hidden:
        return Verdict(goes=False, why="protected: not ours to see")
    if standing.stage in PROTECTED_STAGES or standing.protected:
        return Verdict(goes=False, why=f"protected: {standing.stage or 'something of it may not be deleted'}")
    if wish.named and standing.stack not in wish.named:
        return Verdict(goes=False, why="not named")
    if standing.holder:
        return Verdict(goes=False, why=f"in use: {standing.holder}")
    reason = _reason(standing, wish, now)
    if reason:
        return Verdict(goes=True, why=reason)
    return Verdict(goes=False, why=_stays(standing.expires_at))


def _reason(standing: Standing, wish: Wish, now: datetime) -> str:
    if standing.stack in wish.named:
        return "named"
    if standing.begun:
        return standing.begun
    expired = _moment(standing.expires_at)
    if expired and expired <= now:
        return f"expired {standing.expires_at}"
    if wish.living is not None and standing.stack not in wish.living:
        return f"branch {standing.branch or '?'} is gone"
    if not standing.has_state and _is_abandoned(standing, now):
        return "no state knows it"
    return ""


def _is_abandoned(standing: Standing, now: datetime) -> bool:
    """Tell whether what has no state is no deploy's that has just begun, and may not have tagged anything yet."""
    created = _moment(standing.created_at)
    return not standing.has_folder if created is None else created <= now - ABANDONED_AFTER


def _stays(expires_at: str) -> str:
    if not expires_at or expires_at == FOREVER:
        return "it never expires"
    return f"until {expires_at}" if _moment(expires_at) else f"its ExpiresAt is no time: {expires_at}"


def _moment(text: str) -> datetime | None:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
