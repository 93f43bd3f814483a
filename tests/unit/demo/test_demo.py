import io
import os
import shlex
import stat
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast
from uuid import UUID

import pytest
import requests
from rich.console import Console

from demo import __main__ as command
from demo import handover
from demo.journey import (
    NotRefused,
    Step,
    StepFailed,
    Story,
    Told,
    begin,
    eventually,
    expect,
    make_customer,
    refusal_of,
)
from demo.manifest import HEADER, MISTAKES, make_manifest
from demo.stage import Access, NoStack, Stage, point_aws_tools_at, read_access
from demo.timeline import Timeline
from deploy.target import stay_off_proxies
from paygo_client import PaygoProblem, SessionDetails
from tests.unit.clients.scripted_api import session

ACCESS = {
    "stack": "paygo-demo",
    "branch": "demo",
    "region": "eu-west-1",
    "api_url": "http://127.0.0.1:4566/_aws/execute-api/abc/v",
    "identity_pool_id": "eu-west-1:pool",
    "mqtt": {"host": "localhost", "port": 8883, "ca_file": "/ca.pem"},
    "provisioning_template": "paygo-demo",
    "partners": {"supplier": {"secret_arn": "arn:supplier"}},
    "claim_secret_arn": "arn:claim",
    "mail_sender": "paygo@example.org",
    "endpoint_url": "http://127.0.0.1:4566",
}


def access() -> Access:
    return Access.model_validate(ACCESS)


def problem(status: int) -> PaygoProblem:
    return PaygoProblem.from_answer(status, {}, b'{"title": "No"}')


def test_a_manifest_is_the_same_every_time_but_for_serial_numbers_and_keys() -> None:
    first, second = make_manifest("AAAAAA"), make_manifest("BBBBBB")

    assert [kit.serial_number[-4:] for kit in first.kits] == [kit.serial_number[-4:] for kit in second.kits]
    assert not {kit.serial_number for kit in first.kits} & {kit.serial_number for kit in second.kits}
    assert len({kit.secret_key for kit in (*first.kits, *second.kits)}) == 2_000


def test_a_manifest_has_its_mistakes_in_the_lines_that_are_named() -> None:
    manifest = make_manifest("AAAAAA")
    lines = manifest.csv.splitlines()

    assert lines[0] == HEADER
    assert len(lines) == 1_001
    wrong = {number for number, line in enumerate(lines, start=1) if line not in {HEADER, *rows_of(manifest.kits)}}
    assert wrong == set(MISTAKES)
    assert len(manifest.good_kits) == 1_000 - len(MISTAKES)


def rows_of(kits: tuple[Any, ...]) -> set[str]:
    return {kit.row for kit in kits}


def test_two_stories_on_one_stack_share_no_device_and_no_household() -> None:
    first, second = (begin(Stage(access())) for _ in range(2))

    assert first.kit.serial_number != second.kit.serial_number
    assert first.household.email != second.household.email
    first.close()


def test_what_must_be_refused_fails_the_step_when_it_is_not() -> None:
    def allow() -> None:
        pass

    def refuse(status: int) -> None:
        raise problem(status)

    assert refusal_of(lambda: refuse(403), "It").status == 403
    with pytest.raises(NotRefused, match="It was not refused"):
        refusal_of(allow, "It")
    with pytest.raises(PaygoProblem, match="500"):
        refusal_of(lambda: refuse(500), "It")


