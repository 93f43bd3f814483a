"""Whatever order things happen in, a session keeps its promises.

Two clients have the same session: the app, which asks again when an answer is lost, and whoever copied what it had.
"""

from collections.abc import Callable
from datetime import datetime, timedelta

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from identity.lifecycle import ANONYMOUS_FOR, AUTHENTICATED_FOR, FETCHABLE_FOR, StoredSession
from identity.model import IdentityRefusal, RegistrationUnderWay
from identity.refresh_tokens import RefreshRefused, RefreshToken, RegistrationUndecided
from identity.usecases.ending import sweep
from identity.usecases.sessions import Opened, SessionRefused, sign_out
from identity.usecases.signing_in import SessionApproved
from paygo.security import BEFORE_ESCALATION, SessionState
from tests.unit.identity.session_fakes import CAUSE, NOW, FakeSessions, Visits

WAITS = (
    timedelta(seconds=1),
    timedelta(minutes=1),
    FETCHABLE_FOR - timedelta(seconds=1),
    FETCHABLE_FOR,
    timedelta(hours=1),
    ANONYMOUS_FOR,
    AUTHENTICATED_FOR - timedelta(hours=2),
)


class SessionLife(RuleBasedStateMachine):
    @initialize()
    def open(self) -> None:
        self.visits = Visits(FakeSessions())
        self.store: FakeSessions = self.visits.store  # type: ignore[assignment]
        self.now = NOW
        opened = self.visits.open()
        self.identity_id = opened.session.identity_id
        self.session = opened.session
        # What the app holds, and all that was ever handed out or got lost on the way.
        self.held: RefreshToken | None = opened.refresh_token
        self.tokens = [opened.refresh_token]
        self.escalated_at: datetime | None = None
        self.first_used = False
        self.was_revoked = False

    def row(self) -> StoredSession:
        return self.visits.stored(self.session)

    def try_(self, what: Callable[[], Opened], *, is_lost: bool) -> bool:
        """Do something that is answered with credentials, and tell whether it was."""
        before, told = self.row(), len(self.store.told)
        try:
            opened = what()
        except (SessionRefused, RefreshRefused, RegistrationUndecided, RegistrationUnderWay, SessionApproved):
            # A refusal changes nothing but that it may end the session, which is told.
            after = self.row()
            assert after == before or (after.state is SessionState.REVOKED and len(self.store.told) > told)
            return False
        assert not before.is_over(self.now)
        assert len(self.store.told) > told
        assert self.row() == opened.session
        if before.state in BEFORE_ESCALATION and opened.session.state is SessionState.AUTHENTICATED:
            self.escalated_at = self.now
        self.tokens.append(opened.refresh_token)
        if not is_lost:
            self.held = opened.refresh_token
        return True

    @rule(wait=st.sampled_from(WAITS))
    def wait(self, wait: timedelta) -> None:
        self.now += wait

    @rule(which=st.integers(min_value=0, max_value=40), is_lost=st.booleans())
    def refresh(self, which: int, is_lost: bool) -> None:
        """Somebody uses any token that ever was."""
        token = self.tokens[which % len(self.tokens)]
        newest = self.row().accepts(token) and self.row().state is SessionState.AUTHENTICATED
        done = self.try_(lambda: self.visits.refresh(token, self.now), is_lost=is_lost)
        self.first_used = self.first_used or (done and newest)

    @rule(is_lost=st.booleans())
    def refresh_as_the_app(self, is_lost: bool) -> None:
        if self.held:
            self.refresh(self.tokens.index(self.held), is_lost)

    @precondition(lambda self: self.row().state is SessionState.ANONYMOUS)
    @rule()
    def register(self) -> None:
        self.visits.move(self.session, state=SessionState.REGISTERING, registration_id="registration-1")

    @precondition(lambda self: self.row().state is SessionState.REGISTERING)
    @rule(approved=st.booleans())
    def decide(self, approved: bool) -> None:
        if approved:
            self.visits.move(self.session, state=SessionState.APPROVED, household_id="household-1")
        else:
            self.visits.move(self.session, state=SessionState.ANONYMOUS, registration_id=None)

    @rule(is_lost=st.booleans())
    def escalate(self, is_lost: bool) -> None:
        """With the anonymous credentials; `Callers` lets nobody through whom the use case would not."""
        row = self.row()
        may = not row.is_over(self.now) and (
            row.state is SessionState.APPROVED or (row.is_fetchable(self.now) and not self.store.was_used(row))
        )
        assert self.try_(lambda: self.visits.escalate(self.session, self.now), is_lost=is_lost) == may

    @rule(is_lost=st.booleans())
    def sign_in(self, is_lost: bool) -> None:
        row = self.row()
        may = row.state is SessionState.ANONYMOUS and not row.is_over(self.now)
        assert self.try_(lambda: self.visits.sign_in(row, self.now), is_lost=is_lost) == may

    @precondition(lambda self: self.row().state is SessionState.AUTHENTICATED and not self.row().is_over(self.now))
    @rule()
    def use(self) -> None:
        """Somebody uses credentials that the escalation brought."""
        self.store.mark_used(self.row(), self.now)
        self.first_used = True

    @rule()
    def sign_out(self) -> None:
        sign_out(self.store, self.identity_id, cause=CAUSE, now=self.now)
        assert self.row().is_over(self.now)

    def working(self) -> list[RefreshToken]:
        """Return the tokens that would be exchanged now."""

        def works(token: RefreshToken) -> bool:
            try:
                Visits(self.store.copy(), self.visits.credentials).refresh(token, self.now)
            except IdentityRefusal:
                return False
            return True

        return [token for token in self.tokens if works(token)]

    @invariant()
    def few_tokens_work(self) -> None:
        row, working = self.row(), self.working()
        if row.is_over(self.now):
            assert working == []
        elif row.state is SessionState.AUTHENTICATED and not self.first_used and row.is_fetchable(self.now):
            assert len(working) <= 2
        else:
            assert len(working) <= 1

    @invariant()
    def what_is_revoked_stays_so(self) -> None:
        revoked = self.row().state is SessionState.REVOKED
        assert revoked or not self.was_revoked
        self.was_revoked = revoked

    @invariant()
    def nobody_is_stranded(self) -> None:
        """Whoever has the anonymous credentials gets through while nothing was used, and the session is not ended."""
        row = self.row()
        if self.escalated_at is None or self.first_used or row.is_over(self.now):
            return
        if self.now < self.escalated_at + FETCHABLE_FOR:
            tried = Visits(self.store.copy(), self.visits.credentials)
            again = tried.escalate(self.session, self.now)
            assert tried.refresh(again.refresh_token, self.now).session.state is SessionState.AUTHENTICATED

    @invariant()
    def a_session_of_a_household_is_in_its_list(self) -> None:
        row = self.row()
        listed = self.store.memberships.get("household-1", {})
        if not row.is_over(self.now) and row.household_id:
            assert listed == {row.session_id: row.identity_id}
        if row.state is SessionState.REVOKED:
            assert listed == {}

    @invariant()
    def only_what_is_over_for_an_hour_is_swept(self) -> None:
        tried = self.store.copy()
        sweep(tried, self.visits.credentials, has_time=lambda: True, cause=CAUSE, now=self.now)
        assert (self.identity_id not in tried.rows) == (self.row().ends_at < self.now - timedelta(hours=1))


SessionLife.TestCase.settings = settings(max_examples=150, stateful_step_count=25, deadline=None)
TestSessionLife = SessionLife.TestCase
