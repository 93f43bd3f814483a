"""Every consumer's worker is killed before and after each of its calls, which are found by recording them."""

from collections.abc import Iterable
from functools import partial

from faults.consumers import Case, Consumer, PublishOutbox
from faults.kill_points import Call, Kill, Point, points
from faults.plan import Plan
from faults.played import Played, eventually
from faults.stage import DeployedStack
from faults.verdicts import Verdict

REACH_SECONDS = 60
"""How long a crash may take to come about: mostly a cold start, on a machine that has many at once."""
LOOK_AGAIN = 0.1
"""Seconds between two looks at the marks that crashes leave."""
QUIET_SECONDS = 1.0
"""A consumer that makes no call for so long, and whose event is done, is done with it."""

AGAIN = (Point("before", "sqs.DeleteMessage", 1, "message"), Point("after", "sqs.DeleteMessage", 1, "message"))
"""A message that came before is deleted by its consumer at once: a call that its first handling does not have."""


class NotTraced(Exception):
    """A consumer did not handle the event whose calls were to be recorded."""


def kill_everywhere(stack: DeployedStack, plan: Plan, consumer: Consumer) -> Played:
    """Kill the consumer's worker once at each place, each time with another event."""
    function = stack.function(consumer.name)
    places = points(trace(stack, plan, consumer))
    again = () if isinstance(consumer, PublishOutbox) else AGAIN
    cases = consumer.cases(stack, len(again) + len(places))
    # Those that come again first: they have to be waited for twice.
    crashes = [(places[-1], point) for point in again] + [(point,) for point in places]
    planned: list[Kill] = []
    for case, hits in zip(cases, crashes, strict=True):
        kills = [Kill.at(point, function, case.id) for point in hits]
        planned += kills
        plan.add(*kills)
        consumer.send(stack, [case])
        # One after the other, so that no event is hit as another's neighbour.
        eventually(partial(_are_reached, plan, kills[:1]), REACH_SECONDS, LOOK_AGAIN)
    return Played(
        consumer,
        "killed before and after each call",
        cases,
        note=f"{len(places) // 2} calls{', and deleting what came again' if again else ''}",
        problem=partial(_unreached, plan, planned),
    )


def trace(stack: DeployedStack, plan: Plan, consumer: Consumer) -> list[Call]:
    """Return the calls with which a fresh worker handles an event."""
    function = stack.function(consumer.name)
    [case] = consumer.cases(stack, 1)
    plan.trace(function, case.id, fresh=True)
    consumer.send(stack, [case])
    calls: list[Call] = []

    def is_quiet() -> bool:
        nonlocal calls
        before, calls = calls, plan.calls(function, case.id)
        return bool(calls) and calls == before and _is_done(stack, consumer, case)

    handled = eventually(is_quiet, REACH_SECONDS, QUIET_SECONDS)
    plan.untrace(function, case.id)
    if not handled:
        message = f"{consumer.name} made {len(calls)} calls for an event that it should handle, and did not."
        raise NotTraced(message)
    return calls


def _is_done(stack: DeployedStack, consumer: Consumer, case: Case) -> bool:
    return all(seen.verdict is Verdict.DONE for seen in consumer.seen(stack, [case]).values())


def _are_reached(plan: Plan, kills: Iterable[Kill]) -> bool:
    return {kill.name for kill in kills} <= plan.killed()


def _unreached(plan: Plan, kills: Iterable[Kill]) -> str:
    killed = plan.killed()
    left = [f"{kill.when} {kill.operation} {kill.n}" for kill in kills if kill.name not in killed]
    return f"not reached: {', '.join(left)}" if left else ""
