"""Whatever happens to a registration, in whatever order: it ends in one allowed state, with one household at most."""

from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from boto3.dynamodb.conditions import Attr
from hypothesis import HealthCheck, given, settings

from identity.model import (
    MOVES,
    UNDECIDED_FOR,
    CodeRefused,
    ContradictingAnswer,
    Outcome,
    Proof,
    Registration,
    RegistrationConfirmed,
    RegistrationDecided,
    RegistrationKind,
    RegistrationState,
    TooManyCodes,
    UnknownRegistration,
    first_state,
)
from identity.repository import RegistrationTable
from identity.usecases.checking import FIRST_ASKED_AFTER
from identity.usecases.sessions import SessionRefused, escalate
from paygo.audit import Act
from paygo.events import (
    AuditRecorded,
    CodeRequested,
    Event,
    HouseholdRegistered,
    RegistrationMoved,
    RegistrationSubmitted,
)
from paygo.outcomes import NotReady
from paygo.partners import PartnerUnavailable
from paygo.security import SessionState
from paygo.storage import Table, Write
from tests.registration_sequences import ANSWERS, OF_OWN, OF_PARTNER, Sequence, Step, drawn, ends, sequences
from tests.unit.identity.conftest import Identity
from tests.unit.identity.session_fakes import makers
from tests.unit.identity.stage import AMINA, CAUSE, NOW, PROOF, WANJIRU, Stage

EXPECTED = (
    CodeRefused,
    ContradictingAnswer,
    RegistrationConfirmed,
    RegistrationDecided,
    TooManyCodes,
    UnknownRegistration,
)
"""What the service refuses, as it should."""


class Crash(BaseException):
    """The end of a worker."""


class CrashingTable(Table):
    """A table whose next write may be its worker's last."""

    dies: Step | None = None

    def transact(self, writes: Any) -> None:
        self._writing(lambda: super(CrashingTable, self).transact(writes))

    def update(self, *given: Any, **named: Any) -> None:
        self._writing(lambda: super(CrashingTable, self).update(*given, **named))

    def _writing(self, write: Callable[[], None]) -> None:
        dies, self.dies = self.dies, None
        if dies is Step.CRASH_BEFORE_WRITING:
            raise Crash
        write()
        if dies is Step.CRASH_AFTER_WRITING:
            raise Crash


type Delivery = tuple[str, str]
"""A consumer, and the id of the event that is for it."""


