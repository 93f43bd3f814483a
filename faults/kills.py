"""Every consumer's worker is killed before, between and after its calls, which are found by recording them."""

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial

from faults.consumers import Case, Consumer
from faults.kill_points import Call, Kill, Point, gaps, points
from faults.plan import Plan
from faults.played import Played, eventually
from faults.stage import DeployedStack
from faults.verdicts import Verdict

REACH_SECONDS = 60
"""How long a crash may take to come about: mostly a cold start, on a machine that has many at once."""
LOOK_AGAIN = 0.1
"""Seconds between two looks at the marks that crashes leave."""
QUIET_SECONDS = 1.0
LONG_QUIET_SECONDS = 10.0
"""A consumer is done with an event that is done when it makes no call for a second, with any other after so long."""

PASSED_SECONDS = 4.0
LOOKS = 15
"""Every so often, and so many times, it is looked whether the event has passed without the crash."""
TRIES = 3

AGAIN = (Point("before", "sqs.DeleteMessage", 1, "message"), Point("after", "sqs.DeleteMessage", 1, "message"))
"""A message that came before is deleted by its consumer at once: a call that its first handling does not have."""


@dataclass(frozen=True, slots=True)
class Density:
    """How close the crashes of a consumer lie."""

    fault: str
    places: Callable[[Iterable[Call]], list[Point]]


BEFORE_AND_AFTER = Density("killed before and after each call", points)
BETWEEN = Density("killed between any two calls", gaps)


class NotTraced(Exception):
    """A consumer did not handle the event whose calls were to be recorded."""


def kill_everywhere(stack: DeployedStack, plan: Plan, consumer: Consumer, density: Density) -> Played:
    """Kill the consumer's worker once at each place, each time with another event."""
    function = stack.function(consumer.name)
    places = density.places(_calls(stack, plan, consumer))
    chance: list[Point] = []
    # Those that come again first: they have to be waited for twice.
    again = [(places[-1], point) for point in AGAIN if consumer.deletes_again]
    cases: list[Case] = []
    planned: list[Kill] = []
    for crashes in [*again, *((point,) for point in places)]:
        for _ in range(TRIES):
            [case] = consumer.cases(stack, 1)
            kills = [Kill.at(point, function, case.id) for point in crashes]
            plan.add(*kills)
            # One after the other, so that no event is hit as another's neighbour.
            consumer.send(stack, [case])
            cases.append(case)
            if _is_hit(stack, plan, consumer, case, kills[0]):
                break
            plan.forget(*kills)
            if crashes[0] not in points(_calls(stack, plan, consumer)):
                # A neighbour was in the way when the calls were recorded, as when both ask the same partner.
                chance.append(crashes[0])
                kills = []
                break
        planned += kills
    return Played(
        consumer,
        density.fault,
        cases,
        note=_note(places, chance, again=bool(again)),
        problem=partial(_unreached, plan, planned),
    )


def _note(places: Iterable[Point], by_chance: Iterable[Point], *, again: bool) -> str:
    once = _calls_at(by_chance)
    twice = ", and deleting what came again" if again else ""
    chance = f"; {len(once)} more made by chance, once" if once else ""
    return f"{len(_calls_at(places) - once)} calls{twice}{chance}"


def _calls_at(places: Iterable[Point]) -> set[tuple[str, int, str]]:
    return {(place.operation, place.n, place.scope) for place in places}


def _calls(stack: DeployedStack, plan: Plan, consumer: Consumer) -> list[Call]:
    for _ in range(TRIES):
        calls, is_whole = trace(stack, plan, consumer)
        if is_whole:
            break
    return calls


def _is_hit(stack: DeployedStack, plan: Plan, consumer: Consumer, case: Case, kill: Kill) -> bool:
    """Wait until the worker is dead; tell if instead the event is done, for what a neighbour read is not read again."""
    for _ in range(LOOKS):
        if eventually(lambda: kill.name in plan.killed(), PASSED_SECONDS, LOOK_AGAIN):
            return True
        if _is_done(stack, consumer, case):
            # It may be about to be killed after its last call.
            time.sleep(QUIET_SECONDS)
            break
    return kill.name in plan.killed()


def trace(stack: DeployedStack, plan: Plan, consumer: Consumer) -> tuple[list[Call], bool]:
    """Return the calls with which a fresh worker handles an event, and whether it was done with them.

    It is not when the event came before what it needs, which another consumer may be about to do, and was put back.
    """
    function = stack.function(consumer.name)
    [case] = consumer.cases(stack, 1)
    plan.trace(function, case.id, fresh=True)
    consumer.send(stack, [case])
    calls: list[Call] = []
    changed_at = time.monotonic()

    def is_quiet() -> bool:
        nonlocal calls, changed_at
        before, calls = calls, plan.calls(function, case.id)
        if calls != before:
            changed_at = time.monotonic()
        quiet_for = time.monotonic() - changed_at
        # The effect of what is published is another consumer's, which may be dying just now.
        is_enough = quiet_for > LONG_QUIET_SECONDS or (calls == before and _is_done(stack, consumer, case))
        return bool(calls) and is_enough

    handled = eventually(is_quiet, REACH_SECONDS, QUIET_SECONDS)
    times = plan.times(function, case.id)
    plan.untrace(function, case.id)
    if not handled:
        message = f"it made {len(calls)} calls for an event that it should handle, and did not"
        raise NotTraced(message)
    return calls, times == 1


def _is_done(stack: DeployedStack, consumer: Consumer, case: Case) -> bool:
    return all(seen.verdict is Verdict.DONE for seen in consumer.seen(stack, [case]).values())


def _unreached(plan: Plan, kills: Iterable[Kill]) -> str:
    killed = plan.killed()
    left = [f"{kill.when} {kill.operation} {kill.n}" for kill in kills if kill.name not in killed]
    return f"not reached: {', '.join(left)}" if left else ""
