from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from aws_lambda_powertools.utilities.data_classes import APIGatewayProxyEvent

from paygo.identities import identity_hash
from paygo.problems import Problem
from paygo.security import (
    BEFORE_ESCALATION,
    ESCALATED,
    Caller,
    Callers,
    Household,
    Kind,
    PartnerKeys,
    Session,
    SessionState,
    owned,
    session_key,
    verify_partner,
)
from paygo.signatures import signature
from paygo.storage import Table

NOW = datetime(2026, 11, 21, 10, 0, tzinfo=UTC)
IDENTITY = "us-east-1:5d6c0f5e-6f0e-4a5b-9a42-0b1f6f3f6d1e"
PARTNER = PartnerKeys(api_key="the-api-key", keys=PartnerKeys.Keys(current="new key", previous="old key"))
PATH = "/partners/mobile-money/notifications"

type EventMaker = Callable[..., dict[str, Any]]


def keep_session(sessions: Table, state: SessionState, **more: Any) -> None:
    sessions.put(
        {
            **session_key(IDENTITY),
            "identity_id": IDENTITY,
            "session_id": "s-1",
            "state": state.value,
            "opened_at": (NOW - timedelta(hours=1)).isoformat(),
            "ends_at": (NOW + timedelta(hours=1)).isoformat(),
        }
        | more
    )


def keep_escalated(sessions: Table, *, fetchable_for: timedelta | None = timedelta(minutes=5), **more: Any) -> None:
    until = {} if fetchable_for is None else {"fetchable_until": (NOW + fetchable_for).isoformat()}
    keep_session(sessions, SessionState.AUTHENTICATED, **({"household_id": "h-1"} | until | more))


@pytest.fixture
def callers(sessions: Table, idempotency: Table) -> Callers:
    return Callers(sessions, idempotency)


type Request = Callable[..., APIGatewayProxyEvent]

SIGNED = {Kind.ANONYMOUS: "unauthenticated", Kind.HOUSEHOLD: "authenticated"}


@pytest.fixture(params=["signed", "bearer"])
def request_by(api_event: EventMaker, request: pytest.FixtureRequest) -> Request:
    """Make a request with IAM credentials, and one with a token: what holds for one holds for the other."""

    def make(kind: Kind = Kind.ANONYMOUS, identity_id: str = IDENTITY) -> APIGatewayProxyEvent:
        if request.param == "signed":
            sent = api_event("GET", "/v1/x", identity_id=identity_id, authentication_type=SIGNED[kind])
        else:
            told = {
                "identity_hash": identity_hash(identity_id),
                "session_id": "s-1",
                "kind": kind.value,
                "scope": "devices:read",
            }
            sent = api_event("GET", "/bearer/v1/x", authorizer=told)
        return APIGatewayProxyEvent(sent)

    return make


@pytest.mark.parametrize("state", sorted(BEFORE_ESCALATION))
def test_an_anonymous_identity_finds_its_session(
    callers: Callers, sessions: Table, request_by: Request, state: SessionState
) -> None:
    keep_session(sessions, state)

    session = callers.session(request_by(), NOW, BEFORE_ESCALATION)

    assert (session.session_id, session.state) == ("s-1", state)


def test_an_escalated_identity_is_its_household(callers: Callers, sessions: Table, request_by: Request) -> None:
    keep_escalated(sessions)

    household = callers.household(request_by(Kind.HOUSEHOLD), NOW)

    assert (household.household_id, household.session_id) == ("h-1", "s-1")


def test_an_escalated_session_without_a_household_is_refused(
    callers: Callers, sessions: Table, request_by: Request
) -> None:
    keep_escalated(sessions, household_id=None)

    with pytest.raises(Problem, match="session-refused"):
        callers.household(request_by(Kind.HOUSEHOLD), NOW)


