from collections.abc import Iterator

import pytest

from tests.unit.clients.scripted_api import ScriptedApi, Time


@pytest.fixture
def api() -> Iterator[ScriptedApi]:
    with ScriptedApi() as running:
        yield running


@pytest.fixture
def time() -> Time:
    return Time()
