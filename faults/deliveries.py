"""Events that come more than once, in any order and late; and messages that nobody can handle."""

import json
import random
from collections.abc import Mapping, Sequence
from uuid import uuid4

from faults.consumers import ArchiveDeadLetters, Case, Consumer, Household, PublishOutbox
from faults.played import Played
from faults.registrations import MockCallbacks
from faults.stage import DeployedStack
from faults.verdicts import Seen

LONGEST_DELAY = 3
"""Seconds by which one of an event's deliveries may come later than another."""
TIMES = 3


def repeat_and_shuffle(stack: DeployedStack, consumer: Consumer, count: int) -> Played:
    """Deliver each event several times, in any order and with any delay; what is published is published again."""
    cases = consumer.cases(stack, count)
    if isinstance(consumer, PublishOutbox):
        consumer.send(stack, cases)
        for _ in range(TIMES - 1):
            stack.replay(consumer.service, [case.id for case in random.sample(cases, len(cases))])
        return Played(consumer, "replayed", cases, note=f"each {TIMES} times")
    deliveries = cases * TIMES
    random.shuffle(deliveries)
    delays = [random.randint(0, LONGEST_DELAY) for _ in deliveries]  # noqa: S311 (it protects nothing)
    consumer.send(stack, deliveries, delays)
    return Played(consumer, "doubled, shuffled, delayed", cases, note=f"each {TIMES} times")


def poison(stack: DeployedStack, consumer: Consumer) -> Played:
    """Send what is no event, or no event of the type: it has to be dead at once, with the reason."""
    bodies = {marker: body for body, marker in _bad(stack, consumer)}
    cases = [Case(marker, body, Household()) for marker, body in bodies.items()]
    stack.send(consumer.queue, bodies.values(), type="fault.unknown.v1")

    def look(stack: DeployedStack, cases: Sequence[Case]) -> Mapping[str, Seen]:
        letters = list(stack.letters(consumer.name))
        return {case.id: Seen(reason=next((why for body, why in letters if case.id in body), None)) for case in cases}

    return Played(consumer, "poison", cases, look=look)


def takes_poison(consumer: Consumer) -> bool:
    """Tell whether there is anything that it cannot handle: a stream has events only, and the archive takes all."""
    return not isinstance(consumer, PublishOutbox | ArchiveDeadLetters)


def _bad(stack: DeployedStack, consumer: Consumer) -> list[tuple[str, str]]:
    no_json, no_event, unknown = (str(uuid4()) for _ in range(3))
    found = [
        (f"<html>{no_json}</html>", no_json),
        (json.dumps({"id": no_event}), no_event),
    ]
    if isinstance(consumer, MockCallbacks):
        return found
    [good] = consumer.cases(stack, 1)
    event = json.loads(good.body)
    return [
        *found,
        (json.dumps({**event, "id": unknown, "type": "fault.unknown.v1"}), unknown),
        (json.dumps({**event, "data": {}}), good.id),
    ]
