"""Every problem that a caller may be told is explained in docs/problems.md, and nothing else is."""

import ast
import re
from collections.abc import Iterator
from http import HTTPStatus
from pathlib import Path

import pytest

from contracts.document import load

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "problems.md"
GATEWAY = ROOT / "terraform" / "modules" / "rest_api" / "problems.tf"

_ROW = re.compile(r"^\| `([a-z-]+)` \| ([0-9, ]+) \| [^|]+ \| [^|]+ \|$", re.MULTILINE)
_TYPE = re.compile(r'^\s*type\s*=\s*"([a-z-]+)"', re.MULTILINE)

type Told = set[tuple[str, int]]


def documented(section: str) -> Told:
    text = PAGE.read_text(encoding="utf-8").partition(f"## {section}\n")[2].partition("\n## ")[0]
    return {(kind, int(status)) for kind, statuses in _ROW.findall(text) for status in statuses.split(", ")}


def told_by(source: str) -> Iterator[tuple[str, int]]:
    """Find each `Problem(HTTPStatus.X, "kind", ...)`."""
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Call(
                func=ast.Name(id="Problem"), args=[ast.Attribute(attr=status), ast.Constant(value=str(kind)), *_]
            ):
                yield kind, HTTPStatus[status].value
            case ast.Call(func=ast.Name(id="Problem")):
                message = f"line {node.lineno}: write status and kind of a Problem in place, so that both can be read"
                raise AssertionError(message)


def told_by_functions() -> Told:
    sources = [*(ROOT / "lambdas").rglob("*.py"), *(ROOT / "layers" / "shared" / "paygo").rglob("*.py")]
    return {told for path in sources for told in told_by(path.read_text(encoding="utf-8"))}


def test_the_page_explains_what_functions_tell() -> None:
    assert documented("Told by functions") == told_by_functions()


def test_the_page_explains_what_api_gateway_tells() -> None:
    assert {kind for kind, _ in documented("Told by API Gateway")} == set(_TYPE.findall(GATEWAY.read_text()))


def test_the_contract_shows_only_problems_that_exist() -> None:
    shown = {
        (example["value"]["type"].removeprefix("urn:paygo:problem:"), example["value"]["status"])
        for response in load()["components"]["responses"].values()
        for example in response["content"]["application/problem+json"]["examples"].values()
    }

    assert shown <= documented("Told by functions") | documented("Told by API Gateway")


def test_a_problem_is_found_wherever_it_is_made() -> None:
    source = 'raise Problem(HTTPStatus.CONFLICT, "too-late", "It is too late", "Come earlier.") from error'

    assert list(told_by(source)) == [("too-late", 409)]


def test_a_problem_whose_kind_cannot_be_read_is_told() -> None:
    with pytest.raises(AssertionError, match="line 1: write status and kind"):
        list(told_by("raise Problem(status, kind, title, detail)"))
