"""When Terraform need not be asked: what it was told last, and what that says about now."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import boto3
import pytest
from moto import mock_aws

from deploy import applied, storage
from deploy.storage import State
from deploy.target import ROOT, Clients, Target

STACK = "paygo-demo"
STATE = State({"lineage": "a", "serial": 3})
READ = re.compile(r"\$\{path\.module\}/((?:\.\./)+[\w./${}-]+)")


@pytest.fixture
def clients() -> Iterator[Clients]:
    with mock_aws():
        clients = Clients(Target("us-east-1", "123456789012", "nobody"))
        boto3.client("s3").create_bucket(Bucket=storage.state_bucket(clients.target))
        yield clients


@pytest.fixture
def sources(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in (
        "terraform/main.tf",
        "terraform/modules/queue/main.tf",
        "contracts/openapi.yaml",
        "contracts/mqtt.json",
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("before")
    monkeypatch.setattr(applied, "ROOT", tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    "name",
    [
        "terraform/main.tf",
        "terraform/modules/queue/main.tf",
        "contracts/openapi.yaml",
        "contracts/partners/bank/a.json",
    ],
)
def test_what_terraform_reads_is_what_it_is_told(sources: Path, name: str) -> None:
    before = applied.digest({})

    (sources / name).parent.mkdir(parents=True, exist_ok=True)
    (sources / name).write_text("after")

    assert applied.digest({}) != before


def test_what_terraform_does_not_read_is_not(sources: Path) -> None:
    before = applied.digest({})

    (sources / "contracts" / "lint.py").write_text("after")

    assert applied.digest({}) == before


def test_variables_are_what_terraform_is_told_in_whatever_order() -> None:
    assert applied.digest({"a": 1, "b": [2]}) == applied.digest({"b": [2], "a": 1})
    assert applied.digest({"a": 1, "b": [2]}) != applied.digest({"a": 1, "b": [3]})


def test_no_source_of_terraforms_reads_what_is_not_hashed() -> None:
    folder = ROOT / "terraform"
    sources = [path for path in folder.rglob("*.tf") if "account" not in path.relative_to(folder).parts]
    named = {match[1] for path in sources for match in READ.finditer(path.read_text())}

    assert named
    for name in named:
        assert (folder / name.partition("$")[0]).resolve().relative_to(ROOT).parts[0] in applied.SOURCES, name
        assert Path(name).suffix in {".json", ".yaml"}, name


def test_a_stack_is_as_terraform_made_it_until_something_is_otherwise(clients: Clients) -> None:
    now = datetime.now(UTC)
    soon = now + timedelta(minutes=1)
    assert applied.since(clients, STACK, "told", STATE, soon) is None

    applied.note(clients, STACK, "told", STATE)

    since = applied.since(clients, STACK, "told", STATE, soon)
    assert since is not None
    assert abs(since - now) < timedelta(seconds=5)
    assert applied.since(clients, STACK, "told otherwise", STATE, soon) is None
    assert applied.since(clients, STACK, "told", State({"lineage": "a", "serial": 4}), soon) is None
    assert applied.since(clients, STACK, "told", State({"lineage": "b", "serial": 3}), soon) is None
    assert applied.since(clients, "paygo-another", "told", STATE, soon) is None

    applied.forget(clients, STACK)

    assert applied.since(clients, STACK, "told", STATE, soon) is None


def test_a_comparison_is_worth_something_for_a_day(clients: Clients) -> None:
    applied.note(clients, STACK, "told", STATE)
    now = datetime.now(UTC)

    assert applied.since(clients, STACK, "told", STATE, now + timedelta(hours=23, minutes=59))
    assert applied.since(clients, STACK, "told", STATE, now + timedelta(hours=24)) is None
    # A clock that goes wrong, here or where it was written, is no reason to look never again.
    assert applied.since(clients, STACK, "told", STATE, now - timedelta(minutes=1)) is None
