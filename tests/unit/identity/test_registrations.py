"""Beginning a registration, its decision, its end, and what is written with each."""

from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from identity.lifecycle import ANONYMOUS_FOR
from identity.model import (
    MOVES,
    UNDECIDED_FOR,
    Applicant,
    BankCustomer,
    ContradictingAnswer,
    Outcome,
    Overtaken,
    Proof,
    Registration,
    RegistrationDecided,
    RegistrationKind,
    RegistrationState,
    RegistrationUnderWay,
    TooYoung,
    Undecided,
    UnknownRegistration,
    WeakPassword,
)
from identity.repository import RegistrationTable
from identity.usecases.checking import FIRST_ASKED_AFTER, decide
from identity.usecases.registrations import expire, read, register, register_customer
from identity.usecases.sessions import SessionRefused
from identity.usecases.signing_in import TRIES
from paygo.events import AuditRecorded, Event, HouseholdRegistered, RegistrationMoved
from paygo.identities import identity_hash
from paygo.partners import PartnerUnavailable
from paygo.security import SessionState, session_key
from paygo.storage import ConditionFailed, Table
from tests.unit.identity.stage import AMINA, CAUSE, NOW, PASSWORD, PROOF, WANJIRU, Stage

LATER = NOW + UNDECIDED_FOR


def memberships(stage: Stage, registration: Registration) -> list[dict[str, Any]]:
    found = stage.table.query(f"HOUSEHOLD#{registration.household_id}", prefix="SESSION#", limit=100)
    return [dict(item) for item in found.items]


# Beginning


def test_an_own_registration_waits_for_its_household_to_confirm_the_address(stage: Stage) -> None:
    session = stage.open()

    registration = stage.register(session)

    assert stage.find(registration) == registration
    assert (registration.kind, registration.state) == (RegistrationKind.OWN, RegistrationState.UNCONFIRMED)
    assert registration.undecided_until == LATER
    moved = stage.session(session)
    assert (moved.state, moved.registration_id) == (SessionState.REGISTERING, registration.registration_id)
    assert stage.events() == ["code", "unconfirmed"]
    assert stage.users.names() == [registration.household_id]


def test_a_session_outlasts_its_registration_so_that_its_caller_learns_that_it_expired(stage: Stage) -> None:
    registration = stage.register()

    assert stage.session(registration).ends_at > registration.undecided_until
    assert stage.session(registration).ends_at == registration.undecided_until + ANONYMOUS_FOR


def test_a_banks_customer_is_submitted_at_once(stage: Stage) -> None:
    registration = stage.register_customer()

    assert stage.find(registration) == registration
    assert (registration.kind, registration.state) == (RegistrationKind.PARTNER, RegistrationState.SUBMITTED)
    assert stage.session(registration).state is SessionState.REGISTERING
    assert stage.events() == ["submission", "submitted"]
    assert stage.users.names() == []


def test_every_move_is_told_and_audited_with_who_asked_for_it(stage: Stage) -> None:
    registration = stage.register()

    events = {row["type"]: row["event"] for row in stage.outbox()}

    moved = Event[RegistrationMoved].model_validate_json(events[RegistrationMoved.TYPE])
    assert moved.data.model_dump() == {
        "registration_id": registration.registration_id,
        "session_id": registration.session_id,
        "kind": "own",
        "state": "unconfirmed",
        "previous": None,
    }
    assert (moved.source, moved.correlationid, moved.time, moved.subject) == (
        CAUSE.source,
        CAUSE.correlation_id,
        NOW,
        registration.registration_id,
    )
    audited = Event[AuditRecorded].model_validate_json(events[AuditRecorded.TYPE]).data
    assert audited.model_dump() == {
        "act": "registration-moved",
        "session_id": registration.session_id,
        "household_id": registration.household_id,
        "identity_hash": identity_hash(registration.identity_id),
        "registration_id": registration.registration_id,
        "source_ip": "192.0.2.1",
        "user_agent": "curl",
        "detail": {"kind": "own", "state": "unconfirmed"},
    }


