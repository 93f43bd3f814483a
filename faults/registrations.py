"""The consumers of a registration's life: its code, its check, its end, its account; and the audit of all that."""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from functools import cache
from typing import Any, ClassVar
from uuid import uuid4

from faults.consumers import Case, Consumer, Household, as_case, calls
from faults.stage import DeployedStack
from faults.verdicts import Seen
from identity.lifecycle import StoredSession
from identity.model import (
    Applicant,
    Code,
    Proof,
    Registration,
    RegistrationKind,
    RegistrationState,
)
from paygo.events import (
    AuditRecorded,
    CodeRequested,
    Event,
    EventData,
    HouseholdRegistered,
    RegistrationMoved,
    RegistrationSubmitted,
)
from paygo.mail import MESSAGE_ID_HEADER
from paygo.security import SessionState, session_key
from paygo.storage import Table

BUREAU, BANK = "identity-bureau", "bank"


def register(
    stack: DeployedStack,
    home: Household,
    state: RegistrationState,
    *,
    partner: str | None = None,
    undecided_for: timedelta = timedelta(hours=1),
) -> Registration:
    """Leave a registration, its session and its account as they are in a state."""
    now = datetime.now(UTC)
    session = StoredSession(
        identity_id=f"us-east-1:{uuid4()}",
        session_id=str(uuid4()),
        state=SessionState.REGISTERING,
        opened_at=now,
        ends_at=now + timedelta(hours=1),
        registration_id=str(uuid4()),
        refresh_hashes=(),
        refresh_families=(),
    )
    registration = Registration(
        registration_id=str(session.registration_id),
        household_id=home.household_id,
        session_id=session.session_id,
        identity_id=session.identity_id,
        kind=RegistrationKind.PARTNER if partner else RegistrationKind.OWN,
        state=state,
        submitted_at=now,
        undecided_until=now + undecided_for,
        partner=partner,
        applicant=None if partner else _applicant(home),
        proof=Proof(customer_number=str(uuid4().int)[:16], one_time_code="493817") if partner else None,
    )
    ends = {"expires_at": int((now + timedelta(hours=1)).timestamp())}
    stack.table("sessions").put(session_key(session.identity_id) | session.model_dump(mode="json") | ends)
    row = registration.model_dump(mode="json", exclude_none=True)
    stack.table("identity").put(_key(registration.registration_id) | row)
    if not partner:
        # Whatever becomes of the registration, its account is settled: one that is missing would fail again and again.
        stack.client("cognito-idp").admin_create_user(
            UserPoolId=_user_pool(stack),
            Username=home.household_id,
            TemporaryPassword=f"correct-horse-{uuid4()}",
            UserAttributes=[{"Name": "email", "Value": home.email}],
            MessageAction="SUPPRESS",
        )
    return registration


@cache
def _user_pool(stack: DeployedStack) -> str:
    name = stack.function("identity/settle-accounts")
    settings = stack.client("lambda").get_function_configuration(FunctionName=name)
    return str(settings["Environment"]["Variables"]["USER_POOL_ID"])


def _applicant(home: Household) -> Applicant:
    return Applicant(
        email=home.email,
        given_name="Amina",
        family_name="Otieno",
        date_of_birth=date(1990, 5, 17),
        phone="+254700000001",
    )


def _key(registration_id: str) -> dict[str, str]:
    return {"pk": f"REGISTRATION#{registration_id}", "sk": "REGISTRATION"}


def _states(stack: DeployedStack, cases: Sequence[Case]) -> dict[str, str | None]:
    table = stack.table("identity")
    return {each.id: (table.get(**_key(each.about)) or {}).get("state") for each in cases}


def _registered(stack: DeployedStack) -> Counter[str]:
    """Count how often each household is told of."""
    events = (item["event"] for item in stack.outbox("identity"))
    return Counter(event["data"]["household_id"] for event in events if event["type"] == HouseholdRegistered.TYPE)


