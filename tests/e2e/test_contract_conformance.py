"""The deployed API keeps to its contract, whoever calls and whatever is sent: schemathesis makes up the requests.

Half of the examples of an operation keep to the contract and half break it. Of those that keep to it every other one is
given the ids that exist, so that it can succeed. PAYGO_SEED makes up others.
"""

import os
import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cache

import pytest
import requests
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode
from schemathesis.checks import (
    content_type_conformance,
    negative_data_rejection,
    not_a_server_error,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)
from schemathesis.core.failures import FailureGroup
from schemathesis.core.parameters import ParameterLocation
from schemathesis.generation.hypothesis.builder import HypothesisTestConfig, HypothesisTestMode, create_test

from bench.households import Codes
from demo.stage import Access, Stage
from operate.access import Access as OperatorAccess
from operate.access import find_stack
from operate.routes import Routes
from tests.e2e.conformance.arrangements import ARRANGED, ENDS_ITS_SESSION, Scene
from tests.e2e.conformance.callers import (
    CALLERS,
    Caller,
    Kind,
    Proved,
    by_operator,
    by_partner,
    by_session,
    unproved,
)
from tests.e2e.conformance.document import Example, Route, Tree, routes
from tests.e2e.refusals import World

EXAMPLES = 50
EXAMPLES_OF_A_REFUSAL = 6
AT_ONCE = 4
SEED = int(os.environ.get("PAYGO_SEED", "1"))
REFUSED = {401, 403}
QUIETLY = settings(database=None, deadline=None, suppress_health_check=list(HealthCheck))
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
TIMEOUT_SECONDS = 60

OPEN_TO_PARTNERS_SIDE = "mock"
"""Mocks answer as their partners do, and succeed with credentials that no caller of the API has."""

ALLOWED = [(caller, route) for caller in CALLERS for route in routes(caller.tree).values() if caller.may_call(route)]


@dataclass
class Answers:
    """What became of the examples of one operation."""

    statuses: Counter[int] = field(default_factory=Counter)
    misfits: list[str] = field(default_factory=list)


@dataclass(eq=False)
class Play:
    """Sends what schemathesis makes up, as somebody."""

    scene: Scene
    operator: OperatorAccess
    http: threading.local = field(default_factory=threading.local)

    def play(self, caller: Caller, route: Route, cases: list[Example], *, arranged: bool) -> Answers:
        """Send the cases, some at once, and hold each answer to the contract."""
        answers = Answers()

        def send(number: int) -> None:
            is_arranged = arranged and number % 2 == 0 and keeps_to_the_contract(cases[number])
            self._send(caller, route, cases[number], is_arranged, answers)

        send(0)  # alone, since it makes what the others share
        with ThreadPoolExecutor(AT_ONCE) as pool:
            list(pool.map(send, range(1, len(cases))))
        return answers

    def _send(self, caller: Caller, route: Route, case: Example, is_arranged: bool, answers: Answers) -> None:
        proof = self._proof(caller)
        if route.id in ARRANGED and (is_arranged or route.id in ENDS_ITS_SESSION) and caller.may_call(route):
            session = ARRANGED[route.id](self.scene, caller, case)
            proof = by_session(session, caller.tree) if session else proof
        answer = case.call(
            base_url=self.scene.url, session=self._http, auth=proof, allow_redirects=False, timeout=TIMEOUT_SECONDS
        )
        answers.statuses[answer.status_code] += 1
        try:
            case.validate_response(
                answer, checks=[*CHECKS, *([negative_data_rejection] if breaks_by_body(case) else [])]
            )
        except FailureGroup as failures:
            answers.misfits.append(str(failures))

    def _proof(self, caller: Caller) -> Proved:
        match caller.kind:
            case Kind.NOBODY:
                return unproved()
            case Kind.ANONYMOUS:
                return by_session(self.scene.details(self.scene.registering), caller.tree)
            case Kind.HOUSEHOLD:
                return by_session(self.scene.world.household, caller.tree)
            case Kind.PARTNER:
                return self._by_partner(caller.partner)
            case Kind.OPERATOR:
                return by_operator(self.operator)

    @cache  # noqa: B019 (there is one, and it lives as long as the tests)
    def _by_partner(self, name: str) -> Proved:
        return by_partner(self.scene.stage.partner_keys(name), self.scene.url)

    @property
    def _http(self) -> requests.Session:
        if not hasattr(self.http, "session"):
            self.http.session = requests.Session()
        session: requests.Session = self.http.session
        return session


