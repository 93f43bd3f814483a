"""What kind of change a set of files is."""

from collections.abc import Iterable
from enum import StrEnum
from pathlib import PurePosixPath

FRONT_END = ("clients/", "frontend/")
"""Folders of what calls a stack and is no part of one: it works on the stack of its target as well as on its own."""


class Kind(StrEnum):
    """What a change touches, the most that any of its files does."""

    DOCS = "docs"
    FRONT_END = "front-end"
    CODE = "code"


def kind_of(files: Iterable[str] | None) -> Kind:
    """Tell what kind of change one to these files is; what is not known counts as code.

    >>> kind_of(["README.md", "docs/map.svg"])
    <Kind.DOCS: 'docs'>
    >>> kind_of(["README.md", "clients/paygo-client/src/paygo_client/errors.py"])
    <Kind.FRONT_END: 'front-end'>
    >>> kind_of(["README.md", "terraform/main.tf"])
    <Kind.CODE: 'code'>
    """
    if files is None:
        return Kind.CODE
    kinds = {_kind(file) for file in files}
    return next((kind for kind in (Kind.CODE, Kind.FRONT_END) if kind in kinds), Kind.DOCS)


def _kind(file: str) -> Kind:
    if file.startswith("docs/") or PurePosixPath(file).suffix == ".md":
        return Kind.DOCS
    return Kind.FRONT_END if file.startswith(FRONT_END) else Kind.CODE
