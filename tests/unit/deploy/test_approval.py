"""Two people for production: who approved, when, which commit, and whether that is enough."""

import json
import subprocess
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from deploy import approval, commits, storage
from deploy.approval import Approval, objection, person
from deploy.errors import DeployError
from deploy.target import Clients

NOW = datetime(2026, 11, 30, 12, tzinfo=UTC)
STACK = "paygo-main"
COMMIT = "0123456789abcdef0123456789abcdef01234567"
ADA = "arn:aws:iam::123456789012:user/ada"
BO = "arn:aws:iam::123456789012:user/bo"
APPROVED = Approval(ADA, "2026-11-30T10:00:00Z", STACK, COMMIT)


@pytest.fixture
def at_the_commit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(commits, "unchanged", lambda: COMMIT)


@pytest.fixture
def told() -> list[str]:
    return []


def is_somebody(monkeypatch: pytest.MonkeyPatch, arn: str) -> None:
    monkeypatch.setattr(approval, "caller", lambda _: arn)


def test_what_nobody_approved_may_not_go_on() -> None:
    assert objection([], BO, NOW) == "nobody approved it"


def test_what_somebody_else_approved_may_go_on() -> None:
    assert objection([APPROVED], BO, NOW) is None


def test_ones_own_approval_is_none() -> None:
    assert objection([APPROVED], ADA, NOW) == "only you approved it, and production takes two"


def test_an_approval_holds_for_a_day() -> None:
    then = datetime.fromisoformat(APPROVED.when)

    assert objection([APPROVED], BO, then + timedelta(hours=23, minutes=59)) is None
    assert "an approval holds 24 hours" in str(objection([APPROVED], BO, then + timedelta(hours=24)))


def test_an_approval_that_is_over_is_as_good_as_a_later_one_of_somebody_else() -> None:
    over = replace(APPROVED, when="2026-11-20T10:00:00Z")

    assert objection([over, replace(APPROVED, who=BO), APPROVED], BO, NOW) is None


@pytest.mark.parametrize(
    ("first", "second", "same"),
    [
        (ADA, ADA, True),
        (ADA, BO, False),
        ("arn:aws:sts::1:assumed-role/Admin/ada", "arn:aws:sts::1:assumed-role/Admin/somebody-else", True),
        ("arn:aws:sts::1:assumed-role/Admin/ada", "arn:aws:sts::2:assumed-role/Admin/ada", False),
        (
            "arn:aws:sts::1:assumed-role/AWSReservedSSO_Admin_0a/ada@example.org",
            "arn:aws:sts::1:assumed-role/AWSReservedSSO_Admin_0a/bo@example.org",
            False,
        ),
    ],
)
def test_whoever_names_their_own_session_is_one_person_under_any_name(first: str, second: str, same: bool) -> None:
    assert (person(first) == person(second)) is same


@pytest.mark.parametrize(
    ("wanted", "before", "needed"),
    [
        ("production", None, True),
        ("production", "production", True),
        ("development", "production", True),
        ("staging", None, False),
        ("development", "staging", False),
    ],
)
def test_into_production_and_out_of_it_takes_an_approval(wanted: str, before: str | None, needed: bool) -> None:
    assert approval.needed(wanted, before) is needed


@pytest.mark.usefixtures("at_the_commit")
def test_a_deploy_goes_on_once_somebody_else_approved_this_very_commit(
    clients: Clients, monkeypatch: pytest.MonkeyPatch, told: list[str]
) -> None:
    is_somebody(monkeypatch, ADA)
    approval.record(clients, STACK, "another commit")
    approval.record(clients, "paygo-other", COMMIT)
    is_somebody(monkeypatch, BO)
    approval.record(clients, STACK, COMMIT)
    with pytest.raises(DeployError, match="make approve BRANCH='main' STAGE=production COMMIT=0123456789ab"):
        approval.require(clients, STACK, "main", None, told.append)

    is_somebody(monkeypatch, ADA)
    approval.record(clients, STACK, COMMIT)
    is_somebody(monkeypatch, BO)
    approval.require(clients, STACK, "main", None, told.append)

    assert told == []
    assert len(storage.listed(clients, f"approvals/{STACK}/{COMMIT}/")) == 2


@pytest.mark.usefixtures("at_the_commit")
def test_an_approval_says_who_when_which_stack_and_which_commit(clients: Clients) -> None:
    approval.record(clients, STACK, COMMIT)

    [key] = storage.listed(clients, "approvals/")
    written = storage.read(clients, key)
    assert written is not None
    assert (written["stack"], written["commit"]) == (STACK, COMMIT)
    assert written["who"].startswith("arn:aws:")
    assert datetime.now(UTC) - datetime.fromisoformat(written["when"]) < timedelta(minutes=5)


def test_an_approval_is_never_written_over(clients: Clients, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(approval, "timestamp", lambda _: "2026-11-30T10:00:00Z")
    approval.record(clients, STACK, COMMIT)

    with pytest.raises(DeployError, match="try again"):
        approval.record(clients, STACK, COMMIT)


@pytest.mark.usefixtures("at_the_commit")
def test_in_an_emergency_one_person_goes_on_and_that_is_written_down_and_told(
    clients: Clients, monkeypatch: pytest.MonkeyPatch, told: list[str]
) -> None:
    topic = clients("sns").create_topic(Name="paygo-inbox")["TopicArn"]
    queue = clients("sqs").create_queue(QueueName="heard")["QueueUrl"]
    arn = clients("sqs").get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    clients("sns").subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)
    storage.write(clients, storage.ACCOUNT_APPLIED, {"inbox": topic})
    is_somebody(monkeypatch, BO)

    approval.require(clients, STACK, "main", "payments are booked twice", told.append)

    [key] = storage.listed(clients, f"emergencies/{STACK}/{COMMIT}/")
    assert (storage.read(clients, key) or {})["reason"] == "payments are booked twice"
    assert told[0].startswith("EMERGENCY")
    [message] = clients("sqs").receive_message(QueueUrl=queue)["Messages"]
    assert "payments are booked twice" in json.loads(message["Body"])["Message"]
    assert BO in json.loads(message["Body"])["Message"]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(commits, "ROOT", tmp_path)
    for words in (["init", "-q"], ["config", "user.email", "ada@example.org"], ["config", "user.name", "Ada"]):
        subprocess.run(["git", *words], cwd=tmp_path, check=True)
    (tmp_path / "file").write_text("1")
    subprocess.run(["git", "add", "file"], cwd=tmp_path, check=True)
    subprocess.run(["git", "commit", "-qm", "Begin"], cwd=tmp_path, check=True)
    return tmp_path


def test_what_is_deployed_is_exactly_a_commit(folder: Path) -> None:
    assert commits.unchanged() == commits.resolve("HEAD")
    assert commits.described(commits.resolve("HEAD")).endswith(", Begin (Ada)")


@pytest.mark.parametrize(("name", "content"), [("file", "2"), ("new", "1")])
def test_a_changed_folder_is_no_commit(folder: Path, name: str, content: str) -> None:
    (folder / name).write_text(content)

    with pytest.raises(DeployError, match=f"{name} is not as committed"):
        commits.unchanged()


def test_a_commit_that_git_does_not_know_is_told(folder: Path) -> None:
    for unknown in ("0" * 40, "--all", "nowhere"):
        with pytest.raises(DeployError, match="git knows no commit"):
            commits.resolve(unknown)
