"""When Terraform need not be asked: what it was told last, and what that says about now."""

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from deploy import comparison, storage
from deploy.comparison import Comparison
from deploy.storage import State
from deploy.target import ROOT, Clients
from janitor.storage import comparison_key

STACK = "paygo-demo"
STATE = State({"lineage": "a", "serial": 3})
READS = re.compile(r"\b(?:file\w*|templatefile)\(([^)]*)\)")
ELSEWHERE = re.compile(r'"\$\{path\.(?:module|root)\}/((?:\.\./)+[^"$]*)')


@pytest.fixture
def sources(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("terraform/main.tf", "terraform/modules/queue/main.tf", "contracts/openapi.yaml"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("before")
    monkeypatch.setattr(comparison, "ROOT", tmp_path)
    return tmp_path


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


@pytest.mark.parametrize(
    "name",
    [
        "terraform/main.tf",
        "terraform/my.auto.tfvars",
        "terraform/modules/queue/main.tf",
        "terraform/modules/queue/page.html.tftpl",
        "contracts/openapi.yaml",
        "contracts/partners/bank/openapi.yaml",
    ],
)
def test_what_terraform_reads_is_what_it_is_told(sources: Path, name: str) -> None:
    before = comparison.digest({})

    write(sources / name, "after")

    assert comparison.digest({}) != before


@pytest.mark.parametrize("name", ["contracts/__pycache__/lint.pyc", "terraform/.terraform.lock.hcl", "deploy/run.py"])
def test_what_terraform_does_not_read_is_not(sources: Path, name: str) -> None:
    before = comparison.digest({})

    write(sources / name, "after")

    assert comparison.digest({}) == before


def test_variables_are_what_terraform_is_told_in_whatever_order() -> None:
    assert comparison.digest({"a": 1, "b": [2]}) == comparison.digest({"b": [2], "a": 1})
    assert comparison.digest({"a": 1, "b": [2]}) != comparison.digest({"a": 1, "b": [3]})


def test_no_source_of_terraforms_reads_what_is_not_hashed() -> None:
    folder = ROOT / "terraform"
    sources = [path for path in folder.rglob("*.tf") if "account" not in path.relative_to(folder).parts]
    reads = [(path, match[1]) for path in sources for match in READS.finditer(path.read_text())]
    elsewhere = [(path, match[1]) for path in sources for match in ELSEWHERE.finditer(path.read_text())]

    assert reads
    assert elsewhere
    for path, argument in reads:
        assert argument.startswith(('"${path.module}/', "var.")), f"{path}: {argument}"
    for path, named in elsewhere:
        assert (path.parent / named).resolve().relative_to(ROOT).parts[0] in comparison.SOURCES, f"{path}: {named}"


def remembered(clients: Clients, inputs: str = "told", state: State = STATE, after: float = 60) -> Comparison | None:
    return comparison.known(clients, STACK, inputs, state, datetime.now(UTC) + timedelta(seconds=after))


def compare(clients: Clients, state: State = STATE) -> Comparison:
    """Write a comparison down as a deploy does that ends well."""
    made = Comparison.just_made(comparison.digest({}), state)
    with comparison.kept(clients, STACK, made, {}):
        pass
    return made


def test_a_stack_is_what_it_was_compared_with_until_something_is_otherwise(clients: Clients) -> None:
    inputs = comparison.digest({})
    assert remembered(clients, inputs) is None

    made = compare(clients)

    assert remembered(clients, inputs) == made
    assert abs(datetime.now(UTC) - datetime.fromisoformat(made.at)) < timedelta(seconds=30)
    assert remembered(clients, "told otherwise") is None
    for content in (
        {"lineage": "a", "serial": 4},
        {"lineage": "b", "serial": 3},
        {**STATE.content, "outputs": {"a": 1}},
    ):
        assert remembered(clients, inputs, State(content)) is None
    assert comparison.known(clients, "paygo-other", inputs, STATE, datetime.now(UTC)) is None

    comparison.forget(clients, STACK)

    assert remembered(clients, inputs) is None


def test_a_comparison_is_worth_something_for_a_day_from_when_it_was_made(clients: Clients) -> None:
    made = compare(clients)
    hours = 3600.0

    assert remembered(clients, made.inputs, after=23.9 * hours) == made
    assert remembered(clients, made.inputs, after=24 * hours) is None
    # A clock that goes wrong, here or where it was written, is no reason to look never again.
    assert remembered(clients, made.inputs, after=-60) is None

    with comparison.kept(clients, STACK, made, {}):  # by a deploy that asked Terraform nothing
        pass

    assert remembered(clients, made.inputs) == made


def test_what_is_written_in_another_shape_is_no_comparison(clients: Clients) -> None:
    storage.write(clients, comparison_key(STACK), {"inputs": "told", "by": "somebody"})

    assert remembered(clients) is None


def test_a_stack_that_does_not_work_is_looked_at_the_next_time(clients: Clients) -> None:
    made = compare(clients)

    def deploy() -> None:
        with comparison.kept(clients, STACK, made, {}):
            message = "The smoke test failed."
            raise ValueError(message)

    with pytest.raises(ValueError, match="smoke test"):
        deploy()

    assert remembered(clients, made.inputs) is None


def test_a_source_that_changed_while_terraform_was_reading_is_not_taken_for_what_it_read(
    clients: Clients, sources: Path
) -> None:
    made = Comparison.just_made(comparison.digest({}), STATE)

    with comparison.kept(clients, STACK, made, {}):
        write(sources / "terraform" / "main.tf", "after")

    assert remembered(clients, made.inputs) is None
