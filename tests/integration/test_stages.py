"""What stands before staging and production: secrets that are there, and somebody else's approval of this very commit.

Nothing is deployed: each run is refused before Terraform is asked anything.
"""

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import pytest

from deploy.stack import stack_name
from tests.conftest import REPOSITORY, Clients, Cloud

HOME = Path(os.environ.get("PAYGO_HOME") or REPOSITORY / ".paygo")
BRANCH = f"stages-{uuid4().hex[:8]}"
STACK = stack_name(BRANCH)
PARTNERS = json.dumps({name: f"https://{name}.example.net" for name in ("bank", "crm")})

pytestmark = pytest.mark.usefixtures("cloud")


@dataclass(frozen=True)
class Folder:
    """A clean clone of what is in this one, for production is deployed from a commit."""

    path: Path

    @classmethod
    def at(cls, path: Path) -> "Folder":
        listed = subprocess.run(
            ["git", "ls-files", "-coz", "--exclude-standard"],
            cwd=REPOSITORY,
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for name in filter(None, listed.split("\0")):
            if (REPOSITORY / name).is_file():
                (path / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(REPOSITORY / name, path / name)
        made = cls(path)
        made.git("init", "-q")
        # Its interpreters are this one's; a link is not what `.gitignore` calls a folder.
        (path / ".git" / "info" / "exclude").write_text(".venv\n")
        for place in (".venv", "local/.venv"):
            (path / place).symlink_to(REPOSITORY / place)
        made.commit("Begin")
        return made

    def git(self, *words: str) -> str:
        settings = ("-c", "user.name=Ada", "-c", "user.email=ada@example.org")
        done = subprocess.run(["git", *settings, *words], cwd=self.path, capture_output=True, text=True, check=True)
        return done.stdout.strip()

    def commit(self, text: str) -> str:
        self.git("add", "-A")
        self.git("commit", "-qm", text, "--allow-empty")
        return self.git("rev-parse", "HEAD")

    def runs(self, *words: str, **told: str) -> tuple[int, str]:
        done = subprocess.run(
            [sys.executable, *words],
            cwd=self.path,
            env=os.environ | {"PAYGO_HOME": str(HOME.absolute()), "BRANCH": BRANCH, "PARTNER_URLS": PARTNERS} | told,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        return done.returncode, done.stdout + done.stderr

    def is_refused(self, stage: str, **told: str) -> str:
        status, said = self.runs("-m", "deploy", "up", STAGE=stage, **told)
        assert status == 1, said
        assert "Traceback" not in said
        return said


@pytest.fixture(scope="module")
def folder(cloud: Cloud, tmp_path_factory: pytest.TempPathFactory) -> Folder:
    folder = Folder.at(tmp_path_factory.mktemp("stages"))
    # An account that has been set up: approvals have a bucket to be written to.
    status, said = folder.runs("-m", "deploy", "account")
    assert status == 0, said
    return folder


@pytest.fixture(autouse=True)
def terraform_is_asked_nothing(folder: Folder, deployer: Clients) -> object:
    yield
    assert not (HOME / "terraform" / STACK / "values.tfvars.json").exists()
    assert "Contents" not in deployer("s3").list_objects_v2(
        Bucket=f"paygo-state-{cloud_account(deployer)}-us-east-1", Prefix=f"stacks/{STACK}/"
    )


def cloud_account(deployer: Clients) -> str:
    account: str = deployer("sts").get_caller_identity()["Account"]
    return account


def test_staging_without_its_secrets_is_refused_with_all_that_are_missing(folder: Folder) -> None:
    said = folder.is_refused("staging")

    for name in ("outbound/bank", "outbound/crm", "operations/webhook"):
        assert f"paygo/staging/{name} is not there" in said
    assert "make secret STAGE=staging SECRET=outbound/bank" in said


def test_production_that_nobody_approved_is_refused(folder: Folder) -> None:
    folder.commit("Approved by nobody")

    said = folder.is_refused("production")

    assert "nobody approved it" in said
    assert f"make approve BRANCH='{BRANCH}' STAGE=production" in said


def test_production_that_only_its_deployer_approved_is_refused(folder: Folder) -> None:
    commit = folder.commit("Approved by its deployer")
    status, said = folder.runs(
        "-c",
        "from deploy import approval, target; "
        f"approval.record(target.choose(None, None).clients(), '{STACK}', '{commit}')",
    )
    assert status == 0, said

    assert "only you approved it" in folder.is_refused("production")


def test_production_that_somebody_else_approved_goes_on_to_its_secrets(folder: Folder) -> None:
    folder.commit("Approved by an operator")
    status, said = folder.runs("-m", "deploy", "approve", STAGE="production")
    assert status == 0, said
    assert "user/operator approves" in said

    refused = folder.is_refused("production")

    assert "approved it" not in refused
    assert "paygo/production/outbound/crm is not there" in refused

    folder.commit("Approved by nobody, again")
    assert "nobody approved it" in folder.is_refused("production")


def test_a_changed_folder_is_refused_whoever_approved_its_commit(folder: Folder) -> None:
    folder.commit("Approved and then changed")
    folder.runs("-m", "deploy", "approve", STAGE="production")
    changed = folder.path / "terraform" / "changed.tf"
    changed.write_text("# not what was approved\n")

    said = folder.is_refused("production")
    changed.unlink()

    assert "terraform/changed.tf is not as committed" in said


def test_an_emergency_goes_past_the_approval_and_is_written_down(folder: Folder, deployer: Clients) -> None:
    commit = folder.commit("Mended at night")

    said = folder.is_refused("production", EMERGENCY="payments are booked twice")

    assert "EMERGENCY" in said
    assert "paygo/production/outbound/crm is not there" in said
    s3, bucket = deployer("s3"), f"paygo-state-{cloud_account(deployer)}-us-east-1"
    [written] = s3.list_objects_v2(Bucket=bucket, Prefix=f"emergencies/{STACK}/{commit}/")["Contents"]
    told = json.loads(s3.get_object(Bucket=bucket, Key=written["Key"])["Body"].read())
    assert told["reason"] == "payments are booked twice"
    assert told["who"].endswith(":user/deployer")
