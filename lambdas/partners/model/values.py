"""Values made from a schema, for answers that a contract describes and does not show."""

import math
from collections.abc import Callable, Mapping
from typing import Any

type Schema = Mapping[str, Any]
type Resolve = Callable[[Schema], Schema]

TEXTS = {
    "date": "2026-11-21",
    "date-time": "2026-11-21T10:00:00Z",
    "email": "somebody@example.org",
    "uri": "https://example.org",
    "uuid": "5d6c0f5e-6f0e-4a5b-9a42-0b1f6f3f6d1e",
}
"""A text of each format."""


def made(schema: Schema, resolve: Resolve) -> Any:
    """Return a value that the schema allows, the same whenever it is asked.

    Text with a `pattern` cannot be made up: such a schema needs an `example`.
    """
    schema = resolve(schema)
    for shown in ("example", "default", "const"):
        if shown in schema:
            return schema[shown]
    for choices in ("examples", "enum"):
        if schema.get(choices):
            return schema[choices][0]
    for choices in ("oneOf", "anyOf"):
        if choices in schema:
            return made(schema[choices][0], resolve)
    if "allOf" in schema:
        return {name: value for part in schema["allOf"] for name, value in made(part, resolve).items()}
    return _OF_TYPE[_type(schema)](schema, resolve)


def _type(schema: Schema) -> str:
    wanted = schema.get("type", "object")
    return str(wanted) if isinstance(wanted, str) else next(name for name in wanted if name != "null")


def _object(schema: Schema, resolve: Resolve) -> Any:
    return {name: made(part, resolve) for name, part in schema.get("properties", {}).items()}


def _array(schema: Schema, resolve: Resolve) -> Any:
    length = min(max(schema.get("minItems", 0), 1), schema.get("maxItems", math.inf))
    return [made(schema["items"], resolve) for _ in range(length)]


def _string(schema: Schema, _: Resolve) -> Any:
    text = TEXTS.get(schema.get("format", ""), "text")
    return text.ljust(schema.get("minLength", 0), "x")[: schema.get("maxLength")]


def _integer(schema: Schema, _: Resolve) -> Any:
    step = schema.get("multipleOf", 1)
    lowest = max(schema.get("minimum", -math.inf), schema.get("exclusiveMinimum", -math.inf) + 1)
    highest = min(schema.get("maximum", math.inf), schema.get("exclusiveMaximum", math.inf) - 1)
    wanted = min(max(1, lowest), highest)
    return math.floor(wanted / step) * step if wanted == highest else math.ceil(wanted / step) * step


def _number(schema: Schema, _: Resolve) -> Any:
    lowest = max(schema.get("minimum", -math.inf), schema.get("exclusiveMinimum", -math.inf))
    highest = min(schema.get("maximum", math.inf), schema.get("exclusiveMaximum", math.inf))
    if math.isinf(lowest) and math.isinf(highest):
        return 1.5
    if math.isinf(lowest):
        return highest - 1
    return lowest + 1 if math.isinf(highest) else (lowest + highest) / 2


_OF_TYPE: Mapping[str, Callable[[Schema, Resolve], Any]] = {
    "object": _object,
    "array": _array,
    "string": _string,
    "integer": _integer,
    "number": _number,
    "boolean": lambda *_: True,
    "null": lambda *_: None,
}
