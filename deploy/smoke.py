"""Ask a stack that was just deployed what a stranger would ask it: whether it is there, and for a session."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from deploy.errors import DeployError

if TYPE_CHECKING:
    import requests

PATIENCE = 15.0  # seconds: a new API and a new role are known everywhere a little later
_TIMEOUT = 10.0

type Ask = Callable[[str, str], "requests.Response"]


def check(api_url: str, *, fresh: bool, ask: Ask | None = None, sleep: Callable[[float], None] = time.sleep) -> str:
    """Say what answered: the configuration and, where something is new, the opening of a session.

    Raises
    ------
    DeployError
        When the stack does not answer as it should after a few seconds of patience.
    """
    ask = ask or _ask
    with ThreadPoolExecutor() as pool:  # two functions that start for the first time do so together
        configuration = pool.submit(expect, "GET", f"{api_url}/v1/configuration", 200, ask, sleep)
        session = pool.submit(expect, "POST", f"{api_url}/v1/sessions", 201, ask, sleep) if fresh else None
        configuration.result()
        if session is None:
            return "the API answers"
        session.result()
    return "the API answers and opens a session"


def expect(method: str, url: str, status: int, ask: Ask, sleep: Callable[[float], None]) -> None:
    """Ask until the answer is right or patience has run out."""
    waited, wait = 0.0, 0.2
    while True:
        told = _told(method, url, status, ask)
        if told is None:
            return
        if waited >= PATIENCE:
            msg = (
                f"Everything is deployed, but {method} {url} {told}: look at the function's log group, mend the cause "
                "and deploy again."
            )
            raise DeployError(msg)
        sleep(wait)
        waited, wait = waited + wait, min(wait * 1.6, 3.0)


def _told(method: str, url: str, status: int, ask: Ask) -> str | None:
    import requests

    try:
        answered = ask(method, url).status_code
    except requests.RequestException as problem:
        return f"cannot be asked ({type(problem).__name__})"
    return None if answered == status else f"answers {answered} instead of {status}"


def _ask(method: str, url: str) -> "requests.Response":
    import requests

    return requests.request(method, url, timeout=_TIMEOUT)
