"""The pipeline does with each event what this table says, and every step of it is a make target."""

import itertools
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from ci.conditions import Event
from ci.travis import Job, Pipeline

ROOT = Path(__file__).parents[2]
PIPELINE = Pipeline.load()
OURS = {"repo": "solar/paygo", "fork": "false"}
PUSH = {**OURS, "type": "push", "commit_message": "Say what a tag means"}
PULL_REQUEST = {**OURS, "type": "pull_request", "branch": "main", "head_branch": "feature/meters"}

# The events by what docs/pipelines.md calls them, and the jobs each gets. A tag's branch is the tag, as Travis has it.
EVENTS: dict[str, tuple[dict[str, str], list[str]]] = {
    "a push to a branch": ({**PUSH, "branch": "feature/meters"}, ["lint", "unit"]),
    "a pull request": (
        {**PULL_REQUEST, "head_repo": "solar/paygo"},
        ["lint", "unit", "test", "stack of a pull request"],
    ),
    "a fork's pull request": ({**PULL_REQUEST, "head_repo": "guest/paygo"}, ["lint", "unit", "test"]),
    "a merge into main": (
        {**PUSH, "branch": "main", "commit_message": "Merge pull request #7 from solar/feature/meters"},
        ["lint", "unit", "test", "stack of main", "stacks of merged branches"],
    ),
    "another push to main": ({**PUSH, "branch": "main"}, ["lint", "unit", "test", "stack of main"]),
    "a tag deploy/*": (
        {**PUSH, "branch": "deploy/feature/meters", "tag": "deploy/feature/meters"},
        ["lint", "unit", "stack of a tag"],
    ),
    "a tag staging/*": ({**PUSH, "branch": "staging/1.4", "tag": "staging/1.4"}, ["lint", "unit", "test", "staging"]),
    "a tag production/*": (
        {**PUSH, "branch": "production/1.4", "tag": "production/1.4"},
        ["lint", "unit", "test", "production"],
    ),
    "any other tag": ({**PUSH, "branch": "v1.4", "tag": "v1.4"}, ["lint", "unit"]),
    "the nightly cron of main": ({**OURS, "type": "cron", "branch": "main"}, ["janitor"]),
    "a build asked for by hand": ({**OURS, "type": "api", "branch": "main"}, ["lint", "unit"]),
    "a push in a fork's own Travis": ({**PUSH, "fork": "true", "branch": "main"}, ["lint", "unit", "test"]),
}
# How one tag is nearly another, and how a branch is nearly a tag.
NEARLY: dict[str, tuple[dict[str, str], list[str]]] = {
    "a tag that only begins like production": (
        {**PUSH, "branch": "production-1", "tag": "production-1"},
        ["lint", "unit"],
    ),
    "a tag that ends like production": (
        {**PUSH, "branch": "x/production/1", "tag": "x/production/1"},
        ["lint", "unit"],
    ),
    "a tag without a version": ({**PUSH, "branch": "production/", "tag": "production/"}, ["lint", "unit"]),
    "a branch named like a production tag": ({**PUSH, "branch": "production/1.4"}, ["lint", "unit"]),
    "a tag named main": ({**PUSH, "branch": "main", "tag": "main"}, ["lint", "unit"]),
    "a merge into another branch": (
        {**PUSH, "branch": "feature/meters", "commit_message": "Merge branch 'main' into feature/meters"},
        ["lint", "unit"],
    ),
    "a revert of a merge": (
        {**PUSH, "branch": "main", "commit_message": 'Revert "Merge pull request #7 from solar/feature/meters"'},
        ["lint", "unit", "test", "stack of main"],
    ),
    "a cron of another branch": ({**OURS, "type": "cron", "branch": "feature/meters"}, []),
    "a fork's pull request, told as Travis may": (
        {**PULL_REQUEST, "head_repo": "guest/paygo", "fork": "true"},
        ["lint", "unit", "test"],
    ),
    "a cron in a fork's own Travis": ({**OURS, "fork": "true", "type": "cron", "branch": "main"}, []),
    "a tag in a fork's own Travis": (
        {**PUSH, "fork": "true", "branch": "production/1.4", "tag": "production/1.4"},
        ["lint", "unit", "test"],
    ),
}