@dataclass
class Player:
    """Plays a sequence on the use cases over the real tables."""

    identity: Identity
    stage: Stage
    table: CrashingTable
    sequence: Sequence
    registration: Registration = field(init=False)
    done: set[Delivery] = field(default_factory=set)
    answered: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        session = self.identity.open().session
        unique = uuid4().hex
        if self.sequence.kind == "own":
            applicant = AMINA.model_copy(update={"email": f"{unique}@example.org"})
            self.registration = self.stage.register(session, applicant=applicant)
            return
        number = str(int(unique, 16))[:20]
        self.stage.bank.customers[number] = WANJIRU.model_copy(update={"customer_id": number})
        code = PROOF.one_time_code if self.sequence.verified else "000000"
        self.registration = self.stage.register_customer(
            session, proof=Proof(customer_number=number, one_time_code=code)
        )

    def play(self) -> None:
        for step in self.sequence.steps:
            with suppress(Crash, NotReady, *EXPECTED):
                self.take(step)
            assert self.stage.state(self.registration).value in {move.state for move in self.moves()}
        self.table.dies = None
        self.drain()
        if not self.stage.find(self.registration).is_decided:
            self.stage.now = NOW + UNDECIDED_FOR
            self.drain()
        self.escalate()

    def take(self, step: Step) -> None:
        match step:
            case Step.CONFIRM:
                self.stage.confirm(self.registration)
            case Step.CONFIRM_WRONG:
                self.stage.confirm(self.registration, self.stage.wrong_code(self.registration))
            case Step.ANOTHER_CODE:
                self.stage.send_code(self.registration)
            case Step.CALLBACK_APPROVED | Step.CALLBACK_REJECTED:
                self.stage.answer(self.registration, Outcome(ANSWERS[step]))
                self.answered.append(ANSWERS[step])
            case Step.POLL_PENDING | Step.POLL_APPROVED | Step.POLL_REJECTED:
                self.poll(step)
            case Step.CRASH_BEFORE_WRITING | Step.CRASH_AFTER_WRITING:
                self.table.dies = step
            case _:
                self.deliver_as(step)

    def deliver_as(self, step: Step) -> None:
        match step:
            case Step.BANK_AWAY:
                self.while_away()
            case Step.BANK_ASKED:
                self.deliver_to("request-check")
            case Step.DELIVER | Step.DELIVER_NEWEST:
                for delivery in (self.waiting() if step is Step.DELIVER else self.waiting()[::-1])[:1]:
                    self.deliver(delivery)
            case Step.REDELIVER:
                for delivery in sorted(self.done):
                    self.deliver(delivery)
            case Step.EXPIRE:
                self.stage.now = NOW + UNDECIDED_FOR
                self.deliver_to("expire-registrations")
            case _:
                self.escalate()

    def poll(self, step: Step) -> None:
        if self.stage.state(self.registration) is RegistrationState.UNCONFIRMED:
            return
        self.deliver_to("request-check")
        self.stage.now += FIRST_ASKED_AFTER
        if step in ANSWERS:
            self.stage.bureau.outcomes[self.registration.registration_id] = Outcome(ANSWERS[step])
        self.deliver_to("follow-checks")

    def while_away(self) -> None:
        def away(*_: object) -> None:
            raise PartnerUnavailable("away")

        bank, self.stage.bank.verify = self.stage.bank.verify, away  # type: ignore[method-assign, assignment]
        try:
            self.deliver_to("request-check")
        finally:
            self.stage.bank.verify = bank  # type: ignore[method-assign]

    # The bus

    def events(self) -> list[Event[Any]]:
        types: dict[str, type[Event[Any]]] = {
            RegistrationMoved.TYPE: Event[RegistrationMoved],
            RegistrationSubmitted.TYPE: Event[RegistrationSubmitted],
            CodeRequested.TYPE: Event[CodeRequested],
            HouseholdRegistered.TYPE: Event[HouseholdRegistered],
            AuditRecorded.TYPE: Event[AuditRecorded],
        }
        rows = [row for page, _ in self.table.scan(Attr("event_id").exists()) for row in page]
        found = [types[row["type"]].model_validate_json(row["event"]) for row in rows]
        own = {self.registration.registration_id, self.registration.household_id, self.registration.session_id}
        return sorted((event for event in found if event.subject in own), key=lambda event: (event.time, event.id))

    def moves(self) -> list[RegistrationMoved]:
        return [event.data for event in self.events() if isinstance(event.data, RegistrationMoved)]

    def deliveries(self) -> list[Delivery]:
        consumers = {
            RegistrationMoved.TYPE: ("expire-registrations", "follow-checks", "settle-accounts"),
            RegistrationSubmitted.TYPE: ("request-check",),
            CodeRequested.TYPE: ("send-codes",),
        }
        return [(consumer, event.id) for event in self.events() for consumer in consumers.get(event.type, ())]

    def waiting(self) -> list[Delivery]:
        return [delivery for delivery in self.deliveries() if delivery not in self.done]

    def deliver_to(self, consumer: str) -> None:
        for delivery in self.waiting():
            if delivery[0] == consumer:
                with suppress(NotReady):
                    self.deliver(delivery)

    def drain(self) -> None:
        for _ in range(20):
            waiting = self.waiting()
            for delivery in waiting:
                with suppress(NotReady):
                    self.deliver(delivery)
            if self.waiting() == waiting:
                return
        raise AssertionError(self.waiting())

    def deliver(self, delivery: Delivery) -> None:
        """Do what the consumer's handler does."""
        consumer, event_id = delivery
        [event] = [event for event in self.events() if event.id == event_id]
        stage, moved = self.stage, event.data
        match consumer:
            case "request-check":
                stage.ask(self.registration, event.id)
            case "follow-checks" if moved.state == "checking":
                stage.poll(self.registration, event.time)
            case "expire-registrations" if moved.previous is None:
                stage.expire(self.registration)
            case "settle-accounts":
                stage.settle(self.registration)
            case "send-codes":
                stage.mail(self.registration, event.data.number)
            case _:
                pass
        self.done.add(delivery)

    def escalate(self) -> None:
        if self.stage.session(self.registration).state in {SessionState.APPROVED, SessionState.AUTHENTICATED}:
            identity_id, now = self.registration.identity_id, self.stage.now
            with suppress(SessionRefused):
                escalate(self.identity.sessions, makers(self.identity.maker), identity_id, cause=CAUSE, now=now)

    # What must be true in the end

    def acts(self) -> Counter[str]:
        return Counter(event.data.act for event in self.events() if isinstance(event.data, AuditRecorded))

    def check(self) -> None:
        state = self.stage.state(self.registration)
        assert state.value in ends(self.sequence)
        self.check_moves(state)
        # What somebody was told stays true.
        assert set(self.answered) <= {state.value}
        approved = state is RegistrationState.APPROVED
        told = [event for event in self.events() if isinstance(event.data, HouseholdRegistered)]
        assert len(told) == approved
        assert (self.stage.household(self.registration) is not None) == approved
        members = self.table.query(f"HOUSEHOLD#{self.registration.household_id}", prefix="SESSION#", limit=10).items
        assert len(members) == approved
        self.check_session(approved=approved)
        self.check_account(approved=approved)

    def check_moves(self, state: RegistrationState) -> None:
        moves = self.moves()
        assert len({move.state for move in moves}) == len(moves)
        assert self.acts()[Act.REGISTRATION_MOVED] == len(moves)
        by_previous = {move.previous: move.state for move in moves}
        kind = RegistrationKind(self.sequence.kind)
        at, steps = first_state(kind), 1
        assert by_previous.pop(None) == at
        while by_previous:
            after = RegistrationState(by_previous.pop(at))
            assert after in MOVES[kind][at]
            at, steps = after, steps + 1
        assert (at, steps) == (state, len(moves))
        assert not MOVES[kind][state]

    def check_session(self, *, approved: bool) -> None:
        session = self.stage.session(self.registration)
        escalations = self.acts()[Act.SESSION_ESCALATED]
        assert escalations == (session.state is SessionState.AUTHENTICATED)
        if approved:
            in_time = self.stage.now < session.opened_at + timedelta(hours=24)
            assert escalations or not in_time
            assert session.household_id == self.registration.household_id
        else:
            assert (session.state, session.household_id) == (SessionState.ANONYMOUS, None)

    def check_account(self, *, approved: bool) -> None:
        has_account = self.registration.household_id in self.stage.users.names()
        is_admitted = self.registration.household_id in self.stage.users.admitted
        assert has_account == is_admitted == (approved and self.sequence.kind == "own")


