from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from identity.lifecycle import ANONYMOUS_FOR, AUTHENTICATED_FOR, StoredSession
from identity.model import Overtaken
from identity.refresh_tokens import RefreshRefused, RefreshToken, RegistrationUndecided
from identity.sessions_table import SessionTable
from identity.usecases.sessions import escalate, refresh
from paygo.security import Session, SessionState, session_key
from paygo.storage import Table
from tests.unit.identity.conftest import NOW, Identity
from tests.unit.identity.fakes import IdentityIsLinked


def stored(identity: Identity, identity_id: str) -> StoredSession:
    session = identity.sessions.find(identity_id)
    assert session
    return session


def rows(sessions: Table, identity_id: str) -> dict[str, Any]:
    row = sessions.get(**session_key(identity_id))
    assert row
    return row


class Racing(SessionTable):
    """A table where somebody else does something just before the next replacement."""

    def __init__(self, table: Table, meanwhile: Callable[[], object]) -> None:
        super().__init__(table)
        self._meanwhile = [meanwhile]

    def replace(self, before: StoredSession, after: StoredSession) -> None:
        if self._meanwhile:
            self._meanwhile.pop()()
        super().replace(before, after)


def test_a_new_session_is_anonymous_for_a_day(identity: Identity, sessions: Table) -> None:
    opened = identity.open()

    row = rows(sessions, opened.session.identity_id)
    session = Session.model_validate(row)
    assert session.state is SessionState.ANONYMOUS
    assert session.ends_at == NOW + timedelta(days=1)
    assert row["expires_at"] == int((NOW + timedelta(days=1)).timestamp())
    assert opened.credentials.access_key_id == "anonymous"


def test_every_session_has_an_identity_of_its_own(identity: Identity) -> None:
    one, other = identity.open().session, identity.open().session

    assert one.identity_id != other.identity_id
    assert one.session_id != other.session_id


def test_a_refresh_token_is_stored_as_hashes_only(identity: Identity, sessions: Table) -> None:
    opened = identity.open()

    assert opened.refresh_token.secret[:22] not in str(rows(sessions, opened.session.identity_id))
    assert opened.refresh_token.secret[22:] not in str(rows(sessions, opened.session.identity_id))


def test_an_anonymous_session_is_refreshed_with_anonymous_credentials(identity: Identity) -> None:
    opened = identity.open()

    again = refresh(identity.sessions, identity.maker, str(opened.refresh_token), NOW)

    assert again.credentials.access_key_id == "anonymous"
    assert again.session.session_id == opened.session.session_id
    assert again.session.ends_at == NOW + ANONYMOUS_FOR
    assert again.refresh_token != opened.refresh_token


def test_each_refresh_token_leads_to_the_next(identity: Identity) -> None:
    token = identity.open().refresh_token

    for _ in range(3):
        token = refresh(identity.sessions, identity.maker, str(token), NOW).refresh_token


def test_a_token_used_twice_revokes_the_session(identity: Identity) -> None:
    opened = identity.open()
    again = refresh(identity.sessions, identity.maker, str(opened.refresh_token), NOW)

    with pytest.raises(RefreshRefused):
        refresh(identity.sessions, identity.maker, str(opened.refresh_token), NOW)

    assert stored(identity, opened.session.identity_id).state is SessionState.REVOKED
    with pytest.raises(RefreshRefused):
        refresh(identity.sessions, identity.maker, str(again.refresh_token), NOW)


def test_a_token_from_long_ago_revokes_the_session(identity: Identity) -> None:
    opened = identity.open()
    token = opened.refresh_token
    for _ in range(5):
        token = refresh(identity.sessions, identity.maker, str(token), NOW).refresh_token

    with pytest.raises(RefreshRefused):
        refresh(identity.sessions, identity.maker, str(opened.refresh_token), NOW)

    assert stored(identity, opened.session.identity_id).state is SessionState.REVOKED


def test_a_guessed_token_is_refused_and_revokes_nothing(identity: Identity) -> None:
    opened = identity.open()

    with pytest.raises(RefreshRefused):
        refresh(identity.sessions, identity.maker, str(RefreshToken.new(opened.session.identity_id)), NOW)

    assert stored(identity, opened.session.identity_id).state is SessionState.ANONYMOUS


