"""The control route, ``/_paygo/throttle``: what the throttle goes by, and what it has seen.

GET tells, POST changes and tells; both answer::

    {
      "clock": "off" | "real" | "virtual",
      "speed": 0.0,                      seconds of the clock for each real one
      "now": 61.5,                       seconds since it was switched on
      "quotas": {"iam.roles": 80},       those that were changed
      "record": {"apigateway.DeleteRestApi": {
        "calls": 3, "refused": 1,
        "passed_at": [0.0, 31.2],        by the clock
        "refused_at": [12.4],
        "refused_by": {"apigateway.DeleteRestApi": 1}
      }}
    }

A POST's body has any of these, applied in this order::

    {
      "clock": "real",                   begins anew: full buckets, no record, AWS's quotas; "off" keeps the record
      "speed": 60,                       with a virtual clock: how fast it goes by itself; without, it stands still
      "quotas": {"iam.roles": 80},       instead of AWS's; replaces those that were changed before
      "advance": 30                      seconds, for a virtual clock
    }

Recorded are the operations of the services that have rates, and those that count towards a quota.
"""

import json
from collections.abc import Mapping
from typing import Any

from paygo_cloud.throttle import switch
from paygo_limits import NoSuchLimitError, quota

PATH = "/_paygo/throttle"
FIELDS = ("clock", "speed", "quotas", "advance")


class AskedWrongly(Exception):
    """A request that cannot be understood, in a sentence that says what can."""


def handle(method: str, body: bytes) -> tuple[int, dict[str, str], bytes]:
    """Answer a request."""
    try:
        if method == "POST":
            _change(_read(body))
        elif method != "GET":
            raise AskedWrongly("The throttle answers GET and POST.")
    except AskedWrongly as wrong:
        return _json(400, {"message": str(wrong)})
    return _json(200, _told())


def _read(body: bytes) -> Mapping[str, Any]:
    try:
        asked = json.loads(body)
    except ValueError:
        asked = None
    if not isinstance(asked, dict) or not asked or set(asked) - set(FIELDS):
        raise AskedWrongly(f"Send a JSON object with any of: {', '.join(FIELDS)}.")
    return asked


def _change(asked: Mapping[str, Any]) -> None:
    clock, speed = asked.get("clock"), asked.get("speed")
    if speed is not None and (clock != "virtual" or not _is_number(speed)):
        raise AskedWrongly('Only a clock that is set to "virtual" has a speed, 0 or more seconds a second.')
    quotas = _quotas(asked["quotas"]) if "quotas" in asked else None
    if clock is not None:
        if clock not in {switch.OFF, *switch.CLOCKS}:
            raise AskedWrongly(f"The clock is one of: {', '.join((switch.OFF, *switch.CLOCKS))}.")
        switch.set_to(clock, speed)
    gate = switch.gate()
    if ("quotas" in asked or "advance" in asked) and (gate is None or switch.clock() == switch.OFF):
        raise AskedWrongly('The throttle is off: set its clock to "real" or "virtual" first.')
    if gate is not None and quotas is not None:
        gate.quotas = quotas
    if gate is not None and "advance" in asked:
        if switch.clock() != "virtual" or not _is_number(asked["advance"]):
            raise AskedWrongly("Only a virtual clock is advanced, by 0 or more seconds.")
        gate.clock.advance(asked["advance"])


def _quotas(asked: Any) -> dict[str, int]:
    if not isinstance(asked, dict) or not all(_is_number(limit) for limit in asked.values()):
        raise AskedWrongly('Quotas are numbers by name, as {"iam.roles": 80}.')
    for name in asked:
        try:
            quota(*name.split(".", 1))
        except (NoSuchLimitError, TypeError):
            raise AskedWrongly(f"No quota '{name}' is written down; they are named as \"iam.roles\".") from None
    return {name: int(limit) for name, limit in asked.items()}


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and value >= 0


def _told() -> dict[str, Any]:
    gate = switch.gate()
    if gate is None:
        return {"clock": switch.OFF, "speed": 0.0, "now": 0.0, "quotas": {}, "record": {}}
    return {
        "clock": switch.clock(),
        "speed": gate.clock.speed,
        "now": gate.clock.now(),
        "quotas": gate.quotas,
        "record": {name: tally.to_json() for name, tally in sorted(gate.record.items())},
    }


def _json(status: int, body: Any) -> tuple[int, dict[str, str], bytes]:
    return status, {"Content-Type": "application/json"}, json.dumps(body).encode()
