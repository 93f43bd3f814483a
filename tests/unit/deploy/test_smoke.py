from collections.abc import Callable

import pytest
import requests

from deploy import smoke
from deploy.errors import DeployError

API = "https://api.example.org/v"


class Stack:
    """Answers in turn, the last answer for ever."""

    def __init__(self, **answers: list[int | Exception]) -> None:
        self.answers = answers
        self.asked: list[str] = []

    def __call__(self, method: str, url: str) -> requests.Response:
        self.asked.append(f"{method} {url}")
        answers = self.answers[method]
        answer = answers.pop(0) if len(answers) > 1 else answers[0]
        if isinstance(answer, Exception):
            raise answer
        response = requests.Response()
        response.status_code = answer
        return response


@pytest.fixture
def slept() -> list[float]:
    return []


@pytest.fixture
def sleep(slept: list[float]) -> Callable[[float], None]:
    return slept.append


def test_a_fresh_stack_is_asked_for_a_session(sleep: Callable[[float], None], slept: list[float]) -> None:
    stack = Stack(GET=[200], POST=[201])

    assert smoke.check(API, fresh=True, ask=stack, sleep=sleep) == "the API answers and opens a session"
    assert sorted(stack.asked) == [f"GET {API}/v1/configuration", f"POST {API}/v1/sessions"]
    assert slept == []


def test_a_stack_that_did_not_change_is_asked_once(sleep: Callable[[float], None]) -> None:
    stack = Stack(GET=[200])

    assert smoke.check(API, fresh=False, ask=stack, sleep=sleep) == "the API answers"
    assert len(stack.asked) == 1


def test_a_new_api_is_given_a_few_seconds(sleep: Callable[[float], None], slept: list[float]) -> None:
    stack = Stack(GET=[requests.ConnectionError(), 403, 200], POST=[500, 201])

    smoke.check(API, fresh=True, ask=stack, sleep=sleep)

    assert len(slept) == 3


def test_a_session_that_is_not_opened_is_told_in_a_sentence(sleep: Callable[[float], None], slept: list[float]) -> None:
    with pytest.raises(DeployError, match=f"POST {API}/v1/sessions answers 502 instead of 201: look at"):
        smoke.check(API, fresh=True, ask=Stack(GET=[200], POST=[502]), sleep=sleep)

    assert smoke.PATIENCE <= sum(slept) < smoke.PATIENCE + 4


def test_a_stack_that_cannot_be_reached_is_told_in_a_sentence(sleep: Callable[[float], None]) -> None:
    with pytest.raises(DeployError, match=r"GET .*/v1/configuration cannot be asked \(ConnectionError\)"):
        smoke.check(API, fresh=False, ask=Stack(GET=[requests.ConnectionError()]), sleep=sleep)
