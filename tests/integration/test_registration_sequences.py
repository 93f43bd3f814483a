"""Two hundred registrations to which anything happens in any order, on the deployed stack: each ends as it may.

What happens is what a household, the bureau and the bank do: calls of the API, signed calls back, and what the mocks of
bureau and bank are told to answer. The queues deliver by themselves; delivering again is replaying events.
"""

import os
import secrets
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import batched
from queue import Queue
from threading import Semaphore, Thread
from typing import Self
from uuid import uuid4

import pytest

from bench.households import PASSWORD, Codes
from deploy.target import stay_off_proxies
from faults.stage import DeployedStack
from identity.model import UNDECIDED_FOR
from mocks import PartnerMocks
from paygo.events import AuditRecorded
from paygo_client import BankCustomer, Household, PartnerClient, PaygoProblem, Session
from tests.registration_sequences import ANSWERS, CRASHES, DELIVERIES, Sequence, Step, drawn, ends

BRANCH = os.environ.get("PAYGO_TEST_BRANCH") or "test"
COUNT = 200
FAMILY = "Sequence"
"""Applicants of this name are not called back about by the mock of the bureau: the sequences do that."""
LONGEST_LIFE = timedelta(minutes=5)
PATIENCE_SECONDS = 180.0
LOOK_AGAIN_SECONDS = 2.0
DECIDED_AT_ONCE = 24
REPLAYED_AT_ONCE = 50
CALLS_AT_ONCE = 12
"""All registrations go on at once, and mostly wait; more calls at once would only start more workers."""
FINAL = frozenset({"approved", "rejected", "expired"})

ALLOWED: Mapping[Step, frozenset[int]] = {
    Step.CONFIRM: frozenset({200, 409}),
    Step.CONFIRM_WRONG: frozenset({409, 422}),
    Step.ANOTHER_CODE: frozenset({202, 409, 429}),
    Step.CALLBACK_APPROVED: frozenset({204, 404, 409}),
    Step.CALLBACK_REJECTED: frozenset({204, 404, 409}),
    Step.ESCALATE: frozenset({200, 409}),
}
"""What the API may answer: whether it may now is what the sequence tries."""


class Replays:
    """Publishes events again while all goes on: those of the registrations that asked for it meanwhile, together."""

    def __init__(self, stack: DeployedStack) -> None:
        self._stack = stack
        self._wanted: Queue[str | None] = Queue()
        self._thread = Thread(target=self._replay)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._wanted.put(None)
        self._thread.join()

    def replay(self, registration_id: str) -> None:
        """Have all events of the registration published again, soon."""
        self._wanted.put(registration_id)

    def _replay(self) -> None:
        goes_on = True
        while goes_on:
            wanted = {self._wanted.get()}
            while not self._wanted.empty():
                wanted.add(self._wanted.get())
            goes_on = None not in wanted
            events = (item["event"] for item in self._stack.outbox("identity"))
            ids = [event["id"] for event in events if event["data"].get("registration_id") in wanted - {None}]
            for some in batched(ids, REPLAYED_AT_ONCE, strict=False):
                self._stack.replay("identity", some)


@dataclass
class Theatre:
    """The stack, its third parties and what is shared by all registrations."""

    stack: DeployedStack
    mocks: PartnerMocks
    codes: Codes
    bureau: PartnerClient
    replays: Replays
    api_url: str
    turns: Semaphore = field(default_factory=lambda: Semaphore(CALLS_AT_ONCE))

    def play(self, sequence: Sequence) -> "Played":
        """Play a sequence on a registration of its own."""
        return Played(self, sequence).play()


