"""How each of AWS's services lists, tells and removes what a stack has there: functions for `janitor.kinds`."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from janitor.clients import Clients


def pages(clients: Clients, service: str, operation: str, item: str, **arguments: Any) -> Iterator[Any]:
    """Give every item that an operation lists, over all its pages."""
    for page in clients(service).get_paginator(operation).paginate(**arguments):
        yield from page.get(item) or []


def pairs(tags: Iterable[Mapping[str, str]] | None) -> dict[str, str]:
    """Read the three ways in which AWS writes a list of tags.

    >>> pairs([{"Key": "Stack", "Value": "paygo-demo"}])
    {'Stack': 'paygo-demo'}
    """
    return {
        (tag.get("Key") or tag.get("TagKey") or ""): tag.get("Value") or tag.get("TagValue") or "" for tag in tags or ()
    }