def test_no_event_names_a_person_or_a_secret_but_the_one_that_tells_of_a_household(stage: Stage) -> None:
    own, customer = stage.confirmed(), stage.register_customer()
    code = stage.code(own)
    stage.answer(own)
    stage.ask(customer)

    told = [row["event"] for row in stage.outbox() if row["type"] != HouseholdRegistered.TYPE]

    for secret in (AMINA.family_name, AMINA.email, WANJIRU.email, PASSWORD, code, *PROOF.model_dump().values()):
        assert secret not in str(told)


def test_the_password_is_kept_by_the_user_pool_only(stage: Stage) -> None:
    stage.register()

    assert PASSWORD not in str(list(stage.rows()))


@pytest.mark.parametrize("begin", [Stage.register, Stage.register_customer])
def test_the_same_intent_again_is_the_same_registration(stage: Stage, begin: Callable[..., Registration]) -> None:
    session = stage.open()
    first = begin(stage, session, intent="key-0001")
    told = stage.events()

    assert begin(stage, session, intent="key-0001") == first
    assert stage.events() == told


@pytest.mark.parametrize("begin", [Stage.register, Stage.register_customer])
def test_a_session_registers_once_at_a_time(stage: Stage, begin: Callable[..., Registration]) -> None:
    registration = stage.register()

    with pytest.raises(RegistrationUnderWay):
        begin(stage, stage.session(registration))

    assert stage.users.names() == [registration.household_id]


def test_of_two_registrations_at_once_one_is_told_of_the_other(stage: Stage) -> None:
    anonymous = stage.open()
    stage.register(anonymous, intent="first")
    told = stage.events()

    with pytest.raises(RegistrationUnderWay):
        register(stage.registrations, stage.users, anonymous, AMINA, PASSWORD, intent="second", cause=CAUSE, now=NOW)
    with pytest.raises(RegistrationUnderWay):
        register_customer(
            stage.registrations, stage.tries, anonymous, "bank", PROOF, intent="third", cause=CAUSE, now=NOW
        )

    assert stage.events() == told


def test_a_session_guesses_no_more_codes_of_a_bank_by_registering_than_by_signing_in(stage: Stage) -> None:
    session = stage.open()
    for number in range(TRIES):
        guess = PROOF.model_copy(update={"one_time_code": f"{number:06}"})
        stage.ask(stage.register_customer(session, intent="the last" if number == TRIES - 1 else None, proof=guess))

    with pytest.raises(SessionRefused):
        stage.register_customer(session)

    assert len(stage.bank.asked) == TRIES
    assert stage.register_customer(session, intent="the last").state is RegistrationState.REJECTED


