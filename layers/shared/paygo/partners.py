"""Calls to third parties, which may be slow, wrong or away.

A gateway says what is sent and what comes back; here is what every call has in common: time-outs, few retries, the
partner's rate and a circuit breaker. All workers share the latter two through the table of partner calls. An outage is
`PartnerUnavailable`, which a consumer waits out; an answer that the contract does not have is `PartnerRefused`.
"""

import random
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from functools import cache
from http import HTTPStatus
from typing import TYPE_CHECKING, Annotated, NoReturn

from aws_lambda_powertools import Logger
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from paygo.config import MissingSetting, scaled, setting
from paygo.correlation import HEADER, followed
from paygo.outcomes import NotReady
from paygo.rates import Bucket, NoSlot
from paygo.secrets import read_secret

if TYPE_CHECKING:
    import requests
    from aws_lambda_powertools.utilities.circuit_breaker import CircuitInfo, CircuitTransition
    from mypy_boto3_dynamodb import DynamoDBClient

CONNECT_SECONDS = 3
READ_SECONDS = 10
"""The longest silence while an answer is waited for."""
ANSWER_WITHIN = 12.0
"""Seconds after which an answer that still trickles in is given up."""
MAX_ANSWER_BYTES = 1_000_000

SLOT_WITHIN = timedelta(seconds=1)
"""A worker waits this long for its turn at most."""

LONGEST_CALL = timedelta(seconds=20)
"""What a consumer that calls a partner leaves of its time: two turns, a connection that failed and a slow answer."""

FAILURES_TO_OPEN = 5
"""How many calls in a row fail in one worker before nobody calls for a while."""
COOL_DOWN = timedelta(seconds=30)
"""How long a circuit stays open before one call tries whether the partner is back."""
SPREAD = 4
"""Events that an open circuit turned away come back within so many cool-downs, and not all at once."""

RETRIES_PER_CALL = 0.1
RETRIES_SAVED = 5
"""The most retries that calls without a failure save up for later."""
WORTH_A_RETRY = frozenset({HTTPStatus.BAD_GATEWAY, HTTPStatus.SERVICE_UNAVAILABLE, HTTPStatus.GATEWAY_TIMEOUT})

LONGEST_RETRY_AFTER = timedelta(minutes=15)

_PROBLEM_TYPE = re.compile(r"[A-Za-z0-9:/._#-]{1,200}")

logger = Logger()


class PartnerUnavailable(NotReady):
    """The partner is away, overloaded or broken: it has to be called again later."""

    def __init__(self, reason: str, retry_in: timedelta | None = None, *, may_retry_now: bool = False) -> None:
        super().__init__(reason, retry_in)
        self.may_retry_now = may_retry_now


class RateReached(NotReady):
    """The partner is called as often as it allows; nothing is wrong with it."""


class PartnerRefused(Exception):
    """The partner refused the call, or answered what its contract does not have.

    Its words are not repeated, for they may hold a person's data; `problem` is the type of its RFC 9457 problem.
    """

    def __init__(self, partner: str, status: int, what: str, problem: str | None = None) -> None:
        super().__init__(f"{partner} answered {status}: {what}")
        self.status = status
        self.problem = problem


class PartnerSettings(BaseModel):
    """What a function is told of a partner: where it is and how we are known there, or how it is known here."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    url: str = ""
    secret_arn: str = ""
    proxy: str = ""
    """The alias of the function that reaches it; empty where it is reached from everywhere."""
    calls_per_second: Annotated[float, Field(gt=0)] = 1.0
    inbound_secret_arn: str = ""


class PartnerAccess(BaseModel):
    """Our credential at a partner."""

    model_config = ConfigDict(frozen=True)

    credential: Annotated[str, Field(pattern=r"^[\x21-\x7e]+$")]


class _Problem(BaseModel):
    type: str = "about:blank"


@cache
def partner_settings() -> Mapping[str, PartnerSettings]:
    """Return the partners that this function is told of, by name."""
    return TypeAdapter(dict[str, PartnerSettings]).validate_json(setting("PARTNERS"))


def api_key(credential: str) -> Mapping[str, str]:
    """Return the header of a partner that knows us by an API key."""
    return {"X-Api-Key": credential}


def bearer(credential: str) -> Mapping[str, str]:
    """Return the header of a partner that knows us by a bearer token (RFC 6750)."""
    return {"Authorization": f"Bearer {credential}"}


@dataclass(frozen=True, slots=True)
class PartnerAnswer:
    """A partner's good answer, not yet looked into."""

    partner: str
    status: int
    body: bytes

    def read[Model: BaseModel](self, status: HTTPStatus, model: type[Model]) -> Model:
        """Return the body as `model`; raise `PartnerRefused` when it is not that, or another status came."""
        if self.status != status:
            raise PartnerRefused(self.partner, self.status, f"its contract has {status.value}")
        try:
            return model.model_validate_json(self.body)
        except ValidationError as error:
            wrong = error.errors(include_url=False, include_context=False, include_input=False)
            places = [f"/{'/'.join(map(str, place['loc']))} ({place['type']})" for place in wrong]
        raise PartnerRefused(self.partner, self.status, f"not as its contract says at {', '.join(places)}")


