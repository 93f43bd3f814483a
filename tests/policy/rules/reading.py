"""How rules read a plan."""

import re
from collections.abc import Iterator
from typing import Any

from tests.policy.plan import REGION, STACK, Plan

type Complaints = Iterator[str]


def statements(document: dict[str, Any]) -> list[dict[str, Any]]:
    statements: list[dict[str, Any]] = document["Statement"]
    return statements


def listed(value: str | list[str] | None) -> list[str]:
    return [] if value is None else [value] if isinstance(value, str) else value


def operations_of(plan: Plan) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for api in plan.of("aws_api_gateway_rest_api"):
        for path, item in api.document("body")["paths"].items():
            for method, operation in item.items():
                yield method, path, operation


def route_of(method: str, path: str) -> str:
    """Write a route as the ARNs of execute-api do: one `*` for each parameter."""
    return f"{method.upper()}{re.sub(r'{[^}]*}', '*', path)}"


def at_most(text: str) -> int:
    """Measure a text where stack and region have the longest names there are."""
    return len(text.replace(STACK, "paygo-eighteenlettername").replace(REGION, "ap-southeast-1"))
