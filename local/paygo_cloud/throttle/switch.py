"""The throttle of this server: off, or a gate in front of the services that have rates or quotas.

Off means that nothing of it is in a call's way: each service's handler is MiniStack's own.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from ministack import app
from ministack.core.responses import get_account_id, get_region

from paygo_cloud.throttle import counts
from paygo_cloud.throttle.clock import BY_HAND, REAL, Clock
from paygo_cloud.throttle.gate import SHARED, Gate
from paygo_cloud.throttle.operations import Request, recognise
from paygo_limits import limited_services, quota

CLOCKS = {"real": REAL, "virtual": BY_HAND}
OFF = "off"

type Handler = Callable[..., Any]


@dataclass
class _State:
    clock: str = OFF
    gate: Gate | None = None


_state = _State()


def clock() -> str:
    """Return what the throttle goes by: ``off``, ``real`` or ``virtual``."""
    return _state.clock


def gate() -> Gate | None:
    """Return what calls pass through, and after it was switched off, what they passed through last."""
    return _state.gate


def set_to(clock: str, speed: float | None = None, quotas: Mapping[str, int] | None = None) -> None:
    """Begin anew by a clock, or switch off."""
    _state.clock = clock
    handlers = _handlers()
    if clock == OFF:
        app.SERVICE_HANDLERS.update(handlers)
        return
    gate = Gate(Clock(CLOCKS[clock] if speed is None else speed), quotas)
    _state.gate = gate
    app.SERVICE_HANDLERS.update({name: _behind(gate, name, handler) for name, handler in handlers.items()})


def limit(service: str, name: str) -> int:
    """Return a quota that is in force: a lowered one only while the throttle is on."""
    if _state.clock == OFF or _state.gate is None:
        return quota(service, name).limit
    return _state.gate.limit(service, name)


def _behind(gate: Gate, endpoint: str, handler: Handler) -> Handler:
    services = [service for service in _limited() if _ENDPOINTS.get(service, service) == endpoint]

    async def handle(
        method: str, path: str, headers: dict[str, str], body: bytes, query_params: dict[str, list[str]]
    ) -> Any:
        call = recognise(services, Request(method, path, headers, body, query_params))
        if call is not None:
            scope = f"{get_account_id()}/{get_region()}"
            refused = gate.answer(scope, call, counts.of(call))
            if refused is not None:
                return refused
        return await handler(method, path, headers, body, query_params)

    return handle


_ENDPOINTS = {"cloudwatch": "monitoring", **SHARED}
"""What MiniStack calls a service's endpoint, where it is not its client's name."""


@cache
def _limited() -> list[str]:
    with_rates = limited_services()
    return sorted({*with_rates, *counts.services(), *(each for each, with_ in SHARED.items() if with_ in with_rates)})


@cache
def _handlers() -> dict[str, Handler]:
    endpoints = {_ENDPOINTS.get(service, service) for service in _limited()}
    return {name: app.SERVICE_HANDLERS[name] for name in endpoints}
