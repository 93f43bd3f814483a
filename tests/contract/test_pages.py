"""The pages that people read: their links lead somewhere and their worked example is right."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = sorted(
    [
        *ROOT.glob("*.md"),
        *(ROOT / "docs").glob("*.md"),
        *(ROOT / "local").glob("*.md"),
        *(ROOT / "lambdas").glob("*/*.md"),
        *(ROOT / "clients").glob("*/*.md"),
    ]
)
_LINK = re.compile(r"\]\((?!https?://|#)([^)#]+)(?:#[^)]*)?\)")
_ANCHOR = re.compile(r"\]\((?!https?://)([^)#]*)#([^)]+)\)")


def headings(page: Path) -> set[str]:
    """Return the page's headings as links write them."""
    found = re.findall(r"^#+ (.*)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.strip().lower()).replace(" ", "-") for heading in found}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_leads_to_a_file(page: Path) -> None:
    targets = _LINK.findall(page.read_text(encoding="utf-8"))

    assert [target for target in targets if not (page.parent / target).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_into_a_page_leads_to_a_heading(page: Path) -> None:
    lost = [
        f"{target}#{anchor}"
        for target, anchor in _ANCHOR.findall(page.read_text(encoding="utf-8"))
        if (read := page.parent / target if target else page).suffix == ".md" and anchor not in headings(read)
    ]

    assert lost == []


def test_every_page_is_in_the_index() -> None:
    index = (ROOT / "docs" / "README.md").read_text(encoding="utf-8")
    listed = set(_LINK.findall(index))

    assert {page.name for page in (ROOT / "docs").glob("*.md")} - {"README.md"} <= listed


def test_the_worked_example_of_a_signature_is_one_of_the_vectors() -> None:
    page = (ROOT / "docs" / "sign-a-request.md").read_text(encoding="utf-8")
    vector = json.loads((ROOT / "contracts" / "signature-vectors.json").read_text(encoding="utf-8"))["vectors"][0]

    assert f"```\n{vector['string_to_sign']}\n```" in page
    assert f"`{vector['key']}`" in page
    assert f"X-Paygo-Signature: {vector['signature']}" in page


def vectors() -> list[dict[str, object]]:
    found: list[dict[str, object]] = json.loads((ROOT / "contracts" / "signature-vectors.json").read_bytes())["vectors"]
    return found


@pytest.mark.skipif(shutil.which("node") is None, reason="there is no Node here")
def test_the_javascript_of_the_page_signs_as_we_verify(tmp_path: Path) -> None:
    page = (ROOT / "docs" / "sign-a-request.md").read_text(encoding="utf-8")
    [code] = [block for block in re.findall(r"```js\n(.*?)```", page, re.DOTALL) if "createHmac" in block]
    (tmp_path / "sign.mjs").write_text(
        code
        + """
import { readFileSync } from "node:fs";
const { vectors } = JSON.parse(readFileSync(process.argv[2]));
const sign = (each) => signature(each.key, { ...each, body: Buffer.from(each.body_base64, "base64") });
console.log(JSON.stringify(vectors.map(sign)));
"""
    )

    done = subprocess.run(
        ["node", tmp_path / "sign.mjs", ROOT / "contracts" / "signature-vectors.json"],
        capture_output=True,
        text=True,
        check=True,
    )

    assert json.loads(done.stdout) == [vector["signature"] for vector in vectors()]


def test_every_mitigation_of_the_threat_model_names_tests_that_are_there() -> None:
    page = (ROOT / "docs" / "threat-model.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (?!threat|---|\*\*)(.+?) \| (.+?) \| (.+?) \|$", page, re.MULTILINE)
    named = [re.findall(r"`(tests/[\w/]+\.py)`", tests) for _, _, tests in rows]

    assert len(rows) > 20
    assert all(named)
    assert sorted({test for tests in named for test in tests if not (ROOT / test).is_file()}) == []
