"""Past an answer that got lost: Terraform asks again for what it has made, and does not know that it did."""

from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from deploy import leftovers, run, target
from deploy.__main__ import app
from deploy.account import Account
from deploy.comparison import Comparison
from deploy.errors import AlreadyThereError, DeployError
from deploy.leftovers import KINDS, Found, Leftover
from deploy.progress import Progress
from deploy.storage import State
from deploy.target import Target
from deploy.terraform import Folder, _Outcome

ALIAS = Leftover(next(kind for kind in KINDS if kind.terraform == "aws_lambda_alias"), Found("f:live", "f:live"))


class Terraform:
    """A folder whose first applies fail."""

    def __init__(self, *failures: DeployError) -> None:
        self.failures = list(failures)
        self.applied: list[str] = []

    def create(self, variables: Mapping[str, Any], progress: Progress) -> None:
        self._apply("create")

    def update(self, variables: Mapping[str, Any], progress: Progress, replace: str | None = None) -> None:
        self._apply(f"update, {replace} anew" if replace else "update")

    def _apply(self, verb: str) -> None:
        self.applied.append(verb)
        if self.failures:
            raise self.failures.pop(0)


@pytest.fixture
def removed(monkeypatch: pytest.MonkeyPatch) -> list[Leftover]:
    removed: list[Leftover] = []
    monkeypatch.setattr(State, "load", lambda *_: State({}))
    monkeypatch.setattr(run, "_clear", lambda _clients, _stack, strays: removed.extend(strays))
    return removed


def apply(folder: Terraform, monkeypatch: pytest.MonkeyPatch, strays: list[Leftover]) -> None:
    monkeypatch.setattr(run, "_compared", lambda *_: leftovers.Difference(strays, []))
    run._apply(None, "paygo-demo", folder, {}, State({}))  # type: ignore[arg-type]


class Held(Exception):
    """Stands for what comes once the lock is held."""


