from collections.abc import Iterator

import pytest

from tests.unit.layer.fakes import FakeQueue, consumed


@pytest.fixture
def queue() -> Iterator[FakeQueue]:
    """The queue that consumers consume, in a time of its own."""
    with consumed(FakeQueue()) as queue:
        yield queue
