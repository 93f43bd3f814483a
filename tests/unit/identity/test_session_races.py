"""What happens to a session when two requests meet on it, or one ends in the middle."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest

from identity.lifecycle import FETCHABLE_FOR
from identity.refresh_tokens import RefreshRefused
from identity.usecases.sessions import (
    CredentialMaker,
    Makers,
    Opened,
    SessionChanged,
    SessionRefused,
    Sessions,
    escalate,
    open_session,
    refresh,
    sign_out,
    sign_out_everywhere,
)
from identity.usecases.signing_in import TRIES, Proof, SessionApproved, SignInRefused, sign_in
from paygo.audit import Act
from paygo.outcomes import NotReady
from paygo.security import SessionState
from tests.unit.identity.session_fakes import CAUSE, NOW, FakeSessions, SessionsOnTables, Visits


@pytest.fixture(params=["memory", "tables"])
def visits(request: pytest.FixtureRequest) -> Visits:
    if request.param == "memory":
        return Visits(FakeSessions())
    sessions, table, once = (request.getfixturevalue(name) for name in ("sessions", "table", "idempotency"))
    return Visits(SessionsOnTables(sessions, table, once))


class Before:
    """A port on which something else happens just before one of its calls, once."""

    def __init__(self, port: object, call: str, meanwhile: Callable[[], object]) -> None:
        self._port = port
        self._call = call
        self._meanwhile = [meanwhile]

    def __getattr__(self, name: str) -> Any:
        if name == self._call and self._meanwhile:
            self._meanwhile.pop()()
        return getattr(self._port, name)


def shown() -> Proof:
    return Proof("household-1", NOW)


def racing(visits: Visits, meanwhile: Callable[[], object], call: str = "replace") -> Any:
    return Before(visits.store, call, meanwhile)


def test_of_two_uses_of_a_token_at_once_the_second_revokes_the_session(visits: Visits) -> None:
    opened = visits.open()

    with pytest.raises(RefreshRefused):
        visits.refresh(opened.refresh_token, store=racing(visits, lambda: visits.refresh(opened.refresh_token)))

    assert visits.stored(opened.session).state is SessionState.REVOKED


def test_a_registration_may_move_the_session_during_a_refresh(visits: Visits) -> None:
    opened = visits.open()

    def register() -> None:
        visits.move(opened.session, state=SessionState.REGISTERING, registration_id="registration-1")

    again = visits.refresh(opened.refresh_token, store=racing(visits, register))

    assert again.session.state is SessionState.REGISTERING
    assert again.session.registration_id == "registration-1"


def test_an_approval_during_a_refresh_makes_it_escalate(visits: Visits) -> None:
    opened = visits.open()

    def approve() -> None:
        visits.move(opened.session, state=SessionState.APPROVED, household_id="household-1")

    again = visits.refresh(opened.refresh_token, store=racing(visits, approve))

    assert again.credentials.access_key_id == "authenticated"


def test_of_two_escalations_at_once_one_asks_again(visits: Visits) -> None:
    opened = visits.approved()
    answered: list[Opened] = []

    with pytest.raises(SessionChanged):
        visits.escalate(opened.session, store=racing(visits, lambda: answered.append(visits.escalate(opened.session))))

    # Whoever got the one answer can go on, and so can who asks again.
    assert visits.stored(opened.session).accepts(answered[0].refresh_token)
    again = visits.escalate(opened.session)
    assert visits.stored(opened.session).accepts(again.refresh_token)
    assert visits.store.acts().count(Act.SESSION_ESCALATED) == 1


def test_of_two_that_fetch_again_at_once_one_asks_again(visits: Visits) -> None:
    opened = visits.escalated()

    with pytest.raises(SessionChanged):
        visits.escalate(opened.session, store=racing(visits, lambda: visits.escalate(opened.session)))


@pytest.mark.parametrize("escalated", [False, True])
def test_a_session_signed_out_of_during_its_escalation_stays_over(visits: Visits, escalated: bool) -> None:
    opened = visits.escalated() if escalated else visits.approved()

    def end() -> None:
        sign_out(visits.store, opened.session.identity_id, cause=CAUSE, now=NOW)

    with pytest.raises(SessionChanged):
        visits.escalate(opened.session, store=racing(visits, end))
    with pytest.raises(SessionRefused):
        visits.escalate(opened.session)

    assert visits.stored(opened.session).state is SessionState.REVOKED


def test_a_session_signed_out_of_during_a_refresh_stays_over(visits: Visits) -> None:
    opened = visits.escalated()

    def end() -> None:
        sign_out(visits.store, opened.session.identity_id, cause=CAUSE, now=NOW)

    with pytest.raises(RefreshRefused):
        visits.refresh(opened.refresh_token, store=racing(visits, end))

    assert visits.stored(opened.session).state is SessionState.REVOKED


@pytest.mark.parametrize("what", ["refresh", "escalate"])
def test_signing_out_wins_over_what_changes_the_session_meanwhile(visits: Visits, what: str) -> None:
    opened = visits.approved()
    change = {
        "refresh": lambda: visits.refresh(opened.refresh_token),
        "escalate": lambda: visits.escalate(opened.session),
    }[what]

    sign_out(racing(visits, change, "revoke"), opened.session.identity_id, cause=CAUSE, now=NOW)

    assert visits.stored(opened.session).state is SessionState.REVOKED
    with pytest.raises(SessionRefused):
        visits.escalate(opened.session)


def test_two_who_sign_out_at_once_end_the_session_once(visits: Visits) -> None:
    opened = visits.open()

    def end() -> None:
        sign_out(visits.store, opened.session.identity_id, cause=CAUSE, now=NOW)

    sign_out(racing(visits, end, "revoke"), opened.session.identity_id, cause=CAUSE, now=NOW)

    assert visits.store.acts().count(Act.SIGNED_OUT) == 1


def test_the_first_use_forbids_an_answer_that_is_on_its_way(visits: Visits) -> None:
    opened = visits.approved()
    escalated = visits.escalate(opened.session)

    with pytest.raises(SessionChanged):
        visits.escalate(opened.session, store=racing(visits, lambda: visits.store.mark_used(escalated.session, NOW)))

    # Whoever uses the credentials keeps the refresh token that came with them.
    assert visits.stored(opened.session).accepts(escalated.refresh_token)


def test_of_two_sign_ins_at_once_one_is_refused(visits: Visits) -> None:
    opened = visits.open()

    def again() -> None:
        visits.sign_in(opened.session, household_id="household-2")

    with pytest.raises(SessionRefused):
        sign_in(
            racing(visits, again),
            visits.makers,
            opened.session,
            shown,
            kind="own",
            cause=CAUSE,
            now=NOW,
        )

    assert visits.stored(opened.session).household_id == "household-2"


def test_a_refresh_during_a_sign_in_does_no_harm(visits: Visits) -> None:
    opened = visits.open()
    store = racing(visits, lambda: visits.refresh(opened.refresh_token))

    signed_in = sign_in(store, visits.makers, opened.session, shown, kind="own", cause=CAUSE, now=NOW)

    assert signed_in.session.state is SessionState.AUTHENTICATED


def test_a_sign_in_that_was_shown_before_signing_out_everywhere_opens_nothing(visits: Visits) -> None:
    other, opened = visits.escalated(), visits.open()

    def sign_out() -> None:
        sign_out_everywhere(visits.store, visits.household(other), cause=CAUSE, now=NOW)

    with pytest.raises(SignInRefused):
        sign_in(
            racing(visits, sign_out),
            visits.makers,
            opened.session,
            shown,
            kind="own",
            cause=CAUSE,
            now=NOW,
        )

    assert visits.stored(opened.session).state is SessionState.ANONYMOUS
    assert visits.store.acts().count(Act.SIGN_IN_REFUSED) == 1
    later = NOW + timedelta(seconds=1)
    assert visits.sign_in(opened.session, later).session.state is SessionState.AUTHENTICATED


class Crash(Exception):
    """The function's time is over, or its machine is."""