class _OfRegistration(Consumer):
    """A consumer of what a registration tells of itself."""

    state: RegistrationState

    def cases(self, stack: DeployedStack, count: int) -> list[Case]:
        """Tell of registrations."""
        return [self._case(stack, Household()) for _ in range(count)]

    def data(self, registration: Registration) -> EventData:
        """Return what is told: by default that the registration came to its state."""
        return RegistrationMoved(
            registration_id=registration.registration_id,
            session_id=registration.session_id,
            kind=registration.kind.value,
            state=registration.state.value,
            previous="submitted",
        )

    def _case(self, stack: DeployedStack, home: Household) -> Case:
        registration = self._register(stack, home)
        event: Event[Any] = stack.event("identity", registration.registration_id, self.data(registration))
        return as_case(event, home, registration.registration_id)

    def _register(self, stack: DeployedStack, home: Household) -> Registration:
        return register(stack, home, self.state)


class SendCodes(_OfRegistration):
    """E-mails the code that confirms an address: an effect outside."""

    name = "identity/send-codes"
    state = RegistrationState.UNCONFIRMED

    def data(self, registration: Registration) -> EventData:
        """Ask for the first code."""
        return CodeRequested(registration_id=registration.registration_id, number=1)

    def look(self, stack: DeployedStack, cases: Sequence[Case]) -> Mapping[str, Seen]:
        """Count the mails that carry the event's id."""
        sent = Counter(mail.get("Headers", {}).get(MESSAGE_ID_HEADER) for mail in stack.mails())
        return {each.id: Seen(outside=sent[each.id]) for each in cases}

    def _register(self, stack: DeployedStack, home: Household) -> Registration:
        registration = super()._register(stack, home)
        code = Code.drawn(registration.registration_id, 1, registration.submitted_at)
        key = _key(registration.registration_id) | {"sk": "CODE"}
        stack.table("identity").put(key | code.model_dump(mode="json"))
        return registration


class RequestCheck(_OfRegistration):
    """Asks the identity bureau about a registration, or the bank about its customer."""

    name = "identity/request-check"
    partners: ClassVar[tuple[str, ...]] = (BUREAU, BANK)
    state = RegistrationState.SUBMITTED

    def __init__(self, partner: str = BUREAU) -> None:
        self._partner = partner

    def calling(self, partner: str) -> Consumer:
        """Return the consumer of registrations that are checked by this partner."""
        return RequestCheck(partner)

    def data(self, registration: Registration) -> EventData:
        """Submit the registration."""
        return RegistrationSubmitted(registration_id=registration.registration_id)

    def look(self, stack: DeployedStack, cases: Sequence[Case]) -> Mapping[str, Seen]:
        """Look at the registration's state, and for questions with the event's id."""
        asked, states = calls(stack, self._partner), _states(stack, cases)
        return {
            each.id: Seen(effects=int(states[each.id] in {"checking", "approved"}), outside=asked[each.id])
            for each in cases
        }

    def _register(self, stack: DeployedStack, home: Household) -> Registration:
        return register(stack, home, self.state, partner=None if self._partner == BUREAU else self._partner)


class MockCallbacks(RequestCheck):
    """Calls the platform as a partner does: here the bureau's answer, after which there is a household."""

    name = "partners/mock-callbacks"
    partners: ClassVar[tuple[str, ...]] = ()
    leans_on: ClassVar[tuple[str, ...]] = (BUREAU,)
    entry = "identity-request-check"

    def cases(self, stack: DeployedStack, count: int) -> list[Case]:
        """Submit registrations; what reconciles them is their own id, which the callback carries."""
        return [Case(each.about, each.body, each.home, each.about, each.event) for each in super().cases(stack, count)]

    def look(self, stack: DeployedStack, cases: Sequence[Case]) -> Mapping[str, Seen]:
        """Count the households."""
        registered = _registered(stack)
        return {each.id: Seen(effects=registered[each.home.household_id]) for each in cases}


