"""The journey from a supplier's manifest to a device that has been paid for, through public interfaces only.

Each step is a plain function that plays its part of a `Story` and tells, one by one, what happened. What must be
refused is tried as well: a step fails when a refusal does not come.
"""

import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, date, datetime

from demo.mailbox import Mail, code_in
from demo.manifest import MISTAKES, Kit, Manifest, make_manifest
from demo.stage import Stage
from paygo_client import (
    BankCustomer,
    BearerToken,
    DeviceStatus,
    Household,
    ManifestReport,
    Money,
    PartnerClient,
    PaygoProblem,
    Payment,
    PendingRegistration,
    RegistrationState,
    Session,
    SessionDetails,
    SessionState,
    Statement,
)
from paygo_client import (
    Device as RegisteredDevice,
)
from paygo_device import (
    ConnectionRefused,
    Credit,
    Device,
    DeviceCredentials,
    ProvisioningRefused,
    provision,
)

DAYS = 5
PRICE_PER_DAY = 5_000
PAID = Money(amount=DAYS * PRICE_PER_DAY, currency="KES")
PATIENCE_SECONDS = 60.0
SETTLED_SECONDS = 2.0
"""How long to look for something that must not happen; a payment goes all the way in a fraction of it."""


class StepFailed(Exception):
    """Something did not happen as it should, in one sentence."""


class NotRefused(StepFailed):
    """Something was allowed that must be refused."""


@dataclass(frozen=True)
class Told:
    """One thing that happened; a refusal is one that was called for."""

    text: str
    is_refusal: bool = False


type Telling = Iterator[Told]


@dataclass
class Story:
    """What is known so far. Steps fill in what they find out."""

    stage: Stage
    run: str
    manifest: Manifest
    household: Household
    kit: Kit
    report: ManifestReport = field(init=False)
    app: Session = field(init=False)
    anonymous: SessionDetails = field(init=False)
    registration: PendingRegistration = field(init=False)
    credentials: DeviceCredentials = field(init=False)
    registered: RegisteredDevice = field(init=False)
    device: Device = field(init=False)
    first_answer: Credit = field(init=False)
    reference: str = field(init=False)
    paid_at: datetime = field(init=False)
    payment: Payment = field(init=False)
    credit: Credit = field(init=False)
    status: DeviceStatus = field(init=False)
    statement: Statement = field(init=False)
    mail: Mail | None = field(init=False)
    elsewhere: Session = field(init=False)

    def close(self) -> None:
        """End the connections that the story opened."""
        for name in ("device", "app", "elsewhere"):
            with suppress(AttributeError):  # the story may have ended before that step
                getattr(self, name).close()


@dataclass(frozen=True)
class Step:
    """A step of the journey, and where to look when it fails."""

    number: int
    title: str
    play: Callable[[Story], Telling]
    functions: tuple[str, ...]


def begin(stage: Stage, rows: int | None = None) -> Story:
    """Return a story with a household and a batch of its own, so that it can be played again on the same stack."""
    run = secrets.token_hex(3).upper()
    manifest = make_manifest(run) if rows is None else make_manifest(run, rows)
    return Story(
        stage=stage,
        run=run,
        manifest=manifest,
        household=make_household(run),
        kit=manifest.kits[0],
    )


def make_household(run: str) -> Household:
    """Return a person that the identity bureau will know."""
    return Household(
        email=f"amina.{run.lower()}@example.org",
        password=f"correct-horse-{secrets.token_hex(6)}",
        given_name="Amina",
        family_name="Odhiambo",
        date_of_birth=date(1990, 5, 17),
        phone="+2547" + f"{secrets.randbelow(10**8):08}",
    )


def make_customer() -> BankCustomer:
    """Return a person that the bank will know."""
    number, code = 10**11 + secrets.randbelow(10**11), 1 + secrets.randbelow(10**6 - 1)
    return BankCustomer(customer_number=str(number), one_time_code=f"{code:06}")


def refusal_of(call: Callable[[], object], what: str) -> PaygoProblem:
    """Return the problem that `call` ends in; raise `NotRefused` when it succeeds."""
    try:
        call()
    except PaygoProblem as problem:
        if 400 <= problem.status < 500:
            return problem
        raise
    message = f"{what} was not refused."
    raise NotRefused(message)


def eventually[Value](read: Callable[[], Value], is_it: Callable[[Value], bool], what: str) -> Value:
    """Return what `read` finds once it is what we wait for."""
    ends = time.monotonic() + PATIENCE_SECONDS
    wait = 0.1
    while True:
        value = read()
        if is_it(value):
            return value
        if time.monotonic() + wait > ends:
            message = f"{what} did not happen in {PATIENCE_SECONDS:.0f} s."
            raise StepFailed(message)
        time.sleep(wait)
        wait = min(wait * 1.5, 2.0)


