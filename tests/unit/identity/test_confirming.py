"""The code that confirms an e-mail address."""

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest

from identity.model import (
    CODE_FOR,
    CODES,
    TRIES,
    UNDECIDED_FOR,
    Code,
    CodeRefused,
    Outcome,
    RegistrationConfirmed,
    RegistrationDecided,
    RegistrationState,
    TooManyCodes,
    UnknownRegistration,
)
from identity.usecases.confirming import MAILS_A_DAY, confirm, send_code
from paygo.audit import Act
from tests.unit.identity.stage import AMINA, CAUSE, NOW, Stage


def test_the_right_code_submits_the_registration(stage: Stage) -> None:
    registration = stage.register()

    confirmed = stage.confirm(registration)

    assert confirmed.state is stage.state(registration) is RegistrationState.SUBMITTED
    assert stage.events() == ["code", "submission", "submitted", "unconfirmed"]


def test_confirming_again_with_the_same_code_answers_as_the_first_time(stage: Stage) -> None:
    registration = stage.register()
    code = stage.code(registration)
    stage.confirm(registration, code)
    stage.ask(registration)
    stage.now += CODE_FOR
    told = stage.events()

    again = stage.confirm(registration, code)

    assert again.state is RegistrationState.CHECKING
    assert stage.events() == told
    with pytest.raises(CodeRefused):
        stage.confirm(registration, stage.wrong_code(registration))


def test_a_wrong_code_is_refused_and_the_right_one_is_taken_after_it(stage: Stage) -> None:
    registration = stage.register()

    with pytest.raises(CodeRefused):
        stage.confirm(registration, stage.wrong_code(registration))

    assert stage.state(registration) is RegistrationState.UNCONFIRMED
    assert stage.confirm(registration).state is RegistrationState.SUBMITTED


def test_a_code_that_was_tried_too_often_is_void(stage: Stage) -> None:
    registration = stage.register()
    for _ in range(TRIES):
        with pytest.raises(CodeRefused):
            stage.confirm(registration, stage.wrong_code(registration))

    with pytest.raises(CodeRefused):
        stage.confirm(registration)

    assert stage.state(registration) is RegistrationState.UNCONFIRMED


def test_a_code_that_is_too_old_is_refused(stage: Stage) -> None:
    registration = stage.register()
    stage.now += CODE_FOR

    with pytest.raises(CodeRefused):
        stage.confirm(registration)


