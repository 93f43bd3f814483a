"""Every consumer's worker is killed before and after each of its calls, which are found by recording them."""

from collections.abc import Iterable
from itertools import chain

from faults.consumers import Case, Consumer, PublishOutbox
from faults.kill_points import Call, Kill, Point, points
from faults.plan import Plan
from faults.played import Played, eventually
from faults.stage import DeployedStack
from faults.verdicts import Verdict

REACH_SECONDS = 60
"""How long a crash may take to come about: mostly a cold start, on a machine that has many at once."""
QUIET_SECONDS = 1.5
"""After this long without another call a consumer is done with an event."""

AGAIN = (Point("before", "sqs.DeleteMessage", 1, "message"), Point("after", "sqs.DeleteMessage", 1, "message"))
"""A message that came before is deleted by its consumer at once: calls that its first handling does not have."""


class NotTraced(Exception):
    """A consumer did not handle the event whose calls were to be recorded."""


def kill_everywhere(stack: DeployedStack, plan: Plan, consumer: Consumer) -> Played:
    """Kill the consumer's worker once at each place, each time with another event."""
    function = stack.function(consumer.name)
    places = points(trace(stack, plan, consumer))
    again = () if isinstance(consumer, PublishOutbox) else AGAIN
    cases = consumer.cases(stack, len(places) + len(again))
    # Those that come again first: they have to be waited for twice.
    planned = [
        *(
            [Kill.at(places[-1], function, case.id), Kill.at(point, function, case.id)]
            for case, point in zip(cases, again, strict=False)
        ),
        *([Kill.at(point, function, case.id)] for case, point in zip(cases[len(again) :], places, strict=True)),
    ]
    for case, crashes in zip(cases, planned, strict=True):
        plan.add(*crashes)
        consumer.send(stack, [case])
        # One by one, so that an event has no neighbour that is hit with it.
        _is_reached(plan, crashes[:1])
    _is_reached(plan, chain(*planned))
    unreached = [
        f"{kill.when} {kill.operation} {kill.n}"
        for crashes in planned
        for kill in crashes
        if kill.name not in plan.killed()
    ]
    return Played(
        consumer,
        "killed before and after each call",
        cases,
        note=f"{len(places) // 2} calls{', and deleting what came again' if again else ''}",
        problem=f"not reached: {', '.join(unreached)}" if unreached else "",
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
        return bool(calls) and calls == before and not _is_open(stack, consumer, case)

    handled = eventually(is_quiet, REACH_SECONDS)
    plan.untrace(function, case.id)
    if not handled:
        message = f"{consumer.name} made {len(calls)} calls for an event that it should handle, and did not."
        raise NotTraced(message)
    return calls


def _is_open(stack: DeployedStack, consumer: Consumer, case: Case) -> bool:
    return any(seen.verdict is not Verdict.DONE for seen in consumer.seen(stack, [case]).values())


def _is_reached(plan: Plan, kills: Iterable[Kill]) -> bool:
    names = {kill.name for kill in kills}
    return eventually(lambda: names <= plan.killed(), REACH_SECONDS)
