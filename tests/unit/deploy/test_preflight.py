import doctest
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import boto3
import pytest
from moto import mock_aws

from deploy import lock, needs, preflight, storage
from deploy.errors import DeployError
from deploy.needs import CODE, LIMITED, missing
from deploy.preflight import (
    LISTINGS,
    OTHERS,
    STRAYS,
    Listing,
    Lives,
    Stock,
    allowed,
    askers,
    by_stack,
    check,
    lifetimes,
    look,
    refusal,
)
from deploy.storage import State
from deploy.target import Clients, Target

ROLES, RULES = LIMITED[0], LIMITED[1]
NOTHING = State({})
NOW = datetime(2026, 11, 30, 12, tzinfo=UTC)


@pytest.fixture
def clients() -> Iterator[Clients]:
    with mock_aws():
        clients = Clients(Target("us-east-1", "123456789012", "nobody"))
        storage.make_state_bucket(clients)
        # moto takes every call for one without TLS, which the bucket's policy denies.
        clients("s3").delete_bucket_policy(Bucket=storage.state_bucket(clients.target))
        yield clients


def make_roles(*names: str) -> None:
    for name in names:
        boto3.client("iam").create_role(RoleName=name, AssumeRolePolicyDocument="{}")


def hide(clients: Clients, stack: str) -> None:
    bucket = storage.state_bucket(clients.target)
    resource = f"arn:aws:s3:::{bucket}/{lock.folder_key(stack)}*"
    statement = {"Effect": "Deny", "Principal": "*", "Action": "s3:GetObject", "Resource": resource}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    clients("s3").put_bucket_policy(Bucket=bucket, Policy=policy)


def keep(clients: Clients, stack: str, **outputs: str) -> None:
    content = {"outputs": {name: {"value": value} for name, value in outputs.items()}}
    storage.write(clients, lock.state_key(stack), content)


def holding(*resources: str) -> State:
    return State({"resources": [{"mode": "managed", "type": one, "instances": [{}]} for one in resources]})


def of_ten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(preflight, "allowed", lambda *_: 10)


@pytest.mark.parametrize("module", [preflight, needs])
def test_the_examples_are_right(module: Any) -> None:
    assert doctest.testmod(module).failed == 0


def test_a_new_stack_misses_all_that_it_needs() -> None:
    assert missing({"aws_iam_role": 46, CODE: 11}, State({})) == {"aws_iam_role": 46, CODE: 11}


def test_a_stack_that_is_there_misses_the_difference() -> None:
    there = holding("aws_iam_role", "aws_iam_role", "aws_lambda_function")

    assert missing({"aws_iam_role": 3, CODE: 11}, there) == {"aws_iam_role": 1}


def test_a_stack_that_is_up_to_date_is_asked_nothing() -> None:
    there = holding("aws_iam_role")

    assert check(None, "paygo-demo", {"aws_iam_role": 1}, there) == "nothing more is needed"  # type: ignore[arg-type]


def test_every_quota_can_be_counted() -> None:
    assert {limited.resource for limited in LIMITED} == {*LISTINGS, CODE}


def test_what_there_is_is_counted_by_its_stack(clients: Clients) -> None:
    keep(clients, "paygo-demo")
    make_roles("paygo-demo-a", "paygo-demo-b", "paygo-gone-a", "somebody-elses")

    [stock] = look(clients, [ROLES])

    assert stock.held == 4
    assert stock.by == {"paygo-demo": 2, STRAYS: 1, OTHERS: 1}


def test_all_that_is_limited_is_listed_in_an_account(clients: Clients) -> None:
    # moto knows neither provisioning templates nor Lambda's account settings.
    known = [limited for limited in LIMITED if limited.resource not in {"aws_iot_provisioning_template", CODE}]

    held = {stock.limited.resource: stock.held for stock in look(clients, known)}

    assert held == dict.fromkeys(held, 0) | {"aws_s3_bucket": 1}  # that of the states


def test_apis_at_the_edge_have_a_quota_of_their_own(clients: Clients) -> None:
    for name, kind in (("a", "REGIONAL"), ("b", "EDGE")):
        boto3.client("apigateway").create_rest_api(name=name, endpointConfiguration={"types": [kind]})

    assert list(LISTINGS["aws_api_gateway_rest_api"].names(clients)) == ["a"]


def test_a_long_list_is_read_to_a_bound() -> None:
    asked: list[int] = []

    class Endless:
        def get_paginator(self, _: str) -> "Endless":
            return self

        def paginate(self, **_: Any) -> Iterator[dict[str, Any]]:
            while True:
                asked.append(1)
                yield {"Names": ["a"]}

    names = list(Listing("any", "list", "Names").names(lambda _: Endless()))  # type: ignore[arg-type]

    assert len(names) == len(asked) == preflight.PAGES


def test_a_stack_that_fits_is_told_so(clients: Clients) -> None:
    assert check(clients, "paygo-new", {"aws_iam_role": 46, "aws_dynamodb_table": 12}, NOTHING) == "room in 2 quotas"


def test_a_stack_that_does_not_fit_is_refused(clients: Clients, monkeypatch: pytest.MonkeyPatch) -> None:
    of_ten(monkeypatch)
    keep(clients, "paygo-old", expires_at="2026-01-01T00:00:00Z", stage="development")
    keep(clients, "paygo-kept", expires_at="2026-01-01T00:00:00Z", stage="production")
    make_roles(*(f"paygo-old-{number}" for number in range(4)), *(f"paygo-kept-{number}" for number in range(3)))

    with pytest.raises(DeployError) as refused:
        check(clients, "paygo-new", {"aws_iam_role": 5}, NOTHING)

    said = str(refused.value)
    assert "paygo-new needs 5 IAM roles and the account has room for 3: 7 of 10 are taken" in said
    assert "paygo-old 4, paygo-kept 3" in said
    assert "the janitor could free 4 (`make janitor`), for the time of paygo-old is over" in said