def expect(is_so: bool, otherwise: str) -> None:
    """Raise `StepFailed` with the sentence unless it is so."""
    if not is_so:
        raise StepFailed(otherwise)


def import_manifest(story: Story) -> Telling:
    """Play step 1: a supplier's manifest is imported through its own restricted route."""
    with story.stage.partner("supplier") as supplier:
        report = supplier.import_manifest(story.manifest.csv)
    story.report = report
    rows = len(story.manifest.kits)
    expect(report.imported == rows - len(MISTAKES), f"{report.imported} of {rows} rows were imported.")
    yield Told(f"{report.imported} of {rows:,} kits are known, {len(report.rejected)} bad rows were skipped:")
    for row in report.rejected:
        yield Told(f"line {row.line}: {row.reason}", is_refusal=True)
    lines = {row.line for row in report.rejected}
    expect(lines == set(MISTAKES), f"The bad rows are {sorted(MISTAKES)}, reported were {sorted(lines)}.")


def open_session(story: Story) -> Telling:
    """Play step 2: an app opens a session, whose credentials open registration only."""
    app = Session.open(story.stage.access.api_url)
    story.app = app
    story.anonymous = app.details
    yield Told(f"identity {app.details.identity_id} has IAM credentials for an hour")
    refused = refusal_of(lambda: list(app.devices()), "Listing devices with anonymous credentials")
    yield Told(f"GET /v1/devices with them: {describe(refused)}", is_refusal=True)


def register(story: Story) -> Telling:
    """Play step 3: the app registers a household, which confirms its address; a third party decides later."""
    app, address = story.app, story.household.email
    story.registration = app.register(story.household)
    yield Told(f"202 Accepted, Location: {story.registration.location}")
    refused = refusal_of(app.escalate, "Escalating before the registration is decided")
    yield Told(f"escalating too early: {describe(refused)}", is_refusal=True)
    code = await_code(story.stage, story.registration, address)
    yield Told(f"a code came by e-mail to {address}")
    wrong = f"{(int(code) + 1) % 10**6:06}"
    refused = refusal_of(lambda: app.confirm(story.registration, wrong), "A wrong code")
    yield Told(f"another code than that: {describe(refused)}", is_refusal=True)
    app.confirm(story.registration, code)
    yield Told("the code confirmed the address; the identity bureau is asked")
    decided = app.follow(story.registration, patience_seconds=PATIENCE_SECONDS)
    expect(decided.state is RegistrationState.APPROVED, f"The registration is {decided.state.value}.")
    yield Told(f"the identity bureau answered: {decided.state.value}")


def escalate(story: Story) -> Telling:
    """Play step 4: the same identity becomes the household's, and the rest of the API opens."""
    details = story.app.escalate()
    expect(details.state is SessionState.AUTHENTICATED, f"The session is {details.state.value}.")
    expect(details.identity_id == story.anonymous.identity_id, "Escalation changed the identity.")
    yield Told(f"the same identity is now household {details.household_id}")
    devices = list(story.app.devices())
    yield Told(f"GET /v1/devices with the new credentials: {len(devices)} devices")
    old = Session.resume(story.stage.access.api_url, story.anonymous)
    refused = refusal_of(old.status, "A call with the credentials from before escalation")
    yield Told(f"the anonymous credentials from before: {describe(refused)}", is_refusal=True)
    listed = list(as_bearer(story, details.bearer).devices())
    yield Told(f"GET /bearer/v1/devices with its bearer token, unsigned: {len(listed)} devices")
    narrow = story.app.token(["sessions:read"])
    refused = refusal_of(lambda: list(as_bearer(story, narrow).devices()), "A token without the scope")
    yield Told(f"the same with a token for sessions:read alone: {describe(refused)}", is_refusal=True)


def provision_device(story: Story) -> Telling:
    """Play step 5: a device provisions itself with its batch's claim certificate; its own is inactive yet."""
    unknown = f"SHS-{story.run}-9999"
    refused = provisioning_refusal(story, unknown, secrets.token_hex(16))
    yield Told(f"unknown serial number {unknown}: {refused}", is_refusal=True)
    refused = provisioning_refusal(story, story.kit.serial_number, secrets.token_hex(16))
    yield Told(f"{story.kit.serial_number} with a false proof: {refused}", is_refusal=True)
    story.credentials = provision_kit(story.stage, story.kit)
    yield Told(f"{story.kit.serial_number} proved its secret and has a certificate of its own")
    yield Told(f"connecting with it while it is inactive: {connection_refusal(story)}", is_refusal=True)


