from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from partners.model.values import TEXTS, made

type Schema = dict[str, Any]


def plain(schema: Any) -> Any:
    return schema


def bounds(low: str, high: str, numbers: st.SearchStrategy[Any]) -> st.SearchStrategy[Schema]:
    return (
        st.lists(numbers, min_size=2, max_size=2, unique=True)
        .map(sorted)
        .flatmap(lambda pair: st.fixed_dictionaries({}, optional={low: st.just(pair[0]), high: st.just(pair[1])}))
    )


LENGTHS = bounds("minLength", "maxLength", st.integers(0, 60))
WHOLE = st.one_of(
    bounds("minimum", "maximum", st.integers(-1000, 1000)),
    # Wide enough that a whole number lies between, and a multiple of 5 too.
    st.integers(-1000, 1000).map(lambda low: {"exclusiveMinimum": low, "exclusiveMaximum": low + 20}),
    st.integers(-1000, 1000).map(lambda low: {"minimum": low, "maximum": low + 20, "multipleOf": 5}),
    st.integers(-1000, 1000).map(lambda high: {"maximum": high, "multipleOf": 5}),
)
REAL = st.one_of(
    bounds("minimum", "maximum", st.integers(-1000, 1000)),
    bounds("exclusiveMinimum", "exclusiveMaximum", st.integers(-1000, 1000)),
)
SIMPLE: st.SearchStrategy[Schema] = st.one_of(
    LENGTHS.map(lambda limits: {"type": "string", **limits}),
    st.sampled_from(sorted(TEXTS)).map(lambda format_: {"type": "string", "format": format_}),
    WHOLE.map(lambda limits: {"type": "integer", **limits}),
    REAL.map(lambda limits: {"type": "number", **limits}),
    st.just({"type": "boolean"}),
    st.just({"type": "null"}),
    st.just({"type": ["null", "integer"]}),
    st.just({"const": 7}),
    st.lists(st.integers(), min_size=1).map(lambda choices: {"enum": choices}),
    st.integers().map(lambda value: {"type": "integer", "example": value}),
    st.integers().map(lambda value: {"type": "integer", "examples": [value]}),
    st.integers().map(lambda value: {"type": "integer", "default": value}),
)


def nested(inner: st.SearchStrategy[Schema]) -> st.SearchStrategy[Schema]:
    properties = st.dictionaries(st.sampled_from("abcdef"), inner, max_size=4)
    objects = properties.map(
        lambda parts: {
            "type": "object",
            "properties": parts,
            "required": sorted(parts),
            "additionalProperties": False,
        }
    )
    return st.one_of(
        objects,
        inner.map(lambda items: {"type": "array", "items": items}),
        inner.map(lambda items: {"type": "array", "items": items, "minItems": 3}),
        inner.map(lambda items: {"type": "array", "items": items, "maxItems": 0}),
        inner.map(lambda one: {"anyOf": [one, {"type": "string"}]}),
    )


@given(st.recursive(SIMPLE, nested, max_leaves=8))
def test_a_made_value_fits_its_schema(schema: Schema) -> None:
    value = made(schema, plain)

    assert list(Draft202012Validator(schema).iter_errors(value)) == []


@given(st.recursive(SIMPLE, nested, max_leaves=4))
def test_the_same_value_is_made_whenever_it_is_asked(schema: Schema) -> None:
    assert made(schema, plain) == made(schema, plain)


def test_a_reference_is_followed() -> None:
    schema = {"allOf": [{"$ref": "#/a"}, {"type": "object", "properties": {"b": {"const": 2}}}]}

    def resolve(part: Any) -> Any:
        return {"properties": {"a": {"const": 1}}} if "$ref" in part else part

    assert made(schema, resolve) == {"a": 1, "b": 2}


def test_one_of_several_is_the_first() -> None:
    assert made({"oneOf": [{"const": "first"}, {"const": "second"}]}, plain) == "first"


@pytest.mark.parametrize(
    ("limits", "value"),
    [
        ({}, 1.5),
        ({"minimum": 3}, 4),
        ({"maximum": 3}, 2),
        ({"minimum": 3, "maximum": 4}, 3.5),
        ({"minimum": 3, "maximum": 3}, 3),
    ],
)
def test_a_number_lies_inside_its_limits(limits: Schema, value: float) -> None:
    assert made({"type": "number", **limits}, plain) == value
