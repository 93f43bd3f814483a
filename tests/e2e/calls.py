"""Each cell of the authorisation matrix as a call to the deployed stack."""

import json
import secrets
import threading
import time
from collections.abc import Callable, Collection, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import cache
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

import requests

from contracts.document import load
from demo.manifest import HEADER, MODEL
from demo.stage import PartnerKeys
from operate.access import Keys, find_stack
from paygo_client import Credentials, Session, SessionDetails
from paygo_client.signatures import API_KEY_HEADER, signed_headers
from paygo_client.sigv4 import SessionAuth
from tests.e2e.cast import NOT_A_REFRESH_TOKEN, Belongings, Cast, Somebody
from tests.e2e.tables import changes
from tests.matrix import BEARER, Cell, Cells, Row, route_of, routes_of

WORKERS = 8
PROBLEM = "urn:paygo:problem:"
NO_LETTER = UUID("3d1f7a52-6c0b-5e0a-9d0e-2b8f6f0c4a11")
REFUSED = "refused"
"""How the e-mail addresses begin that nobody must be registered with."""

STARTS_FROM = {
    "register": "anonymous",
    "signIn": "anonymous",
    "signOut": "anonymous",
    "escalateSession": "approved",
}
"""How far an anonymous session is when its token is used; else its registration waits for the code."""

CHANGES_ITS_SESSION = frozenset(
    {"signOut", "escalateSession", "signIn", "register", "confirmRegistration", "sendCode", "refreshSession"}
)
ENDS_EVERY_SESSION = "signOutEverywhere"
ENDS_ANOTHER = "signOutSession"

type Prove = Callable[[requests.PreparedRequest], object]
type Place = tuple[Row, str]


@dataclass(frozen=True)
class Answered:
    """What came back."""

    status: int
    kind: str | None
    text: str

    @classmethod
    def of(cls, answer: requests.Response) -> "Answered":
        """Return what matters of an answer."""
        kind = None
        if "problem+json" in answer.headers.get("Content-Type", ""):
            kind = str(answer.json().get("type")).removeprefix(PROBLEM)
        return cls(answer.status_code, kind, answer.text)

    def differs_from(self, cell: Cell) -> bool:
        """Tell whether it is not what the cell says."""
        if cell.is_good:
            return self.status != cell.status
        return self.kind != cell.kind or not 400 <= self.status < 500

    def __str__(self) -> str:
        return f"{self.status} {self.kind or ''} {self.text[:200] if self.kind is None else ''}".strip()


@dataclass(frozen=True)
class Actor:
    """Somebody who calls: how they prove who they are, what their call names, and what they want a token for."""

    prove: Prove
    belongings: Belongings
    certificate: tuple[str, str] | None = None
    scopes: tuple[str, ...] = ("sessions:read",)


def signing(details: SessionDetails) -> Prove:
    """Return what signs with a session's credentials."""
    return _signing(details.credentials, details.region)


def bearing(token: str) -> Prove:
    """Return what sends a token."""
    return lambda request: request.headers.update({"Authorization": f"Bearer {token}"})


def operating(keys: Keys, region: str) -> Prove:
    """Return what signs with an operator's credentials."""
    credentials = Credentials(
        access_key_id=keys.access_key,
        secret_access_key=keys.secret_key,
        session_token=keys.token or "",
        expires_at=datetime.max.replace(tzinfo=UTC),
    )
    return _signing(credentials, region)


def _signing(credentials: Credentials, region: str) -> Prove:
    def prove(request: requests.PreparedRequest) -> None:
        SessionAuth(credentials, region, datetime.now(UTC))(request)

    return prove


def sealing(keys: PartnerKeys, api_url: str) -> Prove:
    """Return what signs as a third party."""

    def prove(request: requests.PreparedRequest) -> None:
        body = request.body or b""
        signed = signed_headers(
            keys.keys.current,
            method=str(request.method),
            path=urlsplit(str(request.url)).path.removeprefix(urlsplit(api_url).path),
            query=[],
            timestamp=str(int(datetime.now(UTC).timestamp())),
            nonce=secrets.token_urlsafe(24),
            body=body if isinstance(body, bytes) else body.encode(),
        )
        request.headers.update({API_KEY_HEADER: keys.api_key, **signed})

    return prove


def showing_nothing(_: requests.PreparedRequest) -> None:
    """Leave the request as it is."""


@cache
def operations() -> Mapping[Row, str]:
    """Return each route's operation."""
    return {route: operation["operationId"] for route, operation in routes_of(load()).items()}


def operation_of(row: Row) -> str:
    """Return the operation that a row is about."""
    route = route_of(row, operations())
    if route is None:
        raise LookupError(row)
    return operations()[route]


def _json(**values: Any) -> tuple[str, bytes]:
    return "application/json", json.dumps(values, default=str).encode()