@dataclass
class Countdown:
    """How many calls are left before the crash; and whether the call that crashes is done all the same."""

    left: int
    done: bool
    crashed: bool = field(default=False, init=False)

    def on(self, port: object) -> Any:
        return Crashing(port, self)


class Crashing:
    """A port whose calls are counted over all ports of a request."""

    def __init__(self, port: object, countdown: Countdown) -> None:
        self._port = port
        self._countdown = countdown

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._port, name)

        def call(*given: Any, **named: Any) -> Any:
            self._countdown.left -= 1
            if self._countdown.left:
                return method(*given, **named)
            self._countdown.crashed = True
            if self._countdown.done:
                method(*given, **named)
            raise Crash

        return call


CALLS = [
    pytest.param(left, done, id=f"{left}-{'done' if done else 'not-done'}")
    for left in range(1, 8)
    for done in (False, True)
]


def crashing(visits: Visits, left: int, done: bool) -> tuple[Sessions, Makers]:
    countdown = Countdown(left, done)
    credentials: CredentialMaker = countdown.on(visits.credentials)
    return countdown.on(visits.store), Makers(credentials, visits.makers.tokens)


def is_household(visits: Visits, opened: Opened) -> bool:
    """Tell whether an answer is all that a household needs: its credentials, and a token for later."""
    return (
        opened.credentials.access_key_id == "authenticated"
        and visits.stored(opened.session).household_id == "household-1"
        and visits.refresh(opened.refresh_token).session.state is SessionState.AUTHENTICATED
    )


@pytest.mark.parametrize(("left", "done"), CALLS)
def test_opening_may_crash_anywhere(visits: Visits, left: int, done: bool) -> None:
    sessions, makers = crashing(visits, left, done)
    try:
        open_session(sessions, makers, limit=10, cause=CAUSE, now=NOW)
    except Crash:
        visits.open()


@pytest.mark.parametrize(("left", "done"), CALLS)
def test_an_escalation_may_crash_anywhere_and_is_asked_for_again(visits: Visits, left: int, done: bool) -> None:
    opened = visits.approved()
    sessions, makers = crashing(visits, left, done)

    try:
        answered = escalate(sessions, makers, opened.session.identity_id, cause=CAUSE, now=NOW)
    except Crash:
        answered = visits.escalate(opened.session)

    assert is_household(visits, answered)