def register_device(story: Story) -> Telling:
    """Play step 6: the app registers the device, which connects and asks for its credit."""
    story.registered = story.app.register_device(story.kit.serial_number, story.kit.label_code)
    yield Told(f"{story.kit.serial_number} is {story.registered.state.value}, its certificate too")
    story.device = connect(story.stage, story.credentials)
    yield Told(f"it connected by MQTT over mutual TLS as {story.credentials.thing_name}")
    story.first_answer = story.device.ask_credit()
    expect(
        story.first_answer.device_id == str(story.registered.device_id),
        "The device learned another id than the app.",
    )
    expect(story.first_answer.credit_until is None, "The device has credit before anybody paid.")
    yield Told(f"it asked for its credit as {story.first_answer.device_id}: none yet")


def notify_payment(story: Story) -> Telling:
    """Play step 7: a mobile-money provider notifies a payment on its restricted route."""
    story.reference = f"MM-{story.run}"
    story.paid_at = datetime.now(UTC).replace(microsecond=0)
    with story.stage.partner("mobile-money") as mobile_money:
        story.payment = notify(story, mobile_money)
    yield Told(f"payment {story.reference} of {money(PAID)} for {story.kit.serial_number}: {story.payment.state.value}")


def receive_credit(story: Story) -> Telling:
    """Play step 8: the ledger books, the device is told and acknowledges, app and mail tell of it."""
    story.credit = story.device.next_credit(timeout=PATIENCE_SECONDS)
    until = story.credit.credit_until
    expect(until is not None, "The device was told a credit without an end.")
    yield Told(f"the device received credit until {until:%Y-%m-%d %H:%M} UTC (version {story.credit.credit_version})")
    story.device.acknowledge(story.credit)
    yield Told("the device acknowledged")
    booked = story.app.credit(story.registered.device_id)
    expect(booked.credit_until == until, "Ledger and device disagree about the credit.")
    yield Told(f"the app reads the same credit; a day costs {money(booked.price_per_day)}")
    story.statement = story.app.statement()
    lines = ", ".join(f"{entry.description} {money(entry.amount)}" for entry in story.statement.entries)
    yield Told(f"the app reads the statement: {lines}; balance {money(story.statement.balance)}")
    story.status = eventually(
        lambda: story.app.device(story.registered.device_id),
        lambda status: status.has_caught_up,
        "The acknowledgement",
    )
    yield Told("the app reads the device's status: it has caught up")
    yield read_mail(story)


def notify_again(story: Story) -> Telling:
    """Play step 9: the same notification again changes nothing, and a forged one is refused."""
    with story.stage.partner("mobile-money") as mobile_money:
        again = notify(story, mobile_money)
    expect(again == story.payment, "The same notification made another payment.")
    time.sleep(SETTLED_SECONDS)
    expect(story.app.statement() == story.statement, "The same notification changed the account.")
    credit = story.app.credit(story.registered.device_id)
    expect(credit.credit_version == story.credit.credit_version, "The same notification changed the credit.")
    yield Told("the same notification again: answered alike, account and credit unchanged")
    keys = story.stage.partner_keys("mobile-money")
    with PartnerClient(story.stage.access.api_url, keys.api_key, "not-the-key") as forger:
        refused = refusal_of(lambda: notify(story, forger), "A forged notification")
    yield Told(f"one that is signed with another key: {describe(refused)}", is_refusal=True)


def sign_in_elsewhere(story: Story) -> Telling:
    """Play step 10: another phone signs in, and is signed out from the first one: at once, whatever it holds."""
    household, api_url = story.household, story.stage.access.api_url
    story.elsewhere = other = Session.open(api_url)
    refused = refusal_of(lambda: other.sign_in(household.email, "not-the-password"), "A wrong password")
    yield Told(f"signing in with another password: {describe(refused)}", is_refusal=True)
    details = other.sign_in(household.email, household.password)
    expect(details.household_id == story.app.details.household_id, "Signing in led to another household.")
    yield Told("e-mail and password, proved by SRP and never sent, open the same household")
    sessions = {entry.session_id for entry in story.app.sessions()}
    expect({details.session_id, story.app.details.session_id} <= sessions, "A session is not listed.")
    yield Told(f"the household sees its {len(sessions)} sessions and ends the other phone's")
    story.app.sign_out_of(details.session_id)
    refused = refusal_of(other.status, "A call with the IAM credentials of a session that is over")
    yield Told(f"its IAM credentials, still in their hour: {describe(refused)}", is_refusal=True)
    token = Session.resume(api_url, details, bearer=True)
    refused = refusal_of(token.status, "A call with the bearer token of a session that is over")
    yield Told(f"its bearer token: {describe(refused)}", is_refusal=True)


def read_mail(story: Story) -> Told:
    """Look for the household's mail about its payment."""
    address = story.household.email
    if story.stage.mail_to(address) is None:
        story.mail = None
        return Told(f"the mail left through SES for {address}; only its owner can read it")
    mails = eventually(lambda: payment_mails(story), bool, f"Mail to {address}")
    story.mail = mails[0]
    return Told(f"mail to {address} from {story.mail['Source']}: “{story.mail['Subject']}”")