def _applicant(run: str, address: str) -> tuple[str, bytes]:
    return _json(
        kind="own",
        email=f"{address}-{secrets.token_hex(4)}.{run.lower()}@example.org",
        password=f"correct-horse-{secrets.token_hex(6)}",
        given_name="Amina",
        family_name="Odhiambo",
        date_of_birth="1990-05-17",
        phone="+254700000001",
    )


def _paid(belongings: Belongings, run: str, path: str) -> tuple[str, bytes]:
    account, now = belongings.kit.serial_number, datetime.now(UTC).isoformat(timespec="seconds")
    if "mobile-wallet" in path:
        return _json(
            transactionId=f"WT-{run}-{secrets.token_hex(6)}",
            accountNumber=account,
            value="250.00",
            currencyCode="KES",
            completedAt=now,
        )
    reference, amount = f"MM-{run}-{secrets.token_hex(6)}", {"amount": 25_000, "currency": "KES"}
    return _json(reference=reference, account=account, amount=amount, paid_at=now)


def body_of(
    row: Row, cast: Cast, named: Belongings, *, scopes: Collection[str], is_good: bool
) -> tuple[str, bytes] | None:
    """Return what the call sends: good, so that it would take effect if only it were let through."""
    kit = named.kit if is_good else named.wanted_kit
    row_of_manifest = (
        f"SHS-{cast.run}-{secrets.token_hex(4).upper()},{MODEL},K7QM-2X9D,123456789,{secrets.token_hex(16)}"
    )
    bodies: dict[str, Callable[[], tuple[str, bytes]]] = {
        "refreshSession": lambda: _json(refresh_token=named.refresh_token),
        "issueToken": lambda: _json(scopes=list(scopes)),
        "signIn": lambda: _json(kind="own", id_token=named.id_token),
        "register": lambda: _applicant(cast.run, "new" if is_good else REFUSED),
        "confirmRegistration": lambda: _json(code=named.code),
        "registerDevice": lambda: _json(serial_number=kit.serial_number, label_code=kit.label_code),
        "requestPayment": lambda: _json(
            provider="mobile-money",
            serial_number=named.kit.serial_number,
            amount={"amount": 25_000, "currency": "KES"},
            phone="+254700000001",
        ),
        "importManifest": lambda: ("text/csv", f"{HEADER}\n{row_of_manifest}\n".encode()),
        "receiveCheckResult": lambda: _json(
            reference=cast.registrations["own"], outcome="approved" if is_good else "rejected"
        ),
        "notifyPayment": lambda: _paid(named, cast.run, row.path),
        "discardDeadLetter": lambda: _json(reason="The matrix tries."),
        "redriveDeadLetters": lambda: _json(service="none", per_second=1.0),
        "discardDeadLetters": lambda: _json(filter={"service": "none"}, reason="The matrix tries."),
        "mockPost": lambda: _json(reference=cast.registrations["own"]),
    }
    make = bodies.get(operation_of(Row(row.method, row.path.removeprefix(BEARER))))
    return make() if make else None


