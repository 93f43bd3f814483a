"""A session of an app, from anonymous to a household's own, and to its end."""

import uuid
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import timedelta

import requests

from paygo_client.caller import JSON, as_json, idempotent, page
from paygo_client.errors import ApiUnreachable, NotConfirmed, NotDecidedInTime, PaygoProblem, retry_after
from paygo_client.household import HouseholdCalls
from paygo_client.models import (
    BankCustomer,
    BearerToken,
    Configuration,
    Household,
    PendingRegistration,
    Registration,
    RegistrationState,
    SessionDetails,
    SessionEntry,
    SessionPage,
    SessionState,
    SessionStatus,
)
from paygo_client.transport import IN_THE_WAY, PASSING_STATUSES, Call, NotSent, pages, read

DEFAULT_POLL_SECONDS = 1.0
DEFAULT_PATIENCE_SECONDS = 300.0
SESSION_IS_OVER = "session-refused"
NOT_APPROVED = "registration-undecided"
PARTNER_IS_AWAY = "partner-unavailable"


@dataclass(frozen=True, slots=True)
class _Polled:
    registration: Registration
    retry_after: float


class Session(HouseholdCalls):
    """What an app may do at one stack, as one Cognito identity.

    Every call is signed with the session's credentials, or carries its bearer token; both are replaced before they
    expire. A session may be used from several threads at once.

    Examples
    --------
    >>> with Session.open("https://abc123.execute-api.us-east-1.amazonaws.com/v") as session:
    ...     pending = session.register(household)
    ...     session.confirm(pending, input("The code in your e-mail: "))
    ...     session.follow(pending)
    ...     session.escalate()
    ...     device = session.register_device("SHS-000001", "K7QM-2X9D")
    """

    def status(self) -> SessionStatus:
        """Ask for the session's state."""
        return read(SessionStatus, self.request("GET", "/v1/sessions/current"))

    def configuration(self) -> Configuration:
        """Ask what an app must know of the stack; anyone may."""
        return read(Configuration, self._transport.send(Call("GET", "/v1/configuration", repeatable=True)))

    def register(
        self, household: Household | BankCustomer, *, idempotency_key: str | None = None
    ) -> PendingRegistration:
        """Ask for registration; a third party decides it later.

        Our own households are sent a code by e-mail first, which `confirm` takes; a bank's customers are not.

        Parameters
        ----------
        idempotency_key
            Pass one that was kept when the same intent must survive a restart of the app; else one is made.
        """
        answer = self.request(
            "POST",
            "/v1/registrations",
            body=as_json(household.model_dump(mode="json")),
            headers=JSON | idempotent(idempotency_key),
            repeatable=True,
        )
        return PendingRegistration(
            registration=read(Registration, answer),
            location=answer.headers.get("Location", ""),
            retry_after=_wait(answer),
        )

    def confirm(self, registration: Registration | PendingRegistration, code: str) -> Registration:
        """Confirm the e-mail address by the code that was sent to it; only then the registration is checked.

        Raises
        ------
        PaygoProblem
            `code-refused` when the code is not the newest one sent, is too old or was guessed at too often.
        """
        # Confirming again with the right code is answered as the first time.
        path = f"/v1/registrations/{_id(registration)}/confirmation"
        answer = self.request("POST", path, body=as_json({"code": code}), headers=JSON, repeatable=True)
        return read(Registration, answer)

    def send_code(self, registration: Registration | PendingRegistration) -> Registration:
        """Have another code sent, which makes the one before void; a registration has three at most."""
        return read(Registration, self.request("POST", f"/v1/registrations/{_id(registration)}/codes"))

    def registration(self, registration_id: uuid.UUID) -> Registration:
        """Ask where a registration stands."""
        return self._poll(registration_id).registration

    def follow(
        self,
        registration: Registration | PendingRegistration,
        *,
        patience_seconds: float = DEFAULT_PATIENCE_SECONDS,
    ) -> Registration:
        """Ask as often as the API says until the registration is approved, rejected or expired, and return it.

        Raises
        ------
        NotConfirmed
            When it waits for its code and not for a decision: following it would be waiting for oneself.
        NotDecidedInTime
            When `patience_seconds` pass before the decision.
        """
        if isinstance(registration, PendingRegistration):
            latest = _Polled(registration.registration, registration.retry_after)
        else:
            latest = _Polled(registration, 0.0)
        if latest.registration.state is RegistrationState.UNCONFIRMED:  # it may have been confirmed since
            latest = self._poll(latest.registration.registration_id)
        patience_ends = self._transport.clock() + timedelta(seconds=patience_seconds)
        while not latest.registration.state.is_final:
            if latest.registration.state is RegistrationState.UNCONFIRMED:
                message = f"Registration {latest.registration.registration_id} waits for the code sent by e-mail."
                raise NotConfirmed(message)
            if self._transport.clock() + timedelta(seconds=latest.retry_after) > patience_ends:
                now_state = latest.registration.state.value
                message = f"Registration {latest.registration.registration_id} is still {now_state}."
                raise NotDecidedInTime(message)
            self._transport.sleep(latest.retry_after)
            latest = self._poll(latest.registration.registration_id)
        return latest.registration

    def escalate(self) -> SessionDetails:
        """Become the registered household, once the registration is approved.

        An answer that got lost is asked for again: the API gives it until the new credentials are used.
        """
        with self._lock:
            self._renew()
            if self._details.state is SessionState.AUTHENTICATED:  # a refresh brought what an answer had lost
                return self._details
            return self._become(self.request("POST", "/v1/sessions/current/credentials", repeatable=True))

    def sign_in(self, email: str, password: str) -> SessionDetails:
        """Become the household that registered with this e-mail address, with an anonymous session.

        The password does not leave this process (SRP). Needs `paygo-client[sign-in]`.

        Raises
        ------
        PaygoProblem
            `sign-in-refused`, whatever is wrong.
        """
        from paygo_client.user_pool import id_token

        return self._sign_in({"kind": "own", "id_token": id_token(self.configuration(), email, password)})

    def sign_in_with_bank(self, customer: BankCustomer) -> SessionDetails:
        """Become the household that registered as this customer of a bank, with an anonymous session."""
        return self._sign_in(customer.model_dump(mode="json"))

    def sign_out(self) -> None:
        """End the session at once, whatever credentials and tokens of it are about."""
        self._end("/v1/sessions/current")

    def sign_out_everywhere(self) -> None:
        """End every session of the household, this one as well."""
        self._end("/v1/sessions")

    def sign_out_of(self, session_id: uuid.UUID) -> None:
        """End another session of the household, as `sessions` lists them."""
        self.request("DELETE", f"/v1/sessions/{session_id}")

    def sessions(self, *, page_size: int | None = None) -> Iterator[SessionEntry]:
        """Go through the household's sessions that are not over."""
        for found in pages(
            lambda cursor: read(SessionPage, self.request("GET", "/v1/sessions", query=page(cursor, page_size)))
        ):
            yield from found.items

    def token(self, scopes: Iterable[str]) -> BearerToken:
        """Ask for a bearer token that may do less than the session, to hand to something that needs no more."""
        body = as_json({"scopes": sorted(set(scopes))})
        answer = self.request("POST", "/v1/sessions/current/tokens", body=body, headers=JSON, repeatable=True)
        return read(BearerToken, answer)

    def _sign_in(self, body: dict[str, str]) -> SessionDetails:
        with self._lock:
            try:
                return self._become(self.request("POST", "/v1/sign-ins", body=as_json(body), headers=JSON))
            except (ApiUnreachable, PaygoProblem) as error:
                if not _may_be_done(error):
                    raise
                return self._answer_lost_by(error)

    def _answer_lost_by(self, error: Exception) -> SessionDetails:
        """Ask again for the answer of a sign-in: a bank's code works once, so the sign-in itself cannot be repeated."""
        try:
            return self.escalate()
        except PaygoProblem as refused:
            if refused.kind == NOT_APPROVED:  # the sign-in was not done
                raise error from None
            raise

    def _become(self, answer: requests.Response) -> SessionDetails:
        self._details = read(SessionDetails, answer)
        return self._details

    def _end(self, path: str) -> None:
        try:
            self.request("DELETE", path, repeatable=True)
        except PaygoProblem as problem:
            if problem.kind != SESSION_IS_OVER:  # an earlier attempt, whose answer was lost, or somebody else ended it
                raise

    def _poll(self, registration_id: uuid.UUID) -> _Polled:
        answer = self.request("GET", f"/v1/registrations/{registration_id}")
        return _Polled(read(Registration, answer), _wait(answer))


def _id(registration: Registration | PendingRegistration) -> uuid.UUID:
    if isinstance(registration, PendingRegistration):
        registration = registration.registration
    return registration.registration_id


def _may_be_done(error: ApiUnreachable | PaygoProblem) -> bool:
    if isinstance(error, PaygoProblem):
        return error.kind in IN_THE_WAY or (error.status in PASSING_STATUSES and error.kind != PARTNER_IS_AWAY)
    return not isinstance(error, NotSent)


def _wait(answer: requests.Response) -> float:
    asked = retry_after(answer.headers)
    return asked or DEFAULT_POLL_SECONDS