def keeps_to_the_contract(case: Example) -> bool:
    return case.meta is not None and case.meta.generation.mode is GenerationMode.POSITIVE


def breaks_by_body(case: Example) -> bool:
    """Whether it must be refused for its body; what no route reads of a query or of headers refuses nothing."""
    parts = case.meta.components if case.meta is not None else {}
    return ParameterLocation.BODY in parts and parts[ParameterLocation.BODY].mode is GenerationMode.NEGATIVE


def made_up(route: Route, examples: int) -> list[Example]:
    """Return so many requests, half of them breaking the contract where it can be broken."""
    keeping = drawn(route, GenerationMode.POSITIVE, examples)
    breaking = drawn(route, GenerationMode.NEGATIVE, examples // 2)
    return [*keeping[: examples - len(breaking)], *breaking]


def drawn(route: Route, mode: GenerationMode, examples: int) -> list[Example]:
    """Let schemathesis make up requests by chance."""
    cases: list[Example] = []

    @seed(SEED)
    @settings(QUIETLY, max_examples=examples, phases=[Phase.generate])
    @given(case=route.schema.as_strategy(generation_mode=mode))
    def draw(case: Example) -> None:
        cases.append(case)

    try:
        draw()
    except Unsatisfiable:
        assert mode is GenerationMode.NEGATIVE, f"Nothing can be sent to {route.id}."
    return cases[:examples]


def covering(route: Route) -> list[Example]:
    """Let schemathesis make a request for each bound of each value, each thing left out and each other method."""
    cases: list[Example] = []

    def keep(case: Example) -> None:
        cases.append(case)

    # What its own runners call; there is no other way to its coverage phase.
    config = HypothesisTestConfig(
        project=route.schema.schema.config,
        modes=[HypothesisTestMode.COVERAGE],
        settings=settings(QUIETLY, phases=[Phase.explicit]),
    )
    create_test(operation=route.schema, test_func=keep, config=config)()
    return cases


@pytest.fixture(scope="module")
def play(access: Access, stage: Stage, world: World) -> Iterator[Play]:
    operator = find_stack(access.branch, None, None)
    with Codes(stage.access) as codes:
        yield Play(Scene(world, Routes(operator), codes), operator)


@pytest.mark.parametrize(
    ("caller", "route"), ALLOWED, ids=lambda part: part.id if isinstance(part, Route) else str(part)
)
def test_answers_are_in_the_contract_and_some_are_good(play: Play, caller: Caller, route: Route) -> None:
    # The bearer tree has the same functions behind it: what lies at the bounds is sent to them once.
    more = covering(route) if caller.tree is Tree.SIGNED else []
    answers = play.play(caller, route, [*made_up(route, EXAMPLES), *more], arranged=True)

    assert answers.misfits == [], "\n".join(answers.misfits[:3])
    assert answers.statuses.total() >= EXAMPLES
    if not route.id.startswith(OPEN_TO_PARTNERS_SIDE):
        assert any(200 <= status < 300 for status in answers.statuses), answers.statuses


@pytest.mark.parametrize("caller", CALLERS, ids=str)
def test_refusals_are_in_the_contract(play: Play, caller: Caller) -> None:
    for route in routes(caller.tree).values():
        if route.scheme is None or caller.may_call(route):
            continue
        answers = play.play(caller, route, made_up(route, EXAMPLES_OF_A_REFUSAL), arranged=False)

        assert answers.misfits == [], "\n".join(answers.misfits[:3])
        # Nobody learns who is no provider from who is another: a name that none has is not found.
        unknown = {404} if route.id == "notifyPayment" else set()
        assert set(answers.statuses) <= REFUSED | unknown, f"{route.id}: {answers.statuses}"
