"""Travis' conditions, version 1: what an `if` of `.travis.yml` says about an event.

The grammar is that of https://docs.travis-ci.com/user/conditions-v1; where that page is silent (where a word or a
regular expression ends), that of https://github.com/travis-ci/travis-conditions. One thing is stricter: alone, without
an operator, only `true` and `false` are a condition.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import pyparsing as pp

type _Value = Callable[["Event"], str | None]
type _Test = Callable[["Event"], bool]

ATTRIBUTES = frozenset(
    {
        "type",
        "repo",
        "branch",
        "tag",
        "commit_message",
        "sender",
        "fork",
        "head_repo",
        "head_branch",
        "os",
        "language",
        "sudo",
        "dist",
        "group",
    }
)


class ConditionError(ValueError):
    """A text is no condition; Travis would refuse the whole build."""


@dataclass(frozen=True)
class Event:
    """What Travis knows of an event: its attributes by name, all of them texts, and variables that are no secrets."""

    attributes: Mapping[str, str]
    env: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if unknown := self.attributes.keys() - ATTRIBUTES:
            msg = f"An event has no {', '.join(sorted(unknown))}: it has {', '.join(sorted(ATTRIBUTES))}."
            raise ConditionError(msg)


@dataclass(frozen=True)
class Condition:
    """A condition that has been read."""

    text: str
    test: _Test

    def holds(self, event: Event) -> bool:
        """Tell whether the condition is true of an event."""
        return self.test(event)


ALWAYS = Condition("true", lambda _event: True)


def parse(text: str) -> Condition:
    """Read a condition.

    >>> pull_request = parse("type = pull_request AND fork = false")
    >>> pull_request.holds(Event({"type": "pull_request", "fork": "false"}))
    True
    >>> pull_request.holds(Event({"type": "push", "fork": "false"}))
    False

    Raises
    ------
    ConditionError
        When the text is none, or a regular expression in it cannot be read.
    """
    one_line = re.sub(r"\\\s*[\n\r]", " ", text)
    try:
        return Condition(text, _grammar().parse_string(one_line, parse_all=True)[0])
    except (pp.ParseBaseException, re.error) as broken:
        msg = f"Not a condition of Travis: {text!r} ({broken})"
        raise ConditionError(msg) from broken


@cache
def _grammar() -> pp.ParserElement:
    not_ = pp.CaselessKeyword("not") | pp.Regex(r"!(?![=~])")
    and_ = pp.CaselessKeyword("and") | pp.Literal("&&")
    or_ = pp.CaselessKeyword("or") | pp.Literal("||")

    names = "|".join(sorted(ATTRIBUTES, key=len, reverse=True))
    attribute = pp.Regex(rf"(?:{names})(?=[\s=)|]|$)", re.IGNORECASE).add_parse_action(
        lambda found: _attribute(found[0])
    )
    quoted = (pp.QuotedString('"') | pp.QuotedString("'")).add_parse_action(lambda found: _constant(found[0]))
    word = pp.Regex(r"""(?!\$)[^\s()"',=!]+""").add_parse_action(lambda found: _constant(found[0]))
    call = pp.Forward()
    operand = attribute | call | quoted | word
    operands = pp.Suppress("(") + pp.DelimitedList(operand) + pp.Suppress(")")
    call <<= (pp.CaselessKeyword("env") | pp.CaselessKeyword("concat")) + pp.Group(operands)
    call.add_parse_action(lambda found: _call(found[0], list(found[1])))

    # Within slashes it may hold anything; without, it ends at a space, and not with a parenthesis.
    pattern = pp.Regex(r"/(?:[^/\\]|\\.)*/|(?!/)\S*[^\s)]").add_parse_action(lambda found: _pattern(found[0]))

    equal = (operand + pp.one_of("== = !=") + operand).add_parse_action(lambda found: _equal(*found))
    match = (operand + pp.one_of("=~ ~= !~") + (call | pattern)).add_parse_action(lambda found: _match(*found))
    contained = operand + pp.Optional(not_)("negated") + pp.CaselessKeyword("in").suppress() + pp.Group(operands)
    contained.add_parse_action(lambda found: _negated("negated" in found, _among(found[0], list(found[-1]))))
    predicates = pp.one_of("present blank true false", caseless=True, as_keyword=True)
    state = operand + pp.CaselessKeyword("is").suppress() + pp.Optional(not_)("negated") + predicates
    state.add_parse_action(lambda found: _negated("negated" in found, _is(found[0], found[-1])))
    alone = pp.one_of("true false", caseless=True, as_keyword=True).add_parse_action(lambda found: _alone(found[0]))

    expression = pp.Forward()
    factor = pp.Forward()
    negation = (not_.suppress() + factor).add_parse_action(lambda found: _negated(True, found[0]))
    factor <<= negation | pp.Suppress("(") + expression + pp.Suppress(")") | match | equal | contained | state | alone
    conjunction = pp.DelimitedList(factor, and_).add_parse_action(_every)
    expression <<= pp.DelimitedList(conjunction, or_).add_parse_action(_any)
    return expression


def _attribute(name: str) -> _Value:
    return lambda event: event.attributes.get(name.lower())


def _constant(text: str) -> _Value:
    return lambda _event: text


def _call(name: str, arguments: list[_Value]) -> _Value:
    if name == "env":
        return lambda event: event.env.get(arguments[0](event) or "")
    return lambda event: "".join(argument(event) or "" for argument in arguments)


def _pattern(text: str) -> _Value:
    source = re.sub(r"^/|/$", "", text)
    re.compile(source)
    return _constant(source)


def _equal(left: _Value, sign: str, right: _Value) -> _Test:
    return _negated(sign == "!=", lambda event: left(event) == right(event))


def _match(left: _Value, sign: str, pattern: _Value) -> _Test:
    # Ruby's anchors are those of lines.
    return _negated(sign == "!~", lambda event: bool(re.search(pattern(event) or "", left(event) or "", re.MULTILINE)))


def _among(left: _Value, members: list[_Value]) -> _Test:
    return lambda event: left(event) in [member(event) for member in members]


def _is(value: _Value, predicate: str) -> _Test:
    tests: dict[str, Callable[[str | None], bool]] = {
        "present": bool,
        "blank": lambda found: not found,
        "true": lambda found: found == "true",
        "false": lambda found: found in {None, "", "false"},
    }
    return lambda event: tests[predicate](value(event))


def _alone(word: str) -> _Test:
    return lambda _event: word == "true"


def _negated(negated: Any, test: _Test) -> _Test:
    return (lambda event: not test(event)) if negated else test


def _every(tests: Iterable[_Test]) -> _Test:
    tests = list(tests)
    return lambda event: all(test(event) for test in tests)


def _any(tests: Iterable[_Test]) -> _Test:
    tests = list(tests)
    return lambda event: any(test(event) for test in tests)