@pytest.mark.parametrize("text", ["nonsense", f"us-east-1:nobody.{'x' * 44}"])
def test_a_token_of_no_session_is_refused(identity: Identity, text: str) -> None:
    with pytest.raises(RefreshRefused):
        refresh(identity.sessions, identity.maker, text, NOW)


def test_a_session_that_is_over_is_not_refreshed(identity: Identity) -> None:
    opened = identity.open()

    with pytest.raises(RefreshRefused):
        refresh(identity.sessions, identity.maker, str(opened.refresh_token), NOW + ANONYMOUS_FOR)


def test_of_two_uses_at_once_the_second_revokes_the_session(identity: Identity, sessions: Table) -> None:
    opened = identity.open()
    text = str(opened.refresh_token)
    racing = Racing(sessions, lambda: refresh(identity.sessions, identity.maker, text, NOW))

    with pytest.raises(RefreshRefused):
        refresh(racing, identity.maker, text, NOW)

    assert stored(identity, opened.session.identity_id).state is SessionState.REVOKED


def test_a_registration_may_move_the_session_during_a_refresh(identity: Identity, sessions: Table) -> None:
    opened = identity.open()
    racing = Racing(sessions, lambda: identity.register(opened.session.identity_id))

    again = refresh(racing, identity.maker, str(opened.refresh_token), NOW)

    assert again.session.state is SessionState.REGISTERING
    assert again.session.registration_id is not None


def test_an_approved_session_is_escalated_for_a_month(identity: Identity) -> None:
    opened = identity.approved()

    escalated = escalate(identity.sessions, identity.maker, opened.session.identity_id, NOW)

    assert escalated.credentials.access_key_id == "authenticated"
    assert escalated.session.state is SessionState.AUTHENTICATED
    assert escalated.session.household_id is not None
    assert escalated.session.ends_at == NOW + AUTHENTICATED_FOR == NOW + timedelta(days=30)
    assert identity.maker.linked == {opened.session.identity_id: opened.session.session_id}
    assert stored(identity, opened.session.identity_id).model_dump(include=set(Session.model_fields)) == (
        escalated.session.model_dump(include=set(Session.model_fields))
    )


@pytest.mark.parametrize("registering", [False, True])
def test_a_session_that_is_not_approved_is_not_escalated(identity: Identity, registering: bool) -> None:
    opened = identity.open()
    if registering:
        identity.register(opened.session.identity_id)

    with pytest.raises(RegistrationUndecided):
        escalate(identity.sessions, identity.maker, opened.session.identity_id, NOW)

    assert identity.maker.linked == {}


def test_no_session_is_not_escalated(identity: Identity) -> None:
    with pytest.raises(RegistrationUndecided):
        escalate(identity.sessions, identity.maker, "us-east-1:nobody", NOW)


def test_an_authenticated_session_is_refreshed_with_authenticated_credentials(identity: Identity) -> None:
    opened = identity.approved()
    escalated = escalate(identity.sessions, identity.maker, opened.session.identity_id, NOW)

    again = refresh(identity.sessions, identity.maker, str(escalated.refresh_token), NOW + timedelta(days=29))

    assert again.credentials.access_key_id == "authenticated"
    assert again.session.ends_at == NOW + timedelta(days=29) + AUTHENTICATED_FOR


def test_the_old_token_heals_a_lost_escalation(identity: Identity) -> None:
    opened = identity.approved()
    escalate(identity.sessions, identity.maker, opened.session.identity_id, NOW)

    healed = refresh(identity.sessions, identity.maker, str(opened.refresh_token), NOW)

    assert healed.credentials.access_key_id == "authenticated"
    assert healed.session.state is SessionState.AUTHENTICATED


@pytest.mark.parametrize("first", ["old", "new"])
def test_of_the_two_tokens_after_an_escalation_the_second_used_revokes(identity: Identity, first: str) -> None:
    opened = identity.approved()
    identity_id = opened.session.identity_id
    escalated = escalate(identity.sessions, identity.maker, identity_id, NOW)
    tokens = [str(opened.refresh_token), str(escalated.refresh_token)]
    tokens = tokens if first == "old" else tokens[::-1]
    refresh(identity.sessions, identity.maker, tokens[0], NOW)

    with pytest.raises(RefreshRefused):
        refresh(identity.sessions, identity.maker, tokens[1], NOW)

    assert stored(identity, identity_id).state is SessionState.REVOKED


