"""A supplier's manifest: always the same rows with the same mistakes, with serial numbers and keys of their own."""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, replace

HEADER = "serial_number,model,label_code,starting_code,secret_key"
ROWS = 1_000
MODEL = "solar-home-50"
_LABEL_LETTERS = "23456789ABCDEFGHJKLMNPQRSTUVWXYZ"  # none that is mistaken for another on a label


@dataclass(frozen=True)
class Kit:
    """What the supplier knows about a device it made."""

    serial_number: str
    model: str
    label_code: str
    starting_code: str
    secret_key: str

    @property
    def row(self) -> str:
        """The kit's line in the manifest."""
        return ",".join([self.serial_number, self.model, self.label_code, self.starting_code, self.secret_key])


MISTAKES: Mapping[int, Mapping[str, str]] = {
    17: {"secret_key": "not-hexadecimal"},
    240: {"model": ""},
    404: {"serial_number": "shs lower case"},
    733: {"starting_code": "twelve"},
    901: {"label_code": ""},
}
"""The bad rows, by their line in the file, and what is wrong with each."""


@dataclass(frozen=True)
class Manifest:
    """The kits of a batch, and the file that lists them with mistakes in some lines."""

    kits: tuple[Kit, ...]
    csv: str

    @property
    def good_kits(self) -> tuple[Kit, ...]:
        """The kits whose rows are without mistake."""
        return tuple(kit for line, kit in enumerate(self.kits, start=2) if line not in MISTAKES)


def make_manifest(run: str, rows: int = ROWS) -> Manifest:
    """Return the manifest of a run, whose name is part of its serial numbers."""
    kits = tuple(
        Kit(
            serial_number=f"SHS-{run}-{number:04}",
            model=MODEL,
            label_code="-".join(_letters(4) for _ in range(2)),
            starting_code=f"{secrets.randbelow(10**9):09}",
            secret_key=secrets.token_hex(16),
        )
        for number in range(1, rows + 1)
    )
    written = (replace(kit, **MISTAKES.get(line, {})) for line, kit in enumerate(kits, start=2))
    return Manifest(kits, "\n".join([HEADER, *(kit.row for kit in written), ""]))


def _letters(count: int) -> str:
    return "".join(secrets.choice(_LABEL_LETTERS) for _ in range(count))
