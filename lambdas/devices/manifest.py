"""A supplier's manifest: a CSV of serial numbers, label codes and OpenPAYGO key material.

No value of a row is ever repeated in a reason: a column out of place may be somebody's key.
"""

import csv
import re
from dataclasses import dataclass
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints, ValidationError

from devices.model import ManifestTooLarge, ManifestUnreadable, normalised_label

MAX_ROWS = 5_000
MAX_MODEL_LENGTH = 100
FIRST_ROW_LINE = 2

SerialNumber = Annotated[str, Field(pattern=r"^[A-Z0-9][A-Z0-9-]{2,39}$")]

_LINE_END = re.compile(r"\r\n|\r|\n")


class ManifestRow(BaseModel):
    """A good row. OpenPAYGO's starting code has nine digits and its key 16 bytes, written in hexadecimal."""

    model_config = ConfigDict(frozen=True, str_strip_whitespace=True)

    serial_number: SerialNumber
    model: Annotated[str, Field(min_length=1, max_length=MAX_MODEL_LENGTH)]
    label_code: Annotated[str, BeforeValidator(normalised_label), Field(pattern=r"^[A-Z0-9]{4,32}$", repr=False)]
    starting_code: Annotated[str, Field(pattern=r"^[0-9]{9}$", repr=False)]
    secret_key: Annotated[str, StringConstraints(pattern=r"^[0-9A-Fa-f]{32}$", to_lower=True), Field(repr=False)]


COLUMNS = tuple(ManifestRow.model_fields)

_REASONS = {
    ("serial_number", "string_pattern_mismatch"): "must be 3 to 40 capital letters, digits and dashes",
    ("model", "string_too_short"): "must not be empty",
    ("model", "string_too_long"): f"must not be longer than {MAX_MODEL_LENGTH} characters",
    ("label_code", "string_pattern_mismatch"): "must be 4 to 32 letters and digits, dashes and spaces apart",
    ("starting_code", "string_pattern_mismatch"): "must be 9 digits",
    ("secret_key", "string_pattern_mismatch"): "must be 32 hexadecimal digits",
}


@dataclass(frozen=True, slots=True)
class Rejection:
    """A row that was skipped, by its line in the file."""

    line: int
    reason: str


@dataclass(frozen=True, slots=True)
class Manifest:
    """The good rows of a manifest, each serial number once, and the bad ones."""

    rows: tuple[ManifestRow, ...]
    rejected: tuple[Rejection, ...]


class _BadRow(Exception):
    pass


def read_manifest(body: bytes) -> Manifest:
    """Sort a manifest's rows into good and bad ones; empty lines are neither.

    Raises
    ------
    ManifestUnreadable
        When it is not UTF-8 or its first line is not the agreed header.
    ManifestTooLarge
        When it has more than `MAX_ROWS` rows.
    """
    try:
        # With or without the byte order mark that spreadsheets write.
        header, *lines = _LINE_END.split(body.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        message = "is not UTF-8"
        raise ManifestUnreadable(message) from error
    if header != ",".join(COLUMNS):
        message = f"must begin with the line {','.join(COLUMNS)}"
        raise ManifestUnreadable(message)
    numbered = [(number, line) for number, line in enumerate(lines, FIRST_ROW_LINE) if line.strip()]
    if len(numbered) > MAX_ROWS:
        raise ManifestTooLarge
    return _sort(numbered)


def _sort(numbered: list[tuple[int, str]]) -> Manifest:
    rows: dict[str, ManifestRow] = {}
    first_lines: dict[str, int] = {}
    rejected: list[Rejection] = []
    for number, line in numbered:
        try:
            row = _row(line)
        except _BadRow as error:
            rejected.append(Rejection(number, str(error)))
            continue
        first = first_lines.setdefault(row.serial_number, number)
        if first == number:
            rows[row.serial_number] = row
        else:
            rejected.append(Rejection(number, f"serial_number: is on line {first} already"))
    return Manifest(tuple(rows.values()), tuple(rejected))


def _row(line: str) -> ManifestRow:
    # Each line by itself: no good row spans lines, and so an open quote spoils its own row only.
    try:
        (values,) = csv.reader([line], strict=True)
    except csv.Error as error:
        message = "is not a row of CSV"
        raise _BadRow(message) from error
    if len(values) != len(COLUMNS):
        message = f"has {len(values)} columns instead of {len(COLUMNS)}"
        raise _BadRow(message)
    try:
        return ManifestRow.model_validate(dict(zip(COLUMNS, values, strict=True)))
    except ValidationError as error:
        raise _BadRow(_reasons(error)) from None  # the cause would carry the row's values


def _reasons(error: ValidationError) -> str:
    return "; ".join(
        f"{wrong['loc'][0]}: {_REASONS[str(wrong['loc'][0]), wrong['type']]}"
        for wrong in error.errors(include_url=False, include_context=False, include_input=False)
    )
