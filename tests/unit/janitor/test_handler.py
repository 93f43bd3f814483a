"""The scheduled function: dry unless it is told to apply, in slices, and loud when something is left."""

import json
from dataclasses import dataclass, field
from typing import Any

import pytest

from janitor import handler as module
from janitor import storage
from janitor.clients import Clients
from janitor.errors import JanitorError
from janitor.handler import SLICES, handler
from janitor.run import Outcome
from tests.unit.janitor.conftest import Account

ARN = "arn:aws:lambda:us-east-1:123456789012:function:paygo-account-janitor"


@dataclass
class Context:
    """An invocation with so many seconds to go."""

    seconds: int = 900
    invoked_function_arn: str = ARN
    aws_request_id: str = "00000000-0000-4000-8000-000000000001"

    def get_remaining_time_in_millis(self) -> int:
        return self.seconds * 1000


@dataclass
class Invocations:
    """Stands for Lambda, and notes what is invoked."""

    payloads: list[dict[str, Any]] = field(default_factory=list)

    def invoke(self, *, FunctionName: str, InvocationType: str, Payload: bytes) -> None:  # noqa: N803
        assert (FunctionName, InvocationType) == (ARN, "Event")
        self.payloads.append(json.loads(Payload))


@pytest.fixture(autouse=True)
def _settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("APPLY", raising=False)


@pytest.fixture
def invoked(monkeypatch: pytest.MonkeyPatch) -> Invocations:
    invocations = Invocations()
    clients = Clients.__call__
    monkeypatch.setattr(
        Clients,
        "__call__",
        lambda self, service: invocations if service == "lambda" and _is_going_on() else clients(self, service),
    )
    return invocations


def _is_going_on() -> bool:
    import inspect

    return any(frame.function == "_go_on" for frame in inspect.stack())


def test_it_removes_nothing_unless_it_is_told_to(
    clients: Clients, account: Account, capsys: pytest.CaptureFixture[str]
) -> None:
    account.stack("paygo-old", ExpiresAt="2020-01-01T00:00:00Z")

    assert handler({}, Context()) == {"going": ["paygo-old"], "gone": [], "left": 0}
    assert storage.stacks(clients) == {"paygo-old"}
    assert "paygo-old  yes   expired 2020-01-01T00:00:00Z" in capsys.readouterr().out


def test_it_removes_where_it_is_told_to(
    clients: Clients, account: Account, monkeypatch: pytest.MonkeyPatch, invoked: Invocations
) -> None:
    monkeypatch.setenv("APPLY", "yes")
    account.stack("paygo-old", ExpiresAt="2020-01-01T00:00:00Z")
    account.stack("paygo-new")

    assert handler({}, Context()) == {"going": ["paygo-old"], "gone": ["paygo-old"], "left": 0}
    assert storage.stacks(clients) == {"paygo-new"}
    assert invoked.payloads == []


def test_litter_is_looked_for_after_the_removal(
    account: Account, monkeypatch: pytest.MonkeyPatch, invoked: Invocations
) -> None:
    monkeypatch.setenv("APPLY", "yes")
    logs = account.client("logs")
    for name in ("renewed", "gone"):
        logs.create_log_group(logGroupName=f"/aws/lambda/paygo-{name}-identity")

    def remove(*_: object) -> Outcome:
        account.state("paygo-renewed", {"ExpiresAt": "never"})
        return Outcome([], [], 600.0, 0)

    monkeypatch.setattr(module, "remove", remove)

    handler({}, Context())

    left = [one["logGroupName"] for one in logs.describe_log_groups()["logGroups"]]
    assert left == ["/aws/lambda/paygo-renewed-identity"]


def test_its_input_names_stacks_or_says_which_live(account: Account) -> None:
    account.stack("paygo-a")
    account.stack("paygo-b")

    assert handler({"stacks": ["paygo-a"]}, Context())["going"] == ["paygo-a"]
    assert handler({"living": ["paygo-a"]}, Context())["going"] == ["paygo-b"]


def test_a_slice_without_time_lets_the_next_one_go_on(
    clients: Clients, account: Account, monkeypatch: pytest.MonkeyPatch, invoked: Invocations
) -> None:
    monkeypatch.setenv("APPLY", "yes")
    account.stack("paygo-a")

    first = handler({"stacks": ["paygo-a"]}, Context(seconds=60))
    second = handler(invoked.payloads[0], Context())

    assert (first["gone"], first["left"] > 0) == ([], True)
    assert invoked.payloads == [{"stacks": ["paygo-a"], "slice": 2}]
    assert second == {"going": ["paygo-a"], "gone": ["paygo-a"], "left": 0}
    assert storage.stacks(clients) == set()


def test_what_looks_like_a_loop_waits_for_the_schedule(
    account: Account, monkeypatch: pytest.MonkeyPatch, invoked: Invocations, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("APPLY", "yes")
    account.stack("paygo-a")

    handler({"stacks": ["paygo-a"], "slice": SLICES}, Context(seconds=60))

    assert invoked.payloads == []
    assert "This goes on when the schedule comes round." in capsys.readouterr().out


@pytest.mark.parametrize(
    ("left", "fails"), [(["queue q: it is guarded"], True), (["paygo-a: in use: a deploy by ada"], False)]
)
def test_it_fails_when_something_is_left_that_nobody_works_on(
    account: Account, monkeypatch: pytest.MonkeyPatch, left: list[str], fails: bool
) -> None:
    monkeypatch.setenv("APPLY", "yes")
    account.stack("paygo-a")
    monkeypatch.setattr(module, "remove", lambda *_: Outcome([], left, 1.0, 0))

    if fails:
        with pytest.raises(JanitorError, match="queue q: it is guarded"):
            handler({"stacks": ["paygo-a"]}, Context())
    else:
        assert handler({"stacks": ["paygo-a"]}, Context())["left"] == 1
