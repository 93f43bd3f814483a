"""What has to be there for a call to succeed, operation by operation: the ids that exist, or a session of its own."""

import json
import secrets
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from math import inf
from typing import Any
from uuid import uuid4

from bench.households import Codes, Households, Journey, person
from demo.journey import PAID, make_customer
from demo.stage import Stage
from operate.routes import Routes
from paygo_client import BankCustomer, Session, SessionDetails
from paygo_client.user_pool import id_token
from tests.e2e.cast import GOOD_FOR_SECONDS
from tests.e2e.conformance.callers import Caller, Kind
from tests.e2e.conformance.document import Example
from tests.e2e.refusals import World
from tests.e2e.tables import Deployer

LETTERS = {"service": "ledger", "consumer": "open-accounts"}
PATIENCE_SECONDS = 60
PAYERS_PHONE = "+254700000001"

type Arrange = Callable[["Scene", Caller, Example], SessionDetails | None]
"""Changes the case so that it succeeds, and returns the session to call with when the caller's own is not the one."""


@dataclass
class Scene:
    """Everything on the stack that a call may be about."""

    world: World
    operations: Routes
    codes: Codes
    _shown: tuple[float, str] = field(default=(-inf, ""), init=False)
    _own: threading.local = field(default_factory=threading.local, init=False)

    @property
    def stage(self) -> Stage:
        """The stack."""
        return self.world.stage

    @property
    def url(self) -> str:
        """The API's address."""
        return self.stage.access.api_url

    @cached_property
    def registering(self) -> Journey:
        """An anonymous session with a registration that is not confirmed."""
        return self.registered()

    @cached_property
    def approved(self) -> SessionDetails:
        """An anonymous session that may escalate: a bank vouched for its household."""
        with Session.open(self.url) as app:
            app.follow(app.register(make_customer()), patience_seconds=PATIENCE_SECONDS)
            return app.details

    @property
    def leaver(self) -> BankCustomer:
        """Somebody whose sessions end all the time: a bank vouches anew each time, for an ID token would be void.

        One a thread, since nobody can sign in while their household signs out everywhere.
        """
        if not hasattr(self._own, "leaver"):
            self._own.leaver = make_customer()
            with Session.open(self.url) as app:
                app.follow(app.register(self._own.leaver), patience_seconds=PATIENCE_SECONDS)
                app.escalate()
        leaver: BankCustomer = self._own.leaver
        return leaver

    @property
    def stayer(self) -> str:
        """An ID token, still good for a while, of the household that the other calls are made for."""
        made_at, token = self._shown
        if time.monotonic() - made_at > GOOD_FOR_SECONDS:
            household = self.world.story.household
            with Session.open(self.url) as app:
                token = id_token(app.configuration(), household.email, household.password)
            self._shown = time.monotonic(), token
        return token

    @cached_property
    def payment_request_id(self) -> str:
        """A payment that was asked for."""
        story = self.world.story
        asked = story.app.request_payment("mobile-money", story.kit.serial_number, PAID, PAYERS_PHONE)
        return str(asked.payment_request_id)

    @cached_property
    def letter_to_redrive(self) -> str:
        """A dead letter that dies again and again."""
        return self._letter()

    @cached_property
    def letter_to_discard(self) -> str:
        """A dead letter to close."""
        return self._letter()

    def opened(self) -> SessionDetails:
        """Open an anonymous session."""
        with Session.open(self.url) as app:
            return app.details

    def signed_in(self) -> SessionDetails:
        """Return one more session of the household that the other calls are made for."""
        body = json.dumps({"kind": "own", "id_token": self.stayer}).encode()
        with Session.open(self.url) as app:
            answer = app.request("POST", "/v1/sign-ins", body=body, headers=JSON)
            return SessionDetails.model_validate_json(answer.content)

    def to_be_ended(self) -> SessionDetails:
        """Sign in who leaves."""
        code = make_customer().one_time_code
        with Session.open(self.url) as app:
            return app.sign_in_with_bank(self.leaver.model_copy(update={"one_time_code": code}))

    def registered(self) -> Journey:
        """Open a session and register."""
        journey = Journey()
        self._households.opened(journey)
        self._households.submitted(journey)
        return journey

    def details(self, journey: Journey) -> SessionDetails:
        """Return the journey's session."""
        return SessionDetails.model_validate(journey.session)

    @cached_property
    def _households(self) -> Households:
        return Households(self.stage.access, self.codes)

    def _letter(self) -> str:
        event_id = str(uuid4())
        sqs = Deployer(self.stage).client("sqs")
        queue = f"{self.stage.access.stack}-{LETTERS['service']}-{LETTERS['consumer']}"
        body = {"specversion": "1.0", "id": event_id, "type": "devices.device-activated.v1", "data": {}}
        sqs.send_message(QueueUrl=sqs.get_queue_url(QueueName=queue)["QueueUrl"], MessageBody=json.dumps(body))
        ends = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < ends:
            for letter in self.operations.letters(LETTERS):
                if letter.event_id == event_id:
                    return str(letter.letter_id)
            time.sleep(0.3)
        message = "The message did not become a dead letter."
        raise AssertionError(message)


