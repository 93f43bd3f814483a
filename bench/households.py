"""Households that register through the API as apps do, many at once, each step timed.

Nobody reads a thousand mails: their codes are read from the table, which is all that goes past the API.
"""

import os
import secrets
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from itertools import batched
from typing import Any
from uuid import uuid4

import requests
from botocore.config import Config
from requests.auth import AuthBase

from demo.stage import Access, Stage
from paygo_client.models import Credentials
from paygo_client.sigv4 import SessionAuth

AT_ONCE = 48
PATIENCE_SECONDS = 90.0
POLL_SECONDS = 1.0
LOOK_FOR_CODES_SECONDS = 0.2
KEYS_A_READ = 100  # https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchGetItem.html
PASSWORD = "correct-horse-battery-9"  # noqa: S105 (of people who do not exist)
AUTHENTICATED = "authenticated"
APPROVED = "approved"


class Lost(Exception):
    """A journey did not end as it should; the text says where."""


class Step(StrEnum):
    """What a household does, and what it waits for."""

    OPEN = "open"
    REGISTER = "register"
    CODE = "until the code is sent"
    CONFIRM = "confirm"
    DECISION = "until approved"
    ESCALATE = "escalate"
    FIRST_USE = "first use"


@dataclass
class Journey:
    """How one household got on."""

    seconds: dict[Step, float] = field(default_factory=dict)
    session: Mapping[str, Any] = field(default_factory=dict)
    registration_id: str = ""
    email: str = ""
    turned_away: int = 0
    problem: str = ""

    @property
    def household_id(self) -> str:
        """Whose the session is in the end."""
        return str(self.session.get("household_id"))

    @contextmanager
    def timed(self, step: Step) -> Iterator[None]:
        """Keep how long a step took."""
        began = time.perf_counter()
        yield
        self.seconds[step] = time.perf_counter() - began


class Codes:
    """The codes that were sent, read by the deployer for all who wait for one together."""

    def __init__(self, access: Access) -> None:
        deployer = Stage(access, "deployer" if access.endpoint_url else os.environ.get("PROFILE"))
        self._dynamodb: Any = deployer.session.client(
            "dynamodb",
            region_name=access.region,
            endpoint_url=access.endpoint_url,
            config=Config(retries={"mode": "standard", "total_max_attempts": 5}),
        )
        self._table = f"{access.stack}-identity"
        self._found: dict[str, str] = {}
        self._wanted: set[str] = set()
        self._changed = threading.Condition()
        self._ends = threading.Event()
        self._reader = threading.Thread(target=self._read, daemon=True)

    def __enter__(self) -> "Codes":
        self._reader.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ends.set()
        self._reader.join()

    def of(self, registration_id: str) -> str:
        """Return the registration's code once it is there."""
        with self._changed:
            self._wanted.add(registration_id)
            if not self._changed.wait_for(lambda: registration_id in self._found, PATIENCE_SECONDS):
                message = f"No code was made for {registration_id}."
                raise Lost(message)
            return self._found.pop(registration_id)

    def _read(self) -> None:
        while not self._ends.wait(LOOK_FOR_CODES_SECONDS):
            with self._changed:
                wanted = sorted(self._wanted)
            for some in batched(wanted, KEYS_A_READ, strict=False):
                keys = [{"pk": {"S": f"REGISTRATION#{each}"}, "sk": {"S": "CODE"}} for each in some]
                answer = self._dynamodb.batch_get_item(
                    RequestItems={self._table: {"Keys": keys, "ConsistentRead": True}}
                )
                found = {
                    item["pk"]["S"].partition("#")[2]: item["code"]["S"] for item in answer["Responses"][self._table]
                }
                with self._changed:
                    self._found |= found
                    self._wanted -= set(found)
                    self._changed.notify_all()


class Signed(AuthBase):
    """Signs with a session's credentials at the moment of sending."""

    def __init__(self, session: Mapping[str, Any]) -> None:
        self._credentials = Credentials.model_validate(session["credentials"])
        self._region = str(session["region"])

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        """Add the signature."""
        return SessionAuth(self._credentials, self._region, datetime.now(UTC))(request)


