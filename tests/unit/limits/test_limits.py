import doctest

import botocore.session
import pytest

import paygo_limits
from paygo_limits import ALL, NoSuchLimitError, Rate, limited_services, quota, quotas, rates


def test_the_examples_are_right() -> None:
    assert doctest.testmod(paygo_limits).failed == 0


def test_one_api_goes_in_thirty_seconds() -> None:
    assert rates("apigateway")["DeleteRestApi"] == Rate(calls=1, per=30, burst=1)


def test_all_operations_of_api_gateway_share_a_rate_that_bears_a_burst() -> None:
    assert rates("apigateway")[ALL] == Rate(calls=10, per=1, burst=40)


def test_a_service_without_rates_limits_nothing() -> None:
    assert rates("sqs") == {}
    assert rates("chime") == {}
    assert limited_services() == ["apigateway"]


@pytest.mark.parametrize("service", limited_services())
def test_every_rate_names_an_operation_of_the_service(service: str) -> None:
    model = botocore.session.get_session().get_service_model(service)

    assert set(rates(service)) - {ALL} <= set(model.operation_names)


def test_a_quota_says_where_it_stands_and_whether_it_was_checked() -> None:
    roles = quota("iam", "roles")

    assert roles.limit == 1000
    assert roles.code == "L-FE177D64"
    assert roles.source.startswith("https://docs.aws.amazon.com/")
    assert not roles.checked


def test_a_quota_that_is_not_written_down_is_named() -> None:
    with pytest.raises(NoSuchLimitError, match="No quota 'wings' of lambda"):
        quota("lambda", "wings")


def test_the_quotas_of_an_unknown_service_are_none() -> None:
    assert quotas("chime") == {}