class Played:
    """A registration to which a sequence happens."""

    def __init__(self, theatre: Theatre, sequence: Sequence) -> None:
        self.sequence = sequence
        self.faults: list[str] = []
        self.state = ""
        self.escalated = 0
        self._theatre = theatre
        self._customer_number = str(secrets.randbelow(10**12)).zfill(12)
        self._confirmed = False

    @property
    def session_id(self) -> str:
        """Whose registration it is."""
        return str(self._app.details.session_id)

    def play(self) -> "Played":
        """Let everything happen, then wait until the registration has ended."""
        with self._theatre.turns:
            self._app = Session.open(self._theatre.api_url)
        with self._app:
            self._begin()
            for step in self.sequence.steps:
                self._happen(step)
            self._until(lambda: not self._waits_for_the_bus())
            self._outlive()
            if self.state == "approved":
                self._call(Step.ESCALATE)
        return self

    def _begin(self) -> None:
        if self.sequence.kind == "own":
            self._register(_applicant())
            self._bureau_says("pending")
            self._code = self._theatre.codes.of(self.id)
            return
        if Step.BANK_AWAY in self.sequence.steps:
            # Twice, since the first try of a call is repeated at once.
            self._theatre.mocks.answer(
                "bank",
                "POST",
                "/customers/verifications",
                when={"/customer_number": self._customer_number},
                status=503,
                times=2,
            )
        code = "493817" if self.sequence.verified else "000000"
        customer = BankCustomer(partner="bank", customer_number=self._customer_number, one_time_code=code)
        self._register(customer)

    def _register(self, somebody: Household | BankCustomer) -> None:
        with self._theatre.turns:
            self._registration = self._app.register(somebody).registration
        self.id = str(self._registration.registration_id)

    def _happen(self, step: Step) -> None:
        if step in ALLOWED:
            self._call(step)
        if step in ANSWERS and step.startswith("poll"):
            self._bureau_says(ANSWERS[step])
            if self._is_asked_about():
                self._until(lambda: self.state in FINAL)
            self._bureau_says("pending")
        if step is Step.REDELIVER:
            self._theatre.replays.replay(self.id)
        if step in DELIVERIES or step is Step.BANK_ASKED:
            self._until(lambda: not self._waits_for_the_bus())
        if step is Step.EXPIRE:
            self._outlive()

    def _outlive(self) -> None:
        """Wait until the registration's time is over, unless it has ended before."""
        self._look()
        if self.state not in FINAL:
            ends_at = self._registration.expires_at + timedelta(seconds=1)
            time.sleep(max(0.0, (ends_at - datetime.now(UTC)).total_seconds()))
            self._until(lambda: self.state in FINAL)

    def _call(self, step: Step) -> None:
        status = self._status_of(CALLS[step])
        if step is Step.CONFIRM and status == 200:
            self._confirmed = True
        if step is Step.ANOTHER_CODE and status == 202:
            self._code = self._theatre.codes.of(self.id)
        if step is Step.ESCALATE and status == 200:
            self.escalated, self.state = self.escalated + 1, "approved"
        # Once the household's credentials were fetched, the anonymous ones do nothing but fetch them again.
        also = {403} if self.escalated and step in OF_THE_HOUSEHOLD else set()
        if status not in ALLOWED[step] | also:
            self.faults.append(f"{step} was answered with {status}")

    def _status_of(self, call: Callable[["Played"], int]) -> int:
        with self._theatre.turns:
            try:
                return call(self)
            except PaygoProblem as problem:
                return problem.status

    def confirm(self, code: str) -> int:
        """Send a code."""
        self._app.confirm(self._registration, code)
        return 200

    @property
    def code(self) -> str:
        """The newest code."""
        return self._code

    @property
    def wrong_code(self) -> str:
        """Any other code."""
        return f"{(int(self._code) + 1) % 1_000_000:06}"

    def ask_for_a_code(self) -> int:
        """Have another code sent."""
        self._app.send_code(self._registration)
        return 202

    def escalate(self) -> int:
        """Fetch the household's credentials, and do not use them."""
        return self._app.request("POST", "/v1/sessions/current/credentials").status_code

    def call_back(self, outcome: str) -> int:
        """Call as the bureau does."""
        body = f'{{"reference": "{self.id}", "outcome": "{outcome}"}}'.encode()
        headers = {"Content-Type": "application/json"}
        path = "/partners/identity-bureau/results"
        return self._theatre.bureau.request("POST", path, body=body, headers=headers).status_code

    def _bureau_says(self, state: str) -> None:
        body = {"reference": self.id, "state": state}
        self._theatre.mocks.answer("identity-bureau", "GET", f"/checks/{self.id}", body=body)

    def _is_asked_about(self) -> bool:
        self._look()
        return self._confirmed and self.state not in FINAL

    def _waits_for_the_bus(self) -> bool:
        """Whether a delivery under way will move it: the bureau is asked, or the bank, which answers at once."""
        return self.state == "submitted"

    def _look(self) -> None:
        # Approved and escalated, its anonymous credentials read nothing any more.
        if self.escalated:
            return
        with self._theatre.turns:
            self.state = self._app.registration(self._registration.registration_id).state.value

    def _until(self, is_so: Callable[[], bool]) -> None:
        deadline = time.monotonic() + PATIENCE_SECONDS
        self._look()
        while not is_so():
            if time.monotonic() > deadline:
                self.faults.append(f"{self.id} was still {self.state} after {PATIENCE_SECONDS:.0f} s")
                return
            time.sleep(LOOK_AGAIN_SECONDS)
            self._look()


