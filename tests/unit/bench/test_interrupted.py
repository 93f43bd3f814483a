import random
import signal

import pytest

from bench.interrupted import PHASES, Moment, spread


@pytest.mark.parametrize("count", [1, 3, 8, 20])
def test_moments_are_spread_over_the_phases_in_their_order(count: int) -> None:
    numbers = [PHASES.index(moment.phase) for moment in spread(random.Random(1), count)]

    assert len(numbers) == count
    assert numbers == sorted(numbers)
    assert len(set(numbers)) == min(count, len(PHASES))


def test_twenty_moments_leave_no_phase_out() -> None:
    for seed in range(50):
        assert {moment.phase for moment in spread(random.Random(seed), 20)} == set(PHASES)


def test_a_seed_gives_the_same_moments_again() -> None:
    assert spread(random.Random(7), 20) == spread(random.Random(7), 20)
    assert spread(random.Random(7), 20) != spread(random.Random(8), 20)


def test_a_moment_is_within_its_phase() -> None:
    assert all(0 <= moment.after <= moment.phase.seconds for moment in spread(random.Random(3), 200))


def test_a_moment_says_what_it_is() -> None:
    assert str(Moment(PHASES[4], 1.256, with_terraform=True)) == "SIGKILL with its Terraform 1.26 s into plan"
    assert str(Moment(PHASES[0], 0.5, with_terraform=False, by=signal.SIGINT)) == "SIGINT 0.50 s into lock"