@dataclass
class Company:
    """The cast on the deployed stack: makes the calls that the matrix has cells for."""

    cast: Cast
    _tokens: dict[tuple[UUID, str], str] = field(default_factory=dict)
    _keys: dict[str, PartnerKeys] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _local: threading.local = field(default_factory=threading.local)

    def call(self, row: Row, caller: str, cell: Cell) -> Answered:
        """Make the call of one cell."""
        return self.send(row, self.actor(row, caller, cell), is_good=cell.is_good)

    def send(self, row: Row, actor: Actor, *, is_good: bool = False) -> Answered:
        """Send what the row says as the actor."""
        named = actor.belongings
        path = row.path.format(
            session_id=named.session_id,
            registration_id=named.registration_id,
            device_id=named.device_id,
            payment_request_id=named.payment_request_id,
            letter_id=NO_LETTER,
        )
        sent = body_of(row, self.cast, named, scopes=actor.scopes, is_good=is_good)
        headers = {"Content-Type": sent[0]} if sent else {}
        if row.method != "GET":
            headers["Idempotency-Key"] = secrets.token_hex(16)
        url = self.cast.api_url + path
        prepared = requests.Request(row.method, url, headers=headers, data=sent[1] if sent else None).prepare()
        actor.prove(prepared)
        return Answered.of(self._http.send(prepared, timeout=30, allow_redirects=False, cert=actor.certificate))

    @property
    def _http(self) -> requests.Session:
        if not hasattr(self._local, "http"):
            self._local.http = requests.Session()
            self._local.http.trust_env = False
        found: requests.Session = self._local.http
        return found

    def actor(self, row: Row, caller: str, cell: Cell) -> Actor:
        """Return who makes the call: with a session of its own where a good call changes or ends it."""
        if caller in self.cast.sessions:
            somebody = self._fitting(row, caller, cell)
            details = somebody.details
            prove = bearing(details.bearer.token) if row.is_bearer else signing(details)
            return Actor(prove, somebody.belongings)
        kind, _, scope = caller.partition(" ")
        if scope:
            starts_from = "own" if kind == "household" else STARTS_FROM.get(operation_of(row), "registering")
            somebody = self._fitting(row, starts_from, cell)
            named = replace(somebody.belongings, refresh_token=NOT_A_REFRESH_TOKEN)
            return Actor(bearing(self.token(somebody.details, scope)), named, scopes=(scope,))
        return self._outsider(caller)

    def _outsider(self, caller: str) -> Actor:
        access, belongings = self.cast.stage.access, self.cast.belongings(caller)
        if caller == "nobody":
            return Actor(showing_nothing, belongings)
        if caller == "device":
            return Actor(showing_nothing, belongings, self._certificate())
        if caller == "operator":
            return Actor(operating(find_stack(access.branch, None, None).keys(), access.region), belongings)
        with self._lock:
            if caller not in self._keys:
                self._keys[caller] = self.cast.stage.partner_keys(caller)
        return Actor(sealing(self._keys[caller], access.api_url), belongings)

    def _fitting(self, row: Row, caller: str, cell: Cell) -> Somebody:
        operation = operation_of(row)
        if not cell.is_good:
            return self.cast.somebody(caller)
        if operation in CHANGES_ITS_SESSION or operation == ENDS_EVERY_SESSION:
            return self.cast.another_of(caller)
        somebody = self.cast.somebody(caller)
        if operation == ENDS_ANOTHER:
            other = self.cast.another_of(caller).details.session_id
            return replace(somebody, belongings=replace(somebody.belongings, session_id=other))
        return somebody

    def token(self, details: SessionDetails, scope: str) -> str:
        """Return a token of the session that has one scope."""
        with self._lock:
            known = self._tokens.get((details.session_id, scope))
        if known is None:
            with Session.resume(self.cast.api_url, details) as session:
                known = session.token([scope]).token
            with self._lock:
                self._tokens[details.session_id, scope] = known
        return known

    def _certificate(self) -> tuple[str, str]:
        files = self.cast.folder / "device.pem", self.cast.folder / "device.key"
        with self._lock:
            if not files[1].exists():
                files[0].write_text(self.cast.credentials.certificate_pem)
                files[1].write_text(self.cast.credentials.private_key)
        return str(files[0]), str(files[1])


class Clock:
    """How long each part took."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._began = time.monotonic()

    def note(self, part: str) -> None:
        """Note that a part is over."""
        now = time.monotonic()
        self.seconds[part], self._began = now - self._began, now


@dataclass(frozen=True)
class Played:
    """What every cell was answered, and what the refused calls changed."""

    cells: Cells
    answers: Mapping[Place, Answered]
    changes: list[str]
    users: list[str]
    seconds: Mapping[str, float]

    def wrong(self, row: Row) -> list[str]:
        """Say which cells of a row were answered otherwise than the page says."""
        return [
            f"{place[1]}: {cell} is expected, answered was {self.answers[place]}"
            for place, cell in self.cells.items()
            if place[0] == row and self.answers[place].differs_from(cell)
        ]


def play(company: Company, cells: Cells) -> Played:
    """Make every cell a call: first those that are to be refused, between two looks at the tables, then the others."""
    cast, deployer = company.cast, company.cast.deployer
    refused = [place for place, cell in cells.items() if not cell.is_good]
    good = [place for place, cell in cells.items() if cell.is_good and operation_of(place[0]) != ENDS_EVERY_SESSION]
    last = [place for place, cell in cells.items() if cell.is_good and operation_of(place[0]) == ENDS_EVERY_SESSION]
    clock = Clock()
    with ThreadPoolExecutor(WORKERS) as pool:

        def each[Result](work: Callable[[Row, str, Cell], Result], places: list[Place]) -> dict[Place, Result]:
            return dict(
                zip(places, pool.map(lambda place: work(place[0], place[1], cells[place]), places), strict=True)
            )

        cast.register_anew()
        actors = each(company.actor, refused)
        before = deployer.settled(cast.marks)
        clock.note("before")
        answers = each(lambda row, caller, _: company.send(row, actors[row, caller]), refused)
        clock.note("refused")
        changed = changes(before, deployer.settled(cast.marks))
        clock.note("after")
        answers |= each(company.call, good)
        # They end the sessions of a whole household, those of the calls before as well.
        for place in last:
            answers[place] = company.call(place[0], place[1], cells[place])
            cast.forget_id_tokens()
        cast.sign_in_anew()
        clock.note("allowed")
    users = deployer.users_of(cast.configuration.user_pool_id, REFUSED)
    return Played(cells, answers, changed, users, clock.seconds)
