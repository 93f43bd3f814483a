from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from aws_lambda_powertools.utilities.data_classes import APIGatewayProxyEvent

from paygo.problems import Problem
from paygo.security import (
    BEFORE_ESCALATION,
    ESCALATED,
    PartnerKeys,
    SessionState,
    current_household,
    current_session,
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
            "ends_at": (NOW + timedelta(hours=1)).isoformat(),
        }
        | more
    )


@pytest.fixture
def request_by(api_event: EventMaker) -> Callable[..., APIGatewayProxyEvent]:
    def make(identity_id: str | None = IDENTITY, kind: str | None = "unauthenticated") -> APIGatewayProxyEvent:
        return APIGatewayProxyEvent(api_event("GET", "/v1/x", identity_id=identity_id, authentication_type=kind))

    return make


@pytest.mark.parametrize("state", sorted(BEFORE_ESCALATION))
def test_an_anonymous_identity_finds_its_session(sessions: Table, request_by: Any, state: SessionState) -> None:
    keep_session(sessions, state)

    session = current_session(request_by(), sessions, NOW, BEFORE_ESCALATION)

    assert (session.session_id, session.state) == ("s-1", state)


def test_an_escalated_identity_is_its_household(sessions: Table, request_by: Any) -> None:
    keep_session(sessions, SessionState.AUTHENTICATED, household_id="h-1")

    household = current_household(request_by(kind="authenticated"), sessions, NOW)

    assert (household.household_id, household.session_id) == ("h-1", "s-1")


def test_an_escalated_session_without_a_household_is_refused(sessions: Table, request_by: Any) -> None:
    keep_session(sessions, SessionState.AUTHENTICATED)

    with pytest.raises(Problem, match="session-refused"):
        current_household(request_by(kind="authenticated"), sessions, NOW)


@pytest.mark.parametrize("identity_id", [None, "us-east-1:made-directly-with-cognito"])
def test_an_identity_without_a_session_is_refused(sessions: Table, request_by: Any, identity_id: str | None) -> None:
    keep_session(sessions, SessionState.ANONYMOUS)

    with pytest.raises(Problem) as refused:
        current_session(request_by(identity_id), sessions, NOW, BEFORE_ESCALATION)

    assert (refused.value.status, refused.value.kind) == (403, "session-refused")


@pytest.mark.parametrize("allowed", [BEFORE_ESCALATION, ESCALATED])
@pytest.mark.parametrize("kind", ["authenticated", "unauthenticated"])
def test_a_revoked_session_opens_nothing(sessions: Table, request_by: Any, kind: str, allowed: Any) -> None:
    keep_session(sessions, SessionState.REVOKED, household_id="h-1")

    with pytest.raises(Problem, match="session-refused"):
        current_session(request_by(kind=kind), sessions, NOW, allowed)


def test_a_session_is_over_at_its_end(sessions: Table, request_by: Any) -> None:
    keep_session(sessions, SessionState.ANONYMOUS, ends_at=NOW.isoformat())

    with pytest.raises(Problem, match="session-refused"):
        current_session(request_by(), sessions, NOW, BEFORE_ESCALATION)


def test_old_anonymous_credentials_open_nothing_after_escalation(sessions: Table, request_by: Any) -> None:
    keep_session(sessions, SessionState.AUTHENTICATED, household_id="h-1")

    with pytest.raises(Problem, match="session-refused"):
        current_session(request_by(kind="unauthenticated"), sessions, NOW, BEFORE_ESCALATION | ESCALATED)


def test_authenticated_credentials_do_not_fit_an_anonymous_session(sessions: Table, request_by: Any) -> None:
    keep_session(sessions, SessionState.ANONYMOUS)

    with pytest.raises(Problem, match="session-refused"):
        current_session(request_by(kind="authenticated"), sessions, NOW, BEFORE_ESCALATION)


def test_an_anonymous_session_does_not_open_what_needs_a_household(sessions: Table, request_by: Any) -> None:
    keep_session(sessions, SessionState.ANONYMOUS)

    with pytest.raises(Problem, match="session-refused"):
        current_household(request_by(), sessions, NOW)


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
