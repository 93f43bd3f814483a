"""Which published version of each function is live: a deploy moves it on, a rollback back, and each is written down.

Terraform publishes a version of every function that changed and leaves the function's alias `live` where it points. A
release points the aliases: at what was published last after a deploy, at what an earlier release had after a rollback.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any

from deploy import approval
from deploy.errors import DeployError
from deploy.leftovers import counted

type Versions = Mapping[str, Mapping[str, str]]
"""The version of each function, by service and the function's full name."""


class Kind(StrEnum):
    """Why a release was made."""

    DEPLOY = "deploy"
    ROLLBACK = "rollback"


@dataclass(frozen=True)
class Step:
    """The version of one function that was live before a release, None for a new function, and the one after it."""

    before: str | None
    after: str

    @property
    def is_move(self) -> bool:
        """Whether the release changed what callers reach."""
        return self.before is not None and self.before != self.after


@dataclass(frozen=True)
class Stamp:
    """Who makes a release, when (UTC, RFC 3339), and of which commit."""

    when: str
    who: str
    commit: str


@dataclass(frozen=True)
class Release:
    """What is written down about a release.

    Attributes
    ----------
    services
        Every function of the stack by service and full name, moved or not.
    target
        Of a rollback: the release whose versions it took.
    is_done
        Whether every alias is known to have been moved.
    stage
        The stack's when it was made; None of a release that was written down before stages were.
    """

    number: int
    kind: Kind
    stamp: Stamp
    services: Mapping[str, Mapping[str, Step]]
    target: int | None = None
    is_done: bool = False
    stage: str | None = None

    @property
    def versions(self) -> Versions:
        """What is live after it."""
        return {service: {name: step.after for name, step in steps.items()} for service, steps in self.services.items()}

    def moved(self, service: str | None = None) -> dict[str, dict[str, Step]]:
        """Return what it moved, of one service or of all."""
        moves = {
            name: {function: step for function, step in steps.items() if step.is_move}
            for name, steps in self.services.items()
            if service in {None, name}
        }
        return {name: steps for name, steps in moves.items() if steps}

    def as_json(self) -> dict[str, Any]:
        """Write it down."""
        return asdict(self)

    @classmethod
    def from_json(cls, written: Mapping[str, Any]) -> "Release":
        """Read what `as_json` wrote; what later versions add is passed over."""
        return cls(
            number=int(written["number"]),
            kind=Kind(written["kind"]),
            stamp=Stamp(**{name: str(written["stamp"][name]) for name in ("when", "who", "commit")}),
            services={
                service: {name: Step(step["before"], step["after"]) for name, step in steps.items()}
                for service, steps in written["services"].items()
            },
            target=written.get("target"),
            is_done=bool(written.get("is_done")),
            stage=written.get("stage"),
        )


@dataclass(frozen=True)
class Plan:
    """A release to make: None when everything is where it belongs, and the aliases to move by function."""

    release: Release | None
    moves: Mapping[str, str] = field(default_factory=dict)


def plan(
    history: Sequence[Release],
    wanted: Versions,
    stamp: Stamp,
    *,
    made_at: Mapping[str, str] | None = None,
    target: int | None = None,
    stage: str | None = None,
) -> Plan:
    """Work out the release that makes the wanted versions live.

    One that was killed on the way is finished if it is the one that is wanted, and else replaced.

    Parameters
    ----------
    history
        The releases so far, the latest last.
    made_at
        The version that Terraform made each function's alias at, for those that no release knows.
    target
        The release that a rollback goes back to; without one the release is a deploy's.
    stage
        The stack's.
    """
    unfinished = history[-1] if history and not history[-1].is_done else None
    settled = next((release for release in reversed(history) if release.is_done), None)
    points_at = dict(made_at or {}) | _whereabouts(unfinished or settled)
    moves = {
        function: version for function, version in _by_function(wanted).items() if points_at.get(function) != version
    }
    if settled and not unfinished and settled.versions == wanted:
        return Plan(None)
    if unfinished and unfinished.versions == wanted:
        return Plan(unfinished, moves)
    before = _by_function(settled.versions) if settled else {}
    release = Release(
        number=settled.number + 1 if settled else 1,
        kind=Kind.DEPLOY if target is None else Kind.ROLLBACK,
        stamp=stamp,
        services={
            service: {name: Step(before.get(name), version) for name, version in functions.items()}
            for service, functions in wanted.items()
        },
        target=target,
        stage=stage,
    )
    return Plan(release, moves)


def _whereabouts(latest: Release | None) -> dict[str, str | None]:
    """Tell where each alias points; None for one that an unfinished release may have moved or not."""
    if latest is None:
        return {}
    return {
        function: step.after if latest.is_done or step.before == step.after else None
        for steps in latest.services.values()
        for function, step in steps.items()
    }


