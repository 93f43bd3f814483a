"""The contract as schemathesis reads it: our own document, made plain OpenAPI, for one of the two trees."""

from copy import deepcopy
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from typing import Any

import schemathesis
from schemathesis import Case
from schemathesis.schemas import APIOperation

from contracts.document import Document, load, operations

PROVEN_BY = frozenset({"Timestamp", "Nonce", "Signature"})
"""Parameters that a caller's signature brings along: they are not made up."""
UNREAD = {"name": "unread", "in": "query", "required": False, "schema": {"type": "string"}}
"""What no route reads: it gives those that take nothing something that varies."""

type Example = Case[Any]
"""A request that schemathesis made up."""


class Tree(StrEnum):
    """How the paths of the contract begin."""

    SIGNED = ""
    BEARER = "/bearer"


@dataclass(frozen=True)
class Route:
    """An operation of the contract, in one of the trees."""

    tree: Tree
    id: str
    path: str
    method: str
    scheme: str | None
    callers: tuple[str, ...]
    schema: APIOperation[Any, Any, Any, Any]


@cache
def routes(tree: Tree) -> dict[str, Route]:
    """Return the tree's operations by their ids."""
    contract = load()
    plain = schemathesis.openapi.from_dict(_plain(contract, tree))
    return {
        operation.id: Route(
            tree=tree,
            id=operation.id,
            path=operation.path,
            method=operation.method,
            scheme=scheme,
            callers=tuple(operation.spec.get("x-paygo-callers", ())),
            schema=plain[_path(tree, operation.path)][operation.method],
        )
        for operation in operations(contract)
        for scheme in [_scheme(operation.spec)]
        if tree is Tree.SIGNED or scheme == "session"
    }


def _plain(contract: Document, tree: Tree) -> Document:
    """Return the tree's document: bearer tokens open the routes of sessions, under a path of their own."""
    paths: dict[str, dict[str, Any]] = {}
    for operation in operations(contract):
        if tree is Tree.BEARER and _scheme(operation.spec) != "session":
            continue
        spec = deepcopy(operation.spec)
        given = [part for part in spec.get("parameters", []) if part["$ref"].rpartition("/")[2] not in PROVEN_BY]
        # Who calls is ours to prove, and no part of what is made up.
        spec |= {"parameters": [*given, UNREAD], "security": []}
        paths.setdefault(_path(tree, operation.path), {})[operation.method.lower()] = spec
    components = deepcopy(contract["components"])
    for parameter in components["parameters"].values():
        parameter["name"] = parameter["name"].removesuffix("+")
    return {"openapi": contract["openapi"], "info": contract["info"], "paths": paths, "components": components}


def _path(tree: Tree, path: str) -> str:
    # API Gateway's `{route+}` stands for the rest of the path; OpenAPI knows no such thing.
    return tree + path.replace("+}", "}")


def _scheme(spec: Document) -> str | None:
    return next((name for need in spec["security"] for name in need), None)