@pytest.mark.parametrize(("command", "doing"), [("up", "deploy"), ("destroy", "destroy")])
def test_a_run_is_as_patient_as_it_was_told_to_be(
    command: str, doing: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    asked: list[tuple[str, float]] = []

    def held(_clients: object, _stack: str, doing: str, *_more: object, patience: float) -> None:
        asked.append((doing, patience))
        raise Held

    monkeypatch.setenv("PAYGO_HOME", str(tmp_path))
    monkeypatch.setattr("deploy.target.choose", lambda *_: Target("eu-west-1", "123456789012", "p"))
    monkeypatch.setattr("deploy.storage.make_state_bucket", lambda _clients: None)
    monkeypatch.setattr("deploy.lock.held", held)

    result = CliRunner().invoke(
        app, [command, "--branch", "x", "--profile", "p"], env={"PATIENCE": "480", "TOKEN_KEYS": ""}
    )

    assert isinstance(result.exception, Held)
    assert asked == [(doing, 480)]


@pytest.fixture
def in_the_cloud(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """What comes before a stack is touched goes well."""
    monkeypatch.setenv("PAYGO_HOME", str(tmp_path))
    monkeypatch.setattr("deploy.target.choose", lambda *_: Target("eu-west-1", "123456789012", "p"))
    monkeypatch.setattr("deploy.storage.make_state_bucket", lambda _clients: None)
    monkeypatch.setattr("deploy.lock.held", lambda *_, **__: nullcontext())
    monkeypatch.setattr(State, "load", lambda *_: State({"outputs": {"stage": {"value": "production"}}}))


@pytest.mark.usefixtures("in_the_cloud")
@pytest.mark.parametrize(
    ("stage", "key"),
    [
        ("development", "artefacts/ledger-1.zip"),
        ("staging", "artefacts/released/ledger-1.zip"),
        ("production", "artefacts/released/ledger-1.zip"),
    ],
)
def test_what_a_stage_runs_is_put_where_only_its_deployers_may_write(
    stage: str, key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    put: list[str] = []

    def upload(_clients: object, _folder: Path, manifest: Mapping[str, Mapping[str, str]]) -> None:
        put.append(manifest["ledger"]["key"])
        raise Held

    manifest = {"ledger": {"key": "artefacts/ledger-1.zip"}, "janitor": {"file": "j.zip", "key": "account/j.zip"}}
    monkeypatch.setattr("deploy.approval.require", lambda *_: None)
    monkeypatch.setattr("deploy.stage_secrets.require", lambda *_: {})
    monkeypatch.setattr("deploy.preflight.check", lambda *_: "room")
    monkeypatch.setattr("deploy.packages.build", lambda *_: manifest)
    monkeypatch.setattr("deploy.account.ensure", lambda *_: None)
    monkeypatch.setattr("deploy.storage.upload", upload)
    monkeypatch.setattr(run, "_compared", lambda *_: leftovers.Difference([], []))
    monkeypatch.setattr(Folder, "init", lambda _self: None)

    with pytest.raises(Held):
        run.up(run.Wish("demo", profile="p", stage=stage))

    assert put == [key]


@pytest.mark.usefixtures("in_the_cloud")
def test_a_deploy_after_a_destroy_that_was_begun_has_to_look_for_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    forgotten: list[str] = []

    def destroy(*_: object) -> None:
        forgotten.append("destroyed")
        raise Held

    monkeypatch.setattr(State, "load", lambda *_: BEFORE)
    monkeypatch.setattr("deploy.comparison.forget", lambda _clients, stack: forgotten.append(stack))
    monkeypatch.setattr(Folder, "init", lambda _self: None)
    monkeypatch.setattr(run, "_remove_devices", lambda *_: None)
    monkeypatch.setattr(run, "_destroy_by_terraform", destroy)

    with pytest.raises(Held):
        run.destroy(run.Wish("demo", profile="p"))

    assert forgotten == ["paygo-demo", "destroyed"]


@pytest.mark.usefixtures("in_the_cloud")
def test_a_rollback_knows_its_stacks_stage(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[object] = []

    def roll_back(*_: object, stage: str, **__: object) -> None:
        asked.append(stage)
        raise Held

    monkeypatch.setattr("deploy.rollout.roll_back", roll_back)

    with pytest.raises(Held):
        run.roll_back(run.Wish("demo", profile="p"), None, 1)

    assert asked == ["production"]


def test_what_a_lost_answer_left_is_removed_and_made_again(
    monkeypatch: pytest.MonkeyPatch, removed: list[Leftover]
) -> None:
    folder = Terraform(AlreadyThereError("Alias already exists: live"))

    apply(folder, monkeypatch, [ALIAS])

    assert removed == [ALIAS]
    assert folder.applied == ["create", "update"]


def test_what_is_in_nobodys_way_is_made_again_beside_it(
    monkeypatch: pytest.MonkeyPatch, removed: list[Leftover]
) -> None:
    folder = Terraform(AlreadyThereError("ResourceConflictException: The statement id (terraform-1) already exists"))

    apply(folder, monkeypatch, [])

    assert removed == []
    assert folder.applied == ["create", "update"]


def test_what_is_still_there_after_that_is_told(monkeypatch: pytest.MonkeyPatch, removed: list[Leftover]) -> None:
    failure = AlreadyThereError("Alias already exists: live")
    folder = Terraform(failure, failure)

    with pytest.raises(AlreadyThereError):
        apply(folder, monkeypatch, [])

    assert folder.applied == ["create", "update"]


BEFORE = State({"serial": 1, "resources": [{"type": "aws_sns_topic", "mode": "managed", "instances": [{}]}]})
AFTER = State({**BEFORE.content, "serial": 2})
MINUTE = timedelta(minutes=1)


@pytest.fixture
def terraform(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """A stack that Terraform compared with all it is told a minute ago; what is done to it from there on."""
    done: list[str] = []

    def known(_clients: object, stack: str, inputs: str, state: State, now: datetime) -> Comparison:
        assert (stack, inputs, state) == ("paygo-demo", "all it is told", BEFORE)
        return Comparison(inputs, state.hash, (now - MINUTE).isoformat())

    def apply(*_: object) -> int:
        done.append("applied")
        return 7

    monkeypatch.setattr("deploy.comparison.digest", lambda variables: f"all it is {variables['is']}")
    monkeypatch.setattr("deploy.comparison.known", known)
    monkeypatch.setattr("deploy.comparison.forget", lambda *_: done.append("forgot"))
    monkeypatch.setattr(State, "load", lambda *_: AFTER)
    monkeypatch.setattr(run, "_apply", apply)
    return done


def settle(wish: run.Wish, missing: list[str], stage: str = "development") -> tuple[State, int, Comparison]:
    variables = {"stage": stage, "is": "told"}
    return run._settle(None, wish, None, variables, BEFORE, missing, Path())  # type: ignore[arg-type]


def test_a_stack_that_is_as_it_was_told_to_be_is_left_to_itself(
    terraform: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    state, changes, compared = settle(run.Wish("demo"), [])

    assert (terraform, state, changes, compared.state) == ([], BEFORE, 0, BEFORE.hash)
    assert datetime.now(UTC) - datetime.fromisoformat(compared.at) >= MINUTE
    assert (
        "  plan: nothing to change: compared 1 minute ago, and all that is listed is there" in capsys.readouterr().out
    )


@pytest.mark.parametrize(
    ("wish", "missing", "stage"),
    [
        (run.Wish("demo", compare=True), [], "development"),
        (run.Wish("demo", replace="aws_x.y"), [], "development"),
        (run.Wish("demo"), ["queue paygo-demo-dead"], "development"),
        (run.Wish("demo"), [], "staging"),
        (run.Wish("demo"), [], "production"),
    ],
)
def test_terraform_looks_where_it_is_told_to_where_something_is_gone_and_outside_development(
    terraform: list[str], wish: run.Wish, missing: list[str], stage: str
) -> None:
    state, changes, compared = settle(wish, missing, stage)

    # In this order: a run that is ended in the middle must not be taken for one that came to its end.
    assert terraform == ["forgot", "applied"]
    assert (state, changes) == (AFTER, 7)
    assert (compared.inputs, compared.state) == ("all it is told", AFTER.hash)
    assert datetime.now(UTC) - datetime.fromisoformat(compared.at) < MINUTE


def test_terraform_looks_at_what_is_not_known_to_be_as_it_was_told(
    terraform: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("deploy.comparison.known", lambda *_: None)

    assert settle(run.Wish("demo"), [])[:2] == (AFTER, 7)
    assert terraform == ["forgot", "applied"]


@pytest.mark.usefixtures("terraform")
def test_what_is_gone_is_told_but_not_all_of_it(capsys: pytest.CaptureFixture[str]) -> None:
    settle(run.Wish("demo"), ["queue a", "queue b", "queue c"])
    settle(run.Wish("demo"), ["queue a", "queue b", "queue c", "queue d"])

    few, many = capsys.readouterr().out.splitlines()
    assert few == "  gone, though the state knows of it: queue a, queue b, queue c"
    assert many == f"{few} and 1 more"


@pytest.mark.parametrize(("said", "compare"), [("yes", True), ("no", False), (None, False)])
def test_terraform_is_asked_when_a_person_says_so(
    said: str | None, monkeypatch: pytest.MonkeyPatch, *, compare: bool
) -> None:
    wishes: list[run.Wish] = []
    monkeypatch.setattr(run, "up", wishes.append)
    environment = {"COMPARE": said, "TOKEN_KEYS": ""}

    CliRunner().invoke(app, ["up", "--branch", "demo"], env=environment)

    assert [wish.compare for wish in wishes] == [compare]


def test_what_is_to_be_replaced_is_made_anew_in_a_stack_that_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    known = State({"resources": [{"mode": "managed", "type": "aws_sns_topic", "instances": [{"attributes": {}}]}]})
    folder = Terraform()

    run._apply(None, "paygo-demo", folder, {}, known, "aws_x.y")  # type: ignore[arg-type]

    assert folder.applied == ["update, aws_x.y anew"]


def test_any_other_failure_is_told_at_once(monkeypatch: pytest.MonkeyPatch, removed: list[Leftover]) -> None:
    folder = Terraform(DeployError("no"))

    with pytest.raises(DeployError):
        apply(folder, monkeypatch, [ALIAS])

    assert removed == []
    assert folder.applied == ["create"]


@pytest.mark.parametrize(
    "said",
    [
        "creating Lambda Alias: ResourceConflictException: Alias already exists: live",
        "creating IAM Role: EntityAlreadyExists: Role with name r already exists.",
        "creating DynamoDB Table: ResourceInUseException: Table already exists",
    ],
)
def test_terraform_meeting_something_it_does_not_know_is_told_apart(said: str, tmp_path: Any) -> None:
    with pytest.raises(AlreadyThereError, match="goes on from here"):
        Folder._finish(_Outcome(1, [said], tmp_path))


def test_other_failures_of_terraform_are_not(tmp_path: Any) -> None:
    with pytest.raises(DeployError) as failed:
        Folder._finish(_Outcome(1, ["AccessDenied"], tmp_path))

    assert not isinstance(failed.value, AlreadyThereError)


@pytest.mark.parametrize(
    ("said", "before", "expected"),
    [(None, "staging", "staging"), ("development", "staging", "development"), (None, None, "development")],
)
def test_a_stage_is_kept_until_another_is_said(said: str | None, before: str | None, expected: str) -> None:
    outputs = {"stage": {"value": before}} if before else {}
    cloud = Target("us-east-1", "123456789012", "nobody")

    variables = run._variables(
        run.Wish("demo", stage=said), cloud, State({"outputs": outputs}), {}, Account("a@example.org"), "arm64"
    )

    assert variables["stage"] == expected


def told(wish: run.Wish, **before: Any) -> dict[str, Any]:
    outputs = {name: {"value": value} for name, value in before.items()}
    cloud = Target("us-east-1", "123456789012", "nobody")
    return run._variables(wish, cloud, State({"outputs": outputs}), {}, Account("sender@example.org"), "arm64")


def test_a_stack_is_told_what_its_account_has() -> None:
    cloud = Target("us-east-1", "123456789012", "nobody")
    given = Account("sender@example.org", {"web_acl_arn": "arn"})

    assert run._variables(run.Wish("demo"), cloud, State({}), {}, given, "arm64")["web_acl_arn"] == "arn"


BANK = {"bank": "https://bank.example.org"}


def test_alarms_are_mailed_to_the_sender_until_another_address_is_said() -> None:
    assert told(run.Wish("demo"))["alarm_address"] == "sender@example.org"
    assert told(run.Wish("demo"), alarm_address="ops@example.org")["alarm_address"] == "ops@example.org"
    assert (
        told(run.Wish("demo", alarm_address="a@b.org"), alarm_address="ops@example.org")["alarm_address"] == "a@b.org"
    )


@pytest.mark.parametrize(
    ("stage", "said", "before", "scale"),
    [
        ("development", None, None, 1),
        ("development", None, 0.01, 0.01),
        ("development", 0.5, 0.01, 0.5),
        ("staging", None, 0.01, 1),
        ("staging", 0.5, None, 0.5),  # which Terraform refuses in a sentence
    ],
)
def test_shortened_delays_are_kept_in_development(
    stage: str, said: float | None, before: float | None, scale: float
) -> None:
    assert told(run.Wish("demo", stage=stage, delay_scale=said), delay_scale=before)["delay_scale"] == scale


@pytest.mark.parametrize(
    ("stage", "said", "before", "urls"),
    [
        ("staging", None, None, {}),
        ("staging", None, BANK, BANK),
        ("staging", {}, BANK, {}),
        ("production", BANK, {}, BANK),
        ("development", None, BANK, {}),
    ],
)
def test_partners_addresses_are_kept_until_a_stack_is_for_development(
    stage: str, said: dict[str, str] | None, before: dict[str, str] | None, urls: dict[str, str]
) -> None:
    assert told(run.Wish("demo", stage=stage, partner_urls=said), partner_urls=before)["partner_urls"] == urls


@pytest.mark.parametrize("text", ["bank", "[]", '{"bank": 1}', '"https://bank.example.org"'])
def test_addresses_that_cannot_be_read_are_refused_in_a_sentence(text: str) -> None:
    with pytest.raises(ValueError, match="PARTNER_URLS is JSON that names addresses"):
        run.addresses(text)


def test_a_scale_that_is_no_number_is_refused_in_a_sentence() -> None:
    assert run.scale("0.01") == 0.01
    with pytest.raises(ValueError, match="DELAY_SCALE is a number"):
        run.scale("fast")


@pytest.mark.parametrize("text", ["last", "-1", "1.5", "v2"])
def test_a_release_that_is_no_number_is_refused_in_a_sentence(text: str) -> None:
    with pytest.raises(ValueError, match="TO is the number of a release"):
        run.number(text)


def test_a_stack_of_a_cloud_that_does_not_run_cannot_be_rolled_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(target, "embedded_cloud_runs", lambda: False)

    with pytest.raises(DeployError, match="does not run, so there is no paygo-demo to roll back"):
        run.roll_back(run.Wish("demo"), None, None)


def test_dev_is_short_for_development() -> None:
    assert [run.stage(text) for text in ("dev", "development", "staging")] == ["development", "development", "staging"]
    with pytest.raises(ValueError, match="STAGE is development, staging or production"):
        run.stage("nonsense")


def test_roles_are_a_functions_or_a_services() -> None:
    assert [run.roles(text) for text in ("function", "service")] == ["function", "service"]
    with pytest.raises(ValueError, match="ROLES is function or service"):
        run.roles("stack")


@pytest.mark.parametrize(
    ("stage", "said", "before", "roles"),
    [
        ("development", None, None, "function"),
        ("development", None, "service", "service"),
        ("development", "function", "service", "function"),
        ("production", None, "service", "function"),
        ("staging", "service", None, "service"),  # which Terraform refuses in a sentence
    ],
)
def test_shared_roles_are_kept_in_development(stage: str, said: str | None, before: str | None, roles: str) -> None:
    assert told(run.Wish("demo", stage=stage, roles=said), roles=before)["roles"] == roles


def test_a_stack_needs_what_its_kind_needs() -> None:
    own, shared = (run._needed(run.Wish("demo", roles=roles), State({})) for roles in ("function", "service"))

    assert own["aws_iam_role"] > shared["aws_iam_role"]
    assert run._needed(run.Wish("demo", stage="production", roles="service"), State({})) == {}  # Terraform refuses it


def test_how_much_changed_is_told_to_who_tests_the_stack(monkeypatch: pytest.MonkeyPatch, removed: Any) -> None:
    monkeypatch.setattr(run, "_compared", lambda *_: leftovers.Difference([], []))

    assert run._apply(None, "paygo-demo", Terraform(), {}, State({})) == 0  # type: ignore[arg-type]
    lost = Terraform(AlreadyThereError("Alias already exists: live"))
    assert run._apply(None, "paygo-demo", lost, {}, State({})) > 0  # type: ignore[arg-type]


NOON = datetime(2026, 11, 30, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("before", "stage_before", "stage", "ttl", "expected"),
    [
        (None, None, "development", None, "2026-12-07T12:00:00Z"),
        (None, None, "production", None, "never"),
        ("2026-12-01T12:00:00Z", "development", "development", None, "2026-12-01T12:00:00Z"),
        ("2026-12-01T12:00:00Z", None, "development", None, "2026-12-01T12:00:00Z"),  # its first deploy was killed
        ("2026-11-30T11:59:59Z", "development", "development", None, "2026-12-07T12:00:00Z"),
        ("2026-12-01T12:00:00Z", "development", "development", "8h", "2026-11-30T20:00:00Z"),
        ("never", "development", "development", None, "never"),
        ("never", "staging", "development", None, "2026-12-07T12:00:00Z"),
        ("2026-12-01T12:00:00Z", "development", "staging", None, "never"),
    ],
)
def test_a_stack_keeps_its_lifetime_until_that_is_over_or_it_is_another_stages(
    before: str | None, stage_before: str | None, stage: str, ttl: str | None, expected: str
) -> None:
    tagged = {"attributes": {"tags_all": {"ExpiresAt": before}}}
    state = State(
        {
            "outputs": {"stage": {"value": stage_before}} if stage_before else {},
            "resources": [{"mode": "managed", "type": "aws_sns_topic", "instances": [tagged]}],
        }
    )

    assert run._expiry(run.Wish("demo", ttl=ttl), state, stage, NOON) == expected


def test_how_long_a_stack_lives_is_told() -> None:
    assert run._lives("2026-12-07T12:00:00Z") == "it may be removed after 2026-12-07T12:00:00Z"
    assert run._lives("never") == "it stays until somebody destroys it"


@pytest.mark.parametrize("protected", [True, False])
def test_what_is_protected_stays_though_its_state_is_lost(monkeypatch: pytest.MonkeyPatch, *, protected: bool) -> None:
    table = next(kind for kind in KINDS if kind.words == "table")
    asked: list[str] = []

    def ask(_: object, found: Found) -> bool:
        asked.append(found.name)
        return protected

    leftover = Leftover(replace(table, protected=ask), Found("t", "paygo-demo-ledger"))
    monkeypatch.setattr("deploy.storage.stacks", lambda _: set())
    monkeypatch.setattr("deploy.leftovers.sweep", lambda *_: [leftover])

    assert run._is_protected(None, "paygo-demo", State({})) is protected  # type: ignore[arg-type]
    assert asked == ["paygo-demo-ledger"]


@pytest.mark.parametrize("protected", [True, False])
def test_a_state_says_whether_its_stack_is_protected(*, protected: bool) -> None:
    table = {"attributes": {"deletion_protection_enabled": protected}}
    known = State({"resources": [{"mode": "managed", "type": "aws_dynamodb_table", "instances": [table]}]})

    assert run._is_protected(None, "paygo-demo", known) is protected  # type: ignore[arg-type]