def _by_function(versions: Versions) -> dict[str, str]:
    return {function: version for functions in versions.values() for function, version in functions.items()}


def destination(history: Sequence[Release], stack: str, service: str | None = None, to: int | None = None) -> Release:
    """Find the release that a rollback goes back to: the one named, else the one before the last that moved anything.

    So a second rollback takes the first one back, as `kubectl rollout undo` and `helm rollback` do. A rollback that was
    killed is the exception: the next one finishes it.

    Raises
    ------
    DeployError
        When there is no such service or release.
    """
    if not history:
        msg = f"{stack} has no release yet: the next `make deploy` makes one."
        raise DeployError(msg)
    latest = history[-1]
    if service is not None and service not in latest.services:
        msg = f"{stack} has no service '{service}': SERVICE is one of {', '.join(sorted(latest.services))}."
        raise DeployError(msg)
    if to is not None:
        return _named(history, stack, to)
    if latest.kind is Kind.ROLLBACK and not latest.is_done and latest.moved(service):
        return latest
    movers = [index for index, release in enumerate(history) if release.moved(service)]
    if not movers or movers[-1] == 0:
        msg = f"There is no earlier release of {service or stack} to go back to; `make status` lists those of {stack}."
        raise DeployError(msg)
    return history[movers[-1] - 1]


def refuse_another_stage(goal: Release, stage: str | None) -> None:
    """Keep production from what was made as another stage, with its mocks and its delays, and approved by nobody.

    Raises
    ------
    DeployError
        When the release to go back to is one of those.
    """
    if stage == approval.STAGE and goal.stage not in {None, approval.STAGE}:
        msg = (
            f"Release {goal.number} was made for {goal.stage} and cannot go into production: say TO=<a release made "
            "for production>, or have the commit you want approved and deploy it."
        )
        raise DeployError(msg)


def _named(history: Sequence[Release], stack: str, number: int) -> Release:
    for release in history:
        if release.number == number:
            return release
    msg = f"{stack} has no release {number}: TO is one of {history[0].number} to {history[-1].number}."
    raise DeployError(msg)


def rolled_back(latest: Release, goal: Release, service: str | None = None) -> Versions:
    """Give the versions of an earlier release, of one service or of all; a function it does not know stays as it is."""
    return {
        name: {
            function: goal.versions.get(name, {}).get(function, version) if service in {None, name} else version
            for function, version in functions.items()
        }
        for name, functions in latest.versions.items()
    }


def possible_releases(history: Sequence[Release], service: str | None, there: Mapping[str, Iterable[str]]) -> list[int]:
    """Tell the numbers of the earlier releases whose versions are all there and differ from what is live."""
    latest = history[-1]
    return [
        release.number
        for release in history[:-1]
        if (versions := rolled_back(latest, release, service)) != latest.versions
        and all(version in there[function] for function, version in _by_function(versions).items() if function in there)
    ]


def in_words(release: Release) -> str:
    """Say what a release moved.

    >>> steps = {"paygo-x-ledger-accounts": Step("1", "2"), "paygo-x-ledger-book-payments": Step("1", "1")}
    >>> in_words(Release(2, Kind.DEPLOY, Stamp("", "", ""), {"ledger": steps}))
    'ledger 1 function'
    """
    moved = {service: len(steps) for service, steps in sorted(release.moved().items())}
    new = sum(step.before is None for steps in release.services.values() for step in steps.values())
    parts = [f"{service} {counted(count, 'function')}" for service, count in moved.items()]
    return ", ".join([*parts, counted(new, "new function")] if new else parts) or "no function moved"


def moves_in_words(made: Release, goal: Release, stack: str) -> list[str]:
    """Say service by service what a rollback moved.

    >>> steps = {"paygo-x-ledger-accounts": Step("2", "1")}
    >>> made = Release(3, Kind.ROLLBACK, Stamp("", "", ""), {"ledger": steps}, target=1)
    >>> moves_in_words(made, Release(1, Kind.DEPLOY, Stamp("", "", ""), {}), "paygo-x")
    ['ledger: from release 2 to release 1, accounts 2 -> 1']
    """
    told = f"from release {made.number - 1} to release {goal.number}"
    return [
        ", ".join(
            [
                f"{service}: {told}",
                *(
                    f"{name.removeprefix(f'{stack}-{service}-')} {step.before} -> {step.after}"
                    for name, step in sorted(steps.items())
                ),
            ]
        )
        for service, steps in sorted(made.moved().items())
    ]


def summary(release: Release) -> str:
    """Say in a line what a release was."""
    what = f"rollback to release {release.target}," if release.kind is Kind.ROLLBACK else "deploy"
    stamp = release.stamp
    unfinished = "" if release.is_done else "; it was killed on the way"
    return f"{release.number} {stamp.when} {what} of {stamp.commit} by {stamp.who}: {in_words(release)}{unfinished}"