def payment_mails(story: Story) -> list[Mail]:
    """Return the mails to the household that are not about its code."""
    return [mail for mail in story.stage.mail_to(story.household.email) or [] if code_in([mail]) is None]


STEPS = (
    Step(1, "The supplier sends its manifest", import_manifest, ("devices-manifests",)),
    Step(2, "An app opens a session", open_session, ("identity-sessions",)),
    Step(
        3,
        "The app registers a household",
        register,
        (
            "identity-registrations",
            "identity-send-codes",
            "identity-request-check",
            "partners-mock-callbacks",
            "identity-bureau-results",
        ),
    ),
    Step(4, "The session is escalated", escalate, ("identity-sessions", "identity-authorizer")),
    Step(5, "The device provisions itself over MQTT", provision_device, ("devices-verify-provisioning",)),
    Step(6, "The app registers the device", register_device, ("devices-devices", "devices-answer-credit")),
    Step(7, "Somebody pays by mobile money", notify_payment, ("payments-notifications",)),
    Step(
        8,
        "The payment becomes credit",
        receive_credit,
        (
            "payments-publish-outbox",
            "ledger-book-payments",
            "ledger-publish-outbox",
            "devices-apply-credit",
            "notifications-mail-payments",
        ),
    ),
    Step(9, "The same payment again, and a forged one", notify_again, ("payments-notifications",)),
    Step(10, "Another phone signs in and is signed out", sign_in_elsewhere, ("identity-sign-ins", "identity-sessions")),
)


def open_household(stage: Stage, household: Household | BankCustomer) -> Session:
    """Open a session and take it through registration to a household's own."""
    app = Session.open(stage.access.api_url)
    pending = app.register(household)
    if isinstance(household, Household):
        app.confirm(pending, await_code(stage, pending, household.email))
    decided = app.follow(pending, patience_seconds=PATIENCE_SECONDS)
    expect(decided.state is RegistrationState.APPROVED, f"The registration is {decided.state.value}.")
    app.escalate()
    return app


def await_code(stage: Stage, pending: PendingRegistration, address: str) -> str:
    """Return the code that confirms the address, once it was sent."""
    return eventually(lambda: stage.code_for(pending, address) or "", bool, f"A code for {address}")


def as_bearer(story: Story, token: BearerToken) -> Session:
    """Return the story's session as something that has this token of it."""
    details = story.app.details.model_copy(update={"bearer": token})
    return Session.resume(story.stage.access.api_url, details, bearer=True)


def notify(story: Story, mobile_money: PartnerClient) -> Payment:
    """Notify the story's payment, as the provider or as somebody who pretends to be."""
    return mobile_money.notify_payment(
        reference=story.reference, account=story.kit.serial_number, amount=PAID, paid_at=story.paid_at
    )


def provision_kit(stage: Stage, kit: Kit) -> DeviceCredentials:
    """Provision a kit as its own firmware would."""
    access = stage.access
    return provision(
        access.endpoint,
        stage.claim,
        template=access.provisioning_template,
        serial_number=kit.serial_number,
        secret_key=kit.secret_key,
    )


def provisioning_refusal(story: Story, serial_number: str, secret_key: str) -> ProvisioningRefused:
    """Return why a device with this serial number and secret is not provisioned."""
    kit = Kit(serial_number, story.kit.model, "", "", secret_key)
    try:
        provision_kit(story.stage, kit)
    except ProvisioningRefused as refused:
        return refused
    message = f"Provisioning {serial_number} with a false secret was not refused."
    raise NotRefused(message)


def connection_refusal(story: Story) -> ConnectionRefused:
    """Return why the device may not connect with its certificate."""
    try:
        Device.connect(story.stage.access.endpoint, story.credentials).close()
    except ConnectionRefused as refused:
        return refused
    message = "Connecting with an inactive certificate was not refused."
    raise NotRefused(message)


def connect(stage: Stage, credentials: DeviceCredentials) -> Device:
    """Connect a device whose certificate was activated a moment ago."""

    def attempt() -> Device | None:
        try:
            return Device.connect(stage.access.endpoint, credentials)
        except ConnectionRefused:
            return None

    device = eventually(attempt, lambda found: found is not None, "Connecting with the activated certificate")
    if device is None:  # `eventually` returned it because it is not
        raise AssertionError
    return device


def describe(problem: PaygoProblem) -> str:
    """Return a refusal in a line."""
    return f"{problem.status} {problem.title.lower()}"


def money(amount: Money) -> str:
    """Return an amount in whole units, as people write it."""
    return f"{amount.amount / 100:,.2f} {amount.currency}"
