"""What comes of one removal, and how a crew of threads works through a schedule."""

import threading
import time
from dataclasses import replace
from math import inf

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from janitor.buckets import LocalBuckets
from janitor.clients import Clients
from janitor.errors import is_denied, is_gone, is_throttled
from janitor.found import Found
from janitor.kinds import NAMED
from janitor.schedule import Refused, Removed, Schedule, Task, Throttled
from janitor.work import Threads, removal, work


def error(code: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": "said AWS"}}, "DeleteSomething")


def failing(failure: Exception) -> Task:
    def fail(_clients: Clients, _found: Found) -> None:
        raise failure

    return Task("paygo-a", replace(NAMED["queue"], remove=fail), Found("q", "paygo-a-q"))


@pytest.mark.parametrize(
    ("failure", "outcome"),
    [
        (error("ResourceNotFoundException"), Removed()),
        (error("NoSuchEntity"), Removed()),
        (error("AWS.SimpleQueueService.NonExistentQueue"), Removed()),
        (error("TooManyRequestsException"), Throttled()),
        (error("ThrottlingException"), Throttled()),
        (error("SlowDown"), Throttled()),
        (error("AccessDenied"), Refused("said AWS")),
        (error("BadRequestException"), Refused("said AWS")),
    ],
)
def test_what_aws_says_decides_what_came_of_it(failure: ClientError, outcome: object, clients: Clients) -> None:
    assert removal(clients, failing(failure)) == outcome


def test_an_endpoint_that_does_not_answer_is_asked_again(clients: Clients) -> None:
    outcome = removal(clients, failing(EndpointConnectionError(endpoint_url="https://example.org")))

    assert isinstance(outcome, Refused)


def test_gone_and_throttled_are_told_apart() -> None:
    assert is_gone(error("NotFoundException"))
    assert not is_gone(error("TooManyRequestsException"))
    assert is_throttled(error("TooManyRequestsException"))
    assert not is_throttled(error("AccessDenied"))
    assert is_denied(error("AccessDenied"))
    assert not is_denied(error("NoSuchKey"))


def test_threads_remove_side_by_side_and_every_one_is_told_of(clients: Clients) -> None:
    together = threading.Barrier(3, timeout=20)
    told: list[int] = []

    def remove(_clients: Clients, _found: Found) -> None:
        together.wait()

    kind = replace(NAMED["queue"], remove=remove, after=())
    tasks = [Task("paygo-a", kind, Found(str(number), str(number))) for number in range(3)]
    schedule = Schedule(tasks)

    with Threads(clients, hands=6) as crew:
        work(schedule, LocalBuckets(), crew, tell=lambda left, _now: told.append(left.unfinished))

    assert schedule.unfinished == 0
    assert told[-1] == 0


def test_a_removal_that_fails_as_nobody_thought_of_is_told_and_the_rest_goes_on(
    clients: Clients, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("janitor.schedule.ATTEMPTS", 1)
    fine = Task("paygo-a", replace(NAMED["queue"], remove=lambda _clients, _found: None), Found("r", "paygo-a-r"))
    fails = failing(KeyError("QueueUrl"))
    schedule = Schedule([fails, fine])
    monkeypatch.setattr("janitor.work._BREATH", 20)

    with Threads(clients) as crew:
        crew.start(fails)
        # `work` would wait for ever for what is not told of.
        assert crew.wait(inf) == [(fails, Refused("KeyError('QueueUrl')"))]
        work(schedule, LocalBuckets(), crew, deadline=time.time() + 20)

    assert [(task.found.name, why) for task, why in schedule.failures] == [("paygo-a-q", "KeyError('QueueUrl')")]
    assert schedule.unfinished == 0


def test_a_deadline_lets_what_was_begun_end_and_begins_nothing(clients: Clients) -> None:
    begun: list[str] = []
    kind = replace(NAMED["queue"], remove=lambda _clients, found: begun.append(found.id), after=())
    schedule = Schedule([Task("paygo-a", kind, Found(str(number), "q")) for number in range(3)])

    with Threads(clients, hands=1) as crew:
        work(schedule, LocalBuckets(), crew, deadline=time.time() - 1)

    assert (begun, schedule.unfinished) == ([], 3)
