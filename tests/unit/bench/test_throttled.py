import doctest

from bench import throttle, throttled
from bench.throttle import Seen


def test_the_examples_are_right() -> None:
    assert doctest.testmod(throttle).failed == 0
    assert doctest.testmod(throttled).failed == 0


def test_an_operation_of_one_a_second_or_more_is_not_slow() -> None:
    seen = Seen(9, 0, [0.0] * 9, [], {})

    assert throttled.slow_calls({"apigateway.PutRestApi": seen, "apigateway.GetAccount": seen}) == {}
