import json
from datetime import timedelta
from typing import Any

import pytest
from boto3.dynamodb.conditions import Attr

from identity.lifecycle import ANONYMOUS_FOR, AUTHENTICATED_FOR, FAMILIES_KEPT, FETCHABLE_FOR, StoredSession
from identity.model import Overtaken
from identity.refresh_tokens import RefreshRefused, RefreshToken, RegistrationUndecided
from identity.tokens import ScopeRefused
from identity.usecases.sessions import (
    SessionRefused,
    TooManySessions,
    UnknownSession,
    audit,
    issue_token,
    list_sessions,
    open_session,
    sign_out,
    sign_out_everywhere,
    sign_out_of,
)
from paygo.audit import Act, Origin
from paygo.identities import identity_hash
from paygo.security import Kind, Session, SessionState, session_key
from paygo.storage import InvalidCursor, Table
from tests.unit.identity.fakes import IdentityIsLinked
from tests.unit.identity.session_fakes import (
    CAUSE,
    NOW,
    ORIGIN,
    SCOPES,
    FakeSessions,
    SessionsOnTables,
    Visits,
)

MINUTE = timedelta(minutes=1)
TOO_LATE = NOW + FETCHABLE_FOR


@pytest.fixture(params=["memory", "tables"])
def visits(request: pytest.FixtureRequest) -> Visits:
    """Everything holds of the fake that other tests use, as of the tables."""
    if request.param == "memory":
        return Visits(FakeSessions())
    sessions, table, once = (request.getfixturevalue(name) for name in ("sessions", "table", "idempotency"))
    return Visits(SessionsOnTables(sessions, table, once))


