"""Every partner is away, slow, wrong, and now here and now not."""

import time
from collections.abc import Callable
from dataclasses import dataclass

from faults.consumers import Consumer
from faults.played import Played
from faults.stage import DeployedStack
from mocks import Choice, PartnerMocks

LATER_THAN_TIMEOUT = 11
"""Seconds: a gateway waits for an answer for ten."""
UNHEARD_OF = 418
"""A status that no partner's contract has."""


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
    Weather("without sense for a while", lambda mocks, partner: mocks.malformed(partner), 4),
    Weather("refuses to the end", lambda mocks, partner: mocks.down(partner, status=UNHEARD_OF), None),
)


def play(stack: DeployedStack, consumer: Consumer, count: int, partner: str) -> list[Played]:
    """Let the partner behave in each way while the consumer has events for it."""
    calling, played = consumer.calling(partner), list[Played]()
    for weather in WEATHERS:
        with weather.begin(stack.mocks, partner) as choice:
            cases = calling.cases(stack, count)
            calling.send(stack, cases)
            if weather.seconds is not None:
                time.sleep(weather.seconds)
                choice.take_back()
            played.append(Played(calling, f"{partner} {weather.name}", cases).settled(stack))
    return played
