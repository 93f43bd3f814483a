"""Everybody who calls the stack in the authorisation matrix, with what each of them has of their own."""

import json
import secrets
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from math import inf
from pathlib import Path
from typing import Self
from uuid import UUID

from demo.journey import (
    PAID,
    PATIENCE_SECONDS,
    await_code,
    eventually,
    expect,
    make_customer,
    make_household,
    provision_kit,
)
from demo.manifest import Kit, make_manifest
from demo.stage import Stage
from paygo.identities import identity_hash
from paygo_client import (
    BankCustomer,
    Configuration,
    Household,
    PaygoProblem,
    PaymentRequest,
    PendingRegistration,
    RegistrationState,
    Session,
    SessionDetails,
)
from paygo_client.user_pool import id_token
from paygo_device import DeviceCredentials
from tests.e2e.tables import Deployer

JSON = {"Content-Type": "application/json"}
NOT_A_REFRESH_TOKEN = f"us-east-1:{UUID(int=0)}.{'A' * 43}"
HOUSEHOLDS = ("own", "partner", "another")
OVER = ("revoked", "expired", "revoked anonymous", "expired anonymous")
GOOD_FOR_SECONDS = 180
"""The user pool's tokens live for five minutes."""
OF_OWN = ("own", "another", "revoked", "expired")
"""Who names what is the household `own`'s."""


@dataclass(frozen=True)
class Belongings:
    """What a call names.

    Parameters
    ----------
    wanted_kit
        The kit that somebody tries to register who may not: one that is free, or the household `own`'s.
    """

    session_id: UUID
    registration_id: UUID
    device_id: UUID
    payment_request_id: UUID
    kit: Kit
    wanted_kit: Kit
    code: str
    id_token: str
    refresh_token: str = NOT_A_REFRESH_TOKEN


@dataclass(frozen=True)
class Somebody:
    """A session, and what its calls name."""

    details: SessionDetails
    belongings: Belongings


