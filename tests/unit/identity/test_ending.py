"""What is over is removed, identity first."""

from collections.abc import Callable
from datetime import timedelta

import boto3
import pytest
from botocore.stub import Stubber

from identity.gateways.credentials import CognitoCredentials
from identity.lifecycle import ANONYMOUS_FOR, StoredSession
from identity.usecases.ending import Swept, sweep
from identity.usecases.sessions import Opened, audit, sign_out
from paygo.audit import Act
from paygo.storage import Table
from tests.unit.identity.session_fakes import CAUSE, NOW, FakeSessions, SessionsOnTables, Visits

HOUR = timedelta(hours=1)
SECOND = timedelta(seconds=1)


@pytest.fixture(params=["memory", "tables"])
def visits(request: pytest.FixtureRequest) -> Visits:
    if request.param == "memory":
        return Visits(FakeSessions())
    sessions, table, once = (request.getfixturevalue(name) for name in ("sessions", "table", "idempotency"))
    return Visits(SessionsOnTables(sessions, table, once))


def swept(visits: Visits, after: timedelta, has_time: Callable[[], bool] = lambda: True) -> Swept:
    return sweep(visits.store, visits.credentials, has_time=has_time, cause=CAUSE, now=NOW + after)


def is_there(visits: Visits, opened: Opened) -> bool:
    return visits.store.find(opened.session.identity_id) is not None


def test_a_session_is_removed_when_its_last_credentials_are_no_more(visits: Visits) -> None:
    opened = visits.open()

    assert swept(visits, ANONYMOUS_FOR + HOUR - SECOND) == Swept(0, (), finished=True)
    assert swept(visits, ANONYMOUS_FOR + HOUR + SECOND) == Swept(1, (), finished=True)

    assert visits.credentials.deleted == [opened.session.identity_id]
    assert not is_there(visits, opened)
    (told,) = [each for each in visits.store.told if each.act == Act.SESSION_ENDED]
    assert (told.session_id, told.detail) == (opened.session.session_id, {"state": "anonymous"})


def test_a_session_that_was_signed_out_of_is_removed_after_an_hour(visits: Visits) -> None:
    ended, lasting = visits.escalated(), visits.escalated()
    sign_out(visits.store, ended.session.identity_id, cause=CAUSE, now=NOW)

    swept(visits, HOUR + SECOND)

    assert not is_there(visits, ended)
    assert is_there(visits, lasting)


def test_a_removed_session_is_no_longer_its_households(visits: Visits) -> None:
    opened = visits.escalated()

    swept(visits, timedelta(days=31))

    assert visits.store.of_household("household-1", limit=10) == ((), None)
    assert not is_there(visits, opened)


def test_a_session_whose_identity_cannot_be_deleted_stays(visits: Visits) -> None:
    stuck, other = visits.open(), visits.open()
    visits.credentials.undeletable = frozenset({stuck.session.identity_id})

    assert swept(visits, timedelta(days=2)) == Swept(1, (stuck.session.identity_id,), finished=True)

    assert is_there(visits, stuck)
    assert not is_there(visits, other)


def test_more_than_a_batch_is_swept_while_there_is_time() -> None:
    visits = Visits(FakeSessions())
    for _ in range(130):
        visits.open()

    times = iter([True, True, False])
    first = swept(visits, timedelta(days=2), has_time=lambda: next(times))
    second = swept(visits, timedelta(days=2))

    assert first == Swept(120, (), finished=False)
    assert second == Swept(10, (), finished=True)


def test_a_session_that_its_index_says_is_over_is_looked_at_again(
    sessions: Table, table: Table, idempotency: Table, monkeypatch: pytest.MonkeyPatch
) -> None:
    visits = Visits(SessionsOnTables(sessions, table, idempotency))
    opened = visits.escalated()
    entry = {"pk": f"SESSION#{opened.session.identity_id}"}
    monkeypatch.setattr(sessions, "query_index", lambda *_: iter([entry, {"pk": "SESSION#us-east-1:gone"}]))

    assert swept(visits, HOUR) == Swept(0, (), finished=True)


def test_a_session_that_two_sweeps_find_is_removed_and_told_once(visits: Visits) -> None:
    opened = visits.open()
    session: StoredSession = visits.stored(opened.session)

    for _ in range(2):
        visits.store.remove(session, audit(Act.SESSION_ENDED, CAUSE, NOW, session))

    assert visits.store.acts().count(Act.SESSION_ENDED) == 1


def test_identities_are_deleted_by_cognito_and_those_left_are_told() -> None:
    client = boto3.client("cognito-identity")
    with Stubber(client) as stubber:
        stubber.add_response(
            "delete_identities",
            {"UnprocessedIdentityIds": [{"IdentityId": "us-east-1:b", "ErrorCode": "InternalServerError"}]},
            {"IdentityIdsToDelete": ["us-east-1:a", "us-east-1:b"]},
        )
        stubber.add_response("delete_identities", {}, {"IdentityIdsToDelete": ["us-east-1:c"]})
        credentials = CognitoCredentials(client, "us-east-1:pool", "paygo")

        assert credentials.delete(["us-east-1:a", "us-east-1:b"]) == {"us-east-1:b"}
        assert credentials.delete(["us-east-1:c"]) == frozenset()
