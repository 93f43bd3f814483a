"""`make rotate`, against moto's Secrets Manager."""

import io
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from operate import rotation
from operate.errors import OperateError
from paygo.secrets import REREAD_AFTER
from paygo.security import PartnerKeys
from tests.unit.operate.conftest import Run

type Pipe = Callable[[str], None]

CLIENTS: Any = boto3.client
STACK = "paygo-x"
PARTNER = "partners/mobile-money"
OLD = {"api_key": "api-key-1", "keys": {"current": "old-key", "previous": ""}}


@pytest.fixture
def client(home: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Secrets of a stack on AWS, which is in this process."""
    described = {"api_url": "https://abc.example.org/v", "region": "us-east-1", "endpoint_url": None}
    (home / "stacks" / "paygo-x.json").write_text(json.dumps(described))
    made = boto3.client("secretsmanager")
    for name, content in (
        (PARTNER, OLD),
        ("outbound/crm", {"credential": "old-credential"}),
        ("operations/webhook", {"url": None}),
    ):
        made.create_secret(Name=f"{STACK}/{name}", SecretString=json.dumps(content))
    made.create_secret(Name=f"{STACK}/outbound/bank")
    return made


def held(client: Any, name: str = PARTNER) -> Any:
    return json.loads(client.get_secret_value(SecretId=f"{STACK}/{name}")["SecretString"])


@pytest.fixture
def pipe(monkeypatch: pytest.MonkeyPatch) -> Pipe:
    """Give the command what it reads."""
    return lambda text: monkeypatch.setattr(sys, "stdin", io.StringIO(text))


def test_a_new_signing_key_comes_and_the_old_one_stays(run: Run, client: Any) -> None:
    status, out, _ = run("rotate", PARTNER)

    assert status == 0
    changed = PartnerKeys.model_validate(held(client))
    assert changed.api_key == "api-key-1"
    assert changed.keys.previous == "old-key"
    assert len(changed.keys.current) >= 48
    assert changed.keys.current != "old-key"
    assert "STEP=finish" in out


def test_what_is_said_holds_no_secret(run: Run, client: Any) -> None:
    said = "".join(run("rotate", PARTNER)[1:]) + "".join(run("rotate", PARTNER)[1:])
    keys = held(client)["keys"]
    said += "".join(run("rotate", PARTNER, "finish")[1:])

    for secret in (*keys.values(), "api-key-1"):
        assert secret not in said


def test_a_second_change_is_refused_while_one_is_under_way(run: Run, client: Any) -> None:
    run("rotate", PARTNER)
    before = held(client)

    status, _, err = run("rotate", PARTNER)

    assert (status, held(client)) == (1, before)
    assert "a change is under way" in err


def test_finishing_forgets_the_old_key_and_lets_the_next_change_begin(run: Run, client: Any) -> None:
    run("rotate", PARTNER)
    new = held(client)["keys"]["current"]

    assert run("rotate", PARTNER, "finish")[0] == 0

    assert held(client)["keys"] == {"current": new, "previous": ""}
    assert run("rotate", PARTNER)[0] == 0
    assert held(client)["keys"]["previous"] == new


def test_there_is_nothing_to_finish_before_something_began(run: Run, client: Any) -> None:
    status, _, err = run("rotate", PARTNER, "finish")

    assert (status, held(client)) == (1, OLD)
    assert "no change of it is under way" in err


def test_of_two_who_change_it_at_once_one_is_refused(client: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    read = rotation._read(client, f"{STACK}/{PARTNER}")
    rotation.rotate(CLIENTS, STACK, PARTNER, "next", input)
    first = held(client)
    monkeypatch.setattr(rotation, "_read", lambda *_: read)

    with pytest.raises(OperateError, match="Somebody else"):
        rotation.rotate(CLIENTS, STACK, PARTNER, "next", input)

    assert held(client) == first


def test_our_credential_at_a_partner_is_read_from_a_pipe(run: Run, client: Any, pipe: Pipe) -> None:
    pipe("new-credential\n")

    status, out, err = run("rotate", "outbound/crm")

    assert (status, held(client, "outbound/crm")) == (0, {"credential": "new-credential"})
    assert "new-credential" not in out + err


def test_our_first_credential_at_a_partner_is_written_the_same_way(run: Run, client: Any, pipe: Pipe) -> None:
    pipe("first-credential\n")

    assert run("rotate", "outbound/bank")[0] == 0
    assert held(client, "outbound/bank") == {"credential": "first-credential"}


def test_a_person_types_what_nobody_sees(run: Run, client: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.stdin, "isatty", lambda: True, raising=False)
    monkeypatch.setattr("getpass.getpass", lambda _: "typed-credential")

    run("rotate", "outbound/crm")

    assert held(client, "outbound/crm") == {"credential": "typed-credential"}


@pytest.mark.parametrize(
    ("text", "url"), [("https://hooks.example.org/x\n", "https://hooks.example.org/x"), ("", None)]
)
def test_the_webhook_gets_another_address_or_none(
    run: Run, client: Any, pipe: Pipe, text: str, url: str | None
) -> None:
    pipe(text)

    assert run("rotate", "operations/webhook")[0] == 0
    assert held(client, "operations/webhook") == {"url": url}


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ((PARTNER, "again"), "A step is next, finish or api-key, not again."),
        (("partners/nobody",), "There is no secret paygo-x/partners/nobody"),
        (("outbound/nobody",), "There is no secret paygo-x/outbound/nobody"),
        (("claim",), "claim cannot be changed here"),
        (("partners/",), "cannot be changed here"),
        (("outbound/crm", "finish"), "is changed in one step"),
        (("operations/webhook", "finish"), "is changed in one step"),
        (("outbound/crm",), "one word of printable ASCII"),
        (("operations/webhook",), "begins with https://"),
    ],
)
def test_what_cannot_be_is_told_and_changes_nothing(
    run: Run, client: Any, pipe: Pipe, words: tuple[str, ...], told: str
) -> None:
    pipe("two words\n")

    status, _, err = run("rotate", *words)

    assert status == 1
    assert told in err
    assert held(client) == OLD
    assert held(client, "outbound/crm") == {"credential": "old-credential"}
    assert held(client, "operations/webhook") == {"url": None}


def test_a_new_api_key_is_taken_from_api_gateway(run: Run, client: Any) -> None:
    gateway = boto3.client("apigateway")
    for name in ("paygo-x-mobile-money", "paygo-x-mobile-money-too"):
        gateway.create_api_key(name=name, value=f"the-key-of-{name}")
    run("rotate", PARTNER)
    keys = held(client)["keys"]

    status, out, _ = run("rotate", PARTNER, "api-key")

    assert (status, held(client)) == (0, {"api_key": "the-key-of-paygo-x-mobile-money", "keys": keys})
    assert "the-key-of" not in out


def test_an_api_key_that_is_not_there_changes_nothing(run: Run, client: Any) -> None:
    status, _, err = run("rotate", PARTNER, "api-key")

    assert (status, held(client)) == (1, OLD)
    assert "goes with 0 API keys" in err


class Refusing:
    """A client that may not do one thing."""

    def __init__(self, client: Any, refused: str) -> None:
        self._client, self._refused = client, refused

    def __getattr__(self, name: str) -> Any:
        return self._refuse if name == self._refused else getattr(self._client, name)

    def _refuse(self, **_: str) -> None:
        raise ClientError({"Error": {"Code": "AccessDeniedException", "Message": "no"}}, self._refused)


@pytest.mark.parametrize("refused", ["get_secret_value", "put_secret_value"])
def test_who_may_not_is_told_so(client: Any, refused: str) -> None:
    with pytest.raises(ClientError, match="AccessDenied"):
        rotation.rotate(lambda _: Refusing(client, refused), STACK, PARTNER, "next", input)

    assert held(client) == OLD


def test_secret_and_step_may_come_from_the_environment(run: Run, client: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET", PARTNER)
    monkeypatch.setenv("STEP", "")

    assert run("rotate")[0] == 0
    assert held(client)["keys"]["previous"] == "old-key"


def test_operators_are_told_how_long_a_function_goes_on_with_what_it_read() -> None:
    assert REREAD_AFTER.total_seconds() == 5 * 60
    assert rotation.KNOWN_AFTER == "five minutes"


def given(client: Any, name: str) -> Any:
    return json.loads(client.get_secret_value(SecretId=f"paygo/staging/{name}")["SecretString"])


def test_a_stage_is_given_a_secret_that_its_deploys_find(client: Any) -> None:
    rotation.put(CLIENTS, "staging", "outbound/crm", lambda _: "first")
    said = rotation.put(CLIENTS, "staging", "operations/webhook", lambda _: "")

    assert given(client, "outbound/crm") == {"credential": "first"}
    assert given(client, "operations/webhook") == {"url": None}
    assert said.startswith("paygo/staging/operations/webhook is there")


def test_what_a_stage_is_given_is_changed_in_the_same_way(client: Any) -> None:
    rotation.put(CLIENTS, "staging", "outbound/crm", lambda _: "first")

    said = rotation.put(CLIENTS, "staging", "outbound/crm", lambda _: "second")

    assert given(client, "outbound/crm") == {"credential": "second"}
    assert "second" not in said


@pytest.mark.parametrize(
    ("stage", "name"), [("development", "outbound/crm"), ("staging", "partners/crm"), ("staging", "outbound/")]
)
def test_what_no_stage_is_given_is_refused(client: Any, stage: str, name: str) -> None:
    with pytest.raises(OperateError, match="Say STAGE=staging or STAGE=production"):
        rotation.put(CLIENTS, stage, name, lambda _: "x")