@pytest.fixture
def play(identity: Identity, stage: Stage, table: Table, sessions: Table) -> Callable[[Sequence], None]:
    crashing = CrashingTable(table.name, table._client)
    stage.registrations = RegistrationTable(crashing, sessions)

    def play_(sequence: Sequence) -> None:
        stage.now = NOW
        crashing.dies = None
        player = Player(identity, stage, crashing, sequence)
        player.play()
        player.check()
        # Nothing of it is needed by the next.
        keys = [{"pk": row["pk"], "sk": row["sk"]} for row in stage.rows()]
        for at in range(0, len(keys), 100):
            deletions: list[Write] = [table.deleting(key) for key in keys[at : at + 100]]
            table.transact(deletions)

    return play_


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(sequence=sequences())
def test_whatever_happens_in_whatever_order_a_registration_ends_in_one_allowed_state(
    play: Callable[[Sequence], None], sequence: Sequence
) -> None:
    play(sequence)


KNOWN = [
    Sequence("own", ()),
    Sequence("own", (Step.CALLBACK_APPROVED, Step.CONFIRM)),
    Sequence("own", (Step.CONFIRM, Step.CALLBACK_APPROVED, Step.CALLBACK_REJECTED, Step.POLL_REJECTED)),
    Sequence("own", (Step.CONFIRM, Step.POLL_APPROVED, Step.CALLBACK_APPROVED, Step.REDELIVER)),
    Sequence("own", (Step.CONFIRM, Step.POLL_REJECTED, Step.CALLBACK_APPROVED, Step.ESCALATE)),
    Sequence("own", (Step.CONFIRM, Step.DELIVER, Step.DELIVER_NEWEST, Step.EXPIRE, Step.CALLBACK_APPROVED)),
    Sequence("own", (Step.EXPIRE, Step.CONFIRM, Step.CALLBACK_APPROVED)),
    Sequence("own", (Step.CRASH_AFTER_WRITING, Step.CONFIRM, Step.CONFIRM, Step.CALLBACK_APPROVED)),
    Sequence("own", (Step.CONFIRM, Step.CRASH_AFTER_WRITING, Step.CALLBACK_APPROVED, Step.CALLBACK_REJECTED)),
    Sequence("own", (Step.CONFIRM, Step.CRASH_BEFORE_WRITING, Step.CALLBACK_APPROVED, Step.CALLBACK_REJECTED)),
    Sequence("own", (Step.CONFIRM, Step.CALLBACK_APPROVED, Step.ESCALATE, Step.REDELIVER, Step.ESCALATE)),
    Sequence("own", (Step.CONFIRM_WRONG,) * 6 + (Step.CONFIRM, Step.ANOTHER_CODE, Step.CONFIRM, Step.POLL_APPROVED)),
    Sequence("partner", (Step.BANK_AWAY, Step.BANK_ASKED, Step.REDELIVER)),
    Sequence("partner", (Step.BANK_AWAY, Step.EXPIRE, Step.BANK_ASKED)),
    Sequence("partner", (Step.CRASH_BEFORE_WRITING, Step.BANK_ASKED, Step.BANK_ASKED), verified=False),
    Sequence("partner", (Step.CRASH_AFTER_WRITING, Step.BANK_ASKED, Step.BANK_ASKED, Step.ESCALATE)),
]


@pytest.mark.parametrize("sequence", KNOWN, ids=lambda sequence: " ".join((sequence.kind, *sequence.steps)))
def test_what_is_known_to_happen_ends_as_it_should(play: Callable[[Sequence], None], sequence: Sequence) -> None:
    play(sequence)


def test_the_sequences_that_are_drawn_are_the_same_each_time_and_take_every_step() -> None:
    first = drawn(200)

    assert first == drawn(200)
    assert {step for sequence in first for step in sequence.steps} == {*OF_OWN, *OF_PARTNER}
    assert {end for sequence in first for end in ends(sequence)} == {"approved", "rejected", "expired"}
