from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from identity.lifecycle import SESSION_MOVES
from identity.model import (
    DECIDED,
    MOVES,
    RegistrationKind,
    RegistrationState,
    first_state,
    registration_ids,
    sources,
)
from identity.refresh_tokens import RefreshToken
from paygo.security import SessionState

IDENTITY = "us-east-1:5d6c0f5e-6f0e-4a5b-9a42-0b1f6f3f6d1e"


def test_every_state_of_a_registration_has_its_moves() -> None:
    assert set(MOVES) == set(RegistrationKind)
    assert set(MOVES[RegistrationKind.OWN]) == set(RegistrationState)
    for kind, moves in MOVES.items():
        reachable = {first_state(kind)} | {target for targets in moves.values() for target in targets}
        assert set(moves) == reachable


def test_every_state_of_a_session_has_its_moves() -> None:
    assert set(SESSION_MOVES) == set(SessionState)


@pytest.mark.parametrize("kind", list(RegistrationKind))
@given(data=st.data())
def test_a_registration_is_decided_after_at_most_three_moves_and_never_moves_again(
    kind: RegistrationKind, data: st.DataObject
) -> None:
    state, moves = first_state(kind), 0
    while MOVES[kind][state]:
        state, moves = data.draw(st.sampled_from(sorted(MOVES[kind][state]))), moves + 1

    assert moves <= 3
    assert state in DECIDED


@pytest.mark.parametrize("kind", list(RegistrationKind))
def test_every_undecided_registration_may_expire(kind: RegistrationKind) -> None:
    undecided = set(MOVES[kind]) - DECIDED

    assert set(sources(MOVES[kind], RegistrationState.EXPIRED)) == undecided


@given(st.lists(st.sampled_from(sorted(SessionState)), max_size=20))
def test_a_session_is_authenticated_only_after_its_approval(tried: list[SessionState]) -> None:
    seen = [SessionState.ANONYMOUS]
    for state in tried:
        if state in SESSION_MOVES[seen[-1]]:
            seen.append(state)

    if SessionState.AUTHENTICATED in seen:
        assert seen[seen.index(SessionState.AUTHENTICATED) - 1] is SessionState.APPROVED


def test_a_revoked_session_stays_revoked() -> None:
    assert not SESSION_MOVES[SessionState.REVOKED]
    assert set(sources(SESSION_MOVES, SessionState.REVOKED)) == set(SessionState) - {SessionState.REVOKED}


def test_nobody_is_approved_who_was_not_asked_about() -> None:
    own, partner = (sources(MOVES[kind], RegistrationState.APPROVED) for kind in RegistrationKind)

    assert set(own) == {RegistrationState.SUBMITTED, RegistrationState.CHECKING}
    assert set(partner) == {RegistrationState.SUBMITTED}


def test_the_same_intent_of_a_session_leads_to_the_same_ids() -> None:
    session_id = str(uuid4())

    first, again = (registration_ids(session_id, RegistrationKind.OWN, "key-0001") for _ in range(2))

    assert first == again


@given(st.text(), st.text())
def test_other_intents_kinds_and_sessions_lead_to_other_ids(one: str, other: str) -> None:
    sessions = str(uuid4()), str(uuid4())
    intents = {(session, kind, intent) for session in sessions for kind in RegistrationKind for intent in (one, other)}
    ids = {each for intent in intents for each in registration_ids(*intent)}

    assert len(ids) == 2 * len(intents)


def test_a_refresh_token_is_read_as_it_was_written() -> None:
    token = RefreshToken.new(IDENTITY)

    assert RefreshToken.parse(str(token)) == token


def test_the_next_token_is_another_one_of_the_same_family() -> None:
    token = RefreshToken.new(IDENTITY)
    following = token.next()

    assert following.identity_id == IDENTITY
    assert following.hash != token.hash
    assert following.family_hash == token.family_hash
    assert RefreshToken.new(IDENTITY).family_hash != token.family_hash


@pytest.mark.parametrize(
    "text",
    [
        "",
        "nonsense",
        f"{IDENTITY}.",
        f".{'x' * 44}",
        f"{IDENTITY}.{'x' * 43}",
        f"{IDENTITY}.{'x' * 45}",
        "a b." + "x" * 44,
    ],
)
def test_a_text_that_is_no_refresh_token_is_none(text: str) -> None:
    assert RefreshToken.parse(text) is None


def test_a_refresh_token_shows_no_secret_in_a_log() -> None:
    token = RefreshToken.new(IDENTITY)

    assert token.secret not in repr(token)
