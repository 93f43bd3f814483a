"""What goes into production was approved by somebody else: who, when, which commit of which stack.

Approvals and emergencies are objects of the state bucket that are only ever added, outside the stacks' own folders, so
that they outlive the stacks.
"""

import hashlib
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from deploy import commits, storage
from deploy.errors import DeployError
from deploy.stack import timestamp
from deploy.target import Clients

STAGE = "production"
HOLDS = timedelta(hours=24)
"""After which what was approved may no longer be what anybody has in mind."""

_SESSION = re.compile(r"arn:[^:]+:sts::(?P<account>\d+):assumed-role/(?P<role>[^/]+)/(?P<session>.+)")
_PERSONAL = "AWSReservedSSO_"


@dataclass(frozen=True)
class Approval:
    """One person's word for one commit of one stack; with a `reason`, a deployer's own in an emergency."""

    who: str
    """The ARN that STS gave the caller."""
    when: str
    stack: str
    commit: str
    reason: str = ""


def person(arn: str) -> str:
    """Tell people apart by the ARN that STS gives a caller.

    IAM Identity Center names its sessions after the person who signed in. Whoever assumes any other role names the
    session at will, so that two sessions of one role count as one person.

    >>> person("arn:aws:sts::123456789012:assumed-role/AWSReservedSSO_Release_0a1b/ada@example.org")
    'arn:aws:sts::123456789012:assumed-role/AWSReservedSSO_Release_0a1b/ada@example.org'
    >>> person("arn:aws:sts::123456789012:assumed-role/paygo-releaser/build-7")
    'arn:aws:sts::123456789012:assumed-role/paygo-releaser'
    """
    session = _SESSION.fullmatch(arn)
    if session is None or session["role"].startswith(_PERSONAL):
        return arn
    return arn.removesuffix(f"/{session['session']}")


def needed(wanted: str, before: str | None) -> bool:
    """Tell whether a deploy has to be approved: one into production, and one that takes a stack out of it."""
    return STAGE in {wanted, before}


def objection(approvals: Iterable[Approval], deployer: str, now: datetime) -> str | None:
    """Say why a deploy may not go on, None when somebody else has approved it and that still holds."""
    others = [one for one in approvals if person(one.who) != person(deployer)]
    if any(now - datetime.fromisoformat(one.when) < HOLDS for one in others):
        return None
    if others:
        last = max(others, key=lambda one: datetime.fromisoformat(one.when))
        return f"{last.who} approved it at {last.when}, and an approval holds {HOLDS.total_seconds() / 3600:.0f} hours"
    if any(True for _ in approvals):
        return "only you approved it, and production takes two"
    return "nobody approved it"


def record(clients: Clients, stack: str, commit: str) -> Approval:
    """Write down that the caller approves a commit for a stack."""
    return _written(clients, "approvals", Approval(caller(clients), timestamp(datetime.now(UTC)), stack, commit))


def require(clients: Clients, stack: str, branch: str, emergency: str | None, tell: Callable[[str], None]) -> None:
    """Let a deploy of production go on, or say why not; in an emergency write down who went on, and why.

    Raises
    ------
    DeployError
        When the folder is no commit, or nobody else approved it within the last 24 hours.
    """
    commit, deployer = commits.unchanged(), caller(clients)
    if emergency:
        _go_on(clients, Approval(deployer, timestamp(datetime.now(UTC)), stack, commit, emergency), tell)
        return
    why = objection(_found(clients, stack, commit), deployer, datetime.now(UTC))
    if why:
        msg = (
            f"{stack} is production and {commit[:12]} may not go there: {why}. Somebody else than you says: "
            f"make approve BRANCH='{branch}' STAGE={STAGE} COMMIT={commit[:12]}"
        )
        raise DeployError(msg)


def caller(clients: Clients) -> str:
    """Give the ARN of whoever these credentials are."""
    return str(clients("sts").get_caller_identity()["Arn"])


def _found(clients: Clients, stack: str, commit: str) -> list[Approval]:
    keys = storage.listed(clients, f"approvals/{stack}/{commit}/")
    return [Approval(**content) for key in keys if (content := storage.read(clients, key))]


def _written(clients: Clients, kind: str, one: Approval) -> Approval:
    content: Mapping[str, Any] = asdict(one)
    who = hashlib.sha256(one.who.encode()).hexdigest()[:12]
    # Never over another: who approved what stays to be read.
    if not storage.write(clients, f"{kind}/{one.stack}/{one.commit}/{one.when}-{who}.json", content, only_if_new=True):
        msg = "The same is being written down already: try again in a second."
        raise DeployError(msg)
    return one


def _go_on(clients: Clients, one: Approval, tell: Callable[[str], None]) -> None:
    _written(clients, "emergencies", one)
    tell(f"EMERGENCY: {one.commit[:12]} goes to {one.stack} without an approval; that {one.who} did so is written down")
    inbox = (storage.read(clients, storage.ACCOUNT_APPLIED) or {}).get("inbox")
    if inbox:
        text = f"{one.who} deploys {one.commit} to {one.stack} without an approval, at {one.when}: {one.reason}"
        clients("sns").publish(TopicArn=inbox, Subject=f"Paygo: emergency deploy of {one.stack}", Message=text)
