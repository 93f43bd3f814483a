"""What staging and production are given, and how what is missing is told."""

import json
from collections.abc import Iterator

import pytest
from moto import mock_aws

from deploy import stage_secrets
from deploy.errors import DeployError
from deploy.target import Clients, Target

URLS = {"crm": "https://crm.example.org", "bank": "https://bank.example.org"}
GOOD = {
    "outbound/bank": {"credential": "bank-secret-value"},
    "outbound/crm": {"credential": "crm-secret-value"},
    "operations/webhook": {"url": None},
}


@pytest.fixture
def clients() -> Iterator[Clients]:
    with mock_aws():
        yield Clients(Target("us-east-1", "123456789012", "nobody"))


def put(clients: Clients, stage: str, name: str, text: str) -> None:
    clients("secretsmanager").create_secret(Name=stage_secrets.secret_id(stage, name), SecretString=text)


def test_what_is_there_is_found_by_its_arn(clients: Clients) -> None:
    for name, content in GOOD.items():
        put(clients, "staging", name, json.dumps(content))

    found = stage_secrets.require(clients, "staging", URLS, None)

    assert set(found) == set(GOOD)
    assert ":secret:paygo/staging/outbound/crm-" in found["outbound/crm"]


def test_a_stack_for_development_is_given_nothing(clients: Clients) -> None:
    assert stage_secrets.require(clients, "development", {}, None) == {}


def test_all_that_is_missing_is_told_at_once_with_the_command_that_puts_it_there(clients: Clients) -> None:
    put(clients, "production", "outbound/crm", json.dumps(GOOD["outbound/crm"]))
    put(clients, "staging", "outbound/bank", json.dumps(GOOD["outbound/bank"]))

    with pytest.raises(DeployError) as refused:
        stage_secrets.require(clients, "production", URLS, "mine")

    said = str(refused.value)
    assert "paygo/production/outbound/bank is not there" in said
    assert "paygo/production/operations/webhook is not there" in said
    assert "outbound/crm" not in said
    assert "make secret STAGE=production SECRET=outbound/bank PROFILE=mine" in said


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("outbound/crm", "crm-secret-value"),
        ("outbound/crm", '["crm-secret-value"]'),
        ("outbound/crm", '{"credential": ""}'),
        ("outbound/crm", '{"credential": "two-secret-value words"}'),
        ("outbound/crm", '{"password": "crm-secret-value"}'),
        ("operations/webhook", "{}"),
        ("operations/webhook", '{"url": "http://example.org/secret-value"}'),
        ("operations/webhook", '{"url": ""}'),
    ],
)
def test_what_is_not_of_its_shape_is_told_and_not_shown(clients: Clients, name: str, text: str) -> None:
    for good, content in GOOD.items():
        put(clients, "staging", good, text if good == name else json.dumps(content))

    with pytest.raises(DeployError, match=f"paygo/staging/{name} is not ") as refused:
        stage_secrets.require(clients, "staging", URLS, None)

    assert "secret-value" not in str(refused.value)


def test_a_secret_that_is_being_deleted_is_told(clients: Clients) -> None:
    for name, content in GOOD.items():
        put(clients, "staging", name, json.dumps(content))
    clients("secretsmanager").delete_secret(SecretId="paygo/staging/outbound/crm")

    with pytest.raises(DeployError, match="outbound/crm is being deleted"):
        stage_secrets.require(clients, "staging", URLS, None)


def test_a_secret_without_a_value_is_told(clients: Clients) -> None:
    for name in GOOD:
        clients("secretsmanager").create_secret(Name=stage_secrets.secret_id("staging", name))

    with pytest.raises(DeployError, match="outbound/crm is not there or has no value"):
        stage_secrets.require(clients, "staging", URLS, None)
