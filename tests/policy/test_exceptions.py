"""What checkov is told to leave alone has a reason each; whether it still holds, a reader decides."""

import re

import pytest

from tests.policy.plan import REPOSITORY

EXCEPTIONS = [
    (f"{path.relative_to(REPOSITORY)}:{number}", line.partition("checkov:")[2])
    for path in sorted((REPOSITORY / "terraform").rglob("*.tf"))
    for number, line in enumerate(path.read_text().splitlines(), start=1)
    if "checkov:" in line
]


@pytest.mark.parametrize("said", [said for _, said in EXCEPTIONS], ids=[place for place, _ in EXCEPTIONS])
def test_an_exception_is_for_one_check_and_says_why(said: str) -> None:
    assert re.fullmatch(r"skip=CKV2?_AWS_\d+: \w.{10,}", said)
