"""The account's scheduled function: the same janitor in slices of a function's fifteen minutes.

It keeps nothing between two slices: what a fresh look finds, the locks that removals leave, and the table of buckets
are all that the next one needs.
"""

import json
import os
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Protocol

from janitor import buckets, prune, report
from janitor.clients import Clients, Here
from janitor.decisions import Wish
from janitor.errors import JanitorError
from janitor.locks import Locks
from janitor.run import RESERVE, Outcome, Plan, plan, remove

SLICES = 12
"""How often in a row the function calls itself, before Lambda takes it for a loop; the schedule goes on from there."""


class Context(Protocol):
    """What Lambda tells a function about its invocation."""

    @property
    def invoked_function_arn(self) -> str: ...

    @property
    def aws_request_id(self) -> str: ...

    def get_remaining_time_in_millis(self) -> int: ...


def handler(event: Mapping[str, Any], context: Context) -> dict[str, Any]:
    """Look at the account and, where APPLY says yes, remove what goes.

    Parameters
    ----------
    event
        `stacks` names stacks that are to go; `living` the stacks of all branches that there are; both may be missing.

    Raises
    ------
    JanitorError
        When something is left that the next slice will not remove either; the failure's destination is told.
    """
    deadline = time.time() + context.get_remaining_time_in_millis() / 1000 - RESERVE
    region, account = context.invoked_function_arn.split(":")[3:5]
    here = Here(region, account, os.environ.get("AWS_ENDPOINT_URL"))
    clients = Clients(here)
    locks = Locks(clients, "the account's janitor", host=f"Lambda, request {context.aws_request_id}")
    planned = plan(clients, locks, _wish(event), datetime.now(UTC))
    _print(*report.table(planned), *report.summary(planned))
    if os.environ.get("APPLY") != "yes":
        _print(*prune.told([] if event.get("stacks") else prune.litter(clients, planned, datetime.now(UTC))))
        return {"going": [one.stack for one in planned.going], "gone": [], "left": 0}
    outcome = remove(clients, Clients(here, attempts=1), locks, buckets.of(clients), planned, _print, deadline)
    _print(*report.ending(outcome))
    if not outcome.in_time:
        _go_on(clients, event, context)
    else:
        _end(planned, outcome, [] if event.get("stacks") else prune.looked_for(clients, locks, _wish(event)))
    return {"going": [one.stack for one in planned.going], "gone": list(outcome.gone), "left": len(outcome.left)}


def _wish(event: Mapping[str, Any]) -> Wish:
    living = event.get("living")
    return Wish(frozenset(event.get("stacks") or ()), None if living is None else frozenset(living))


def _end(planned: Plan, outcome: Outcome, litter: list[prune.Litter]) -> None:
    """Prune, and fail when something is left that nobody works on."""
    left = [*outcome.left, *prune.remove(litter)]
    _print(*prune.ending(litter, left[len(outcome.left) :]))
    stuck = [one for one in left if ": in use: " not in one]
    if stuck:
        msg = "\n".join([f"{len(stuck)} of {sum(len(one.tasks) for one in planned.going)} are left:", *stuck])
        raise JanitorError(msg)


def _go_on(clients: Clients, event: Mapping[str, Any], context: Context) -> None:
    """Call this function again, unless that begins to look like a loop."""
    number = int(event.get("slice", 1))
    if number >= SLICES:
        _print("This goes on when the schedule comes round.")
        return
    payload = json.dumps({**event, "slice": number + 1}).encode()
    clients("lambda").invoke(FunctionName=context.invoked_function_arn, InvocationType="Event", Payload=payload)


def _print(*lines: str) -> None:
    for line in lines:
        print(line, flush=True)