def claims(token: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(token)
    return found


def test_a_new_session_is_anonymous_for_a_day(visits: Visits) -> None:
    opened = visits.open()

    session = visits.stored(opened.session)
    assert session == opened.session
    assert session.state is SessionState.ANONYMOUS
    assert session.opened_at == NOW
    assert session.ends_at == NOW + timedelta(days=1)
    assert session.user_agent == "paygo-client/1.0"
    assert opened.credentials.access_key_id == "anonymous"
    assert visits.store.acts() == [Act.SESSION_OPENED]


def test_a_session_comes_with_a_bearer_token_of_all_its_scopes(visits: Visits) -> None:
    opened = visits.open()
    escalated = visits.escalated()

    assert claims(opened.bearer.token)["sid"] == opened.session.session_id
    assert claims(opened.bearer.token)["kind"] == Kind.ANONYMOUS
    assert opened.bearer.scopes == SCOPES[Kind.ANONYMOUS]
    assert claims(escalated.bearer.token)["sub"] == "household-1"
    assert escalated.bearer.scopes == SCOPES[Kind.HOUSEHOLD]


def test_every_session_has_an_identity_of_its_own(visits: Visits) -> None:
    one, other = visits.open().session, visits.open().session

    assert one.identity_id != other.identity_id
    assert one.session_id != other.session_id


def test_what_is_told_of_a_session_says_who_and_from_where(visits: Visits) -> None:
    session = visits.open().session

    (told,) = visits.store.told
    assert (told.session_id, told.identity_hash) == (session.session_id, identity_hash(session.identity_id))
    assert (told.source_ip, told.user_agent) == ("192.0.2.1", "paygo-client/1.0")


def test_an_address_opens_so_many_sessions_in_ten_minutes(visits: Visits) -> None:
    def open_(minutes: int, source_ip: str = "192.0.2.1") -> None:
        cause = type(CAUSE)(CAUSE.source, CAUSE.correlation_id, Origin(source_ip=source_ip))
        open_session(visits.store, visits.makers, limit=2, cause=cause, now=NOW + minutes * MINUTE)

    open_(0)
    open_(1)
    for minutes in (2, 3):
        with pytest.raises(TooManySessions) as refused:
            open_(minutes)
        assert refused.value.retry_in == timedelta(minutes=10 - minutes)
    open_(3, "192.0.2.2")
    open_(10)

    assert sorted(visits.store.acts()) == [Act.SESSION_OPENED] * 4 + [Act.SESSIONS_LIMITED]


def test_a_refresh_token_is_stored_as_hashes_only(visits: Visits) -> None:
    opened = visits.open()

    assert opened.refresh_token.secret[:22] not in str(visits.stored(opened.session))
    assert opened.refresh_token.secret[22:] not in str(visits.stored(opened.session))


def test_an_anonymous_session_is_refreshed_with_anonymous_credentials(visits: Visits) -> None:
    opened = visits.open()

    again = visits.refresh(opened.refresh_token, NOW + MINUTE)

    assert again.credentials.access_key_id == "anonymous"
    assert again.session.session_id == opened.session.session_id
    assert again.session.ends_at == NOW + ANONYMOUS_FOR
    assert again.refresh_token != opened.refresh_token
    assert visits.stored(opened.session) == again.session
    assert sorted(visits.store.acts()) == [Act.SESSION_OPENED, Act.SESSION_REFRESHED]


def test_each_refresh_token_leads_to_the_next(visits: Visits) -> None:
    token = visits.open().refresh_token

    for _ in range(3):
        token = visits.refresh(token).refresh_token


@pytest.mark.parametrize("later_refreshes", [1, 5])
def test_a_token_used_twice_revokes_the_session(visits: Visits, later_refreshes: int) -> None:
    opened = visits.open()
    token = opened.refresh_token
    for _ in range(later_refreshes):
        token = visits.refresh(token).refresh_token

    with pytest.raises(RefreshRefused):
        visits.refresh(opened.refresh_token, NOW + MINUTE)

    revoked = visits.stored(opened.session)
    assert revoked.state is SessionState.REVOKED
    assert revoked.ends_at == NOW + MINUTE
    with pytest.raises(RefreshRefused):
        visits.refresh(token)
    assert visits.store.acts().count(Act.REFRESH_TOKEN_REUSED) == 1


def test_a_guessed_token_is_refused_and_revokes_nothing(visits: Visits) -> None:
    opened = visits.open()

    with pytest.raises(RefreshRefused):
        visits.refresh(RefreshToken.new(opened.session.identity_id))

    assert visits.stored(opened.session).state is SessionState.ANONYMOUS
    assert visits.store.acts() == [Act.SESSION_OPENED]


@pytest.mark.parametrize("text", ["nonsense", f"us-east-1:nobody.{'x' * 44}"])
def test_a_token_of_no_session_is_refused(visits: Visits, text: str) -> None:
    with pytest.raises(RefreshRefused):
        visits.refresh(text)


def test_a_session_that_is_over_is_not_refreshed(visits: Visits) -> None:
    opened = visits.open()

    with pytest.raises(RefreshRefused):
        visits.refresh(opened.refresh_token, NOW + ANONYMOUS_FOR)


def test_an_approved_session_is_escalated_for_a_month(visits: Visits) -> None:
    opened = visits.approved()

    escalated = visits.escalate(opened.session)

    assert escalated.credentials.access_key_id == "authenticated"
    assert escalated.session.state is SessionState.AUTHENTICATED
    assert escalated.session.household_id == "household-1"
    assert escalated.session.ends_at == NOW + AUTHENTICATED_FOR == NOW + timedelta(days=30)
    assert escalated.session.fetchable_until == NOW + timedelta(minutes=5)
    assert visits.credentials.linked == {opened.session.identity_id: opened.session.session_id}
    assert visits.stored(opened.session) == escalated.session
    assert visits.store.acts().count(Act.SESSION_ESCALATED) == 1


@pytest.mark.parametrize("state", [SessionState.ANONYMOUS, SessionState.REGISTERING])
def test_a_session_that_is_not_approved_is_not_escalated(visits: Visits, state: SessionState) -> None:
    opened = visits.open()
    if state is SessionState.REGISTERING:
        visits.move(opened.session, state=state)

    with pytest.raises(RegistrationUndecided):
        visits.escalate(opened.session)

    assert visits.credentials.linked == {}


def test_a_session_that_is_over_or_unknown_is_not_escalated(visits: Visits) -> None:
    opened = visits.approved()
    stranger = opened.session.model_copy(update={"identity_id": "us-east-1:nobody"})

    with pytest.raises(SessionRefused):
        visits.escalate(opened.session, NOW + ANONYMOUS_FOR)
    with pytest.raises(SessionRefused):
        visits.escalate(stranger)


def test_an_authenticated_session_is_refreshed_for_another_month(visits: Visits) -> None:
    escalated = visits.escalated()
    later = NOW + timedelta(days=29)

    again = visits.refresh(escalated.refresh_token, later)

    assert again.credentials.access_key_id == "authenticated"
    assert again.session.ends_at == later + AUTHENTICATED_FOR
    assert again.session.fetchable_until is None


@pytest.mark.parametrize("minutes", [0, 4])
def test_a_lost_escalation_is_answered_again(visits: Visits, minutes: int) -> None:
    lost = visits.escalated()

    answered = visits.escalate(lost.session, NOW + minutes * MINUTE)

    assert answered.credentials.access_key_id == "authenticated"
    assert answered.bearer.scopes == SCOPES[Kind.HOUSEHOLD]
    assert visits.refresh(answered.refresh_token, NOW + timedelta(hours=1)).session.state is SessionState.AUTHENTICATED
    assert visits.store.acts().count(Act.CREDENTIALS_FETCHED_AGAIN) == 1


def test_the_refresh_token_from_before_fetches_again_as_often_as_answers_are_lost(visits: Visits) -> None:
    opened = visits.approved()
    visits.escalate(opened.session)
    visits.refresh(opened.refresh_token)

    answered = visits.refresh(opened.refresh_token, NOW + 4 * MINUTE)

    assert answered.credentials.access_key_id == "authenticated"
    assert visits.refresh(answered.refresh_token).session.state is SessionState.AUTHENTICATED


def test_fetching_again_does_not_prolong_itself(visits: Visits) -> None:
    escalated = visits.escalated()

    again = visits.escalate(escalated.session, NOW + 4 * MINUTE)

    assert again.session.fetchable_until == escalated.session.fetchable_until
    assert again.session.ends_at == escalated.session.ends_at


def test_nothing_is_fetched_again_after_five_minutes(visits: Visits) -> None:
    opened = visits.approved()
    visits.escalate(opened.session)

    with pytest.raises(SessionRefused):
        visits.escalate(opened.session, TOO_LATE)
    with pytest.raises(RefreshRefused):
        visits.refresh(opened.refresh_token, TOO_LATE)

    assert visits.stored(opened.session).state is SessionState.REVOKED


def test_nothing_is_fetched_again_after_the_first_use(visits: Visits) -> None:
    opened = visits.approved()
    escalated = visits.escalate(opened.session)
    visits.store.mark_used(escalated.session, NOW)

    with pytest.raises(SessionRefused):
        visits.escalate(opened.session, NOW + MINUTE)
    assert visits.stored(opened.session).state is SessionState.AUTHENTICATED
    with pytest.raises(RefreshRefused):
        visits.refresh(opened.refresh_token, NOW + MINUTE)

    assert visits.stored(opened.session).state is SessionState.REVOKED


def test_using_the_new_refresh_token_ends_the_old_one(visits: Visits) -> None:
    opened = visits.approved()
    visits.refresh(visits.escalate(opened.session).refresh_token)

    with pytest.raises(SessionRefused):
        visits.escalate(opened.session)
    with pytest.raises(RefreshRefused):
        visits.refresh(opened.refresh_token)

    assert visits.stored(opened.session).state is SessionState.REVOKED


def test_a_refresh_token_whose_answer_was_fetched_again_revokes(visits: Visits) -> None:
    lost = visits.escalated()
    visits.escalate(lost.session)

    with pytest.raises(RefreshRefused):
        visits.refresh(lost.refresh_token)

    assert visits.stored(lost.session).state is SessionState.REVOKED


def test_a_session_that_is_fetched_again_and_again_stays_small(visits: Visits) -> None:
    opened = visits.approved()
    for _ in range(FAMILIES_KEPT + 5):
        visits.escalate(opened.session)

    session = visits.stored(opened.session)
    assert len(session.refresh_families) == FAMILIES_KEPT + 1
    assert session.knows(opened.refresh_token)
    assert len(session.refresh_hashes) == 2


def test_a_crash_after_linking_the_identity_is_mended_by_asking_again(visits: Visits) -> None:
    opened = visits.approved()
    visits.credentials.authenticated(opened.session.identity_id, opened.session.session_id)

    assert visits.escalate(opened.session).session.state is SessionState.AUTHENTICATED


def test_a_crash_after_linking_the_identity_is_mended_by_refreshing(visits: Visits) -> None:
    opened = visits.approved()
    visits.credentials.authenticated(opened.session.identity_id, opened.session.session_id)
    with pytest.raises(IdentityIsLinked):
        visits.credentials.anonymous(opened.session.identity_id)

    mended = visits.refresh(opened.refresh_token)

    assert mended.session.state is SessionState.AUTHENTICATED
    assert visits.stored(opened.session) == mended.session


def test_a_refresh_that_escalated_may_be_lost_too(visits: Visits) -> None:
    opened = visits.approved()
    visits.refresh(opened.refresh_token)

    assert visits.refresh(opened.refresh_token).session.state is SessionState.AUTHENTICATED


def test_signing_out_ends_the_session(visits: Visits) -> None:
    opened = visits.escalated()

    sign_out(visits.store, opened.session.identity_id, cause=CAUSE, now=NOW + MINUTE)

    assert visits.stored(opened.session).state is SessionState.REVOKED
    assert visits.stored(opened.session).ends_at == NOW + MINUTE
    with pytest.raises(RefreshRefused):
        visits.refresh(opened.refresh_token)
    assert visits.store.acts().count(Act.SIGNED_OUT) == 1


def test_signing_out_twice_is_told_once(visits: Visits) -> None:
    opened = visits.open()

    for identity_id in (opened.session.identity_id, opened.session.identity_id, "us-east-1:nobody"):
        sign_out(visits.store, identity_id, cause=CAUSE, now=NOW)

    assert sorted(visits.store.acts()) == [Act.SESSION_OPENED, Act.SIGNED_OUT]


def listed(visits: Visits, household_id: str = "household-1") -> set[str]:
    found, cursor = visits.store.of_household(household_id, limit=100)
    assert cursor is None
    return {session.session_id for session in found}


def test_a_household_sees_its_sessions_that_are_not_over(visits: Visits) -> None:
    mine, other = visits.escalated(), visits.escalated()
    visits.escalated(household_id="household-2")
    visits.escalated(NOW - AUTHENTICATED_FOR)
    approved = visits.approved()

    found, cursor = list_sessions(visits.store, visits.household(mine), NOW, limit=100)

    expected = {each.session.session_id for each in (mine, other, approved)}
    assert {session.session_id for session in found} == expected
    assert cursor is None


def test_a_list_of_sessions_has_pages(visits: Visits) -> None:
    opened = [visits.escalated() for _ in range(3)]
    household = visits.household(opened[0])

    first, cursor = list_sessions(visits.store, household, NOW, limit=2)
    second, end = list_sessions(visits.store, household, NOW, limit=2, cursor=cursor)

    assert [len(first), len(second), end] == [2, 1, None]
    assert {each.session_id for each in (*first, *second)} == {each.session.session_id for each in opened}


def test_a_made_up_cursor_is_none(on_tables: Visits) -> None:
    with pytest.raises(InvalidCursor):
        on_tables.store.of_household("household-1", limit=2, cursor="nonsense")


def test_signing_out_of_another_session_ends_that_one(visits: Visits) -> None:
    mine, other = visits.escalated(), visits.escalated()

    sign_out_of(visits.store, visits.household(mine), other.session.session_id, cause=CAUSE, now=NOW)

    assert visits.stored(other.session).state is SessionState.REVOKED
    assert visits.stored(mine.session).state is SessionState.AUTHENTICATED
    assert listed(visits) == {mine.session.session_id}
    (told,) = [each for each in visits.store.told if each.act == Act.SIGNED_OUT]
    assert (told.session_id, told.detail) == (other.session.session_id, {"by_session": mine.session.session_id})


def test_nobody_signs_out_of_what_is_not_theirs_or_over(visits: Visits) -> None:
    mine, strangers = visits.escalated(), visits.escalated(household_id="household-2")
    over = visits.escalated(NOW - AUTHENTICATED_FOR)
    anonymous = visits.open()

    for other in (strangers, over, anonymous):
        with pytest.raises(UnknownSession):
            sign_out_of(visits.store, visits.household(mine), other.session.session_id, cause=CAUSE, now=NOW)

    assert visits.stored(strangers.session).state is SessionState.AUTHENTICATED
    assert visits.stored(anonymous.session).state is SessionState.ANONYMOUS


def test_signing_out_everywhere_ends_all_of_the_households_sessions(
    visits: Visits, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("identity.usecases.sessions._PAGE", 2)
    mine = [visits.escalated() for _ in range(5)]
    strangers = visits.escalated(household_id="household-2")

    sign_out_everywhere(visits.store, visits.household(mine[0]), cause=CAUSE, now=NOW)

    assert {visits.stored(each.session).state for each in mine} == {SessionState.REVOKED}
    assert listed(visits) == set()
    assert visits.stored(strangers.session).state is SessionState.AUTHENTICATED
    assert visits.store.acts().count(Act.SIGNED_OUT_EVERYWHERE) == 5
    assert visits.signed_out_at("household-1") == NOW
    assert visits.signed_out_at("household-2") is None


def test_a_token_for_some_of_the_sessions_scopes_is_issued(visits: Visits) -> None:
    opened = visits.escalated()

    token = issue_token(
        visits.store, visits.makers.tokens, opened.session, ["devices:read"], held=None, cause=CAUSE, now=NOW
    )

    assert claims(token.token)["scope"] == "devices:read"
    (told,) = [each for each in visits.store.told if each.act == Act.TOKEN_ISSUED]
    assert told.detail == {"scopes": "devices:read"}


def test_a_token_is_no_way_to_a_wider_one(visits: Visits) -> None:
    session, tokens = visits.escalated().session, visits.makers.tokens
    before = len(visits.store.told)

    for scopes, held in ((["registrations:write"], None), (["devices:write"], {"sessions:write", "devices:read"})):
        with pytest.raises(ScopeRefused):
            issue_token(visits.store, tokens, session, scopes, held=held, cause=CAUSE, now=NOW)

    assert len(visits.store.told) == before


def test_what_makes_credentials_failing_leaves_the_refresh_token_as_it_was(
    visits: Visits, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: str) -> None:
        raise TimeoutError

    opened = visits.open()
    with monkeypatch.context() as failing:
        failing.setattr(visits.credentials, "anonymous", fail)
        with pytest.raises(TimeoutError):
            visits.refresh(opened.refresh_token)

    assert visits.refresh(opened.refresh_token)


def test_what_is_handed_out_shows_no_secret_in_a_log(visits: Visits) -> None:
    opened = visits.open()

    assert "secret" not in repr(opened.credentials)
    assert opened.refresh_token.secret not in repr(opened)
    assert opened.bearer.token not in repr(opened)


def change_of(visits: Visits) -> tuple[StoredSession, StoredSession]:
    opened = visits.open()
    before = visits.stored(opened.session)
    return before, before.refreshed(opened.refresh_token.next(), NOW)


@pytest.fixture
def on_tables(sessions: Table, table: Table, idempotency: Table) -> Visits:
    return Visits(SessionsOnTables(sessions, table, idempotency))


def test_a_write_that_the_sdk_sends_twice_overtakes_nobody(on_tables: Visits) -> None:
    before, after = change_of(on_tables)
    event = audit(Act.SESSION_REFRESHED, CAUSE, NOW, after)

    on_tables.store.replace(before, after, event)
    on_tables.store.replace(before, after, event)

    assert on_tables.stored(before) == after
    assert len(on_tables.store.told) == 2


def test_a_write_sent_twice_does_not_bring_a_revoked_session_back(on_tables: Visits) -> None:
    before, after = change_of(on_tables)
    event = audit(Act.SESSION_REFRESHED, CAUSE, NOW, after)
    on_tables.store.replace(before, after, event)
    on_tables.store.revoke(after, NOW, audit(Act.SIGNED_OUT, CAUSE, NOW, after))

    with pytest.raises(Overtaken):
        on_tables.store.replace(before, after, event)


def test_a_refresh_keeps_what_a_registration_wrote_meanwhile(on_tables: Visits) -> None:
    before, after = change_of(on_tables)
    # The registration came, was rejected and came again: state and tokens are as they were.
    on_tables.move(before, registration_id="registration-2", state=SessionState.REGISTERING)
    on_tables.move(before, state=SessionState.ANONYMOUS)

    on_tables.store.replace(before, after, audit(Act.SESSION_REFRESHED, CAUSE, NOW, after))

    assert on_tables.stored(before).registration_id == "registration-2"


def test_the_table_forgets_a_session_that_no_sweep_removed(on_tables: Visits, sessions: Table) -> None:
    opened = on_tables.open()

    row = sessions.get(**session_key(opened.session.identity_id))
    assert row
    assert row["expires_at"] == int((NOW + ANONYMOUS_FOR + timedelta(days=7)).timestamp())


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("2001:db8:1:2::1", "2001:db8:1:2:ffff::9", True),
        ("2001:db8:1:2::1", "2001:db8:1:3::1", False),
        ("192.0.2.1", "192.0.2.2", False),
        ("test-invoke-source-ip", "test-invoke-source-ip", True),
        (None, None, True),
    ],
)
def test_who_has_an_ipv6_address_has_all_of_its_network(
    on_tables: Visits, one: str | None, other: str | None, same: bool
) -> None:
    counts = [on_tables.store.count_opening(address, NOW, NOW + 10 * MINUTE) for address in (one, other)]

    assert counts == ([1, 2] if same else [1, 1])