# What Travis sets, and what each job that calls make hands on of it.
NASTY = "feature/$(touch owned)`touch owned`;touch owned;'\"&"
TRAVIS = {
    "TRAVIS_BRANCH": "main",
    "TRAVIS_COMMIT": "c0ffee",
    "TRAVIS_COMMIT_RANGE": "abc123...c0ffee",
    "TRAVIS_PULL_REQUEST_BRANCH": NASTY,
    "TRAVIS_PULL_REQUEST_SHA": "beef",
    "TRAVIS_REPO_SLUG": "solar/paygo",
    "RELEASE_ROLE": "arn:aws:iam::123456789012:role/paygo-releaser",
}
HANDED_ON: dict[str, dict[str, str]] = {
    "stack of a pull request": {"BRANCH": NASTY, "COMMIT": "beef", "TARGET": "main", "SINCE": "HEAD^1", "TTL": "2d"},
    "stack of a tag": {"BRANCH": NASTY, "TTL": "8h"},
    "stack of main": {"BRANCH": "main", "COMMIT": "c0ffee", "TTL": "never"},
    "staging": {
        "BRANCH": "staging",
        "STAGE": "staging",
        "TTL": "never",
        "DEPLOY_ROLE": "arn:aws:iam::123456789012:role/paygo-releaser",
    },
    "production": {
        "BRANCH": "production",
        "STAGE": "production",
        "TTL": "never",
        "DEPLOY_ROLE": "arn:aws:iam::123456789012:role/paygo-releaser",
    },
    "stacks of merged branches": {"OWNER": "solar", "SINCE": "abc123"},
    "janitor": {"APPLY": "yes", "BRANCHES": "origin"},
}
TOLD = {"BRANCH", "STAGE", "TTL", "SINCE", "TARGET", "COMMIT", "OWNER", "APPLY", "BRANCHES", "DEPLOY_ROLE", "PROFILE"}
VERBS_OF_CI = {"deploy", "destroy", "status"}  # what `make stack` and `make destroy-merged` call

_MAKE = re.compile(r"\bmake ([a-z-]+)")


def needs_secrets(job: Job) -> bool:
    return any(".ci/on-aws" in line for line in job.lines)


@pytest.mark.parametrize("event", [*EVENTS, *NEARLY])
def test_an_event_gets_the_jobs_of_the_table(event: str) -> None:
    attributes, expected = {**EVENTS, **NEARLY}[event]

    assert [job.name for job in PIPELINE.jobs_of(Event(attributes))] == expected


def test_every_job_is_some_events() -> None:
    assert {name for _attributes, jobs in EVENTS.values() for name in jobs} == {job.name for job in PIPELINE.jobs}


def every_event() -> list[dict[str, str]]:
    """Make every combination of what conditions look at."""
    choices = {
        "type": ["push", "pull_request", "api", "cron"],
        "fork": ["true", "false"],
        "repo": ["solar/paygo"],
        "head_repo": ["", "solar/paygo", "guest/paygo"],
        "branch": ["main", "feature/meters", "production/1.4"],
        "tag": ["", "main", "deploy/x", "staging/1", "production/1.4", "production-1"],
        "commit_message": ["Merge branch 'x'", "Mend x"],
    }
    return [dict(zip(choices, values, strict=True)) for values in itertools.product(*choices.values())]


def test_no_job_that_needs_secrets_runs_for_a_fork() -> None:
    assert any(needs_secrets(job) for job in PIPELINE.jobs)
    for event in every_event():
        foreign = event["type"] == "pull_request" and event["head_repo"] != event["repo"]
        if event["fork"] == "true" or foreign:
            assert [job.name for job in PIPELINE.jobs_of(Event(event)) if needs_secrets(job)] == [], event


