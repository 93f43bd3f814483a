r"""Filter patterns of CloudWatch Logs: terms, optional and excluded terms, regular expressions, and JSON conditions.

AWS: https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/FilterAndPatternSyntax.html
"""

import json
import re
from collections.abc import Callable
from fnmatch import fnmatchcase
from typing import Any

type Matches = Callable[[str], bool]
type Condition = Callable[[Any], bool]


class PatternError(Exception):
    """AWS would refuse the pattern, or it is of a kind that is not understood here."""


def compile_pattern(pattern: str) -> Matches:
    """Return what tells whether a message matches."""
    pattern = pattern.strip()
    if not pattern:
        return lambda _: True
    if pattern.startswith("{"):
        return _json_pattern(pattern)
    if pattern.startswith("["):
        raise PatternError("Space-delimited patterns are not understood here.")
    return _terms(pattern)


_TERM = re.compile(r'\s*([?-]?)(?:"((?:[^"\\]|\\.)*)"|%([^%]+)%|([\w]+))(?=\s|$)')


def _terms(pattern: str) -> Matches:
    found: dict[str, list[Matches]] = {"": [], "?": [], "-": []}
    position = 0
    while position < len(pattern):
        match = _TERM.match(pattern, position)
        if match is None:
            raise PatternError(f"Invalid filter pattern near {pattern[position:][:20]!r}: quote what is not a word.")
        sign, quoted, expression, word = match.groups()
        if expression is not None:
            found[sign].append(_containing_match(expression))
        else:
            found[sign].append(_containing(word if quoted is None else re.sub(r"\\(.)", r"\1", quoted)))
        position = match.end()

    def matches(message: str) -> bool:
        if any(each(message) for each in found["-"]):
            return False
        if found[""]:  # beside terms that must be there, optional ones count for nothing
            return all(each(message) for each in found[""])
        return not found["?"] or any(each(message) for each in found["?"])

    return matches


def _containing(text: str) -> Matches:
    return lambda message: text in message


def _containing_match(expression: str) -> Matches:
    compiled = re.compile(expression)
    return lambda message: compiled.search(message) is not None


_TOKENS = re.compile(
    r"""\s*(?:
    (?P<symbol>\(|\)|&&|\|\||!=|<=|>=|=|<|>|\{|\})
    |(?P<selector>\$(?:\.[\w-]+|\[\d+\]|\.?\["[^"]+"\])+)
    |"(?P<quoted>(?:[^"\\]|\\.)*)"
    |%(?P<expression>[^%]+)%
    |(?P<word>[^\s()&|=<>!{}]+)
    )""",
    re.VERBOSE,
)
_MISSING = object()


def _json_pattern(pattern: str) -> Matches:
    tokens = _tokens(pattern)
    if tokens[0] != ("symbol", "{") or tokens[-1] != ("symbol", "}"):
        raise PatternError(f"Invalid filter pattern: {pattern}")
    reader = _Reader(tokens[1:-1])
    condition = reader.any_of()
    if reader.tokens:
        raise PatternError(f"Invalid filter pattern: {pattern}")

    def matches(message: str) -> bool:
        try:
            document = json.loads(message)
        except ValueError:
            return False
        return isinstance(document, dict | list) and condition(document)

    return matches


def _tokens(pattern: str) -> list[tuple[str, str]]:
    tokens, position = list[tuple[str, str]](), 0
    while position < len(pattern.rstrip()):
        match = _TOKENS.match(pattern, position)
        if match is None or match.lastgroup is None:
            raise PatternError(f"Invalid filter pattern near {pattern[position:][:20]!r}")
        tokens.append((match.lastgroup, match[match.lastgroup]))
        position = match.end()
    return tokens


class _Reader:
    def __init__(self, tokens: list[tuple[str, str]]) -> None:
        self.tokens = tokens

    def take(self, kind: str | None = None, text: str | None = None) -> tuple[str, str]:
        if not self.tokens or (kind and self.tokens[0][0] != kind) or (text and self.tokens[0][1].upper() != text):
            raise PatternError(f"Invalid filter pattern: {text or kind or 'more'} is expected.")
        return self.tokens.pop(0)

    def accept(self, text: str) -> bool:
        if self.tokens and self.tokens[0][0] in {"symbol", "word"} and self.tokens[0][1].upper() == text:
            self.tokens.pop(0)
            return True
        return False

    def any_of(self) -> Condition:
        conditions = [self.all_of()]
        while self.accept("||"):
            conditions.append(self.all_of())
        return lambda document: any(each(document) for each in conditions)

    def all_of(self) -> Condition:
        conditions = [self.one()]
        while self.accept("&&"):
            conditions.append(self.one())
        return lambda document: all(each(document) for each in conditions)

    def one(self) -> Condition:
        if self.accept("("):
            condition = self.any_of()
            self.take("symbol", ")")
            return condition
        path = _path(self.take("selector")[1])
        test = self.test()
        return lambda document: test(_select(document, path))

    def test(self) -> Callable[[Any], bool]:
        if self.accept("IS"):
            expected = {"NULL": None, "TRUE": True, "FALSE": False}[self.take("word")[1].upper()]
            return lambda value: value is expected
        if self.accept("NOT"):
            self.take("word", "EXISTS")
            return lambda value: value is _MISSING
        if self.accept("EXISTS"):
            return lambda value: value is not _MISSING
        sign = self.take("symbol")[1]
        kind, text = self.take()
        if sign in {"=", "!="}:
            equals = _equals(kind, text)
            if sign == "=":
                return lambda value: value is not _MISSING and equals(value)
            return lambda value: value is not _MISSING and not equals(value)
        return _compares(sign, float(text))


def _path(selector: str) -> list[str | int]:
    found = re.findall(r'\["([^"]+)"\]|\[(\d+)\]|\.([\w-]+)', selector)
    return [name or plain or int(index) for name, index, plain in found]


def _select(document: Any, path: list[str | int]) -> Any:
    for step in path:
        try:
            document = document[step]
        except (KeyError, IndexError, TypeError):
            return _MISSING
    return document


def _equals(kind: str, text: str) -> Callable[[Any], bool]:
    if kind == "expression":
        compiled = re.compile(text)
        return lambda value: isinstance(value, str) and compiled.search(value) is not None
    if kind == "quoted":
        text = re.sub(r"\\(.)", r"\1", text)
    elif re.fullmatch(r"-?\d+(\.\d+)?", text):
        number = float(text)
        return lambda value: (
            value == text if isinstance(value, str) else not isinstance(value, bool) and value == number
        )
    wanted = text.replace("[", "[[]").replace("?", "[?]")
    return lambda value: isinstance(value, str) and fnmatchcase(value, wanted)


def _compares(sign: str, limit: float) -> Callable[[Any], bool]:
    def compare(value: Any) -> bool:
        if isinstance(value, bool) or not isinstance(value, int | float):
            return False
        return {"<": value < limit, ">": value > limit, "<=": value <= limit, ">=": value >= limit}[sign]

    return compare
