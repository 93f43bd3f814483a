"""How a command line ends: by itself, by a mistake that is told, by AWS's refusal, or by Ctrl-C, once and twice."""

import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import IO

import pytest
from botocore.exceptions import ClientError, NoRegionError

from deploy import command

STOPPED = "Stopped. The next one goes on."
SLOW_TO_STOP = f"""
import sys, time
from deploy import command

def app():
    try:
        print("ready", flush=True)
        time.sleep(60)
    finally:
        time.sleep(float(sys.argv[1]))

sys.exit(command.run(app, "{STOPPED}"))
"""


@pytest.fixture(autouse=True)
def _signals_stay() -> Iterator[None]:
    before = {name: signal.getsignal(name) for name in command.SIGNALS}
    yield
    for name, handler in before.items():
        signal.signal(name, handler)


def raising(error: Exception) -> Callable[[], None]:
    def app() -> None:
        raise error

    return app


def test_a_command_that_comes_to_its_end_says_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    assert command.run(lambda: "what it returns", STOPPED, ValueError) == 0
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (ValueError("TTL is 8h: not 'soon'."), "TTL is 8h: not 'soon'."),
        (NoRegionError(), "No AWS region is set: give the profile one, or say REGION=..."),
        (
            ClientError({"Error": {"Code": "ExpiredToken"}}, "GetObject"),
            "The AWS credentials have expired: sign in again.",
        ),
    ],
)
def test_what_goes_wrong_is_told_in_a_sentence(error: Exception, told: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert command.run(raising(error), STOPPED, ValueError) == 1
    assert capsys.readouterr().err == f"paygo: {told}\n"


def test_a_mistake_of_ours_is_not_taken_for_one_of_the_person() -> None:
    with pytest.raises(KeyError):
        command.run(raising(KeyError("stack")), STOPPED, ValueError)


def ready(slow: float) -> "subprocess.Popen[str]":
    running = subprocess.Popen(
        [sys.executable, "-c", SLOW_TO_STOP, str(slow)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert said(running.stdout) == "ready"
    return running


def said(stream: IO[str] | None) -> str:
    assert stream is not None
    return stream.readline().strip()


@pytest.mark.parametrize("by", command.SIGNALS)
def test_the_first_signal_stops_in_good_order(by: signal.Signals) -> None:
    running = ready(slow=0)

    running.send_signal(by)

    assert said(running.stdout) == "Stopping; Ctrl-C again to end at once."
    assert running.communicate(timeout=30) == ("", f"paygo: {STOPPED}\n")
    assert running.returncode == command.INTERRUPTED


def test_the_second_ends_at_once() -> None:
    running = ready(slow=600)
    running.send_signal(signal.SIGINT)
    assert said(running.stdout) == "Stopping; Ctrl-C again to end at once."

    running.send_signal(signal.SIGINT)

    assert running.communicate(timeout=30) == ("", "")
    assert running.returncode == command.INTERRUPTED