def test_a_crash_after_linking_the_identity_is_healed_by_asking_again(identity: Identity) -> None:
    opened = identity.approved()
    identity.maker.authenticated(opened.session.identity_id, opened.session.session_id)

    escalated = escalate(identity.sessions, identity.maker, opened.session.identity_id, NOW)

    assert escalated.session.state is SessionState.AUTHENTICATED


def test_a_crash_after_linking_the_identity_is_healed_by_refreshing(identity: Identity) -> None:
    opened = identity.approved()
    identity.maker.authenticated(opened.session.identity_id, opened.session.session_id)
    with pytest.raises(IdentityIsLinked):
        identity.maker.anonymous(opened.session.identity_id)

    healed = refresh(identity.sessions, identity.maker, str(opened.refresh_token), NOW)

    assert healed.session.state is SessionState.AUTHENTICATED
    assert healed.session.ends_at == NOW + AUTHENTICATED_FOR
    assert stored(identity, opened.session.identity_id).state is SessionState.AUTHENTICATED


def test_cognito_failing_leaves_the_refresh_token_as_it_was(
    identity: Identity, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: str) -> None:
        raise TimeoutError

    opened = identity.open()
    with monkeypatch.context() as failing:
        failing.setattr(identity.maker, "anonymous", fail)
        with pytest.raises(TimeoutError):
            refresh(identity.sessions, identity.maker, str(opened.refresh_token), NOW)

    assert refresh(identity.sessions, identity.maker, str(opened.refresh_token), NOW)


def test_of_two_escalations_at_once_one_is_told_to_wait(identity: Identity, sessions: Table) -> None:
    opened = identity.approved()
    identity_id = opened.session.identity_id
    racing = Racing(sessions, lambda: escalate(identity.sessions, identity.maker, identity_id, NOW))

    with pytest.raises(RegistrationUndecided):
        escalate(racing, identity.maker, identity_id, NOW)

    assert stored(identity, identity_id).state is SessionState.AUTHENTICATED


def test_a_session_revoked_during_its_escalation_stays_revoked(identity: Identity, sessions: Table) -> None:
    opened = identity.approved()
    identity_id = opened.session.identity_id
    racing = Racing(sessions, lambda: identity.sessions.revoke(identity_id))

    with pytest.raises(RegistrationUndecided):
        escalate(racing, identity.maker, identity_id, NOW)

    assert stored(identity, identity_id).state is SessionState.REVOKED


def test_revoking_what_is_gone_makes_no_row(identity: Identity, sessions: Table) -> None:
    identity.sessions.revoke("us-east-1:gone")

    assert sessions.get(**session_key("us-east-1:gone")) is None


def test_credentials_show_no_secret_in_a_log(identity: Identity) -> None:
    opened = identity.open()

    assert "secret" not in repr(opened.credentials)
    assert opened.refresh_token.secret not in repr(opened)


def opened_and_its_token(identity: Identity) -> tuple[StoredSession, RefreshToken]:
    opened = identity.open()
    return stored(identity, opened.session.identity_id), opened.refresh_token


def test_a_write_that_the_sdk_sends_twice_overtakes_nobody(identity: Identity) -> None:
    before, token = opened_and_its_token(identity)
    after = before.refreshed(token.next(), NOW)

    identity.sessions.replace(before, after)
    identity.sessions.replace(before, after)

    assert identity.sessions.find(before.identity_id) == after


def test_a_write_sent_twice_does_not_bring_a_revoked_session_back(identity: Identity) -> None:
    before, token = opened_and_its_token(identity)
    after = before.refreshed(token.next(), NOW)
    identity.sessions.replace(before, after)
    identity.sessions.revoke(after.identity_id)

    with pytest.raises(Overtaken):
        identity.sessions.replace(before, after)


def test_a_households_session_lasts_while_it_is_used(identity: Identity) -> None:
    session, token = opened_and_its_token(identity)
    later = NOW + AUTHENTICATED_FOR - timedelta(hours=1)

    assert session.escalated(NOW).refreshed(token.next(), later).ends_at == later + AUTHENTICATED_FOR


def test_an_anonymous_session_does_not(identity: Identity) -> None:
    session, token = opened_and_its_token(identity)

    assert session.refreshed(token.next(), NOW + timedelta(hours=23)).ends_at == session.ends_at
