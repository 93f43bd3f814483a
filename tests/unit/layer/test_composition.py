import pytest

from paygo import composition
from paygo.security import Callers
from paygo.storage import Table
from tests.unit.conftest import SETTINGS


@pytest.mark.parametrize(
    ("make", "name"),
    [
        (composition.own_table, SETTINGS["TABLE"]),
        (composition.sessions_table, SETTINGS["SESSIONS_TABLE"]),
        (composition.nonces, SETTINGS["IDEMPOTENCY_TABLE"]),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_a_table_is_the_one_of_its_setting_and_made_once(make: object, name: str) -> None:
    assert callable(make)
    table = make()

    assert isinstance(table, Table)
    assert table.name == name
    assert make() is table


def test_requests_and_events_share_a_table_and_a_client_but_no_settings() -> None:
    requests, events = composition.idempotency_keys(), composition.handled_events()

    assert requests is not events
    for store in (requests, events):
        assert store.table_name == SETTINGS["IDEMPOTENCY_TABLE"]
        assert store.client is composition.dynamodb()


def test_the_client_of_events_is_made_once() -> None:
    assert composition.sns() is composition.sns()
    assert composition.sns().meta.service_model.service_name == "sns"


def test_callers_are_known_in_one_place() -> None:
    assert isinstance(composition.callers(), Callers)
    assert composition.callers() is composition.callers()


def test_an_events_source_is_the_stack_and_the_service() -> None:
    assert composition.source() == "/paygo-test/unit"
