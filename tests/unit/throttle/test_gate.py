"""Rates as AWS has them, quotas on counts, and what is recorded of them."""

import pytest

from paygo_cloud.throttle.buckets import TokenBucket
from paygo_cloud.throttle.clock import BY_HAND, Clock
from paygo_cloud.throttle.gate import Counted, Gate
from paygo_cloud.throttle.refusals import Error
from paygo_limits import Rate
from tests.unit.throttle.requests import call, understood

HERE = "000000000000/us-east-1"
TOO_SOON = (429, "TooManyRequestsException", "Too Many Requests")


def gate(**quotas: int) -> Gate:
    return Gate(Clock(BY_HAND), {name.replace("__", "."): limit for name, limit in quotas.items()})


def roles(held: int, *, is_there: bool = False) -> Counted:
    error = Error("LimitExceededException", "Cannot exceed quota for RolesPerAccount: {limit}")
    return Counted("iam", "roles", frozenset({"CreateRole"}), error, lambda _: held, lambda _: is_there)


def test_a_bucket_gives_a_burst_and_then_what_it_is_filled_with() -> None:
    bucket = TokenBucket(Rate(calls=10, per=1, burst=40), now=0)
    given = 0
    for tenth in range(31):  # three seconds
        while bucket.has_token(tenth / 10):
            bucket.take(tenth / 10)
            given += 1

    assert given == 40 + 3 * 10


def test_so_many_calls_a_second_may_be_made_at_once() -> None:
    bucket = TokenBucket(Rate(calls=5, per=1), now=0)
    for _ in range(5):
        assert bucket.has_token(0)
        bucket.take(0)

    assert not bucket.has_token(0.19)
    assert bucket.has_token(0.2)


def test_a_pause_saves_no_more_than_a_burst() -> None:
    bucket = TokenBucket(Rate(calls=1, per=30), now=0)
    bucket.take(3600)

    assert not bucket.has_token(3629.9)
    assert bucket.has_token(3630)


def test_a_second_call_within_the_rate_is_refused_and_passes_when_its_time_has_come() -> None:
    limited, delete = gate(), call("apigateway", "DeleteRestApi", restApiId="a1")
    assert limited.answer(HERE, delete) is None
    limited.clock.advance(29)
    refused = limited.answer(HERE, delete)
    limited.clock.advance(1)

    assert refused is not None
    assert understood(delete, refused) == TOO_SOON
    assert limited.answer(HERE, delete) is None


def test_a_refused_call_costs_no_token() -> None:
    limited, delete = gate(), call("apigateway", "DeleteRestApi", restApiId="a1")
    limited.answer(HERE, delete)
    for _ in range(100):
        limited.answer(HERE, delete)
        limited.clock.advance(0.2)
    limited.clock.advance(10)

    assert limited.answer(HERE, delete) is None
    # The refused ones took nothing from the service's own rate either.
    get = call("apigateway", "GetRestApi", restApiId="a1")
    assert all(limited.answer(HERE, get) is None for _ in range(39))


def test_a_services_operations_share_its_rate_whatever_their_version() -> None:
    limited = gate()
    for _ in range(20):
        assert limited.answer(HERE, call("apigateway", "GetRestApi", restApiId="a1")) is None
        assert limited.answer(HERE, call("apigatewayv2", "GetApi", ApiId="a1")) is None

    assert limited.answer(HERE, call("apigatewayv2", "GetApi", ApiId="a1")) is not None
    assert limited.record["apigatewayv2.GetApi"].refused_by == {"apigateway.*": 1}


def test_a_version_2_operation_is_not_held_to_the_rate_of_its_namesake() -> None:
    limited = gate()
    calls = [call("apigatewayv2", "CreateDeployment", ApiId="a1") for _ in range(2)]

    assert [limited.answer(HERE, each) for each in calls] == [None, None]


def test_each_region_and_account_has_rates_of_its_own() -> None:
    limited, delete = gate(), call("apigateway", "DeleteRestApi", restApiId="a1")

    assert [limited.answer(scope, delete) for scope in (HERE, "000000000000/eu-west-1", "1/us-east-1")] == [None] * 3


def test_one_more_than_the_quota_is_refused_and_one_that_is_there_already_is_not() -> None:
    limited, create = gate(iam__roles=80), call("iam", "CreateRole", RoleName="r", AssumeRolePolicyDocument="{}")

    assert limited.answer(HERE, create, roles(79)) is None
    assert limited.answer(HERE, create, roles(80, is_there=True)) is None
    refused = limited.answer(HERE, create, roles(80))
    assert refused is not None
    assert understood(create, refused) == (409, "LimitExceeded", "Cannot exceed quota for RolesPerAccount: 80")


def test_a_quota_that_was_not_changed_is_aws_s() -> None:
    create = call("iam", "CreateRole", RoleName="r", AssumeRolePolicyDocument="{}")

    assert gate().answer(HERE, create, roles(999)) is None
    assert gate().answer(HERE, create, roles(1000)) is not None


def test_what_was_called_and_refused_is_told_with_its_times() -> None:
    limited, delete = gate(), call("apigateway", "DeleteRestApi", restApiId="a1")
    for _ in range(3):
        limited.answer(HERE, delete)
        limited.clock.advance(20)

    assert {name: tally.to_json() for name, tally in limited.record.items()} == {
        "apigateway.DeleteRestApi": {
            "calls": 3,
            "refused": 1,
            "passed_at": [0.0, 40.0],
            "refused_at": [20.0],
            "refused_by": {"apigateway.DeleteRestApi": 1},
        }
    }


def test_what_has_neither_rate_nor_quota_passes_unrecorded() -> None:
    limited, put = gate(), call("dynamodb", "PutItem", TableName="t", Item={})

    assert [limited.answer(HERE, put) for _ in range(1000)] == [None] * 1000
    assert limited.record == {}


@pytest.mark.parametrize(("speed", "expected"), [(1.0, 12.0), (60.0, 125.0), (BY_HAND, 5.0)])
def test_a_clock_goes_as_fast_as_it_is_told_and_jumps(speed: float, expected: float) -> None:
    times = iter([100.0, 102.0]) if speed > 1 else iter([100.0, 107.0])
    clock = Clock(speed, lambda: next(times))
    clock.advance(5)

    assert clock.now() == expected