class Households:
    """Registers households on one stack."""

    def __init__(self, access: Access, codes: Codes) -> None:
        self._url = access.api_url
        self._codes = codes
        self._here = threading.local()

    def register(self, count: int, at_once: int = AT_ONCE) -> list[Journey]:
        """Register so many households, and return how each got on."""
        with ThreadPoolExecutor(at_once) as pool:
            return list(pool.map(lambda _: self.journey(), range(count)))

    def journey(self) -> Journey:
        """Go the whole way with one household."""
        journey = Journey()
        try:
            self._go(journey)
        except (Lost, requests.RequestException) as problem:
            journey.problem = str(problem)
        return journey

    def opened(self, journey: Journey) -> None:
        """Open a session."""
        with journey.timed(Step.OPEN):
            journey.session = self._call(journey, "POST", "/v1/sessions", 201)

    def submitted(self, journey: Journey) -> None:
        """Register with the session, and confirm the e-mail address."""
        journey.email = f"{uuid4().hex}@example.org"
        with journey.timed(Step.REGISTER):
            registration = self._call(journey, "POST", "/v1/registrations", 202, person(journey.email))
        journey.registration_id = registration["registration_id"]

    def confirmed(self, journey: Journey) -> None:
        """Confirm the e-mail address."""
        with journey.timed(Step.CODE):
            code = self._codes.of(journey.registration_id)
        path = f"/v1/registrations/{journey.registration_id}/confirmation"
        with journey.timed(Step.CONFIRM):
            self._call(journey, "POST", path, 200, {"code": code})

    def approved(self, journey: Journey) -> None:
        """Wait until the registration is approved."""
        with journey.timed(Step.DECISION):
            self._follow(journey)

    def escalated(self, journey: Journey) -> None:
        """Become the household, and use it."""
        with journey.timed(Step.ESCALATE):
            journey.session = self._call(journey, "POST", "/v1/sessions/current/credentials", 200)
        with journey.timed(Step.FIRST_USE):
            now = self._call(journey, "GET", "/v1/sessions/current", 200)
        if now["state"] != AUTHENTICATED or now["household_id"] != journey.session["household_id"]:
            message = f"The session {now['session_id']} is {now['state']} and not the household's."
            raise Lost(message)

    def _go(self, journey: Journey) -> None:
        self.opened(journey)
        self.submitted(journey)
        self.confirmed(journey)
        self.approved(journey)
        self.escalated(journey)

    def _follow(self, journey: Journey) -> None:
        ends = time.monotonic() + PATIENCE_SECONDS
        path = f"/v1/registrations/{journey.registration_id}"
        while True:
            answer = self._send(journey, "GET", path)
            registration = _read(answer, 200)
            if registration["state"] == APPROVED:
                return
            if "Retry-After" not in answer.headers or time.monotonic() > ends:
                message = f"The registration {journey.registration_id} is {registration['state']}."
                raise Lost(message)
            time.sleep(float(answer.headers["Retry-After"]))

    def _call(self, journey: Journey, method: str, path: str, status: int, body: Any = None) -> dict[str, Any]:
        return _read(self._send(journey, method, path, body), status)

    def _send(self, journey: Journey, method: str, path: str, body: Any = None) -> requests.Response:
        """Send until it is not turned away for there being too many."""
        headers = {"Idempotency-Key": secrets.token_hex(16)}
        while True:
            answer = self._http.request(
                method,
                self._url + path,
                json=body,
                headers=headers,
                auth=Signed(journey.session) if journey.session else None,
                timeout=(10, 60),
            )
            if answer.status_code != requests.codes.too_many_requests:
                return answer
            journey.turned_away += 1
            time.sleep(float(answer.headers.get("Retry-After", POLL_SECONDS)))

    @property
    def _http(self) -> requests.Session:
        """A session for each thread, since they share none safely."""
        if not hasattr(self._here, "http"):
            self._here.http = requests.Session()
        session: requests.Session = self._here.http
        return session


def person(email: str) -> dict[str, str]:
    """Return somebody whom the identity bureau will approve."""
    return {
        "kind": "own",
        "email": email,
        "password": PASSWORD,
        "given_name": "Amina",
        "family_name": "Odhiambo",
        "date_of_birth": "1990-05-17",
        "phone": f"+2547{secrets.randbelow(10**8):08}",
    }


def lost(journeys: Sequence[Journey]) -> list[str]:
    """Say of each journey that did not end in a household of its own why."""
    found = [journey.problem for journey in journeys if journey.problem]
    arrived = [journey.household_id for journey in journeys if not journey.problem]
    shared = len(arrived) - len(set(arrived))
    return [*found, *([f"{shared} sessions share a household with another."] if shared else [])]


def _read(answer: requests.Response, status: int) -> dict[str, Any]:
    if answer.status_code != status:
        message = (
            f"{answer.request.method} {answer.request.path_url} answered {answer.status_code}: {answer.text[:300]}"
        )
        raise Lost(message)
    body: dict[str, Any] = answer.json()
    return body