JSON = {"Content-Type": "application/json"}


def first_page(_: Scene, __: Caller, case: Example) -> None:
    """A list's cursor can only be one that it returned."""
    case.query.pop("cursor", None)


def body(case: Example, values: Mapping[str, Any], *, whole: bool = False) -> None:
    """Put values into the body, beside what was made up, or in place of all that."""
    own = case.body if isinstance(case.body, dict) and not whole else {}
    case.body = {**own, **values}
    case.media_type = "application/json"


def new_key(case: Example) -> None:
    """Begin a new intent."""
    case.headers["Idempotency-Key"] = secrets.token_hex(16)


def session_to_end(scene: Scene, caller: Caller, _: Example) -> SessionDetails:
    """A session that the call may end."""
    return scene.opened() if caller.kind is Kind.ANONYMOUS else scene.to_be_ended()


def another_session(scene: Scene, _: Caller, case: Example) -> None:
    case.path_parameters["session_id"] = str(scene.signed_in().session_id)


def token_to_refresh(scene: Scene, _: Caller, case: Example) -> None:
    body(case, {"refresh_token": scene.opened().refresh_token})


def may_escalate(scene: Scene, _: Caller, __: Example) -> SessionDetails:
    return scene.approved


def scopes_of_all(_: Scene, __: Caller, case: Example) -> None:
    body(case, {"scopes": ["sessions:read"]})


def sign_in(scene: Scene, _: Caller, case: Example) -> SessionDetails:
    body(case, {"kind": "own", "id_token": scene.stayer}, whole=True)
    return scene.opened()


def register(scene: Scene, _: Caller, case: Example) -> SessionDetails:
    new_key(case)
    if isinstance(case.body, dict) and case.body.get("kind") == "partner":
        body(case, {"customer_number": str(secrets.randbelow(10**12)).zfill(12)})
    else:
        adult = person(f"{uuid4().hex}@example.org")
        body(case, {name: adult[name] for name in ("kind", "email", "password", "date_of_birth")})
    return scene.opened()


def own_registration(scene: Scene, caller: Caller, case: Example) -> SessionDetails | None:
    if caller.kind is Kind.HOUSEHOLD:
        case.path_parameters["registration_id"] = str(scene.world.story.registration.registration.registration_id)
        return None
    case.path_parameters["registration_id"] = scene.registering.registration_id
    return scene.details(scene.registering)


def code_that_was_sent(scene: Scene, _: Caller, case: Example) -> SessionDetails:
    journey = scene.registered()
    case.path_parameters["registration_id"] = journey.registration_id
    body(case, {"code": scene.codes.of(journey.registration_id)})
    return scene.details(journey)


def registration_without_code(scene: Scene, _: Caller, case: Example) -> SessionDetails:
    journey = scene.registered()
    case.path_parameters["registration_id"] = journey.registration_id
    return scene.details(journey)


def own_kit(scene: Scene, _: Caller, case: Example) -> None:
    new_key(case)
    kit = scene.world.story.kit
    body(case, {"serial_number": kit.serial_number, "label_code": kit.label_code})


