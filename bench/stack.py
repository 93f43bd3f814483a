"""A stack on the embedded cloud: bringing it up, once more, what a second plan finds, and taking it away."""

import json
import os
import re
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.cloud import embedded_cloud
from bench.figures import (
    CREATE_DEPLOYMENT,
    CREATE_REST_API,
    DEPLOY,
    DEPLOY_AGAIN,
    DESTROY,
    PUT_REST_API,
    SECOND_PLAN,
    Measurement,
    NotMeasured,
)
from bench.workshop import PYTHON, ROOT, Workshop
from deploy.comparison import UNASKED
from deploy.lock import working_folder
from deploy.stack import stack_name

BRANCH = "bench"
UNCHANGED = 3

LIMITED = {"CreateRestApi": CREATE_REST_API, "PutRestApi": PUT_REST_API, "CreateDeployment": CREATE_DEPLOYMENT}
_ENTRY = re.compile(r"^(?=\d{4}-\d\d-\d\dT)", re.MULTILINE)  # a request's body may go over several lines
_CALL = re.compile(rf"rpc\.method=({'|'.join(LIMITED)})\b")


def stack(workshop: Workshop) -> Iterator[Measurement]:
    """Deploy and destroy the branch `bench` twice; the second deploy is made with the provider's log on."""
    with embedded_cloud(workshop):
        try:
            run_deploy(workshop, "destroy", "destroy what an earlier bench left")
            workshop.timed("build", ["./build.sh"], environment=_environment(workshop))
            first = run_deploy(workshop, "up", "deploy")
            yield Measurement(SECOND_PLAN, (_planned_changes(workshop),))
            yield deployed_again(workshop, BRANCH)
            gone = [run_deploy(workshop, "destroy", "destroy")]
            log = workshop.logs / "provider.log"
            log.unlink(missing_ok=True)
            logged = {"TF_LOG_PROVIDER": "DEBUG", "TF_LOG_PATH": str(log)}
            second = run_deploy(workshop, "up", "deploy with the provider's log", logged)
            yield from _limited_calls(log)
            yield Measurement(DEPLOY, (first, second), note="the second time with the provider's log on")
        finally:
            last = run_deploy(workshop, "destroy", "destroy")
        yield Measurement(DESTROY, (*gone, last))


def deployed_again(workshop: Workshop, branch: str) -> Measurement:
    """Deploy a branch with nothing changed, and once more with Terraform told to look all the same."""
    name, to = "deploy with nothing changed", {"BRANCH": branch}
    again = [run_deploy(workshop, "up", name, to) for _ in range(UNCHANGED)]
    if UNASKED not in workshop.log(name).read_text():
        message = f"Terraform was asked by a {name}; what it said is in {workshop.log(name)}."
        raise NotMeasured(message)
    compared = run_deploy(workshop, "up", f"{name}, compared by Terraform", to | {"COMPARE": "yes"})
    return Measurement(DEPLOY_AGAIN, tuple(again), note=f"{compared:.1f} s where Terraform compares all of it")


@contextmanager
def deployed(workshop: Workshop, branch: str) -> Iterator[None]:
    """Have a branch's stack for as long as a part of the bench needs it, its delays a thousandth as in tests."""
    more = {"BRANCH": branch, "DELAY_SCALE": "0.001"}
    try:
        run_deploy(workshop, "up", f"deploy {branch}", more)
        yield
    finally:
        run_deploy(workshop, "destroy", f"destroy {branch}", more)


def run_deploy(workshop: Workshop, verb: str, name: str, more: dict[str, str] | None = None) -> float:
    """Bring the bench's stack ``up``, or ``destroy`` it, and return the seconds that it took."""
    return workshop.timed(name, [PYTHON, "-m", "deploy", verb], environment=_environment(workshop) | (more or {}))


def _environment(workshop: Workshop) -> dict[str, str]:
    unwanted = ("PROFILE", "STAGE", "TTL", "REGION", "ARCHITECTURE", "ROLES", "COMPARE")
    kept = {name: value for name, value in os.environ.items() if name not in unwanted}
    return kept | {"PAYGO_HOME": str(workshop.home), "BRANCH": BRANCH}


def terraform(workshop: Workshop, branch: str) -> tuple[list[str | Path], dict[str, str]]:
    """Return how Terraform is called for a branch's stack, and its environment."""
    work = working_folder(workshop.home, stack_name(branch))
    cloud = json.loads((workshop.home / "cloud" / "cloud.json").read_bytes())
    environment = _environment(workshop) | {
        "TF_DATA_DIR": str(work / "data"),
        "TF_IN_AUTOMATION": "1",
        "TF_CLI_CONFIG_FILE": str(work / "terraform.rc"),
        "AWS_ENDPOINT_URL": cloud["endpoint_url"],
        "AWS_SHARED_CREDENTIALS_FILE": cloud["credentials_file"],
        "AWS_PROFILE": "deployer",
        "AWS_REGION": cloud["region"],
        "AWS_EC2_METADATA_DISABLED": "true",
    }
    return [workshop.home / "bin" / "terraform", f"-chdir={ROOT / 'terraform'}"], environment


def values(workshop: Workshop, branch: str) -> str:
    """Return the option that tells Terraform what it was told of a branch's stack before."""
    return f"-var-file={working_folder(workshop.home, stack_name(branch)) / 'values.tfvars.json'}"


def _planned_changes(workshop: Workshop) -> int:
    """Plan what was just deployed and count what would change."""
    command, environment = terraform(workshop, BRANCH)
    options = ("plan", "-json", "-input=false", values(workshop, BRANCH))
    workshop.timed("second plan", [*command, *options], environment=environment)
    changed: set[str] = set()
    for line in (workshop.logs / "second-plan.log").read_text().splitlines():
        message = json.loads(line) if line.startswith("{") else {}
        if message.get("type") == "planned_change":
            changed.add(message["change"]["resource"]["addr"])
    for address in sorted(changed):
        workshop.tell(f"the second plan changes {address}")
    return len(changed)


def _limited_calls(log: Path) -> Iterator[Measurement]:
    """Count in the provider's log the calls of which AWS allows few."""
    if not log.exists():
        message = "Terraform wrote no provider log, so its calls cannot be counted: does deploy pass TF_LOG_PATH on?"
        raise NotMeasured(message)
    calls: Counter[str] = Counter()
    for entry in _ENTRY.split(log.read_text(errors="replace")):
        if "HTTP Request Sent" in entry and (call := _CALL.search(entry)):
            calls[call[1]] += 1
    for name, figure in LIMITED.items():
        yield Measurement(figure, (calls[name],))
