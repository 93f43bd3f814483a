"""The journey itself, and what it must leave behind."""

import threading
from datetime import timedelta
from uuid import uuid4

import pytest

from demo.journey import (
    DAYS,
    PAID,
    PATIENCE_SECONDS,
    STEPS,
    Step,
    Story,
    connect,
    eventually,
    payment_mails,
    provision_kit,
)
from demo.manifest import MISTAKES
from paygo_client import Household, PaygoProblem, Payment, PaymentState, Session, SessionState
from paygo_device import Credit, Device
from tests.e2e.conftest import Played
from tests.e2e.refusals import Neighbour


@pytest.mark.parametrize("step", STEPS, ids=lambda step: f"{step.number}-{step.play.__name__}")
def test_every_step_tells_what_happened(played: Played, step: Step) -> None:
    assert played.told[step.number]


def test_every_refusal_that_the_journey_shows_was_one(played: Played) -> None:
    shown = {number: sum(told.is_refusal for told in tellings) for number, tellings in played.told.items()}

    assert shown == {1: len(MISTAKES), 2: 1, 3: 2, 4: 2, 5: 3, 6: 0, 7: 0, 8: 0, 9: 1, 10: 3}


def test_bad_rows_are_reported_by_line_and_the_rest_is_imported(story: Story) -> None:
    assert [row.line for row in story.report.rejected] == sorted(MISTAKES)
    assert story.report.imported == 1_000 - len(MISTAKES)


def test_a_manifest_that_is_sent_again_changes_nothing(story: Story) -> None:
    with story.stage.partner("supplier") as supplier:
        again = supplier.import_manifest(story.manifest.csv)

    assert (again.imported, again.known) == (0, story.report.imported)


def test_escalation_keeps_the_identity_and_the_session(story: Story) -> None:
    now = story.app.details

    assert now.identity_id == story.anonymous.identity_id
    assert now.session_id == story.anonymous.session_id
    assert now.credentials.access_key_id != story.anonymous.credentials.access_key_id
    assert story.app.status().state is SessionState.AUTHENTICATED


def test_the_device_carries_an_id_that_is_neither_its_serial_number_nor_its_household(story: Story) -> None:
    device_id = story.first_answer.device_id

    assert device_id == str(story.registered.device_id)
    assert story.kit.serial_number not in device_id
    assert device_id != str(story.app.details.household_id)


def test_the_payment_buys_the_days_that_the_plan_says(story: Story) -> None:
    assert story.credit.credit_until is not None
    bought = story.credit.credit_until - story.paid_at

    assert timedelta(days=DAYS) <= bought <= timedelta(days=DAYS, seconds=PATIENCE_SECONDS)
    assert story.credit.credit_version == 1


def test_the_books_balance(story: Story) -> None:
    amounts = {entry.description: entry.amount for entry in story.statement.entries}

    assert amounts["payment"] == PAID
    assert sum(entry.amount.amount for entry in story.statement.entries) == story.statement.balance.amount == 0
    assert len({entry.transaction_id for entry in story.statement.entries}) <= len(story.statement.entries)


def test_a_payment_notified_twice_credits_the_device_once(story: Story) -> None:
    assert len(story.statement.entries) == 2
    assert len(story.app.statement().entries) == 2
    assert story.app.credit(story.registered.device_id).credit_version == 1


def test_mail_about_the_payment_names_no_secret(story: Story) -> None:
    if story.mail is None:
        pytest.skip("On AWS the mail has left.")

    text = f"{story.mail['Subject']} {story.mail['BodyText']} {story.mail['BodyHtml']}"
    assert "250" in text
    assert story.household.password not in text
    assert story.kit.secret_key not in text


def test_a_household_is_mailed_once_about_a_payment(story: Story) -> None:
    assert len(payment_mails(story)) == (0 if story.mail is None else 1)


