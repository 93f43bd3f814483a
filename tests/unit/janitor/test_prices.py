from janitor.found import Found
from janitor.prices import POLLS_A_MONTH, a_month, keeping


def test_what_is_paid_by_the_month_is_counted_and_what_is_paid_by_use_is_not() -> None:
    alarm, secret, queue = Found("a", "a"), Found("s", "s"), Found("q", "q")

    assert keeping([("alarm", alarm), ("alarm", alarm), ("secret", secret), ("queue", queue)]) == 0.1 + 0.1 + 0.4


def test_a_queue_that_is_polled_costs_and_a_stream_that_is_read_does_not() -> None:
    assert POLLS_A_MONTH == 657_000
    assert round(a_month("event source mapping", Found("m", "m", about="sqs")), 2) == 0.26
    assert a_month("event source mapping", Found("m", "m", about="dynamodb")) == 0
