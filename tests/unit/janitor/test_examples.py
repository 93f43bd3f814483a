"""What the docstrings show is what comes of it."""

import doctest

import pytest

from janitor import buckets, found, prices, prune, rehearsal, report, services


@pytest.mark.parametrize("module", [buckets, found, prices, prune, rehearsal, report, services])
def test_the_examples_are_true(module: object) -> None:
    results = doctest.testmod(module)  # type: ignore[arg-type]

    assert results.attempted > 0
    assert results.failed == 0