def test_a_payment_notified_by_many_at_once_credits_once(story: Story, neighbour: Neighbour) -> None:
    answers: list[Payment] = []
    problems: list[PaygoProblem] = []
    reference = f"MM-{story.run}-AT-ONCE"

    def notify() -> None:
        try:
            with story.stage.partner("mobile-money") as mobile_money:
                answers.append(
                    mobile_money.notify_payment(
                        reference=reference, account=neighbour.kit.serial_number, amount=PAID, paid_at=story.paid_at
                    )
                )
        except PaygoProblem as problem:
            problems.append(problem)

    before = len(neighbour.app.statement().entries)
    threads = [threading.Thread(target=notify) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert problems == []
    assert len({answer.payment_id for answer in answers}) == 1
    eventually(lambda: len(neighbour.app.statement().entries), lambda count: count > before, "The booking")
    assert len(neighbour.app.statement().entries) == before + 2


def test_a_reference_stands_for_one_payment_only(story: Story) -> None:
    with story.stage.partner("mobile-money") as mobile_money, pytest.raises(PaygoProblem) as refused:
        mobile_money.notify_payment(
            reference=story.reference,
            account=story.kit.serial_number,
            amount=PAID.model_copy(update={"amount": 1}),
            paid_at=story.paid_at,
        )

    assert refused.value.status == 409


def test_a_device_that_was_offline_catches_up(story: Story, neighbour: Neighbour) -> None:
    with connect(story.stage, neighbour.credentials) as device:
        before = device.desired()

    with story.stage.partner("mobile-money") as mobile_money:
        mobile_money.notify_payment(
            reference=f"MM-{story.run}-OFFLINE",
            account=neighbour.kit.serial_number,
            amount=PAID,
            paid_at=story.paid_at,
        )
    eventually(
        lambda: neighbour.app.device(neighbour.registered.device_id).desired.credit_version,
        lambda version: version > before.credit_version,
        "The credit",
    )

    with connect(story.stage, neighbour.credentials) as device:
        after = device.desired()
        asked = device.ask_credit()
        device.acknowledge(after)
    assert after.credit_version == before.credit_version + 1
    assert asked == after
    assert neighbour.app.device(neighbour.registered.device_id).has_caught_up


def test_a_payment_that_comes_before_its_device_waits_for_it(story: Story, neighbour: Neighbour) -> None:
    kit = story.manifest.good_kits[2]
    credentials = provision_kit(story.stage, kit)
    with story.stage.partner("mobile-money") as mobile_money:
        payment = mobile_money.notify_payment(
            reference=f"MM-{story.run}-EARLY", account=kit.serial_number, amount=PAID, paid_at=story.paid_at
        )
    assert payment.state is PaymentState.UNMATCHED

    registered = neighbour.app.register_device(kit.serial_number, kit.label_code)

    with connect(story.stage, credentials) as device:
        credit = paid_credit(device)
    assert credit.device_id == str(registered.device_id)
    assert credit.credit_version == 1


def paid_credit(device: Device) -> Credit:
    now = device.desired()
    return now if now.credit_version else device.next_credit(timeout=PATIENCE_SECONDS)


def test_registering_a_device_again_answers_as_the_first_time(story: Story) -> None:
    again = story.app.register_device(story.kit.serial_number, story.kit.label_code)

    assert again == story.registered


def test_an_idempotency_key_answers_alike_and_serves_one_intent_only(anonymous: Session, story: Story) -> None:
    key = str(uuid4())
    someone = household_like(story.household, "someone")

    first = anonymous.register(someone, idempotency_key=key)
    again = anonymous.register(someone, idempotency_key=key)
    with pytest.raises(PaygoProblem) as refused:
        anonymous.register(household_like(story.household, "another"), idempotency_key=key)

    assert again.registration.registration_id == first.registration.registration_id
    assert refused.value.status == 422


def household_like(household: Household, name: str) -> Household:
    return household.model_copy(update={"email": f"{name}.{uuid4().hex}@example.org"})


def test_statement_and_devices_are_read_in_pages(neighbour: Neighbour) -> None:
    whole = neighbour.app.statement()

    assert list(neighbour.app.statement_entries(page_size=1)) == list(whole.entries)
    assert [device.serial_number for device in neighbour.app.devices(page_size=1)] == [
        device.serial_number for device in neighbour.app.devices()
    ]


def test_refreshing_gives_new_credentials_of_the_same_session(anonymous: Session) -> None:
    before = anonymous.details

    after = anonymous.refresh()

    assert after.session_id == before.session_id
    assert after.refresh_token != before.refresh_token
    assert anonymous.status().state is SessionState.ANONYMOUS


def test_a_refresh_token_used_twice_ends_the_session(anonymous: Session, stage_url: str) -> None:
    thief = Session.resume(stage_url, anonymous.details)
    anonymous.refresh()

    with pytest.raises(PaygoProblem) as refused:
        thief.refresh()
    with pytest.raises(PaygoProblem) as ended:
        anonymous.status()

    assert refused.value.status == 401
    assert ended.value.status == 403