def test_only_a_push_of_its_tag_deploys_production() -> None:
    (production,) = [job for job in PIPELINE.jobs if any("production" in line.lower() for line in job.lines)]

    assert any(production in PIPELINE.jobs_of(Event(event)) for event in every_event())
    for event in every_event():
        if production in PIPELINE.jobs_of(Event(event)):
            assert (event["type"], event["tag"]) == ("push", "production/1.4")


def test_a_job_that_touches_stacks_goes_to_the_account() -> None:
    for job in PIPELINE.jobs:
        assert needs_secrets(job) is (job.stage in {"stack", "promote", "clean"}), job.name


def said_by(line: str) -> dict[str, str]:
    """Run a job's line with what it calls replaced by a program that shows what it was told."""
    show = f'{sys.executable} -c "import json, os; print(json.dumps(dict(os.environ)))"'
    shown, replaced = re.subn(r"\.ci/on-aws make [a-z-]+", lambda _found: show, line)
    assert replaced == 1, line
    environment = {**TRAVIS, "TRAVIS_TAG": f"deploy/{NASTY}", "PATH": os.environ["PATH"]}
    run = subprocess.run(["bash", "-euc", shown], env=environment, capture_output=True, text=True, check=True)
    return {name: value for name, value in json.loads(run.stdout).items() if name in TOLD}


@pytest.mark.parametrize("name", HANDED_ON)
def test_a_job_hands_on_what_travis_says_whatever_a_branch_is_called(name: str) -> None:
    (job,) = [job for job in PIPELINE.jobs if job.name == name]

    assert [said_by(line) for line in job.lines] == [HANDED_ON[name]]


def test_what_each_job_hands_on_is_known() -> None:
    assert set(HANDED_ON) == {job.name for job in PIPELINE.jobs if needs_secrets(job)}


def dry_run(verb: str, told: dict[str, str]) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))}
    return subprocess.run(
        ["make", "-n", verb], cwd=ROOT, env={**environment, **told}, capture_output=True, text=True, check=False
    )


VERBS = sorted(
    {(verb, job.name) for job in PIPELINE.jobs for line in job.lines for verb in _MAKE.findall(line)}
    | {(verb, "stack of a pull request") for verb in VERBS_OF_CI}
)


@pytest.mark.parametrize(("verb", "job"), VERBS, ids=lambda value: str(value).replace(" ", "-"))
def test_every_verb_that_a_job_names_is_a_make_target(verb: str, job: str) -> None:
    run = dry_run(verb, HANDED_ON.get(job, {}))

    assert (run.returncode, run.stderr) == (0, "")
    assert run.stdout.strip()


def test_a_verb_that_does_not_exist_would_be_found() -> None:
    assert dry_run("deplyo", {}).returncode != 0


def test_every_job_is_nothing_but_a_make_target() -> None:
    for job in PIPELINE.jobs:
        assert len(job.lines) == len(_MAKE.findall("\n".join(job.lines))) == 1, job.name
    assert PIPELINE.everywhere == ()


def test_no_job_waits_longer_than_travis_does_for_a_word() -> None:
    variables = yaml.safe_load((ROOT / ".travis.yml").read_text(encoding="utf-8"))["env"]["global"]

    assert variables == ["PATIENCE=480"]


def scripts() -> list[Path]:
    return [path for path in (ROOT / ".ci").iterdir() if path.read_text(encoding="utf-8").startswith("#!")]


@pytest.mark.parametrize("script", [ROOT / ".travis.yml", *scripts()], ids=lambda path: path.name)
def test_no_step_shows_its_environment(script: Path) -> None:
    text = script.read_text(encoding="utf-8")

    assert not re.search(
        r"set -\w*x|-o xtrace|\bprintenv\b|^\s*env\s*$|\bexport -p\b|\bdeclare -[px]\b", text, re.MULTILINE
    )


def test_the_page_shows_the_same_table() -> None:
    page = (ROOT / "docs" / "pipelines.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (a[^|]*|the nightly[^|]*) \| ([^|]*) \|", page, re.MULTILINE)

    assert {event.strip().replace("`", ""): jobs.strip().split(", ") for event, jobs in rows} == {
        event: jobs for event, (_attributes, jobs) in EVENTS.items()
    }