def test_the_count_of_an_address_expires_and_does_not_name_it(on_tables: Visits, sessions: Table) -> None:
    on_tables.store.count_opening("192.0.2.1", NOW, NOW + 10 * MINUTE)

    ((items, _),) = sessions.scan(Attr("pk").begins_with("ADDRESS#"))
    assert [item["expires_at"] for item in items] == [int((NOW + 10 * MINUTE).timestamp())]
    assert "192.0.2.1" not in str(items)


def test_a_session_without_origin_is_opened_all_the_same(visits: Visits) -> None:
    cause = type(CAUSE)(CAUSE.source, CAUSE.correlation_id)

    opened = open_session(visits.store, visits.makers, limit=1, cause=cause, now=NOW)

    assert opened.session.user_agent is None


def test_a_long_user_agent_is_cut(visits: Visits) -> None:
    cause = type(CAUSE)(CAUSE.source, CAUSE.correlation_id, ORIGIN.model_copy(update={"user_agent": "x" * 1000}))

    opened = open_session(visits.store, visits.makers, limit=1, cause=cause, now=NOW)

    assert opened.session.user_agent == "x" * 256


def test_a_session_of_the_list_that_is_another_households_is_not_shown(on_tables: Visits, table: Table) -> None:
    opened = on_tables.escalated()
    table.put(
        {"pk": "HOUSEHOLD#household-2", "sk": f"SESSION#{opened.session.session_id}"}
        | {"identity_id": opened.session.identity_id}
    )

    assert listed(on_tables, "household-2") == set()
    assert on_tables.store.one_of_household("household-2", opened.session.session_id) is None


def test_session_is_what_everybody_else_reads(on_tables: Visits, sessions: Table) -> None:
    opened = on_tables.escalated()

    row = sessions.get(**session_key(opened.session.identity_id))
    read = Session.model_validate(row)
    assert read.model_dump() == {name: getattr(opened.session, name) for name in Session.model_fields}
