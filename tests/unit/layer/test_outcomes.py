from datetime import timedelta

from paygo.outcomes import NotReady


def test_what_is_not_ready_says_what_it_waits_for() -> None:
    waiting = NotReady("no account yet", timedelta(minutes=1))

    assert str(waiting) == waiting.reason == "no account yet"
    assert waiting.retry_in == timedelta(minutes=1)


def test_how_long_to_wait_is_left_to_the_consumer() -> None:
    assert NotReady("no account yet").retry_in is None