def test_an_identity_without_a_session_is_refused(callers: Callers, sessions: Table, request_by: Request) -> None:
    keep_session(sessions, SessionState.ANONYMOUS)

    with pytest.raises(Problem) as refused:
        callers.session(request_by(identity_id="us-east-1:made-directly-with-cognito"), NOW, BEFORE_ESCALATION)

    assert (refused.value.status, refused.value.kind) == (403, "session-refused")


@pytest.mark.parametrize(
    "sent",
    [{}, {"identity_id": IDENTITY}, {"identity_id": IDENTITY, "authentication_type": "assumed-role"}],
    ids=["nothing", "an identity of no kind", "an identity of another kind"],
)
def test_who_has_neither_signature_nor_token_is_refused(
    callers: Callers, sessions: Table, api_event: EventMaker, sent: dict[str, str]
) -> None:
    keep_session(sessions, SessionState.ANONYMOUS)

    with pytest.raises(Problem, match="session-refused"):
        callers.session(APIGatewayProxyEvent(api_event("GET", "/v1/x", **sent)), NOW, BEFORE_ESCALATION)


def test_a_token_opens_the_session_that_it_names_and_no_other_of_the_identity(
    callers: Callers, sessions: Table, request_by: Request
) -> None:
    keep_session(sessions, SessionState.ANONYMOUS, session_id="s-2")
    event = request_by()

    if Caller.of(event) == Caller(identity_hash(IDENTITY), Kind.ANONYMOUS):
        assert callers.session(event, NOW, BEFORE_ESCALATION).session_id == "s-2"
    else:
        with pytest.raises(Problem, match="session-refused"):
            callers.session(event, NOW, BEFORE_ESCALATION)


def test_a_token_says_what_it_is_for_and_a_signature_is_for_all(request_by: Request) -> None:
    caller = Caller.of(request_by())

    assert caller is not None
    assert caller.scopes == (None if caller.session_id is None else {"devices:read"})


@pytest.mark.parametrize("allowed", [BEFORE_ESCALATION, ESCALATED, frozenset(SessionState)])
@pytest.mark.parametrize("kind", sorted(Kind))
@pytest.mark.parametrize("fetching", [True, False])
def test_a_revoked_session_opens_nothing(
    callers: Callers, sessions: Table, request_by: Request, kind: Kind, allowed: Any, *, fetching: bool
) -> None:
    until = (NOW + timedelta(minutes=5)).isoformat()
    keep_session(sessions, SessionState.REVOKED, household_id="h-1", fetchable_until=until)

    with pytest.raises(Problem, match="session-refused"):
        callers.session(request_by(kind), NOW, allowed, fetching=fetching)


def test_a_session_is_over_at_its_end(callers: Callers, sessions: Table, request_by: Request) -> None:
    keep_session(sessions, SessionState.ANONYMOUS, ends_at=NOW.isoformat())

    with pytest.raises(Problem, match="session-refused"):
        callers.session(request_by(), NOW, BEFORE_ESCALATION)


def test_old_anonymous_credentials_open_nothing_after_escalation(
    callers: Callers, sessions: Table, request_by: Request
) -> None:
    keep_escalated(sessions)

    with pytest.raises(Problem, match="session-refused"):
        callers.session(request_by(), NOW, BEFORE_ESCALATION | ESCALATED)


def test_authenticated_credentials_do_not_fit_an_anonymous_session(
    callers: Callers, sessions: Table, request_by: Request
) -> None:
    keep_session(sessions, SessionState.ANONYMOUS)

    with pytest.raises(Problem, match="session-refused"):
        callers.session(request_by(Kind.HOUSEHOLD), NOW, BEFORE_ESCALATION, fetching=True)


def test_an_anonymous_session_does_not_open_what_needs_a_household(
    callers: Callers, sessions: Table, request_by: Request
) -> None:
    keep_session(sessions, SessionState.ANONYMOUS)

    with pytest.raises(Problem, match="session-refused"):
        callers.household(request_by(), NOW)


def test_lost_credentials_are_fetched_again_with_those_from_before(
    callers: Callers, sessions: Table, request_by: Request
) -> None:
    keep_escalated(sessions)

    session = callers.session(request_by(), NOW, BEFORE_ESCALATION, fetching=True)

    assert session.household_id == "h-1"
    assert not callers.was_used(session)