def test_exactly_full_is_not_too_full(clients: Clients, monkeypatch: pytest.MonkeyPatch) -> None:
    of_ten(monkeypatch)
    make_roles(*(f"r{number}" for number in range(5)))

    assert check(clients, "paygo-new", {"aws_iam_role": 5}, NOTHING) == "room in 1 quota"


def test_what_a_killed_run_left_of_the_stack_is_not_in_its_way(
    clients: Clients, monkeypatch: pytest.MonkeyPatch
) -> None:
    of_ten(monkeypatch)
    make_roles(*(f"paygo-new-{number}" for number in range(6)), *(f"r{number}" for number in range(4)))

    assert check(clients, "paygo-new", {"aws_iam_role": 6}, NOTHING) == "room in 1 quota"
    with pytest.raises(DeployError, match="needs 7 IAM roles and the account has room for 6: 10 of 10 are taken"):
        check(clients, "paygo-new", {"aws_iam_role": 7}, NOTHING)


def test_what_may_not_be_listed_refuses_nobody_and_is_told(clients: Clients) -> None:
    # moto has no account settings of Lambda's.
    assert (
        check(clients, "paygo-new", {CODE: 10**15}, NOTHING) == "room in 0 quotas, not seen: Lambda code storage bytes"
    )


@pytest.mark.parametrize(
    ("expires_at", "stage", "may_go"),
    [
        ("2026-11-30T11:59:59Z", "development", True),
        ("2026-11-30T12:00:01Z", "development", False),
        ("2026-11-30T11:59:59Z", "staging", False),
        ("never", "development", False),
        ("2026-11-30T11:59:59Z", "", False),
    ],
)
def test_the_janitor_frees_what_has_expired_and_is_not_protected(expires_at: str, stage: str, *, may_go: bool) -> None:
    assert Lives("paygo-demo", expires_at, stage).may_go(NOW) is may_go


def test_a_refusal_names_the_largest_holders_and_all_ways_on() -> None:
    by = {"paygo-a": 5, "paygo-b": 9, "paygo-c": 7, "paygo-d": 8, STRAYS: 2, OTHERS: 3}

    assert refusal("paygo-x", 46, Stock(ROLES, 40, 34, by), ["paygo-a", "paygo-gone"]) == (
        "paygo-x needs 46 IAM roles and the account has room for 6: 34 of 40 are taken, of which 4 stacks hold 29 "
        "(paygo-b 9, paygo-d 8, paygo-c 7 and 1 more), 2 are Paygo's but no stack's here and 3 are not Paygo's. "
        "Nothing was made; the janitor could free 5 (`make janitor`), for the time of paygo-a is over. Destroy a stack "
        "that nobody needs, deploy with ROLES=service, or have AWS raise the quota L-FE177D64: docs/limits.md."
    )


def test_a_refusal_says_when_the_janitor_can_do_nothing() -> None:
    said = refusal("paygo-x", 6, Stock(RULES, 300, 300, {OTHERS: 300}), [])

    assert "room for 0" in said
    assert "the janitor could free nothing, for no stack's time is over" in said
    assert "ROLES" not in said


def test_names_are_counted_by_the_longest_stack_that_fits() -> None:
    assert by_stack(["paygo_demo_2_rule", "paygo-demo-x"], ["paygo-demo", "paygo-demo-2"]) == {
        "paygo-demo": 1,
        "paygo-demo-2": 1,
    }


class Quotas:
    """AWS Service Quotas, as much of it as is asked."""

    def __init__(self, answer: object) -> None:
        self.answer = answer

    def get_service_quota(self, **_: str) -> Any:
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


@pytest.mark.parametrize(
    ("answer", "limit"),
    [({"Quota": {"Value": 5000.0}}, 5000), ({}, 1000), (RuntimeError("whatever"), 1000), ({"Quota": None}, 1000)],
)
def test_aws_is_asked_and_what_is_written_down_holds_where_it_does_not_answer(
    answer: object, limit: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[str, str]] = []

    def made(clients: Clients, service: str) -> Quotas:
        asked.append((service, clients.target.region))
        return Quotas(answer)

    monkeypatch.setattr(Clients, "__call__", made)

    ask = askers(Clients(Target("eu-west-1", "123456789012", "nobody")))
    assert allowed(ask, ROLES.quota) == limit
    assert allowed(ask, RULES.quota) in {limit, RULES.quota.limit}
    assert asked == [("service-quotas", "us-east-1"), ("service-quotas", "eu-west-1")]  # IAM counts all regions in one


def test_a_quota_without_a_code_is_not_asked_for() -> None:
    quota = next(one.quota for one in LIMITED if one.resource == "aws_cognito_user_pool")

    assert allowed(None, quota) == quota.limit  # type: ignore[arg-type]


def test_a_state_that_is_not_ours_to_see_says_nothing_of_its_stacks_time(clients: Clients) -> None:
    for stack in ("paygo-ours", "paygo-theirs"):
        keep(clients, stack, expires_at="2026-11-29T00:00:00Z", stage="development")
    hide(clients, "paygo-theirs")

    assert {lives.stack: lives.may_go(NOW) for lives in lifetimes(clients)} == {
        "paygo-ours": True,
        "paygo-theirs": False,
    }
