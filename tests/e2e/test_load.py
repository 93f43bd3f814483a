"""A hundred households that register at once all arrive, each in a household of its own."""

from bench.households import Codes, Households, lost
from demo.stage import Stage

HOUSEHOLDS = 100


def test_registering_at_once_loses_nobody(stage: Stage) -> None:
    with Codes(stage.access) as codes:
        journeys = Households(stage.access, codes).register(HOUSEHOLDS)

    assert lost(journeys) == []
