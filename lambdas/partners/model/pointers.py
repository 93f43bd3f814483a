"""RFC 6901 JSON pointers into values that may not have the place."""

import re
from collections.abc import Mapping
from typing import Any

_LIST_INDEX = re.compile(r"0|[1-9][0-9]*")


def find(value: Any, pointer: str) -> Any:
    """Return what stands at the pointer, or `None`."""
    for step in _steps(pointer):
        match value:
            case dict() if step in value:
                value = value[step]
            case list() if _LIST_INDEX.fullmatch(step) and int(step) < len(value):
                value = value[int(step)]
            case _:
                return None
    return value


def replaced(value: Any, pointer: str, by: Any) -> Any:
    """Return a copy of the objects in `value` with `by` at the pointer."""
    first, *rest = _steps(pointer)
    inner = replaced(value[first], "".join(f"/{step}" for step in rest), by) if rest else by
    return {**value, first: inner}


def agrees(value: Any, wanted: Mapping[str, Any]) -> bool:
    """Tell whether all that is wanted stands at its pointer."""
    return all(find(value, pointer) == expected for pointer, expected in wanted.items())


def _steps(pointer: str) -> list[str]:
    return [step.replace("~1", "/").replace("~0", "~") for step in pointer.split("/")[1:]]
