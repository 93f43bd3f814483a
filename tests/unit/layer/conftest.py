from collections.abc import Iterator

import pytest

from paygo import batches, composition
from tests.unit.conftest import SETTINGS
from tests.unit.layer.fakes import FakeQueue, FakeSqs


@pytest.fixture
def queue(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeQueue]:
    """The queue that consumers consume, in a time of its own."""
    queue = FakeQueue()
    monkeypatch.setattr(composition, "sqs", lambda: FakeSqs(queue, SETTINGS["QUEUE_URL"], SETTINGS["DEAD_QUEUE_URL"]))
    monkeypatch.setattr(batches, "_now", queue.clock)
    for made in (composition.own_queue, composition.attempts):
        made.cache_clear()
    yield queue
    for made in (composition.own_queue, composition.attempts):
        made.cache_clear()