@pytest.mark.parametrize(("left", "done"), CALLS)
def test_an_escalation_may_crash_anywhere_and_is_mended_by_refreshing(visits: Visits, left: int, done: bool) -> None:
    opened = visits.approved()
    sessions, makers = crashing(visits, left, done)

    try:
        answered = escalate(sessions, makers, opened.session.identity_id, cause=CAUSE, now=NOW)
    except Crash:
        answered = visits.refresh(opened.refresh_token)

    assert is_household(visits, answered)


@pytest.mark.parametrize(("left", "done"), CALLS)
def test_a_refresh_that_escalates_may_crash_anywhere(visits: Visits, left: int, done: bool) -> None:
    opened = visits.approved()
    sessions, makers = crashing(visits, left, done)

    try:
        answered = refresh(sessions, makers, str(opened.refresh_token), cause=CAUSE, now=NOW)
    except Crash:
        answered = visits.refresh(opened.refresh_token)

    assert is_household(visits, answered)


@pytest.mark.parametrize(("left", "done"), CALLS)
def test_a_refresh_that_crashes_keeps_the_token_or_ends_the_session(visits: Visits, left: int, done: bool) -> None:
    opened = visits.open()
    sessions, makers = crashing(visits, left, done)

    try:
        refresh(sessions, makers, str(opened.refresh_token), cause=CAUSE, now=NOW)
    except Crash:
        if visits.stored(opened.session).accepts(opened.refresh_token):
            assert visits.refresh(opened.refresh_token)
        else:
            # The answer was lost. Who has the token cannot be told from who copied it.
            with pytest.raises(RefreshRefused):
                visits.refresh(opened.refresh_token)


@pytest.mark.parametrize(("left", "done"), [*CALLS, *((left, done) for left in (8, 9, 10) for done in (False, True))])
def test_a_sign_in_may_crash_anywhere(visits: Visits, left: int, done: bool) -> None:
    opened = visits.open()
    sessions, makers = crashing(visits, left, done)

    try:
        answered = sign_in(sessions, makers, opened.session, shown, kind="own", cause=CAUSE, now=NOW)
    except Crash:
        # As an app does: it tries again, unless the session went on, and then it asks for the credentials.
        try:
            answered = visits.sign_in(visits.stored(opened.session))
        except (SessionApproved, SessionRefused):
            answered = visits.escalate(opened.session, NOW + FETCHABLE_FOR / 2)

    assert is_household(visits, answered)


@pytest.mark.parametrize("left", range(1, 8))
def test_signing_out_everywhere_may_crash_anywhere(visits: Visits, left: int) -> None:
    mine = [visits.escalated() for _ in range(3)]
    household = visits.household(mine[1])

    try:
        sign_out_everywhere(Countdown(left, done=True).on(visits.store), household, cause=CAUSE, now=NOW)
    except Crash:
        # The caller's own is the last to end: while it lasts, it can ask again.
        states = [visits.stored(each.session).state for each in mine]
        assert states[1] is SessionState.AUTHENTICATED or set(states) == {SessionState.REVOKED}
        sign_out_everywhere(visits.store, household, cause=CAUSE, now=NOW)

    assert {visits.stored(each.session).state for each in mine} == {SessionState.REVOKED}


def test_a_session_has_few_tries_to_sign_in(visits: Visits) -> None:
    asked: list[str] = []

    def refuse() -> Proof:
        asked.append("the bank")
        raise SignInRefused

    def try_(prove: Callable[[], Proof]) -> None:
        with pytest.raises(SignInRefused):
            sign_in(visits.store, visits.makers, opened.session, prove, kind="partner", cause=CAUSE, now=NOW)

    opened = visits.open()
    for _ in range(TRIES + 2):
        try_(refuse)
    try_(shown)

    assert len(asked) == TRIES
    assert visits.store.acts().count(Act.SIGN_IN_REFUSED) == TRIES
    assert visits.sign_in(visits.open().session).session.state is SessionState.AUTHENTICATED


def test_a_try_that_nobody_judged_is_none(visits: Visits) -> None:
    def away() -> Proof:
        raise NotReady("the bank")

    opened = visits.open()
    for _ in range(TRIES + 1):
        with pytest.raises(NotReady):
            sign_in(visits.store, visits.makers, opened.session, away, kind="partner", cause=CAUSE, now=NOW)

    assert visits.sign_in(opened.session).session.state is SessionState.AUTHENTICATED


def test_a_sign_in_that_is_refused_changes_nothing(visits: Visits) -> None:
    def refuse() -> Proof:
        raise SignInRefused

    opened = visits.open()

    with pytest.raises(SignInRefused):
        sign_in(visits.store, visits.makers, opened.session, refuse, kind="own", cause=CAUSE, now=NOW)

    assert visits.stored(opened.session) == opened.session
    (told,) = [each for each in visits.store.told if each.act == Act.SIGN_IN_REFUSED]
    assert (told.session_id, told.detail) == (opened.session.session_id, {"kind": "own", "tries": "1"})
