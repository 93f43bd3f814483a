"""AWS's Query protocol, read and written by botocore's model of an operation, in which no field can be forgotten."""

from datetime import UTC, datetime
from typing import Any
from xml.sax.saxutils import escape


def from_query(shape: Any, params: dict[str, Any], prefix: str = "") -> Any:
    """Read a value, None when the request has none."""
    if shape.type_name == "structure":
        members = {
            name: from_query(member, params, f"{prefix}.{name}" if prefix else name)
            for name, member in shape.members.items()
        }
        present = {name: value for name, value in members.items() if value is not None}
        return present if present or not prefix else None
    if shape.type_name == "list":
        items: list[Any] = []
        while (item := from_query(shape.member, params, f"{prefix}.member.{len(items) + 1}")) is not None:
            items.append(item)
        return items or None
    values = params.get(prefix)
    text = values[0] if isinstance(values, list) else values
    return None if text is None else _CONVERT.get(shape.type_name, str)(text)


_CONVERT: dict[str, Any] = {
    "boolean": lambda text: text.lower() == "true",
    "double": float,
    "float": float,
    "integer": int,
    "long": int,
}


def to_xml(shape: Any, value: Any) -> str:
    """Write a value."""
    if shape.type_name == "structure":
        return "".join(
            f"<{name}>{to_xml(member, value[name])}</{name}>"
            for name, member in shape.members.items()
            if value.get(name) is not None
        )
    if shape.type_name == "list":
        return "".join(f"<member>{to_xml(shape.member, each)}</member>" for each in value)
    if shape.type_name == "map":
        return "".join(
            f"<entry><key>{escape(str(key))}</key><value>{to_xml(shape.value, each)}</value></entry>"
            for key, each in value.items()
        )
    if shape.type_name == "timestamp" and isinstance(value, int | float):
        return datetime.fromtimestamp(value, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return str(value).lower() if isinstance(value, bool) else escape(str(value))
