"""An hour without a partner, compressed by the stack's delay scale: events wait, and come to it at its own rate."""

import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import yaml

from faults.consumers import Case, FeedCrm, Household, OpenAccounts, activated
from faults.played import LOOK_AGAIN, Played, eventually
from faults.stage import DeployedStack
from faults.verdicts import Seen, most_in_a_second, unsettled

HOUR = timedelta(hours=1)
PARTNER = "crm"
CONTRACT = Path(__file__).resolve().parents[1] / "contracts" / "partners" / PARTNER / "openapi.yaml"
WORKERS = 5
"""Invocations at once that a queue's mapping has at most on the embedded cloud. Each has one call under way, whose turn
may have been up before the second in which it arrives: so many more may come in a second than the rate says."""


def hour_without_crm(stack: DeployedStack, count: int, *, drain_seconds: float) -> Iterator[Played]:
    """Publish activations while the CRM is away, let it come back, and see all of them arrive."""
    crm, accounts = FeedCrm(), OpenAccounts()
    homes = [Household() for _ in range(count)]
    events = [activated(stack, home) for home in homes]
    cases = [Case(event.id, "", home, event=event) for event, home in zip(events, homes, strict=True)]
    began, since = time.monotonic(), datetime.now(UTC)
    with stack.mocks.down(PARTNER):
        stack.publish("devices", events)
        others = Played(accounts, f"{PARTNER} away for an hour", cases).settled(stack, drain_seconds)
        problem = "waited for the CRM" if unsettled(others.seen(stack, cases)) else ""
        time.sleep(max(0.0, (HOUR * stack.delay_scale).total_seconds() - (time.monotonic() - began)))
        away = time.monotonic() - began
        buffered = stack.waiting(crm.queue)
    yield Played(accounts, others.fault, cases, note="done while it was away", problem=lambda: problem)
    began = time.monotonic()
    eventually(lambda: not stack.waiting(crm.queue), drain_seconds, LOOK_AGAIN)
    drained = time.monotonic() - began
    calls = stack.mocks.requests(PARTNER, since=since)
    fullest, allowed = most_in_a_second(call.received_at.timestamp() for call in calls), rate() + WORKERS

    def look(stack: DeployedStack, cases: Sequence[Case]) -> Mapping[str, Seen]:
        # Nobody crashed, so that here even the effect outside is there exactly once.
        calls = stack.mocks.requests(PARTNER, since=since)
        taken = Counter(call.idempotency_key for call in calls if call.status < 300)
        return {case.id: Seen(effects=taken[case.id]) for case in cases}

    problems = [
        *([f"{fullest} calls in a second, {rate()} are allowed"] if fullest > allowed else []),
        *([f"only {buffered} waited"] if buffered < count else []),
    ]
    note = f"away {away:.0f} s, {buffered} waited, drained in {drained:.0f} s"
    yield Played(
        crm,
        f"{PARTNER} away for an hour",
        cases,
        note=f"{note}, at most {fullest} calls a second of {rate()}",
        problem=lambda: "; ".join(problems),
        look=look,
    )


def rate() -> int:
    """Return how many calls a second the partner takes."""
    return int(yaml.safe_load(CONTRACT.read_text())["info"]["x-paygo-calls-per-second"])