def test_a_crash_after_the_account_was_made_is_healed_by_the_retry(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    def crash(*_: object) -> None:
        raise TimeoutError

    session = stage.open()
    with monkeypatch.context() as crashing:
        crashing.setattr(stage.registrations, "add", crash)
        with pytest.raises(TimeoutError):
            stage.register(session, intent="key-0001")
    assert len(stage.users.names()) == 1

    registration = stage.register(session, intent="key-0001")

    assert stage.users.names() == [registration.household_id]
    assert stage.events() == ["code", "unconfirmed"]


def test_a_weak_password_is_refused_and_registers_nothing(stage: Stage) -> None:
    session = stage.open()

    with pytest.raises(WeakPassword):
        stage.register(session, password="aaaaaaaaaaaa")

    assert stage.events() == []
    assert stage.register(session)


def test_nobody_is_registered_who_is_no_adult(stage: Stage) -> None:
    almost = AMINA.model_copy(update={"date_of_birth": date(2008, 11, 22)})
    just = AMINA.model_copy(update={"date_of_birth": date(2008, 11, 21)})

    with pytest.raises(TooYoung):
        stage.register(applicant=almost)

    assert stage.users.names() == []
    assert stage.register(applicant=just)


def test_a_session_reads_its_own_registration_and_no_other(stage: Stage) -> None:
    registration = stage.register()
    own, other = stage.session(registration), stage.open()

    assert read(stage.registrations, registration.registration_id, own) == registration
    for registration_id in (registration.registration_id, str(uuid4())):
        with pytest.raises(UnknownRegistration):
            read(stage.registrations, registration_id, other)


# The question


def test_the_bureau_is_asked_about_a_submitted_registration(stage: Stage) -> None:
    registration = stage.confirmed()

    stage.ask(registration)

    assert stage.bureau.asked == [(registration.registration_id, AMINA, "event-1")]
    assert stage.state(registration) is RegistrationState.CHECKING
    assert "checking" in stage.events()


def test_the_bureau_is_asked_once_when_the_event_comes_twice(stage: Stage) -> None:
    registration = stage.confirmed()

    for _ in range(2):
        stage.ask(registration)

    assert len(stage.bureau.asked) == 1


def test_the_bureau_is_not_asked_about_what_it_decided(stage: Stage) -> None:
    registration = stage.confirmed()
    stage.answer(registration)

    stage.ask(registration)

    assert stage.bureau.asked == []
    assert stage.state(registration) is RegistrationState.APPROVED


def test_an_answer_may_be_faster_than_the_note_that_it_was_asked_for(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    registration = stage.confirmed()
    monkeypatch.setattr(stage.bureau, "ask", lambda *_: stage.answer(registration))

    stage.ask(registration)

    assert stage.state(registration) is RegistrationState.APPROVED
    assert "checking" not in stage.events()


def test_a_bureau_that_does_not_take_the_question_is_asked_again(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PartnerUnavailable("away")

    registration = stage.confirmed()
    with monkeypatch.context() as away:
        away.setattr(stage.bureau, "ask", refuse)
        with pytest.raises(PartnerUnavailable):
            stage.ask(registration)
    assert stage.state(registration) is RegistrationState.SUBMITTED

    stage.ask(registration)

    assert len(stage.bureau.asked) == 1


def test_nobody_is_asked_about_a_registration_that_is_not_there(stage: Stage) -> None:
    registration = stage.confirmed().model_copy(update={"registration_id": str(uuid4())})

    with pytest.raises(UnknownRegistration):
        stage.ask(registration)


def test_an_unconfirmed_registration_is_not_checked(stage: Stage) -> None:
    registration = stage.register()

    stage.ask(registration)

    assert stage.bureau.asked == []
    with pytest.raises(UnknownRegistration):
        stage.answer(registration)
    assert stage.state(registration) is RegistrationState.UNCONFIRMED


# The bureau's answer


def test_an_approved_registration_makes_a_household(stage: Stage) -> None:
    registration = stage.confirmed()

    stage.answer(registration)

    assert stage.state(registration) is RegistrationState.APPROVED
    made = stage.household(registration)
    assert made
    assert (made["kind"], made["email"], made["given_name"]) == ("own", AMINA.email, AMINA.given_name)
    session = stage.session(registration)
    assert (session.state, session.household_id) == (SessionState.APPROVED, registration.household_id)
    assert stage.events() == ["approved", "code", "household", "submission", "submitted", "unconfirmed"]
    assert stage.registrations.may_sign_in(registration.household_id, NOW)
    assert not stage.registrations.may_sign_in(str(uuid4()), NOW)


def test_a_sign_in_from_before_signing_out_everywhere_counts_no_more(stage: Stage) -> None:
    registration = stage.confirmed()
    stage.answer(registration)
    household_id = registration.household_id
    stage.tries.void_sign_ins(household_id, NOW)

    assert not stage.registrations.may_sign_in(household_id, NOW - timedelta(seconds=1))
    assert not stage.registrations.may_sign_in(household_id, NOW)
    assert stage.registrations.may_sign_in(household_id, NOW + timedelta(seconds=1))


def test_nothing_is_made_of_a_household_that_is_none(stage: Stage) -> None:
    with pytest.raises(ConditionFailed):
        stage.tries.void_sign_ins(str(uuid4()), NOW)


def test_a_household_knows_the_session_that_registered_it(stage: Stage) -> None:
    registration = stage.confirmed()

    stage.answer(registration)

    [member] = memberships(stage, registration)
    assert (member["session_id"], member["identity_id"]) == (registration.session_id, registration.identity_id)
    assert member["user_agent"] == "curl"


def test_a_rejected_registration_frees_its_session(stage: Stage) -> None:
    registration = stage.confirmed()

    stage.answer(registration, Outcome.REJECTED)

    assert stage.state(registration) is RegistrationState.REJECTED
    assert stage.household(registration) is None
    session = stage.session(registration)
    assert (session.state, session.registration_id) == (SessionState.ANONYMOUS, None)
    assert stage.events() == ["code", "rejected", "submission", "submitted", "unconfirmed"]
    assert memberships(stage, registration) == []


def test_a_rejected_household_may_register_again(stage: Stage) -> None:
    rejected = stage.confirmed()
    stage.answer(rejected, Outcome.REJECTED)

    again = stage.confirmed(session=stage.session(rejected))
    stage.answer(again)

    assert stage.session(rejected).state is SessionState.APPROVED


def test_what_is_known_of_somebody_who_was_refused_is_forgotten(stage: Stage) -> None:
    rejected, expired = stage.confirmed(), stage.register()
    stage.answer(rejected, Outcome.REJECTED)
    stage.now = LATER
    stage.expire(expired)

    for registration, since in ((rejected, NOW), (expired, LATER)):
        row = stage.table.get(pk=f"REGISTRATION#{registration.registration_id}", sk="REGISTRATION")
        assert row
        assert datetime.fromtimestamp(row["expires_at"], UTC) == since + timedelta(days=30)


@pytest.mark.parametrize("outcome", list(Outcome))
def test_the_same_answer_again_changes_nothing(stage: Stage, outcome: Outcome) -> None:
    registration = stage.confirmed()
    stage.answer(registration, outcome)
    before = (stage.find(registration), stage.events())

    stage.answer(registration, outcome)

    assert (stage.find(registration), stage.events()) == before


def test_a_contradicting_answer_is_refused(stage: Stage) -> None:
    registration = stage.confirmed()
    stage.answer(registration)

    with pytest.raises(ContradictingAnswer):
        stage.answer(registration, Outcome.REJECTED)

    assert stage.state(registration) is RegistrationState.APPROVED


def test_an_answer_to_no_question_is_refused(stage: Stage) -> None:
    customer = stage.register_customer()

    for unknown in (customer, customer.model_copy(update={"registration_id": str(uuid4())})):
        with pytest.raises(UnknownRegistration):
            stage.answer(unknown)

    assert stage.state(customer) is RegistrationState.SUBMITTED


@pytest.mark.parametrize("email", [AMINA.email, AMINA.email.upper()])
def test_a_second_household_with_an_e_mail_address_ends_rejected(stage: Stage, email: str) -> None:
    stage.answer(stage.confirmed())
    second = stage.confirmed(applicant=AMINA.model_copy(update={"email": email}))
    assert second.state is RegistrationState.SUBMITTED

    stage.answer(second)

    assert stage.state(second) is RegistrationState.REJECTED
    assert stage.session(second).state is SessionState.ANONYMOUS
    assert stage.household(second) is None
    assert stage.events().count("household") == 1


def test_the_bureau_may_repeat_its_approval_of_a_person_whose_e_mail_address_was_taken(stage: Stage) -> None:
    stage.answer(stage.confirmed())
    second = stage.confirmed()
    stage.answer(second)

    stage.answer(second)

    with pytest.raises(ContradictingAnswer):
        stage.answer(second, Outcome.REJECTED)


@pytest.mark.parametrize("gone", [False, True])
@pytest.mark.parametrize("outcome", list(Outcome))
def test_a_household_is_decided_on_without_its_session(stage: Stage, outcome: Outcome, gone: bool) -> None:
    registration = stage.confirmed()
    if gone:
        stage.sessions.transact([stage.sessions.deleting(session_key(registration.identity_id))])
    else:
        stage.revoke(registration)

    stage.answer(registration, outcome)

    assert (stage.household(registration) is not None) == (outcome is Outcome.APPROVED)
    assert stage.state(registration).value == outcome.value
    assert memberships(stage, registration) == []
    if not gone:
        assert stage.session(registration).state is SessionState.REVOKED


# Asking the bureau how far it is


def test_a_bureau_is_not_asked_how_far_it_is_before_it_could_have_answered_by_itself(stage: Stage) -> None:
    registration = stage.confirmed()
    stage.ask(registration)

    with pytest.raises(Undecided) as waiting:
        stage.poll(registration)

    assert (waiting.value.retry_in, stage.bureau.polls) == (FIRST_ASKED_AFTER, 0)


def test_a_bureau_that_has_not_decided_is_asked_again_later_each_time(stage: Stage) -> None:
    registration = stage.confirmed()
    stage.ask(registration)
    stage.now += FIRST_ASKED_AFTER

    with pytest.raises(Undecided) as waiting:
        stage.poll(registration)

    assert (waiting.value.retry_in, stage.bureau.polls) == (None, 1)


@pytest.mark.parametrize("outcome", list(Outcome))
def test_a_bureau_that_never_calls_is_asked_what_it_found(stage: Stage, outcome: Outcome) -> None:
    registration = stage.confirmed()
    stage.ask(registration)
    stage.now += FIRST_ASKED_AFTER
    stage.bureau.outcomes[registration.registration_id] = outcome

    stage.poll(registration)

    assert stage.state(registration).value == outcome.value


def test_a_bureau_that_called_is_not_asked(stage: Stage) -> None:
    registration = stage.confirmed()
    stage.ask(registration)
    stage.answer(registration)

    stage.poll(registration)
    stage.poll(registration.model_copy(update={"registration_id": str(uuid4())}))

    assert stage.bureau.polls == 0


@pytest.mark.parametrize("meanwhile", ["approved", "expired"])
def test_what_was_decided_while_the_bureau_was_asked_stands(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, meanwhile: str
) -> None:
    registration = stage.confirmed()
    stage.ask(registration)
    stage.now = LATER

    def outcome(_: str) -> Outcome:
        stage.answer(registration) if meanwhile == "approved" else stage.expire(registration)
        return Outcome.REJECTED

    monkeypatch.setattr(stage.bureau, "outcome", outcome)

    stage.poll(registration)

    assert stage.state(registration).value == meanwhile


# The bank


def test_a_customer_whom_the_bank_verifies_is_a_household(stage: Stage) -> None:
    registration = stage.register_customer()

    stage.ask(registration)

    assert stage.state(registration) is RegistrationState.APPROVED
    made = stage.household(registration)
    assert made
    assert (made["kind"], made["partner"], made["email"]) == ("partner", "bank", WANJIRU.email)
    assert stage.session(registration).state is SessionState.APPROVED
    assert stage.registrations.customer("bank", WANJIRU.customer_id) == registration.household_id
    assert stage.registrations.customer("another", WANJIRU.customer_id) is None
    assert stage.events() == ["approved", "household", "submission", "submitted"]
    assert [member["session_id"] for member in memberships(stage, registration)] == [registration.session_id]


def test_a_customer_whom_the_bank_refuses_is_rejected(stage: Stage) -> None:
    registration = stage.register_customer(proof=Proof(customer_number="1002003004", one_time_code="000000"))

    stage.ask(registration)

    assert stage.state(registration) is RegistrationState.REJECTED
    assert stage.session(registration).state is SessionState.ANONYMOUS


@pytest.mark.parametrize("one_time_code", [PROOF.one_time_code, "000000"])
def test_what_proves_a_customer_goes_once_the_bank_has_answered(stage: Stage, one_time_code: str) -> None:
    registration = stage.register_customer(proof=Proof(customer_number="1002003004", one_time_code=one_time_code))
    assert stage.find(registration).proof

    stage.ask(registration)

    assert stage.find(registration).proof is None
    assert one_time_code not in str([row for row in stage.rows() if not str(row["pk"]).startswith("OUTBOX#")])


def test_a_customer_without_a_proof_is_nobody(stage: Stage) -> None:
    registration = stage.register_customer()
    key = {"pk": f"REGISTRATION#{registration.registration_id}", "sk": "REGISTRATION"}
    stage.table.update(key, {"state": "submitted"}, remove=["proof"])

    stage.ask(registration)

    assert stage.state(registration) is RegistrationState.REJECTED
    assert stage.bank.asked == []


def test_the_bank_is_asked_with_the_events_id_and_once(stage: Stage) -> None:
    registration = stage.register_customer()

    for _ in range(2):
        stage.ask(registration, "event-7")

    assert stage.bank.asked == ["event-7"]


def test_a_customer_who_is_a_household_is_not_made_another(stage: Stage) -> None:
    stage.ask(stage.register_customer())
    second = stage.register_customer()

    stage.ask(second)

    assert stage.state(second) is RegistrationState.REJECTED
    assert stage.events().count("household") == 1


def test_the_address_that_a_bank_names_keeps_nobody_out(stage: Stage) -> None:
    stage.bank.customers[PROOF.customer_number] = WANJIRU.model_copy(update={"email": AMINA.email})
    stage.ask(stage.register_customer())
    owner = stage.confirmed()

    stage.answer(owner)

    assert stage.state(owner) is RegistrationState.APPROVED


# The end of time


@pytest.mark.parametrize("begin", [Stage.register, Stage.confirmed, Stage.register_customer])
def test_a_registration_that_nobody_decides_expires_and_frees_its_session(
    stage: Stage, begin: Callable[..., Registration]
) -> None:
    registration = begin(stage)
    stage.now = LATER

    stage.expire(registration)

    assert stage.state(registration) is RegistrationState.EXPIRED
    assert stage.find(registration).proof is None
    session = stage.session(registration)
    assert (session.state, session.registration_id) == (SessionState.ANONYMOUS, None)
    assert "expired" in stage.events()


def test_a_registration_waits_until_its_time_is_over(stage: Stage) -> None:
    registration = stage.register()
    stage.now += timedelta(hours=1)

    with pytest.raises(Undecided) as waiting:
        stage.expire(registration)

    assert waiting.value.retry_in == UNDECIDED_FOR - timedelta(hours=1)
    assert stage.state(registration) is RegistrationState.UNCONFIRMED


def test_a_stack_that_shortens_its_delays_shortens_this_one(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DELAY_SCALE", "0.01")

    assert stage.register().undecided_until == NOW + UNDECIDED_FOR / 100


def test_what_is_decided_or_gone_does_not_expire(stage: Stage) -> None:
    registration = stage.confirmed()
    stage.answer(registration)
    stage.now = LATER
    told = stage.events()

    stage.expire(registration)
    stage.expire(registration.model_copy(update={"registration_id": str(uuid4())}))

    assert stage.events() == told


def test_an_answer_that_comes_after_the_end_changes_nothing(stage: Stage) -> None:
    registration = stage.confirmed()
    stage.ask(registration)
    stage.now = LATER
    stage.expire(registration)

    for outcome in Outcome:
        with pytest.raises(RegistrationDecided):
            stage.answer(registration, outcome)

    assert stage.state(registration) is RegistrationState.EXPIRED
    assert stage.household(registration) is None


def test_a_bank_is_not_asked_about_an_expired_registration(stage: Stage) -> None:
    registration = stage.register_customer()
    stage.now = LATER
    stage.expire(registration)

    stage.ask(registration)

    assert stage.bank.asked == []


# The account


def test_an_approved_household_may_sign_in_by_its_address(stage: Stage) -> None:
    registration = stage.confirmed()
    stage.settle(registration)
    assert stage.users.admitted == set()
    stage.answer(registration)

    for _ in range(2):
        stage.settle(registration)

    assert stage.users.admitted == {registration.household_id}


@pytest.mark.parametrize("end", ["rejected", "expired"])
def test_an_account_goes_with_the_registration_that_came_to_nothing(stage: Stage, end: str) -> None:
    registration = stage.confirmed()
    if end == "rejected":
        stage.answer(registration, Outcome.REJECTED)
    else:
        stage.now = LATER
        stage.expire(registration)

    for _ in range(2):
        stage.settle(registration)

    assert stage.users.names() == []


def test_an_address_of_an_earlier_try_that_nobody_confirmed_is_no_name_to_sign_in_with(stage: Stage) -> None:
    session, strangers = stage.open(), AMINA.model_copy(update={"email": "somebody.else@example.org"})
    meanwhile = stage.register_customer(session, proof=PROOF.model_copy(update={"one_time_code": "000000"}))
    with pytest.raises(RegistrationUnderWay):
        register(
            stage.registrations, stage.users, session, strangers, PASSWORD, intent="intent-1", cause=CAUSE, now=NOW
        )
    stage.ask(meanwhile)

    registration = stage.confirm(stage.register(session, intent="intent-1"))
    stage.answer(registration)
    stage.settle(registration)

    assert stage.users.addresses == {registration.household_id: AMINA.email}


def test_a_banks_customer_has_not_the_account_of_an_earlier_try_with_the_same_key(stage: Stage) -> None:
    session = stage.open()
    meanwhile = stage.register_customer(session, proof=PROOF.model_copy(update={"one_time_code": "000000"}))
    with pytest.raises(RegistrationUnderWay):
        register(stage.registrations, stage.users, session, AMINA, PASSWORD, intent="intent-1", cause=CAUSE, now=NOW)
    stage.ask(meanwhile)

    registration = stage.register_customer(session, intent="intent-1")
    stage.ask(registration)

    assert stage.state(registration) is RegistrationState.APPROVED
    assert registration.household_id not in stage.users.names()


def test_a_banks_customer_has_no_account(stage: Stage) -> None:
    registration = stage.register_customer()
    stage.ask(registration)

    stage.settle(registration)
    stage.settle(registration.model_copy(update={"registration_id": str(uuid4())}))

    assert stage.users.admitted == set()


# Two at once


class Meanwhile(RegistrationTable):
    """A table where somebody else does something just before the next decision is written."""

    def __init__(self, table: Table, sessions: Table, *meanwhile: Callable[[], object]) -> None:
        super().__init__(table, sessions)
        self._doing = list(meanwhile)

    def approve(
        self, registration: Registration, known: Applicant | BankCustomer, events: Sequence[Event[Any]], now: datetime
    ) -> None:
        self._do()
        super().approve(registration, known, events, now)

    def refuse(
        self,
        registration: Registration,
        state: RegistrationState,
        outcome: Outcome | None,
        events: Sequence[Event[Any]],
        now: datetime,
    ) -> None:
        self._do()
        super().refuse(registration, state, outcome, events, now)

    def _waiting_session(self, registration: Registration) -> Any:
        session = super()._waiting_session(registration)
        self._do()
        return session

    def _do(self) -> None:
        if self._doing:
            self._doing.pop()()


@pytest.mark.parametrize("outcome", list(Outcome))
def test_the_same_answer_twice_at_once_decides_once(stage: Stage, outcome: Outcome) -> None:
    registration = stage.confirmed()
    racing = Meanwhile(stage.table, stage.sessions, lambda: stage.answer(registration, outcome))

    decide(racing, registration.registration_id, outcome, cause=CAUSE, now=NOW)

    assert stage.events().count(outcome.value) == 1
    assert stage.state(registration).value == outcome.value


def test_of_two_contradicting_answers_at_once_the_first_counts(stage: Stage) -> None:
    registration = stage.confirmed()
    racing = Meanwhile(stage.table, stage.sessions, lambda: stage.answer(registration, Outcome.REJECTED))

    with pytest.raises(ContradictingAnswer):
        decide(racing, registration.registration_id, Outcome.APPROVED, cause=CAUSE, now=NOW)

    assert stage.household(registration) is None


def test_an_answer_that_comes_just_before_the_end_counts(stage: Stage) -> None:
    registration = stage.confirmed()
    racing = Meanwhile(stage.table, stage.sessions, lambda: stage.answer(registration))

    expire(racing, registration.registration_id, cause=CAUSE, now=LATER)

    assert stage.state(registration) is RegistrationState.APPROVED


@pytest.mark.parametrize("kind", list(RegistrationKind))
def test_a_session_that_is_revoked_in_that_moment_costs_no_decision(stage: Stage, kind: RegistrationKind) -> None:
    registration = stage.confirmed() if kind is RegistrationKind.OWN else stage.register_customer()
    revoking = (lambda: stage.revoke(registration), lambda: None)
    stage.registrations = Meanwhile(stage.table, stage.sessions, *revoking)

    stage.answer(registration) if kind is RegistrationKind.OWN else stage.ask(registration)

    assert stage.state(registration) is RegistrationState.APPROVED
    assert stage.session(registration).state is SessionState.REVOKED
    assert memberships(stage, registration) == []


def test_no_move_is_written_that_is_not_allowed(stage: Stage) -> None:
    registration = stage.register()

    allowed = MOVES[RegistrationKind.OWN][registration.state]
    for state in set(RegistrationState) - allowed - {registration.state}:
        with pytest.raises(Overtaken):
            stage.registrations.move(registration, state, [])

    assert stage.state(registration) is RegistrationState.UNCONFIRMED