OF_THE_HOUSEHOLD = frozenset({Step.CONFIRM, Step.CONFIRM_WRONG, Step.ANOTHER_CODE})

CALLS: Mapping[Step, Callable[[Played], int]] = {
    Step.CONFIRM: lambda played: played.confirm(played.code),
    Step.CONFIRM_WRONG: lambda played: played.confirm(played.wrong_code),
    Step.ANOTHER_CODE: Played.ask_for_a_code,
    Step.CALLBACK_APPROVED: lambda played: played.call_back("approved"),
    Step.CALLBACK_REJECTED: lambda played: played.call_back("rejected"),
    Step.ESCALATE: Played.escalate,
}


def _applicant() -> Household:
    return Household(
        email=f"{uuid4().hex}@example.org",
        password=PASSWORD,
        given_name="Amina",
        family_name=FAMILY,
        date_of_birth=datetime(1990, 5, 17, tzinfo=UTC).date(),
        phone="+254700000001",
    )


@pytest.fixture(scope="module")
def stack() -> DeployedStack:
    stay_off_proxies()
    found = DeployedStack(BRANCH)
    if UNDECIDED_FOR * found.delay_scale > LONGEST_LIFE:
        pytest.skip("A registration of this stack waits too long for a test: deploy it with DELAY_SCALE=0.001.")
    return found


@pytest.fixture(scope="module")
def played(stack: DeployedStack) -> Iterator[list[Played]]:
    """Play all of them; those that nobody decides take as long as a registration lives, all at the same time."""
    with (
        PartnerMocks.of(stack.stage) as mocks,
        Codes(stack.stage.access) as codes,
        stack.stage.partner("identity-bureau") as bureau,
        Replays(stack) as replays,
    ):
        mocks.answer("identity-bureau", "POST", "/checks", when={"/family_name": FAMILY}, callbacks=[])
        theatre = Theatre(stack, mocks, codes, bureau, replays, stack.stage.access.api_url)
        sequences = drawn(COUNT, without=CRASHES)
        expiring = [sequence for sequence in sequences if ends(sequence) == {"expired"}]
        # Those that are decided come first, and not all at once: an answer is to come within the registration's life.
        with ThreadPoolExecutor(DECIDED_AT_ONCE) as pool:
            found = list(pool.map(theatre.play, [each for each in sequences if each not in expiring]))
        with ThreadPoolExecutor(len(expiring)) as pool:
            found += pool.map(theatre.play, expiring)
        yield found


@pytest.fixture(scope="module")
def audited(stack: DeployedStack, played: list[Played]) -> Mapping[str, list[AuditRecorded]]:
    """Return what is told to the audit of each session, as it was written with the change itself."""
    found: dict[str, list[AuditRecorded]] = {each.session_id: [] for each in played}
    for item in stack.outbox("identity"):
        if item["type"] == AuditRecorded.TYPE:
            act = AuditRecorded.model_validate(item["event"]["data"])
            if act.session_id in found:
                found[act.session_id].append(act)
    return found


def test_each_registration_ends_in_the_state_that_its_sequence_allows(played: list[Played]) -> None:
    wrong = [
        f"{each.sequence}: {each.state or 'nowhere'}, {each.faults}"
        for each in played
        if each.faults or each.state not in ends(each.sequence)
    ]

    assert len(played) == COUNT
    assert not wrong, "\n".join(wrong)
    assert {each.state for each in played} == FINAL


def test_each_approved_session_escalated_exactly_once_and_no_other_did(
    played: list[Played], audited: Mapping[str, list[AuditRecorded]]
) -> None:
    wrong = []
    for each in played:
        times = sum(event.act == "session-escalated" for event in audited[each.session_id])
        if times != (1 if each.state == "approved" else 0):
            wrong.append(f"{each.sequence} is {each.state} and escalated {times} times")

    assert not wrong, "\n".join(wrong)
    assert any(each.escalated > 1 for each in played), "Nobody asked twice."


def test_each_registration_moved_to_its_end_once(
    played: list[Played], audited: Mapping[str, list[AuditRecorded]]
) -> None:
    wrong = []
    for each in played:
        moves = [event for event in audited[each.session_id] if event.act == "registration-moved"]
        states = Counter(event.detail["state"] for event in moves)
        previous = [event.detail["previous"] for event in moves if "previous" in event.detail]
        is_a_way = set(states) - set(previous) == {each.state} and max(states.values()) == 1
        if not is_a_way:
            wrong.append(f"{each.sequence}: {[event.detail for event in moves]}")

    assert not wrong, "\n".join(wrong)