def test_what_does_not_happen_in_time_fails_the_step(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("demo.journey.PATIENCE_SECONDS", 0.15)
    values = iter(range(100))

    assert eventually(lambda: next(values), lambda value: value == 1, "One") == 1
    with pytest.raises(StepFailed, match="A million did not happen"):
        eventually(lambda: next(values), lambda value: value == 10**6, "A million")
    with pytest.raises(StepFailed, match="otherwise"):
        expect(False, "otherwise")


def test_a_timeline_tells_what_happened_and_how_long_it_took(monkeypatch: pytest.MonkeyPatch) -> None:
    moments = iter([10.0, 11.5, 11.7])
    monkeypatch.setattr(time, "monotonic", lambda: next(moments))
    console = Console(file=io.StringIO(), width=100)

    with Timeline(console).step(Step(3, "Something [happens]", cast("Any", None), ())) as telling:
        telling.tell(Told("it went well"))
        telling.tell(Told("line 4: [bad]", is_refusal=True))

    assert cast("io.StringIO", console.file).getvalue().splitlines() == [
        "",
        " 3  Something [happens]",
        "   1.5 s  ✓ it went well",
        "   0.2 s  ✗ refused: line 4: [bad]",
    ]


def test_a_timeline_in_a_terminal_shows_that_it_waits() -> None:
    console = Console(file=io.StringIO(), width=100, force_terminal=True)

    with Timeline(console).step(Step(1, "Waiting", cast("Any", None), ())):
        pass

    assert "\x1b[" in cast("io.StringIO", console.file).getvalue()


def test_the_credentials_for_curl_are_in_a_file_of_their_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PAYGO_HOME", str(tmp_path / "my home"))
    (tmp_path / "my home" / "stacks").mkdir(parents=True)
    details = SessionDetails.model_validate(session("own", "authenticated"))

    handover.write_curl_settings(access(), details)
    settings = handover.write_curl_settings(access(), details)
    line = handover.curl_line(access(), details, settings)

    assert stat.S_IMODE(settings.stat().st_mode) == 0o600
    assert 'user = "ASIAOWN:secret-own"' in settings.read_text()
    assert 'header = "X-Amz-Security-Token: token-own"' in settings.read_text()
    assert "secret-own" not in line
    assert shlex.split(line)[-1] == "http://127.0.0.1:4566/_aws/execute-api/abc/v/v1/devices"
    assert str(settings) in shlex.split(line)
    assert "aws:amz:eu-west-1:execute-api" in shlex.split(line)


def test_a_stack_that_was_not_deployed_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PAYGO_HOME", str(tmp_path))

    with pytest.raises(NoStack, match="paygo-demo is not deployed"):
        read_access("paygo-demo")
    with pytest.raises(NoStack, match="no user operator"):
        Stage(access()).partner("supplier")
    with pytest.raises(SystemExit) as ended:
        command.main(branch="", deploy=False)
    assert ended.value.code == 1


def test_aws_tools_of_this_process_find_the_embedded_cloud_and_else_aws(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)

    point_aws_tools_at(access().model_copy(update={"endpoint_url": None}))
    assert "AWS_ENDPOINT_URL" not in os.environ
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://elsewhere.example.org")
    point_aws_tools_at(access())
    assert os.environ["AWS_ENDPOINT_URL"] == ACCESS["endpoint_url"]


def test_two_customers_of_the_bank_are_two_people() -> None:
    first, second = make_customer(), make_customer()

    assert first.customer_number != second.customer_number
    assert len(first.customer_number) == 12
    assert first.one_time_code != "000000"


def test_what_goes_to_this_machine_goes_by_no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "internal,localhost")
    monkeypatch.setenv("no_proxy", "")
    monkeypatch.setenv("HTTP_PROXY", "http://proxy.example.org")

    stay_off_proxies()

    assert requests.utils.should_bypass_proxies("http://127.0.0.1:4566", no_proxy=None)
    assert requests.utils.should_bypass_proxies("http://internal", no_proxy=None)


@pytest.mark.parametrize(
    ("error", "why"),
    [
        (StepFailed("The device was told nothing."), "The device was told nothing."),
        (problem(409), "409 No."),
        (KeyError("claim"), "KeyError: 'claim'."),
    ],
)
def test_a_failed_step_ends_with_which_why_and_where_to_look(
    error: Exception, why: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def play(_story: Story) -> Iterator[Told]:
        yield Told("it began")
        raise error

    monkeypatch.setattr(command, "STEPS", (Step(7, "Somebody pays", play, ("payments-notifications",)),))
    console = Console(file=io.StringIO(), width=60)

    with pytest.raises(SystemExit) as ended:
        command._play(console, begin(Stage(access())))

    assert ended.value.code == 1
    assert cast("io.StringIO", console.file).getvalue().splitlines()[-1] == (
        f"Step 7 (somebody pays) failed: {why} Look at the logs in /aws/lambda/paygo-demo-payments-notifications."
    )


def test_what_is_running_is_told_at_the_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PAYGO_HOME", str(tmp_path))
    (tmp_path / "stacks").mkdir()
    story = begin(Stage(access()))
    details = SessionDetails.model_validate(session("own", "authenticated"))
    story.app = cast("Any", type("App", (), {"details": details, "close": lambda _: None})())
    console = Console(file=io.StringIO(), width=60)

    command._hand_over(console, access(), story, "demo")

    text = cast("io.StringIO", console.file).getvalue()
    for told in ("paygo-demo", ACCESS["api_url"], "--aws-sigv4", "make stop", "make destroy BRANCH=demo"):
        assert str(told) in text
    assert UUID(str(details.household_id))