def test_another_code_makes_the_one_before_void(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = iter(range(100_000, 100_009))
    monkeypatch.setattr("identity.model.secrets.randbelow", lambda _: next(drawn))
    registration = stage.register()
    before = stage.code(registration)

    assert stage.send_code(registration) == registration

    assert stage.code(registration) != before
    assert stage.events() == ["code", "code", "unconfirmed"]
    with pytest.raises(CodeRefused):
        stage.confirm(registration, before)
    assert stage.confirm(registration).state is RegistrationState.SUBMITTED


def test_another_code_may_be_tried_afresh(stage: Stage) -> None:
    registration = stage.register()
    for _ in range(TRIES):
        with pytest.raises(CodeRefused):
            stage.confirm(registration, stage.wrong_code(registration))

    stage.send_code(registration)

    assert stage.confirm(registration).state is RegistrationState.SUBMITTED


def test_a_registration_has_so_many_codes_and_no_more(stage: Stage) -> None:
    registration = stage.register()
    for _ in range(CODES - 1):
        stage.send_code(registration)

    with pytest.raises(TooManyCodes):
        stage.send_code(registration)

    assert stage.events().count("code") == CODES


def test_no_code_is_sent_for_what_is_confirmed_or_needs_none(stage: Stage) -> None:
    confirmed, customer = stage.confirmed(), stage.register_customer()

    for registration in (confirmed, customer):
        with pytest.raises(RegistrationConfirmed):
            stage.send_code(registration)


def test_a_banks_customer_has_no_code_to_confirm_with(stage: Stage) -> None:
    customer = stage.register_customer()

    with pytest.raises(CodeRefused):
        stage.confirm(customer, "493817")


@pytest.mark.parametrize("end", [*Outcome, "expired"])
def test_what_is_decided_takes_no_code(stage: Stage, end: str) -> None:
    registration = stage.confirmed()
    session, code = stage.session(registration), stage.code(registration)
    if end == "expired":
        stage.now += UNDECIDED_FOR
        stage.expire(registration)
    else:
        stage.answer(registration, Outcome(end))

    with pytest.raises(RegistrationDecided):
        confirm(stage.registrations, registration.registration_id, session, code, cause=CAUSE, now=NOW)
    with pytest.raises(RegistrationDecided):
        send_code(stage.registrations, registration.registration_id, session, cause=CAUSE, now=NOW)


def test_a_registration_is_its_own_sessions_to_confirm(stage: Stage) -> None:
    registration, other = stage.register(), stage.open()

    for registration_id in (registration.registration_id, str(uuid4())):
        with pytest.raises(UnknownRegistration):
            confirm(stage.registrations, registration_id, other, stage.code(registration), cause=CAUSE, now=NOW)
        with pytest.raises(UnknownRegistration):
            send_code(stage.registrations, registration_id, other, cause=CAUSE, now=NOW)


def test_of_guesses_at_once_each_counts(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    registration = stage.register()
    stale = stage.registrations.find_code(registration.registration_id)
    with pytest.raises(CodeRefused):
        stage.confirm(registration, stage.wrong_code(registration))
    real = stage.registrations.find_code
    seen = iter([stale])
    monkeypatch.setattr(stage.registrations, "find_code", lambda found: next(seen, None) or real(found))

    with pytest.raises(CodeRefused):
        stage.confirm(registration, "none")

    code = real(registration.registration_id)
    assert code
    assert code.tries == 2


def test_of_two_that_ask_for_a_code_at_once_each_makes_one(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    registration = stage.register()
    stale = stage.registrations.find_code(registration.registration_id)
    stage.send_code(registration)
    real = stage.registrations.find_code
    seen = iter([stale])
    monkeypatch.setattr(stage.registrations, "find_code", lambda found: next(seen, None) or real(found))

    stage.send_code(registration)

    code = real(registration.registration_id)
    assert code
    assert code.number == 3


def test_a_code_is_six_digits_whatever_is_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("identity.model.secrets.randbelow", lambda _: 42)

    code = Code.drawn("registration-1", 1, NOW)

    assert code.code == "000042"
    assert code.is_("000042")
    assert not code.is_("42")
    assert code.code not in repr(code)


# The e-mail


def test_the_code_is_sent_to_the_address_that_it_confirms(stage: Stage) -> None:
    registration = stage.register()

    stage.mail(registration)

    [mail] = stage.post.sent
    assert mail.recipient == AMINA.email
    assert mail.message_id == "event-1"
    assert stage.code(registration) in mail.text
    assert stage.code(registration) in mail.subject
    assert "15 minutes" in mail.text


def test_the_e_mail_carries_no_words_of_who_asked_for_it(stage: Stage) -> None:
    advertising = AMINA.model_copy(update={"given_name": "winner of example.net", "family_name": "click there"})
    registration = stage.register(applicant=advertising)

    stage.mail(registration)

    [mail] = stage.post.sent
    assert "example.net" not in mail.subject + mail.text
    assert "click" not in mail.subject + mail.text


def test_an_address_is_sent_so_many_codes_a_day_whoever_asks(stage: Stage) -> None:
    for _ in range(MAILS_A_DAY + 3):
        stage.mail(stage.register())
    another = AMINA.model_copy(update={"email": "wanjiru@example.org"})
    stage.mail(stage.register(applicant=another))

    assert [mail.recipient for mail in stage.post.sent] == [AMINA.email] * MAILS_A_DAY + ["wanjiru@example.org"]
    [told] = [row["event"] for row in stage.outbox() if Act.CODES_LIMITED in row["event"]]
    assert "example.org" not in told

    stage.now += timedelta(days=1)
    stage.mail(stage.register(applicant=AMINA.model_copy(update={"email": "Amina@Example.org"})))
    assert len(stage.post.sent) == MAILS_A_DAY + 2


def test_a_void_code_is_not_sent(stage: Stage) -> None:
    registration = stage.register()
    stage.send_code(registration)

    stage.mail(registration, 1)
    assert stage.post.sent == []

    stage.mail(registration, 2)
    assert len(stage.post.sent) == 1


@pytest.mark.parametrize("begin", [Stage.confirmed, Stage.register_customer])
def test_a_code_that_is_needed_no_more_is_not_sent(stage: Stage, begin: Any) -> None:
    registration = begin(stage)

    stage.mail(registration)
    stage.mail(registration.model_copy(update={"registration_id": str(uuid4())}))

    assert stage.post.sent == []


def test_a_code_outlives_its_registration_by_a_day(stage: Stage) -> None:
    registration = stage.register()

    row = stage.table.get(pk=f"REGISTRATION#{registration.registration_id}", sk="CODE")

    assert row
    assert row["expires_at"] == int((NOW + UNDECIDED_FOR + timedelta(days=1)).timestamp())
