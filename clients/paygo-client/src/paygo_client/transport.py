"""HTTP with time-outs, retries that are safe and errors as exceptions."""

import random
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Protocol
from urllib.parse import quote, urlencode

import requests
from pydantic import BaseModel, ValidationError
from requests.auth import AuthBase
from tenacity import RetryCallState, Retrying, retry_if_exception, stop_after_attempt
from urllib3.exceptions import NewConnectionError

from paygo_client.errors import ApiUnreachable, PaygoProblem, UnexpectedAnswer

type Query = Sequence[tuple[str, str]]
type Clock = Callable[[], datetime]
type Sleep = Callable[[float], None]

CONNECT_TIMEOUT_SECONDS = 5.0
READ_TIMEOUT_SECONDS = 30.0
"""API Gateway itself gives up after 29 s."""

PASSING_STATUSES = frozenset({500, 502, 503, 504})
TOO_MANY_REQUESTS = 429
NO_MORE_AT_ALL = "too-many-codes"
IN_THE_WAY = frozenset({"request-in-progress", "session-changed"})
"""Problems of two requests that came at the same time: a moment later there is but one."""


def utc_now() -> datetime:
    """Return the time."""
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How often and how long a call is tried.

    Parameters
    ----------
    budget_seconds
        What all waits of one call may take together; a wait that would exceed it is not begun.
    """

    attempts: int = 4
    first_wait_seconds: float = 0.2
    longest_wait_seconds: float = 5.0
    budget_seconds: float = 20.0

    def wait(self, state: RetryCallState) -> float:
        """Return what the API asked for, else an exponential time with full jitter."""
        error = state.outcome.exception() if state.outcome else None
        if isinstance(error, PaygoProblem) and error.retry_after is not None:
            return error.retry_after
        longest = min(self.longest_wait_seconds, self.first_wait_seconds * 2 ** (state.attempt_number - 1))
        return random.uniform(0, longest)  # noqa: S311 (spreads callers in time, guards no secret)

    def is_spent(self, state: RetryCallState) -> bool:
        """Return whether there are no attempts left, or no budget for the next wait."""
        return stop_after_attempt(self.attempts)(state) or (state.idle_for + state.upcoming_sleep > self.budget_seconds)


class Authenticate(Protocol):
    """Makes what one attempt needs to be accepted; a retry asks again, for a signature is good for a moment only."""

    def __call__(self) -> "Proof":
        """Return headers or a signer."""
        ...


@dataclass(frozen=True, slots=True)
class Proof:
    """What shows who is calling."""

    headers: Mapping[str, str] = field(default_factory=dict)
    auth: AuthBase | None = None


class NotSent(ApiUnreachable):
    """The API was not reached, so the call was not done."""


@dataclass(frozen=True, slots=True)
class Call:
    """One call of the contract.

    Parameters
    ----------
    path
        The contract's path, without the stage.
    repeatable
        Whether doing it twice is the same as doing it once. Others are tried again only when they were surely not done.
    """

    method: str
    path: str
    query: Query = ()
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    repeatable: bool = False


class Transport:
    """Sends calls to one stack's API."""

    def __init__(
        self,
        api_url: str,
        *,
        http: requests.Session | None = None,
        retries: RetryPolicy | None = None,
        clock: Clock = utc_now,
        sleep: Sleep = time.sleep,
    ) -> None:
        self.api_url = api_url.rstrip("/")
        self.clock = clock
        self.sleep = sleep
        self._http = http or _connections()
        self._retries = retries or RetryPolicy()

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def url(self, path: str, query: Query = ()) -> str:
        """Return the address of a call; spaces are `%20`, which every signature scheme reads alike."""
        return self.api_url + path + ("?" + urlencode(query, quote_via=quote, safe="") if query else "")

    def send(self, call: Call, authenticate: Authenticate = Proof) -> requests.Response:
        """Send `call` and return a good answer.

        Raises
        ------
        PaygoProblem
            When the API refuses.
        ApiUnreachable
            When no answer comes.
        """
        tries = Retrying(
            retry=retry_if_exception(lambda error: _may_pass(error, call)),
            wait=self._retries.wait,
            stop=self._retries.is_spent,
            sleep=self.sleep,
            reraise=True,
        )
        return tries(self._attempt, call, authenticate)

    def _attempt(self, call: Call, authenticate: Authenticate) -> requests.Response:
        proof = authenticate()
        try:
            answer = self._http.request(
                call.method,
                self.url(call.path, call.query),
                data=call.body or None,
                headers={**call.headers, **proof.headers},
                auth=proof.auth,
                timeout=(CONNECT_TIMEOUT_SECONDS, READ_TIMEOUT_SECONDS),
                # A redirect would carry a signature that is wrong for its target to a host nobody chose.
                allow_redirects=False,
            )
        except requests.RequestException as error:
            kind = NotSent if _was_not_sent(error) else ApiUnreachable
            message = f"No answer from {call.method} {call.path}: {error}"
            raise kind(message) from error
        if not 200 <= answer.status_code < 300:
            raise PaygoProblem.from_answer(answer.status_code, answer.headers, answer.content)
        return answer


class Page(Protocol):
    """A page of a list."""

    @property
    def next_cursor(self) -> str | None:
        """What the next page is asked for with; None on the last."""


def pages[Found: Page](ask: Callable[[str | None], Found]) -> Iterator[Found]:
    """Go through a list page by page, asking for one when it is needed.

    Parameters
    ----------
    ask
        Asks for the page of a cursor, or for the first.
    """
    cursor: str | None = None
    while True:
        found = ask(cursor)
        yield found
        cursor = found.next_cursor
        if cursor is None:
            return


def read[Model: BaseModel](model: type[Model], answer: requests.Response) -> Model:
    """Return a good answer's body as `model`; raise `UnexpectedAnswer` when it is something else."""
    try:
        return model.model_validate_json(answer.content)
    except ValidationError as error:
        message = f"{answer.request.method} {answer.request.path_url} answered something else than {model.__name__}."
        raise UnexpectedAnswer(message) from error


def _connections() -> requests.Session:
    connections = requests.Session()
    # It stands in the household's list of its sessions.
    connections.headers["User-Agent"] = f"paygo-client/{version('paygo-client')}"
    return connections


def _was_not_sent(error: requests.RequestException) -> bool:
    if isinstance(error, requests.ConnectTimeout):
        return True
    reason = getattr(error.args[0], "reason", None) if error.args else None
    return isinstance(reason, NewConnectionError)


def _may_pass(error: BaseException, call: Call) -> bool:
    if isinstance(error, NotSent):
        return True
    if isinstance(error, PaygoProblem):
        if error.status == TOO_MANY_REQUESTS:  # it was turned away before anything was done
            return error.kind != NO_MORE_AT_ALL
        return call.repeatable and (error.status in PASSING_STATUSES or error.kind in IN_THE_WAY)
    return call.repeatable and isinstance(error, ApiUnreachable)