@pytest.mark.parametrize("fetchable_for", [timedelta(0), timedelta(seconds=-1), None])
def test_credentials_are_fetched_again_for_a_while_only(
    callers: Callers, sessions: Table, request_by: Request, fetchable_for: timedelta | None
) -> None:
    keep_escalated(sessions, fetchable_for=fetchable_for)

    with pytest.raises(Problem, match="session-refused"):
        callers.session(request_by(), NOW, BEFORE_ESCALATION, fetching=True)


def test_credentials_that_were_used_are_not_fetched_again(
    callers: Callers, sessions: Table, request_by: Request
) -> None:
    keep_escalated(sessions)
    for _ in range(2):
        callers.household(request_by(Kind.HOUSEHOLD), NOW)

    with pytest.raises(Problem, match="session-refused"):
        callers.session(request_by(), NOW, BEFORE_ESCALATION, fetching=True)


def test_a_household_cannot_escalate_what_is_escalated(callers: Callers, sessions: Table, request_by: Request) -> None:
    keep_escalated(sessions)

    with pytest.raises(Problem, match="session-refused"):
        callers.session(request_by(Kind.HOUSEHOLD), NOW, BEFORE_ESCALATION, fetching=True)


def test_a_refused_call_is_no_use(callers: Callers, sessions: Table, request_by: Request) -> None:
    keep_escalated(sessions)
    with pytest.raises(Problem):
        callers.session(request_by(Kind.HOUSEHOLD), NOW, BEFORE_ESCALATION)

    assert callers.session(request_by(), NOW, BEFORE_ESCALATION, fetching=True)


def test_a_use_is_noted_for_as_long_as_it_matters(
    callers: Callers, sessions: Table, idempotency: Table, request_by: Request
) -> None:
    keep_escalated(sessions)
    callers.household(request_by(Kind.HOUSEHOLD), NOW)

    kept = idempotency.get(pk="USED#s-1")

    assert kept is not None
    assert kept["expires_at"] > (NOW + timedelta(minutes=5)).timestamp()


@pytest.mark.parametrize("fetchable_for", [timedelta(0), None])
def test_a_use_is_noted_only_while_it_matters(
    callers: Callers, sessions: Table, idempotency: Table, request_by: Request, fetchable_for: timedelta | None
) -> None:
    keep_escalated(sessions, fetchable_for=fetchable_for)
    callers.household(request_by(Kind.HOUSEHOLD), NOW)

    assert idempotency.get(pk="USED#s-1") is None


def session_of(household_id: str | None) -> Session:
    """Any row that has a household."""
    return Session(
        identity_id=IDENTITY,
        session_id="s-1",
        state=SessionState.AUTHENTICATED,
        opened_at=NOW,
        ends_at=NOW,
        household_id=household_id,
    )


def test_a_household_owns_its_rows() -> None:
    row = session_of("h-1")

    assert owned(Household(household_id="h-1", session_id="s-1"), row, "device") is row


@pytest.mark.parametrize("row", [session_of("h-2"), session_of(None), None], ids=["another's", "nobody's", "none"])
def test_a_household_does_not_learn_of_rows_that_are_not_its_own(row: Session | None) -> None:
    with pytest.raises(Problem) as refused:
        owned(Household(household_id="h-1", session_id="s-1"), row, "device")

    assert (refused.value.status, refused.value.title) == (404, "There is no such device")