@dataclass
class Cast:
    """The households of one run, the sessions of all kinds, and whatever it takes to make more of them."""

    stage: Stage
    deployer: Deployer
    folder: Path
    run: str = field(default_factory=lambda: secrets.token_hex(3).upper())
    sessions: dict[str, SessionDetails] = field(default_factory=dict)
    registrations: dict[str, UUID] = field(default_factory=dict)
    households: dict[str, Household | BankCustomer] = field(default_factory=dict)
    devices: dict[str, UUID] = field(default_factory=dict)
    payment_requests: dict[str, UUID] = field(default_factory=dict)
    kits: tuple[Kit, ...] = ()
    credentials: DeviceCredentials = field(init=False)
    configuration: Configuration = field(init=False)
    before_escalation: SessionDetails = field(init=False)
    _id_tokens: dict[str, tuple[float, str]] = field(default_factory=dict)
    code: str = field(init=False)

    @classmethod
    def gather(cls, stage: Stage, deployer: Deployer, folder: Path) -> Self:
        """Bring everybody to where they stand in the matrix."""
        cast = cls(stage, deployer, folder)
        with cast.open() as session:
            cast.configuration = session.configuration()
        cast._deliver_kits()
        with ThreadPoolExecutor(4) as pool:
            done = [pool.submit(cast._found, name) for name in HOUSEHOLDS]
            done.append(pool.submit(cast._provision))
            for each in done:
                each.result()
            for each in [pool.submit(cast._equip, "own", 0), pool.submit(cast._equip, "partner", 1)]:
                each.result()
            for each in [pool.submit(cast._place, name) for name in ("anonymous", "approved", *OVER)]:
                each.result()
        cast.register_anew()
        return cast

    def register_anew(self) -> None:
        """Let another be registering: a registration that waits for its code expires."""
        self.sessions["registering"], self.registrations["registering"], self.code = self.registering()
        self.deployer.prolong_registration(self.registrations["registering"])

    def id_token(self, name: str) -> str:
        """Return an ID token that the user pool gave the household a short while ago."""
        made_at, token = self._id_tokens.get(name, (-inf, ""))
        if time.monotonic() - made_at > GOOD_FOR_SECONDS:
            household = self.households[name]
            if not isinstance(household, Household):
                message = f"{name} is in no user pool."
                raise TypeError(message)
            token = id_token(self.configuration, household.email, household.password)
            self._id_tokens[name] = time.monotonic(), token
        return token

    def forget_id_tokens(self) -> None:
        """Have everybody sign in to the user pool anew, in another second: those of this one are void."""
        self._id_tokens.clear()
        time.sleep(1)

    def sign_in_anew(self) -> None:
        """Give the households that signed out everywhere a session each."""
        for name in HOUSEHOLDS:
            self.sessions[name] = self.signed_in(name)

    @property
    def api_url(self) -> str:
        """Where the stack's API is."""
        return self.stage.access.api_url

    @property
    def marks(self) -> set[str]:
        """What every item that belongs to the cast has in it."""
        sessions = self.sessions.values()
        return {
            self.run,
            self.run.lower(),
            *(str(details.session_id) for details in sessions),
            *(details.identity_id for details in sessions),
            *(identity_hash(details.identity_id) for details in sessions),
            *(str(details.household_id) for details in sessions if details.household_id),
            *(str(found) for found in self.registrations.values()),
            *(str(found) for found in self.devices.values()),
            *(str(found) for found in self.payment_requests.values()),
        }

    @property
    def secrets_of_own(self) -> set[str]:
        """What nobody but the household `own` may be told."""
        own = self.sessions["own"]
        return {
            str(own.session_id),
            str(own.household_id),
            own.identity_id,
            str(self.registrations["own"]),
            str(self.devices["own"]),
            str(self.payment_requests["own"]),
            self.kits[0].serial_number,
            self.address("own"),
        }

    def address(self, name: str) -> str:
        """Return an e-mail address that nobody else has."""
        return f"{name}.{self.run.lower()}@example.org"

    def new_applicant(self, name: str) -> Household:
        """Return a person whom the identity bureau will know."""
        return make_household(self.run).model_copy(update={"email": self.address(name)})

    def belongings(self, caller: str) -> Belongings:
        """Return what the caller's calls name: their own, else the household `own`'s, else who is registering's."""
        whose = caller if caller in self.devices else "own"
        is_of_own = caller in OF_OWN or caller.startswith("household ")
        registered = caller if caller in {"approved", "partner"} else "own" if is_of_own else "registering"
        return Belongings(
            session_id=self.sessions[whose].session_id,
            registration_id=self.registrations[registered],
            device_id=self.devices[whose],
            payment_request_id=self.payment_requests[whose],
            kit=self.kits[1 if whose == "partner" else 0],
            wanted_kit=self.kits[0 if caller == "another" else 2],
            code=self.code,
            id_token=self.id_token("own"),
        )

    def somebody(self, caller: str) -> Somebody:
        """Return the session that stands for a kind of session in the matrix."""
        details = self.sessions[caller]
        return Somebody(details, replace(self.belongings(caller), refresh_token=details.refresh_token))

    def another_of(self, caller: str) -> Somebody:
        """Return a session of its own for a call that changes it."""
        belongings = self.belongings(caller)
        if caller == "registering":
            details, registration_id, code = self.registering()
            found = Somebody(details, replace(belongings, registration_id=registration_id, code=code))
        elif caller == "approved":
            details, registration_id = self.approved()
            found = Somebody(details, replace(belongings, registration_id=registration_id))
        elif caller == "anonymous":
            found = Somebody(self.open().details, belongings)
        else:
            found = Somebody(self.signed_in(caller), belongings)
        return replace(found, belongings=replace(found.belongings, refresh_token=found.details.refresh_token))

    def open(self) -> Session:
        """Open an anonymous session."""
        return Session.open(self.api_url)

    def registering(self) -> tuple[SessionDetails, UUID, str]:
        """Return a session whose registration waits for the code, and both."""
        applicant = self.new_applicant(f"applicant-{secrets.token_hex(4)}")
        with self.open() as session:
            pending = session.register(applicant)
            return (
                session.details,
                pending.registration.registration_id,
                await_code(self.stage, pending, applicant.email),
            )

    def approved(self) -> tuple[SessionDetails, UUID]:
        """Return a session that has not been escalated yet, and its registration."""
        with self.open() as session:
            return session.details, self._decided(session, session.register(make_customer()))

    def signed_in(self, name: str) -> SessionDetails:
        """Return one more session of a household."""
        household = self.households[name]
        with self.open() as session:
            if isinstance(household, BankCustomer):
                return session.sign_in_with_bank(household)
            body = json.dumps({"kind": "own", "id_token": self.id_token(name)}).encode()
            answer = session.request("POST", "/v1/sign-ins", body=body, headers=JSON)
            return SessionDetails.model_validate_json(answer.content)

    def _deliver_kits(self) -> None:
        manifest = make_manifest(self.run, rows=4)
        with self.stage.partner("supplier") as supplier:
            supplier.import_manifest(manifest.csv)
        self.kits = manifest.kits

    def _provision(self) -> None:
        # The third kit is anybody's who could register it; the fourth's label is good but it was never switched on.
        self.credentials, *_ = [provision_kit(self.stage, kit) for kit in self.kits[:3]]

    def _found(self, name: str) -> None:
        household = make_customer() if name == "partner" else self.new_applicant(name)
        self.households[name] = household
        with self.open() as session:
            pending = session.register(household)
            if isinstance(household, Household):
                session.confirm(pending, await_code(self.stage, pending, household.email))
            self.registrations[name] = self._decided(session, pending)
            before = session.details
            self.sessions[name] = session.escalate()
            # The first use of the new credentials: those from before can fetch them no more.
            session.status()
            if name == "own":
                self.before_escalation = before

    @staticmethod
    def _decided(session: Session, pending: PendingRegistration) -> UUID:
        decided = session.follow(pending, patience_seconds=PATIENCE_SECONDS)
        expect(decided.state is RegistrationState.APPROVED, f"The registration is {decided.state.value}.")
        return decided.registration_id

    def _equip(self, name: str, number: int) -> None:
        kit = self.kits[number]
        with Session.resume(self.api_url, self.sessions[name]) as session:
            device = session.register_device(kit.serial_number, kit.label_code)
            asked = eventually(
                lambda: _asked_for_payment(session, kit),
                lambda found: found is not None,
                f"That payments know the device {kit.serial_number}",
            )
            if asked is None:  # `eventually` returned it because it is not
                raise AssertionError
            self.devices[name], self.payment_requests[name] = device.device_id, asked.payment_request_id

    def _place(self, caller: str) -> None:
        is_household = caller in {"revoked", "expired"}
        if caller == "approved":
            self.sessions[caller], self.registrations[caller] = self.approved()
            return
        details = self.signed_in("own") if is_household else self.open().details
        if caller.startswith("revoked"):
            with Session.resume(self.api_url, details) as session:
                session.sign_out()
        elif caller.startswith("expired"):
            self.deployer.end_session(details.identity_id)
        self.sessions[caller] = details


def _asked_for_payment(session: Session, kit: Kit) -> PaymentRequest | None:
    try:
        return session.request_payment("mobile-money", kit.serial_number, PAID, "+254700000001")
    except PaygoProblem as problem:
        if problem.kind != "not-found":
            raise
        return None
