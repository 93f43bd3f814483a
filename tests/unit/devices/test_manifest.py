import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devices.manifest import COLUMNS, MAX_ROWS, Manifest, Rejection, read_manifest
from devices.model import ManifestTooLarge, ManifestUnreadable
from tests.unit.devices.makers import SECRET_KEY, row

HEADER = "serial_number,model,label_code,starting_code,secret_key"
GOOD = f"SHS-000001,solar-home-50,K7QM-2X9D,012345678,{SECRET_KEY}"


def read(*lines: str, end: str = "\n") -> Manifest:
    return read_manifest((end.join([HEADER, *lines]) + end).encode())


def test_a_good_row_is_read_with_its_label_code_and_key_in_one_form() -> None:
    manifest = read(GOOD.replace("K7QM-2X9D", "k7qm 2x9d").replace("0a0b", "0A0B"))

    assert manifest == Manifest((row(),), ())
    assert (manifest.rows[0].label_code, manifest.rows[0].secret_key) == ("K7QM2X9D", SECRET_KEY)


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_line_ends_of_every_system_are_read(end: str) -> None:
    manifest = read(GOOD, "bad", end=end)

    assert manifest.rows == (row(),)
    assert [rejection.line for rejection in manifest.rejected] == [3]


def test_a_byte_order_mark_is_no_part_of_the_header() -> None:
    assert read_manifest(f"\ufeff{HEADER}\n{GOOD}".encode()).rows == (row(),)


def test_a_manifest_may_have_no_rows() -> None:
    assert read() == Manifest((), ())


def test_empty_lines_are_skipped_and_counted_as_lines() -> None:
    manifest = read("", GOOD, "   ", "bad")

    assert manifest.rows == (row(),)
    assert [rejection.line for rejection in manifest.rejected] == [5]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (GOOD.replace("SHS-000001", "shs-000001"), "serial_number: must be 3 to 40 capital letters, digits and dashes"),
        (GOOD.replace("SHS-000001", "SH"), "serial_number: must be 3 to 40 capital letters, digits and dashes"),
        (GOOD.replace("solar-home-50", "  "), "model: must not be empty"),
        (GOOD.replace("solar-home-50", "m" * 101), "model: must not be longer than 100 characters"),
        (GOOD.replace("K7QM-2X9D", "A-1"), "label_code: must be 4 to 32 letters and digits, dashes and spaces apart"),
        (GOOD.replace("K7QM", "K_QM"), "label_code: must be 4 to 32 letters and digits, dashes and spaces apart"),
        (GOOD.replace("012345678", "12345678"), "starting_code: must be 9 digits"),
        (GOOD.replace("012345678", "٠١٢٣٤٥٦٧٨"), "starting_code: must be 9 digits"),
        (GOOD.replace("0e0f", "0e0"), "secret_key: must be 32 hexadecimal digits"),
        (GOOD.replace("0e0f", "0e0g"), "secret_key: must be 32 hexadecimal digits"),
        (GOOD + ",", "has 6 columns instead of 5"),
        ("SHS-000001", "has 1 columns instead of 5"),
        (GOOD.replace("solar", '"solar'), "is not a row of CSV"),
        ('"a" b,' + GOOD, "is not a row of CSV"),
        (
            f"SHS-000001,,K7QM-2X9D,one,{SECRET_KEY}",
            "model: must not be empty; starting_code: must be 9 digits",
        ),
    ],
)
def test_a_bad_row_is_reported_by_line_and_reason_and_the_next_is_read(line: str, reason: str) -> None:
    manifest = read(line, GOOD)

    assert manifest.rejected == (Rejection(2, reason),)
    assert manifest.rows == (row(),)


def test_a_serial_number_is_taken_once_a_file() -> None:
    manifest = read(GOOD, GOOD.replace("solar-home-50", "pump"), GOOD)

    assert manifest.rows == (row(),)
    assert manifest.rejected == (
        Rejection(3, "serial_number: is on line 2 already"),
        Rejection(4, "serial_number: is on line 2 already"),
    )


def test_a_quoted_value_may_hold_a_comma() -> None:
    assert read(GOOD.replace("solar-home-50", '"solar, 50 W"')).rows == (row(model="solar, 50 W"),)


def test_a_reason_repeats_no_value() -> None:
    # The columns are the other way round, so that the key stands where the serial number should.
    (rejection,) = read(",".join(reversed(GOOD.split(",")))).rejected

    assert SECRET_KEY not in rejection.reason


def test_key_material_is_not_printed() -> None:
    printed = repr(row())

    assert not re.search(f"{SECRET_KEY}|012345678|K7QM", printed)


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "must begin with the line"),
        (GOOD.encode(), "must begin with the line"),
        (HEADER.replace("model,", "").encode(), "must begin with the line"),
        (HEADER.replace(",model", ", model").encode(), "must begin with the line"),
        (f"{HEADER}\n{GOOD}".encode("utf-16"), "is not UTF-8"),
        (HEADER.encode() + b"\nSHS-000001,\xff", "is not UTF-8"),
    ],
)
def test_a_file_that_is_no_manifest_is_refused(body: bytes, reason: str) -> None:
    with pytest.raises(ManifestUnreadable, match=reason):
        read_manifest(body)


def test_a_manifest_of_the_largest_size_is_read() -> None:
    assert len(read(*["bad"] * MAX_ROWS, "").rejected) == MAX_ROWS


def test_a_larger_manifest_is_refused() -> None:
    with pytest.raises(ManifestTooLarge):
        read(*["bad"] * (MAX_ROWS + 1))


@given(st.binary(max_size=200))
def test_any_bytes_are_a_manifest_or_refused(body: bytes) -> None:
    try:
        read_manifest(body)
    except ManifestUnreadable:
        return
    assert body.removeprefix(b"\xef\xbb\xbf").startswith(HEADER.encode())


values = st.sampled_from(GOOD.split(",")) | st.text(max_size=8)
lines = (
    st.text(max_size=30)
    | st.lists(values, min_size=4, max_size=6).map(",".join)
    | st.integers(0, 5).map(lambda number: GOOD.replace("SHS-000001", f"SHS-{number}00"))
)


@given(st.lists(lines, max_size=12))
def test_every_row_is_either_read_or_reported_once(rows: list[str]) -> None:
    text = "\n".join([HEADER, *rows])
    written = re.split("\r\n|\r|\n", text)[1:]
    filled = [number for number, line in enumerate(written, 2) if line.strip()]

    manifest = read_manifest(text.encode(errors="replace"))

    assert len(manifest.rows) + len(manifest.rejected) == len(filled)
    assert {rejection.line for rejection in manifest.rejected} <= set(filled)
    assert len({rejection.line for rejection in manifest.rejected}) == len(manifest.rejected)
    assert len({each.serial_number for each in manifest.rows}) == len(manifest.rows)


def test_the_columns_are_those_of_the_contract() -> None:
    assert ",".join(COLUMNS) == HEADER
