"""Both kinds of buckets keep to AWS's rates, however many janitors share them."""

from collections.abc import Callable
from itertools import pairwise

import boto3
import pytest

from janitor import buckets
from janitor.buckets import Buckets, LocalBuckets, SharedBuckets, needed, seconds_each
from janitor.clients import Clients

DELETE = ("apigateway", "DeleteRestApi")
KEY = ("apigateway", "DeleteApiKey")
GET = ("apigateway", "GetUsagePlan")
NOW = 1_800_000_000.0

type Make = Callable[[], Buckets]


def make_table() -> None:
    boto3.client("dynamodb").create_table(
        TableName=buckets.TABLE,
        BillingMode="PAY_PER_REQUEST",
        KeySchema=[{"AttributeName": "call", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "call", "AttributeType": "S"}],
    )


@pytest.fixture(params=["local", "shared"])
def make(request: pytest.FixtureRequest, clients: Clients) -> Make:
    """Give what makes one janitor's view of the buckets; views of one kind share what is behind them."""
    if request.param == "local":
        local = LocalBuckets()
        return lambda: local
    make_table()
    return lambda: SharedBuckets(clients)


def test_the_first_call_goes_at_once_and_the_second_when_aws_allows_it(make: Make) -> None:
    view = make()

    assert view.take([DELETE], NOW) == NOW
    assert view.take([DELETE], NOW + 1) == pytest.approx(NOW + seconds_each(DELETE), abs=1e-3)
    assert view.take([DELETE], NOW + 31) == NOW + 31


def test_what_had_to_wait_took_nothing(make: Make) -> None:
    view = make()
    view.take([DELETE], NOW)

    for second in range(1, 5):
        view.take([DELETE], NOW + second)

    assert view.take([DELETE], NOW + 31) == NOW + 31


def test_two_janitors_share_a_rate(make: Make) -> None:
    one, other = make(), make()

    assert one.take([DELETE], NOW) == NOW
    assert other.take([DELETE], NOW + 1) > NOW + 29


def test_a_pause_earns_a_burst_and_no_more(make: Make) -> None:
    view = make()
    view.take([GET], NOW)
    later = NOW + 3600

    taken = [view.take([GET], later) == later for _ in range(41)]

    assert sum(taken) == 36  # nine tenths of the service's burst of 40


def test_calls_are_taken_together_or_not_at_all(make: Make) -> None:
    view = make()
    view.take([DELETE], NOW)

    assert view.take([KEY, DELETE], NOW + 1) > NOW + 29
    assert view.take([KEY], NOW + 1) == NOW + 1


def test_a_call_that_nobody_limits_goes_at_once(make: Make) -> None:
    view = make()

    assert [view.take([("sqs", "DeleteQueue")], NOW) for _ in range(3)] == [NOW] * 3


def test_after_a_refusal_nobody_takes_a_token_before_its_time_and_one_is_there_then(make: Make) -> None:
    one, other = make(), make()
    one.take([DELETE], NOW)

    one.refused([DELETE], NOW + 4)

    for view in (one, other):
        assert view.take([DELETE], NOW + 3) == pytest.approx(NOW + 4, abs=1e-3)
    assert other.take([DELETE], NOW + 4.01) == NOW + 4.01
    assert one.take([DELETE], NOW + 5) > NOW + 34


def test_after_a_refusal_of_what_has_a_burst_one_call_goes_and_then_the_next_by_its_rate(make: Make) -> None:
    view = make()

    view.refused([GET], NOW + 2)

    assert view.take([GET], NOW + 1) == pytest.approx(NOW + 2, abs=1e-3)
    assert view.take([GET], NOW + 2.01) == NOW + 2.01
    assert view.take([GET], NOW + 2.02) > NOW + 2.02


def test_no_second_of_the_slowest_rate_is_given_twice(make: Make) -> None:
    views = [make() for _ in range(3)]
    now, went = NOW, []
    for turn in range(400):
        if views[turn % 3].take([DELETE], now) <= now:
            went.append(now)
        now += 0.5

    assert len(went) == 7
    assert all(later - earlier >= 30 for earlier, later in pairwise(went))


def test_what_is_never_allowed_at_once_is_a_mistake() -> None:
    with pytest.raises(ValueError, match="DeleteRestApi of apigateway is never allowed 2 times at once"):
        LocalBuckets().take([DELETE, DELETE], NOW)


def test_a_limited_call_counts_for_its_service_too() -> None:
    assert needed([DELETE, GET]) == {DELETE: 1, ("apigateway", "*"): 2}


def test_the_table_is_used_where_the_account_has_one(clients: Clients) -> None:
    assert isinstance(buckets.of(clients), LocalBuckets)
    make_table()
    assert isinstance(buckets.of(clients), SharedBuckets)


def test_who_reads_old_numbers_takes_nothing(clients: Clients, monkeypatch: pytest.MonkeyPatch) -> None:
    make_table()
    view = SharedBuckets(clients)
    read = view._read
    rival = SharedBuckets(clients)

    def overtaken(asked: list[tuple[str, str]]) -> dict[tuple[str, str], str]:
        before = read(asked)
        rival.take([DELETE], NOW)
        return before

    monkeypatch.setattr(view, "_read", overtaken)

    assert view.take([DELETE], NOW) > NOW + 29


def test_numbers_of_a_day_ago_are_forgotten_by_the_table(clients: Clients) -> None:
    make_table()
    SharedBuckets(clients).take([DELETE], NOW)

    items = boto3.client("dynamodb").scan(TableName=buckets.TABLE)["Items"]

    assert {item["call"]["S"] for item in items} == {"apigateway:DeleteRestApi", "apigateway:*"}
    assert all(int(item["expires_at"]["N"]) >= NOW + 86_400 for item in items)
