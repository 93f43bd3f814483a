import io
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from deploy import terraform
from deploy.progress import Progress
from deploy.storage import State
from deploy.target import ROOT
from deploy.terraform import platform_name, provider_mirror, provider_version


def configuration(folder: Path) -> Path:
    folder.mkdir()
    (folder / "main.tf").write_text('aws = {\n  source  = "hashicorp/aws"\n  version = "~> 5.100.0"\n}\n')
    return folder


def test_a_mirror_is_used_when_it_has_the_provider_that_is_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, mirror = configuration(tmp_path / "terraform"), tmp_path / "mirror"
    monkeypatch.setattr(terraform, "_MIRRORS", ("$PAYGO_PROVIDER_MIRROR",))
    monkeypatch.setenv("PAYGO_PROVIDER_MIRROR", str(mirror))
    (mirror / "registry" / "hashicorp" / "aws" / "5.99.0" / platform_name()).mkdir(parents=True)
    assert provider_mirror(source) is None

    (mirror / "registry" / "hashicorp" / "aws" / "5.100.0" / platform_name()).mkdir(parents=True)
    assert provider_mirror(source) == mirror


def test_stack_and_account_ask_for_one_provider() -> None:
    assert provider_version(ROOT / "terraform") == provider_version(ROOT / "terraform" / "account")


def test_terraform_is_told_nothing_by_the_shell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TF_VAR_sessions_per_address", "1")
    monkeypatch.setenv("TF_CLI_ARGS_plan", "-destroy")
    monkeypatch.setenv("AWS_PROFILE", "mine")
    folder = terraform.Folder(configuration(tmp_path / "terraform"), tmp_path, tmp_path, backend=None)

    environment = folder._environment()

    assert environment["AWS_PROFILE"] == "mine"
    assert not [name for name in environment if name.startswith(("TF_VAR_", "TF_CLI_ARGS"))]


def hook(kind: str, address: str, action: str = "create") -> dict[str, Any]:
    return {"type": kind, "hook": {"resource": {"addr": address}, "action": action}}


def planned(address: str) -> dict[str, Any]:
    return {"type": "planned_change", "change": {"resource": {"addr": address}, "action": "create"}}


def test_progress_is_told_line_by_line_without_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("deploy.progress._PLAIN_SECONDS", 0)
    text = io.StringIO()
    with Progress("Terraform", Console(file=text, width=200)) as progress:
        for message in (planned("a"), planned("b"), hook("apply_start", "a"), hook("apply_complete", "a")):
            assert progress.take(message) is None
        progress.take(hook("apply_start", "b"))

    assert "Terraform: 1 of 2 (0 s, a few seconds left) · making b, 0 s" in text.getvalue()
    assert progress.changes == 1


def test_reading_counts_as_no_change() -> None:
    progress = Progress("Terraform", Console(file=io.StringIO()))

    progress.take(hook("apply_complete", "data.a", "read"))

    assert progress.changes == 0


def test_an_error_is_told_in_one_line_with_its_resource() -> None:
    progress = Progress("Terraform", Console(file=io.StringIO()))
    diagnostic = {"severity": "error", "summary": "refused", "detail": "too\n  many", "address": "aws_x.y"}

    assert progress.take({"type": "diagnostic", "diagnostic": diagnostic}) == "aws_x.y: refused: too many"


def resource(mode: str, kind: str, attributes: dict[str, Any]) -> dict[str, Any]:
    return {"mode": mode, "type": kind, "instances": [{"attributes": attributes}]}


def test_a_states_tags_and_outputs_survive_redeploys() -> None:
    state = State(
        {
            "outputs": {"access": {"value": {"stack": "paygo-demo"}}},
            "resources": [
                resource("data", "aws_region", {"tags_all": {"CreatedAt": "no"}}),
                resource("managed", "aws_iam_role_policy", {}),
                resource("managed", "aws_iam_role", {"tags_all": {"CreatedAt": "then"}}),
            ],
        }
    )

    assert state.tag("CreatedAt") == "then"
    assert state.tag("ExpiresAt") is None
    assert state.output("access") == {"stack": "paygo-demo"}
    assert not state.is_empty
    assert State({"resources": []}).is_empty


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("could not connect to the registry: no such host", "check the network"),
        ("│ Error: Unsupported block type", "Unsupported block type"),
    ],
)
def test_a_failed_set_up_is_told_in_a_sentence(said: str, told: str, tmp_path: Path) -> None:
    assert told in terraform._init_failure(said, tmp_path / "init.log")
