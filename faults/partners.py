"""Every partner is away, slow, wrong, and now here and now not."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from faults.consumers import Consumer
from faults.played import Played
from faults.stage import DeployedStack
from mocks import Choice, PartnerMocks

LATER_THAN_TIMEOUT = 11
"""Seconds: a gateway waits for an answer for ten."""


@dataclass(frozen=True)
class Weather:
    """How a partner behaves for a while.

    Parameters
    ----------
    seconds
        After how long it is well again; it stays so to the end when there are none.
    """

    name: str
    begin: Callable[[PartnerMocks, str], Choice]
    seconds: float | None


WEATHERS = (
    Weather("away (503)", lambda mocks, partner: mocks.down(partner), 4),
    Weather("hangs up", lambda mocks, partner: mocks.hangs_up(partner), 4),
    Weather(
        "slow, one answer too late",
        lambda mocks, partner: mocks.every_route(
            partner, {"delay_seconds": LATER_THAN_TIMEOUT, "times": 1}, {"delay_seconds": 1}
        ),
        None,
    ),
    Weather("flapping", lambda mocks, partner: mocks.flapping(partner), None),
    Weather("wrong for a while", lambda mocks, partner: mocks.malformed(partner), 4),
    Weather("wrong to the end", lambda mocks, partner: mocks.wrong(partner), None),
)


def play(
    stack: DeployedStack, partner: str, consumers: list[Consumer], count: int, weathers: tuple[Weather, ...] = WEATHERS
) -> Iterator[Played]:
    """Let the partner behave in each way while its consumers have events."""
    for weather in weathers:
        with weather.begin(stack.mocks, partner) as choice:
            played = []
            for consumer in (each.calling(partner) for each in consumers):
                cases = consumer.cases(stack, count)
                consumer.send(stack, cases)
                played.append(Played(consumer, f"{partner} {weather.name}", cases))
            if weather.seconds is not None:
                time.sleep(weather.seconds)
                choice.take_back()
            for each in played:
                yield each.settled(stack)
