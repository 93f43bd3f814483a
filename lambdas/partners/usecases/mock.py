"""Playing a partner: what a test chose, else what the contract shows, else a value made from its schema."""

import hmac
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Protocol

from partners.model.callbacks import Callback, ForeignCallback, callback_path
from partners.model.contract import Answer, Contract, Exchange, Operation, Request, refused, unexplained
from partners.model.overrides import ChosenAnswer, ChosenCallback, chosen, overrides
from paygo.problems import Place

CALLBACK_AFTER = timedelta(seconds=2)
"""Long enough that an asker sees its question undecided, short enough to wait for."""

HANGS_UP = Answer(502, content_type="text/html", text="<html><body><h1>502 Bad Gateway</h1></body></html>")


@dataclass(frozen=True)
class Partner:
    """A partner to play; one without a contract answers only what tests chose."""

    name: str
    contract: Contract | None
    credential: Callable[[], str]


@dataclass(frozen=True)
class Played:
    """An answer, how long it is kept back, and which override it is from."""

    answer: Answer
    delay_seconds: float = 0
    override: str | None = None
    callbacks: tuple[ChosenCallback, ...] = (ChosenCallback(),)


@dataclass(frozen=True)
class Stored:
    """An override as it was found, with a name that changes whenever it is written anew."""

    version: str
    text: str


class Overrides(Protocol):
    """Where tests put the answers that they chose."""

    def find(self, key: str) -> Stored | None:
        """Return what is there."""


class Requests(Protocol):
    """What a partner was asked, and how often."""

    def position(self, sequence: str) -> int:
        """Return how many requests a sequence has answered, and count this one."""

    def record(self, partner: str, request: Request, played: Played | None, now: datetime) -> None:
        """Keep a request and what it was answered."""


class CallbackQueue(Protocol):
    """Where callbacks wait until they are due."""

    def put(self, callback: Callback, delay: timedelta) -> None:
        """Keep the callback for the delay."""


class Platform(Protocol):
    """The platform, as a partner calls it."""

    def tell(self, callback: Callback, path: str, now: datetime) -> None:
        """Make the call; raise `CallbackFailed` when it is not taken."""


@dataclass(frozen=True)
class Theatre:
    """Everything a partner is played with."""

    overrides: Overrides
    requests: Requests
    callbacks: CallbackQueue
    api_url: str
    new_id: Callable[[], str]


def play(theatre: Theatre, partner: Partner, request: Request, now: datetime) -> Played | None:
    """Answer as the partner would; `None` when neither contract nor test knows the route."""
    operation = partner.contract.operation(request.method, request.route) if partner.contract else None
    exchange = Exchange(request, operation.path_values if operation else {}, now, theatre.new_id)
    played = _play(theatre, partner, operation, exchange)
    theatre.requests.record(partner.name, request, played, now)
    if operation and played and played.answer.is_success:
        for callback, delay in _callbacks(partner, operation, exchange, played):
            theatre.callbacks.put(callback, delay)
    return played


def deliver(platform: Platform, api_url: str, callback: Callback, now: datetime) -> None:
    """Make a call that is due; raise `ForeignCallback` when it would leave the stack."""
    platform.tell(callback, callback_path(callback.url, api_url), now)


def override_keys(partner: str, request: Request, operation: Operation | None) -> tuple[str, ...]:
    """Return where overrides of a request may be, the one that counts first."""
    routes = [request.route, *([operation.template] if operation else [])]
    return (
        *dict.fromkeys(f"{partner}{route}/{request.method}.json" for route in routes),
        f"{partner}/ANY.json",
    )


def _play(theatre: Theatre, partner: Partner, operation: Operation | None, exchange: Exchange) -> Played | None:
    if operation:
        refusal = _refusal(theatre, partner, operation, exchange)
        if refusal:
            return Played(refusal)
    played = _override(theatre, partner, operation, exchange)
    if played or not operation:
        return played
    return Played(operation.answer(exchange))


def _refusal(theatre: Theatre, partner: Partner, operation: Operation, exchange: Exchange) -> Answer | None:
    shown = operation.contract.credential.shown(exchange.request.headers)
    if not hmac.compare_digest(shown.encode(), partner.credential().encode()):
        return operation.answer(exchange, 401)
    places = [*operation.faults(exchange.request), *_foreign_addresses(theatre, operation, exchange.request)]
    return refused(operation.answer(exchange, 400), places) if places else None


def _foreign_addresses(theatre: Theatre, operation: Operation, request: Request) -> Iterator[Place]:
    for pointer, address in operation.callback_addresses(request):
        try:
            callback_path(str(address), theatre.api_url)
        except ForeignCallback:
            yield Place(pointer, "is not a route of this stack's API")


def _override(theatre: Theatre, partner: Partner, operation: Operation | None, exchange: Exchange) -> Played | None:
    for key in override_keys(partner.name, exchange.request, operation):
        stored = theatre.overrides.find(key)
        meant = chosen(overrides(stored.text), exchange.request.body) if stored else None
        if stored and meant:
            place, override = meant
            sequence = f"{key}#{override.id or f'{stored.version}#{place}'}"
            answer = override.at(theatre.requests.position(sequence) if override.is_sequence else 0)
            return Played(
                _chosen_answer(answer, operation, exchange),
                answer.delay_seconds,
                key,
                (ChosenCallback(),) if answer.callbacks is None else answer.callbacks,
            )
    return None


def _chosen_answer(choice: ChosenAnswer, operation: Operation | None, exchange: Exchange) -> Answer:
    if choice.disconnect:
        return HANGS_UP
    answer = _base(choice.status, operation, exchange)
    if choice.raw is not None:
        answer = replace(answer, content_type="text/html", text=choice.raw, value=None)
    elif choice.has_body:
        content_type = answer.content_type or "application/json"
        answer = Answer.with_value(answer.status, choice.body, content_type, answer.headers)
    return replace(answer, headers={**answer.headers, **choice.headers})


def _base(status: int | None, operation: Operation | None, exchange: Exchange) -> Answer:
    if operation:
        return operation.answer(exchange, status)
    if status is None or status < 400:
        return Answer(status or 200)
    return unexplained(status)


def _callbacks(
    partner: Partner, operation: Operation, exchange: Exchange, played: Played
) -> Iterator[tuple[Callback, timedelta]]:
    for due in operation.callbacks(replace(exchange, answer=played.answer)):
        for choice in played.callbacks:
            body = json.dumps({**due.value, **choice.body})
            yield (
                Callback(partner=partner.name, url=due.url, body=body),
                CALLBACK_AFTER + timedelta(seconds=played.delay_seconds + choice.delay_seconds),
            )