class FollowChecks(_OfRegistration):
    """Asks the bureau how far it is with a check.

    What the bureau's failures do to a consumer is played on the one that asks it first: two would change its weather
    for each other.
    """

    name = "identity/follow-checks"
    leans_on: ClassVar[tuple[str, ...]] = (BUREAU,)
    state = RegistrationState.CHECKING

    def look(self, stack: DeployedStack, cases: Sequence[Case]) -> Mapping[str, Seen]:
        """Count the households."""
        registered = _registered(stack)
        return {each.id: Seen(effects=registered[each.home.household_id]) for each in cases}

    def _register(self, stack: DeployedStack, home: Household) -> Registration:
        registration = super()._register(stack, home)
        reference = registration.registration_id
        decided = {"reference": reference, "state": "approved"}
        stack.mocks.answer(BUREAU, "GET", f"/checks/{reference}", body=decided)
        return registration


class ExpireRegistrations(_OfRegistration):
    """Ends a registration that nobody decided in time."""

    name = "identity/expire-registrations"
    state = RegistrationState.UNCONFIRMED

    def data(self, registration: Registration) -> EventData:
        """Tell that the registration has begun."""
        return RegistrationMoved(
            registration_id=registration.registration_id,
            session_id=registration.session_id,
            kind=registration.kind.value,
            state=registration.state.value,
        )

    def look(self, stack: DeployedStack, cases: Sequence[Case]) -> Mapping[str, Seen]:
        """Count how often each registration told that it expired."""
        moved = (item["event"] for item in stack.outbox("identity") if item["event"]["type"] == RegistrationMoved.TYPE)
        ended = Counter(
            event["data"]["registration_id"] for event in moved if event["data"]["state"] == RegistrationState.EXPIRED
        )
        return {each.id: Seen(effects=ended[each.about]) for each in cases}

    def _register(self, stack: DeployedStack, home: Household) -> Registration:
        return register(stack, home, self.state, undecided_for=timedelta())


class SettleAccounts(_OfRegistration):
    """Lets an approved household sign in by its address."""

    name = "identity/settle-accounts"
    state = RegistrationState.APPROVED

    def look(self, stack: DeployedStack, cases: Sequence[Case]) -> Mapping[str, Seen]:
        """Look for addresses that are verified."""
        return {each.id: Seen(effects=int(self._is_admitted(stack, each.home))) for each in cases}

    def _is_admitted(self, stack: DeployedStack, home: Household) -> bool:
        user = stack.client("cognito-idp").admin_get_user(UserPoolId=_user_pool(stack), Username=home.household_id)
        return {"Name": "email_verified", "Value": "true"} in user["UserAttributes"]


class KeepAudit(Consumer):
    """Keeps audit events."""

    name = "operations/keep-audit"

    def cases(self, stack: DeployedStack, count: int) -> list[Case]:
        """Record acts."""
        homes = [Household() for _ in range(count)]
        return [
            as_case(
                stack.event(
                    "identity", home.household_id, AuditRecorded(act="signed-out", household_id=home.household_id)
                ),
                home,
            )
            for home in homes
        ]

    def look(self, stack: DeployedStack, cases: Sequence[Case]) -> Mapping[str, Seen]:
        """Count what is kept of each household."""
        table = stack.table("audit")
        return {each.id: Seen(effects=self._count(table, each.home)) for each in cases}

    @staticmethod
    def _count(table: Table, home: Household) -> int:
        return len(table.query(f"HOUSEHOLD#{home.household_id}", prefix="2", limit=10).items)


REGISTRATION_CONSUMERS: tuple[Consumer, ...] = (
    SendCodes(),
    RequestCheck(),
    FollowChecks(),
    ExpireRegistrations(),
    SettleAccounts(),
    MockCallbacks(),
    KeepAudit(),
)
