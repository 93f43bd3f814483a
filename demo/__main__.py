"""`make demo`: bring the stack up and play the journey on it."""

import os
import subprocess
import sys
import time
from typing import Annotated

import typer
from rich.console import Console

from demo import handover
from demo.journey import STEPS, Step, StepFailed, Story, begin
from demo.stage import ROOT, Access, NoStack, Stage, point_aws_tools_at, read_access
from demo.timeline import Timeline
from deploy.stack import stack_name
from deploy.target import stay_off_proxies
from paygo_client import ApiUnreachable, NotConfirmed, NotDecidedInTime, PaygoProblem, UnexpectedAnswer
from paygo_device import DeviceError

DEFAULT_BRANCH = "demo"
EXPECTED = (StepFailed, PaygoProblem, ApiUnreachable, NotConfirmed, NotDecidedInTime, UnexpectedAnswer, DeviceError)


def main(
    branch: Annotated[str, typer.Option(envvar="BRANCH", help="The branch whose stack is used.")] = DEFAULT_BRANCH,
    profile: Annotated[
        str | None, typer.Option(envvar="PROFILE", help="An AWS profile; else the embedded cloud.")
    ] = None,
    deploy: Annotated[bool, typer.Option(help="Bring the stack up first.")] = True,
) -> None:
    """Play the platform's reason to exist on a stack, step by step."""
    console = Console(width=None if sys.stdout.isatty() else 160)
    # `make` exports names that were not given as empty.
    branch, profile = branch or DEFAULT_BRANCH, profile or None
    if deploy:
        _deploy(branch, profile)
    stay_off_proxies()
    try:
        stage = Stage(read_access(stack_name(branch)), profile)
    except NoStack as missing:
        _fail(console, f"{missing} Run `make deploy BRANCH={branch}` first.")
    point_aws_tools_at(stage.access)
    story = begin(stage)
    began = time.monotonic()
    try:
        _play(console, story)
    finally:
        story.close()
    console.print()
    console.print(f"[bold green]{len(STEPS)} steps in {time.monotonic() - began:.1f} s.[/]", highlight=False)
    _hand_over(console, stage.access, story, branch)


def _deploy(branch: str, profile: str | None) -> None:
    environment = {**os.environ, "BRANCH": branch, "PROFILE": profile or ""}
    done = subprocess.run([sys.executable, "-m", "deploy", "up"], cwd=ROOT, env=environment, check=False)
    if done.returncode:
        raise SystemExit(done.returncode)  # it has said why


def _play(console: Console, story: Story) -> None:
    timeline = Timeline(console)
    for step in STEPS:
        try:
            with timeline.step(step) as telling:
                for told in step.play(story):
                    telling.tell(told)
        except KeyboardInterrupt:
            _fail(console, f"Stopped in step {step.number}; run it again, it starts a story of its own.")
        except EXPECTED as error:
            _fail(console, f"{_named(step)} failed: {_sentence(str(error))} {_look_at(story.stage.access, step)}")
        except Exception as error:  # noqa: BLE001 (whatever it was, a person wants a sentence, not a trace)
            why = _sentence(f"{type(error).__name__}: {error}")
            _fail(console, f"{_named(step)} failed: {why} {_look_at(story.stage.access, step)}")


def _named(step: Step) -> str:
    return f"Step {step.number} ({step.title[0].lower()}{step.title[1:]})"


def _sentence(text: str) -> str:
    one_line = " ".join(text.split())
    return one_line if one_line.endswith(".") else f"{one_line}."


def _look_at(access: Access, step: Step) -> str:
    groups = ", ".join(f"/aws/lambda/{access.stack}-{function}" for function in step.functions)
    return f"Look at the logs in {groups}."


def _fail(console: Console, sentence: str) -> None:
    console.print()
    console.print(sentence, style="bold red", highlight=False, markup=False, soft_wrap=True)
    raise SystemExit(1)


def _hand_over(console: Console, access: Access, story: Story, branch: str) -> None:
    details = story.app.details
    settings = handover.write_curl_settings(access, details)
    where = "on the embedded cloud" if access.endpoint_url else f"in AWS, {access.region}"
    lines = [
        ("running", f"the stack {access.stack} {where}"),
        ("API", access.api_url),
        ("MQTT", f"{access.mqtt.host}:{access.mqtt.port}, mutual TLS"),
        ("call it", handover.curl_line(access, details, settings)),
        ("again", "make demo" if branch == DEFAULT_BRANCH else f"make demo BRANCH={branch}"),
        ("remove it", f"make destroy BRANCH={branch}"),
    ]
    if access.endpoint_url:
        lines.append(("stop", "make stop"))
    console.print()
    for name, text in lines:
        console.print(f"  {name:<10} {text}", highlight=False, markup=False, soft_wrap=True)


if __name__ == "__main__":
    typer.run(main)