@pytest.fixture
def signed(api_event: EventMaker) -> Callable[..., APIGatewayProxyEvent]:
    def make(
        *, key: str = "new key", at: datetime = NOW, nonce: str = "nonce-nonce-nonce", **sent: Any
    ) -> APIGatewayProxyEvent:
        timestamp = str(int(at.timestamp()))
        body, query = '{"amount": 5}', {"b": "2", "a": "1"}
        headers = {
            "x-api-key": "the-api-key",
            "x-paygo-timestamp": timestamp,
            "x-paygo-nonce": nonce,
            "x-paygo-signature": signature(
                key, method="POST", path=PATH, query=query.items(), timestamp=timestamp, nonce=nonce, body=body.encode()
            ),
        }
        headers |= sent.pop("headers", {})
        request: dict[str, Any] = {"method": "POST", "path": PATH, "body": body, "query": query} | sent
        return APIGatewayProxyEvent(api_event(request.pop("method"), request.pop("path"), headers=headers, **request))

    return make


@pytest.mark.parametrize("key", ["new key", "old key"])
def test_a_partner_may_sign_with_either_key_while_one_replaces_the_other(
    idempotency: Table, signed: Any, key: str
) -> None:
    verify_partner(signed(key=key), PARTNER, idempotency, NOW)


def test_a_signature_covers_the_bytes_behind_base64(idempotency: Table, signed: Any) -> None:
    verify_partner(signed(as_base64=True), PARTNER, idempotency, NOW)


@pytest.mark.parametrize("seconds", [-300, 300])
def test_a_clock_may_be_five_minutes_off(idempotency: Table, signed: Any, seconds: int) -> None:
    verify_partner(signed(at=NOW + timedelta(seconds=seconds)), PARTNER, idempotency, NOW)


@pytest.mark.parametrize(
    "change",
    [
        {"key": "a guess"},
        {"key": ""},
        {"body": '{"amount": 6}'},
        {"path": "/partners/supplier/manifests"},
        {"method": "PUT"},
        {"query": {"b": "2", "a": "3"}},
        {"query": None},
        {"at": NOW - timedelta(seconds=301)},
        {"at": NOW + timedelta(seconds=301)},
        {"nonce": "short"},
        {"nonce": "with spaces in the nonce"},
        {"headers": {"x-api-key": "another"}},
        {"headers": {"x-api-key": "the-api-key\N{SNOWMAN}"}},
        {"headers": {"x-paygo-timestamp": "soon"}},
        {"headers": {"x-paygo-timestamp": ""}},
        {"headers": {"x-paygo-nonce": "another-nonce-than-signed"}},
        {"headers": {"x-paygo-signature": ""}},
        {"headers": {"x-paygo-signature": "v1=\N{SNOWMAN}"}},
    ],
    ids=str,
)
def test_a_forged_request_is_refused_without_saying_why(idempotency: Table, signed: Any, change: Any) -> None:
    with pytest.raises(Problem) as refused:
        verify_partner(signed(**change), PARTNER, idempotency, NOW)

    assert (refused.value.status, refused.value.kind) == (401, "signature-refused")


def test_an_empty_previous_key_signs_nothing(idempotency: Table, signed: Any) -> None:
    without = PARTNER.model_copy(update={"keys": PartnerKeys.Keys(current="new key")})

    with pytest.raises(Problem, match="signature-refused"):
        verify_partner(signed(key=""), without, idempotency, NOW)


def test_a_nonce_is_used_once(idempotency: Table, signed: Any) -> None:
    verify_partner(signed(), PARTNER, idempotency, NOW)

    with pytest.raises(Problem, match="signature-refused"):
        verify_partner(signed(), PARTNER, idempotency, NOW)


def test_a_forger_cannot_use_up_a_nonce(idempotency: Table, signed: Any) -> None:
    with pytest.raises(Problem):
        verify_partner(signed(key="a guess"), PARTNER, idempotency, NOW)

    verify_partner(signed(), PARTNER, idempotency, NOW)


def test_a_nonce_is_remembered_for_as_long_as_its_timestamp_could_be_accepted(idempotency: Table, signed: Any) -> None:
    verify_partner(signed(at=NOW + timedelta(seconds=300)), PARTNER, idempotency, NOW)

    kept = idempotency.get(pk=f"NONCE#{PATH}#nonce-nonce-nonce")
    assert kept is not None
    assert kept["expires_at"] >= (NOW + timedelta(seconds=600)).timestamp()
