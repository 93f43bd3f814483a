"""A stack's lock, as deploys take it: a removal holds it too, for as long as it says.

A lock says who holds it. That a process of this machine is dead can be seen; of any other run only what it says itself
is known, so that a removal writes down until when it works at most, and why.
"""

import platform
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from janitor import storage
from janitor.clients import Clients

DOING = "removal"


def _never(_found: Mapping[str, Any]) -> bool:
    return False


@dataclass(frozen=True)
class Locks:
    """How stacks are locked.

    Attributes
    ----------
    pid, began, host
        Of this process, for whoever looks from the same machine.
    is_dead
        Tells of what a lock says whether its holder is known to be dead.
    bury
        Ends what a dead holder left running.
    """

    clients: Clients
    who: str
    pid: int = 0
    began: str = ""
    is_dead: Callable[[Mapping[str, Any]], bool] = _never
    bury: Callable[[Mapping[str, Any]], None] = lambda _found: None
    host: str = platform.node()
    _taken: dict[str, str] = field(
        default_factory=dict
    )  # what this janitor wrote last, by stack and version of the lock

    def holder(self, stack: str, now: datetime) -> str:
        """Say who works on a stack; empty when nobody does, or nobody who lives."""
        found = storage.read(self.clients, storage.lock_key(stack))
        if found is not None:
            return "" if self._is_over(found, now) else _words(found)
        return "somebody's Terraform" if storage.read(self.clients, _terraforms(stack)) is not None else ""

    def held(self, now: datetime) -> list[str]:
        """Name the stacks that somebody works on, and the account where it is one of them."""
        return [stack for stack in (*sorted(storage.stacks(self.clients)), storage.ACCOUNT) if self.holder(stack, now)]

    def begun(self, stack: str) -> str:
        """Say why a removal of a stack was begun that has not ended."""
        found = storage.read(self.clients, storage.lock_key(stack)) or {}
        return str(found.get("why") or "") if found.get("doing") == DOING else ""

    def take(self, stack: str, why: str, now: datetime, lasts: timedelta) -> str:
        """Take a stack's lock; who has it instead is returned, and nothing when it is ours."""
        key = storage.lock_key(stack)
        mine = {
            "host": self.host,
            "pid": self.pid,
            "began": self.began,
            "who": self.who,
            "doing": DOING,
            "since": _text(now),
            "folder": "",
            "until": _text(now + lasts),
            "why": why,
        }
        if self._write(stack, mine, only_if_new=True):
            if storage.read(self.clients, _terraforms(stack)) is None:
                return ""
            storage.delete(self.clients, key)
            return "somebody's Terraform"
        found, version = storage.read_version(self.clients, key)
        if found is None or not self._is_over(found, now):
            return _words(found or {})
        self.bury(found)
        if not self._write(stack, mine, instead_of=version):
            return "somebody who was faster"
        # Terraform's own lock can only be the dead run's: every run of ours holds our lock around it.
        storage.delete(self.clients, _terraforms(stack))
        return ""

    def begin(self, stack: str, why: str) -> bool:
        """Write down why a stack that is ours is removed; False when somebody else took it over."""
        return self._change(stack, {"why": why})

    def pause(self, stack: str, now: datetime) -> bool:
        """Let go of a stack whose removal has not ended: anybody may take it, and the next janitor knows why.

        False when somebody else took it over meanwhile, whose it then stays.
        """
        return self._change(stack, {"until": _text(now)})

    def is_ours(self, stack: str) -> bool:
        """Tell whether a stack's lock is what this janitor wrote."""
        return storage.read_version(self.clients, storage.lock_key(stack))[1] == self._taken.get(stack, "nothing")

    def release(self, stack: str) -> None:
        """Give a stack back."""
        storage.delete(self.clients, storage.lock_key(stack))

    def _change(self, stack: str, changes: Mapping[str, Any]) -> bool:
        found, version = storage.read_version(self.clients, storage.lock_key(stack))
        if found is None or version != self._taken.get(stack):
            return False
        return self._write(stack, {**found, **changes}, instead_of=version)

    def _write(
        self, stack: str, content: Mapping[str, Any], *, only_if_new: bool = False, instead_of: str = ""
    ) -> bool:
        key = storage.lock_key(stack)
        version = storage.write_version(self.clients, key, content, only_if_new=only_if_new, instead_of=instead_of)
        if version is not None:
            self._taken[stack] = version
        return version is not None

    def _is_over(self, found: Mapping[str, Any], now: datetime) -> bool:
        return lease_is_over(found, now) or self.is_dead(found)


def lease_is_over(found: Mapping[str, Any], now: datetime) -> bool:
    """Tell whether a lock says itself that its time is over; most say nothing of the kind."""
    try:
        return datetime.fromisoformat(str(found.get("until", ""))) <= now
    except ValueError:
        return False


def _terraforms(stack: str) -> str:
    return f"{storage.state_key(stack)}.tflock"


def _words(found: Mapping[str, Any]) -> str:
    if not found.get("doing"):
        return "a run that did not say who it is"
    return f"a {found['doing']} by {found.get('who')} on {found.get('host')} since {found.get('since')}"


def _text(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