class RetryBudget:
    """Retries that calls earn: at most one in ten is made twice, so that retries never make an outage worse."""

    def __init__(self) -> None:
        self._saved = 0.0

    def earn(self) -> None:
        """Count a call."""
        self._saved = min(self._saved + RETRIES_PER_CALL, RETRIES_SAVED)

    def spend(self) -> bool:
        """Tell whether a retry may be made, and count it."""
        # Sums of tenths fall short of a whole by less than this.
        if self._saved < 1 - 1e-9:
            return False
        self._saved -= 1
        return True


@dataclass(frozen=True, slots=True)
class _Call:
    method: str
    path: str
    json: object
    headers: Mapping[str, str]


class PartnerClient:
    """One partner's HTTPS API.

    Parameters
    ----------
    authenticate
        Makes the header that shows our credential: `api_key` or `bearer`.
    client, table_name
        The table of partner calls, with the key `pk`.
    """

    def __init__(
        self,
        name: str,
        settings: PartnerSettings,
        authenticate: Callable[[str], Mapping[str, str]],
        client: "DynamoDBClient",
        table_name: str,
    ) -> None:
        # Imported here because a function that calls nobody should not pay for it in a cold start.
        import requests
        from aws_lambda_powertools.utilities.circuit_breaker import CircuitBreakerConfig, circuit_breaker
        from aws_lambda_powertools.utilities.circuit_breaker.persistence import CircuitBreakerDynamoDBPersistence

        if not (settings.url and settings.secret_arn):
            message = f"PARTNERS names no address or no credential of {name}: see the function's entry in terraform/."
            raise MissingSetting(message)
        self._name = name
        self._settings = settings
        self._authenticate = authenticate
        self._http = requests.Session()
        if settings.proxy:
            from paygo.proxy import ProxyAdapter, proxy_client

            self._http.mount(settings.url, ProxyAdapter(proxy_client(), settings.proxy, name, settings.url))
        self._bucket = Bucket(client, table_name, f"BUCKET#{name}", settings.calls_per_second)
        self._budget = RetryBudget()
        # The breaker counts whole seconds.
        self._cool_down = max(timedelta(seconds=1), timedelta(seconds=round(scaled(COOL_DOWN).total_seconds())))
        self._guarded: Callable[[_Call], PartnerAnswer] = circuit_breaker(
            name=f"BREAKER#{name}",
            persistence_store=CircuitBreakerDynamoDBPersistence(
                table_name, key_attr="pk", expiry_attr="expires_at", boto3_client=client
            ),
            config=CircuitBreakerConfig(
                failure_threshold=FAILURES_TO_OPEN,
                recovery_timeout=int(self._cool_down.total_seconds()),
                success_threshold=1,
                handled_exceptions=PartnerUnavailable,
                local_cache_max_age=1,
            ),
            on_circuit_open=self._turn_away,
            on_transition=_report,
        )(self._try)

    def request(
        self,
        method: str,
        path: str,
        *,
        json: object = None,
        idempotency_key: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> PartnerAnswer:
        """Call the partner and return its good (2xx) answer.

        Parameters
        ----------
        idempotency_key
            What lets the partner do it once however often it is asked, for a consumer the event's id; every call that
            changes something at the partner has one.

        Raises
        ------
        PartnerUnavailable
            When the partner is away or overloaded, or was so for everybody just before.
        RateReached
            When too many calls wait for their turn already.
        PartnerRefused
            When the partner answered anything else.
        """
        once = {"Idempotency-Key": idempotency_key} if idempotency_key else {}
        self._budget.earn()
        answer = self._guarded(_Call(method, path, json, {**(headers or {}), **once, **_correlation()}))
        if not 200 <= answer.status < 300:
            raise self._refusal(answer, f"{method} {path}")
        return answer

    def _try(self, call: _Call) -> PartnerAnswer:
        try:
            return self._send(call)
        except PartnerUnavailable as failure:
            if not (failure.may_retry_now and self._budget.spend()):
                raise
        return self._send(call)

    def _send(self, call: _Call) -> PartnerAnswer:
        import requests
        import urllib3

        credential = read_secret(self._settings.secret_arn, PartnerAccess).credential
        self._wait_for_turn()
        # After the wait: it is the partner's time that is measured.
        gives_up_at = time.monotonic() + ANSWER_WITHIN
        try:
            with self._http.request(
                call.method,
                self._settings.url + call.path,
                json=call.json,
                headers={
                    "Accept": "application/json",
                    "Accept-Encoding": "identity",
                    **call.headers,
                    **self._authenticate(credential),
                },
                timeout=(CONNECT_SECONDS, READ_SECONDS),
                allow_redirects=False,
                stream=True,
            ) as response:
                self._raise_for_outage(response)
                return PartnerAnswer(self._name, response.status_code, self._body(response, gives_up_at))
        # The kind of error is enough: its text has the address and may have more.
        except (requests.ReadTimeout, urllib3.exceptions.HTTPError) as error:
            raise self._unavailable(type(error).__name__) from None
        except requests.ConnectionError as error:
            raise self._unavailable(type(error).__name__, may_retry_now=True) from None

    def _wait_for_turn(self) -> None:
        try:
            wait = self._bucket.reserve(SLOT_WITHIN)
        except NoSlot as error:
            rate = self._settings.calls_per_second
            message = f"{self._name} takes {rate:g} calls a second, and so many are waiting"
            raise RateReached(message, error.free_in + _jitter(error.free_in)) from None
        time.sleep(wait.total_seconds())

    def _raise_for_outage(self, response: "requests.Response") -> None:
        status = response.status_code
        if status < 500 and status != HTTPStatus.TOO_MANY_REQUESTS:
            return
        asked = retry_after(response.headers.get("Retry-After", ""), datetime.now(UTC))
        # Jitter on top: everybody who is turned away in one second is told the same.
        retry_in = asked + _jitter(asked) if asked else None
        raise self._unavailable(f"status {status}", retry_in, may_retry_now=not asked and status in WORTH_A_RETRY)

    def _body(self, response: "requests.Response", gives_up_at: float) -> bytes:
        body = b""
        while part := response.raw.read1(65_536, decode_content=False):
            body += part
            if len(body) > MAX_ANSWER_BYTES:
                raise PartnerRefused(self._name, response.status_code, f"more than {MAX_ANSWER_BYTES} bytes")
            if time.monotonic() > gives_up_at:
                raise self._unavailable("its answer trickled in too slowly")
        return body

    def _unavailable(
        self, what: str, retry_in: timedelta | None = None, *, may_retry_now: bool = False
    ) -> PartnerUnavailable:
        return PartnerUnavailable(f"{self._name} is not available: {what}", retry_in, may_retry_now=may_retry_now)

    def _turn_away(self, _: _Call, *, circuit: "CircuitInfo") -> NoReturn:
        opened_at = circuit.opened_at or 0
        may_close_in = timedelta(seconds=opened_at - time.time()) + self._cool_down
        # A circuit that is being tried shows the time of its opening still.
        raise self._unavailable(
            "its circuit is open", max(may_close_in, timedelta()) + _jitter(SPREAD * self._cool_down)
        )

    def _refusal(self, answer: PartnerAnswer, what: str) -> PartnerRefused:
        try:
            problem = _Problem.model_validate_json(answer.body).type
        except ValidationError:
            problem = None
        if problem is None or not _PROBLEM_TYPE.fullmatch(problem):
            return PartnerRefused(self._name, answer.status, f"{what} was refused")
        return PartnerRefused(self._name, answer.status, f"{what} was refused as {problem}", problem)


def partner(name: str, authenticate: Callable[[str], Mapping[str, str]]) -> PartnerClient:
    """Return the client of a partner that PARTNERS names; raise `MissingSetting` when it does not."""
    from paygo.composition import dynamodb

    settings = partner_settings().get(name)
    if settings is None:
        message = f"PARTNERS does not name {name}: list it in the function's entry in terraform/."
        raise MissingSetting(message)
    return PartnerClient(name, settings, authenticate, dynamodb(), setting("PARTNER_CALLS_TABLE"))


def retry_after(header: str, now: datetime) -> timedelta | None:
    """Return how long a Retry-After header (RFC 9110) asks to wait, or nothing when it is absent or none."""
    if re.fullmatch(r"[0-9]{1,9}", header, re.ASCII):
        asked = timedelta(seconds=int(header))
    else:
        try:
            asked = parsedate_to_datetime(header).astimezone(UTC) - now
        except (ValueError, OverflowError):
            return None
    return min(asked, LONGEST_RETRY_AFTER) if asked > timedelta() else None


def _correlation() -> Mapping[str, str]:
    correlation_id = followed()
    return {HEADER: correlation_id} if correlation_id else {}


def _jitter(longest: timedelta) -> timedelta:
    return longest * random.random()  # noqa: S311 (it spreads calls and protects nothing)


def _report(transition: "CircuitTransition") -> None:
    logger.warning(
        "A partner's circuit changed",
        circuit=transition.circuit_name,
        from_state=str(transition.from_state),
        to_state=str(transition.to_state),
    )