def own_device(scene: Scene, _: Caller, case: Example) -> None:
    case.path_parameters["device_id"] = str(scene.world.story.registered.device_id)


def payment_for_own_device(scene: Scene, _: Caller, case: Example) -> None:
    new_key(case)
    body(case, {"provider": "mobile-money", "serial_number": scene.world.story.kit.serial_number})


def own_payment_request(scene: Scene, _: Caller, case: Example) -> None:
    case.path_parameters["payment_request_id"] = scene.payment_request_id


def manifest(_: Scene, __: Caller, case: Example) -> None:
    row = f"SHS-{secrets.token_hex(6).upper()},solar-home-50,K7QM-2X9D,123456789,{secrets.token_hex(16)}"
    case.body = f"serial_number,model,label_code,starting_code,secret_key\n{row}\n"
    case.media_type = "text/csv"


def result_of_a_check(scene: Scene, _: Caller, case: Example) -> None:
    reference = scene.world.story.registration.registration.registration_id
    body(case, {"reference": str(reference), "outcome": "approved"}, whole=True)


def notification(scene: Scene, caller: Caller, case: Example) -> None:
    case.path_parameters["provider"] = caller.partner
    body(case, NOTIFICATIONS[caller.partner](scene.world.story.kit.serial_number), whole=True)


NOTIFICATIONS: Mapping[str, Callable[[str], Mapping[str, Any]]] = {
    "mobile-money": lambda account: {
        "reference": f"MM-{secrets.token_hex(8)}",
        "account": account,
        "amount": {"amount": 100, "currency": "KES"},
        "paid_at": datetime.now(UTC).isoformat(timespec="seconds"),
    },
    "mobile-wallet": lambda account: {
        "transactionId": f"WT-{secrets.token_hex(8)}",
        "accountNumber": account,
        "value": "1.00",
        "currencyCode": "KES",
        "completedAt": datetime.now(UTC).isoformat(timespec="seconds"),
    },
}
"""A payment as each provider notifies it."""


def letter_to_redrive(scene: Scene, _: Caller, case: Example) -> None:
    new_key(case)
    case.path_parameters["letter_id"] = scene.letter_to_redrive


def letter_to_discard(scene: Scene, _: Caller, case: Example) -> None:
    new_key(case)
    case.path_parameters["letter_id"] = scene.letter_to_discard


def known_letter(scene: Scene, _: Caller, case: Example) -> None:
    case.path_parameters["letter_id"] = scene.letter_to_redrive


def some_redrives(_: Scene, __: Caller, case: Example) -> None:
    new_key(case)
    body(case, {**LETTERS, "per_second": 1.0}, whole=True)


def some_discards(_: Scene, __: Caller, case: Example) -> None:
    new_key(case)
    body(case, {"filter": LETTERS, "reason": "A test made it."}, whole=True)


ENDS_ITS_SESSION = frozenset({"signOut", "signOutEverywhere"})
"""Each example of these needs a session of its own."""

ARRANGED: Mapping[str, Arrange] = {
    "confirmRegistration": code_that_was_sent,
    "discardDeadLetter": letter_to_discard,
    "discardDeadLetters": some_discards,
    "escalateSession": may_escalate,
    "importManifest": manifest,
    "issueToken": scopes_of_all,
    "listAuditEvents": first_page,
    "listDeadLetters": first_page,
    "listDevices": first_page,
    "listErrorReports": first_page,
    "listSessions": first_page,
    "notifyPayment": notification,
    "readCredit": own_device,
    "readDeadLetter": known_letter,
    "readDevice": own_device,
    "readPaymentRequest": own_payment_request,
    "readRegistration": own_registration,
    "readStatement": first_page,
    "receiveCheckResult": result_of_a_check,
    "redriveDeadLetter": letter_to_redrive,
    "redriveDeadLetters": some_redrives,
    "refreshSession": token_to_refresh,
    "register": register,
    "registerDevice": own_kit,
    "requestPayment": payment_for_own_device,
    "sendCode": registration_without_code,
    "signIn": sign_in,
    "signOut": session_to_end,
    "signOutEverywhere": session_to_end,
    "signOutSession": another_session,
}
"""The operations that succeed only with something that is there; the others do as they are."""
