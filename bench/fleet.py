"""Stacks by the dozen: five deployed at once, ten torn down within AWS's rates, janitors and deploys killed at work.

Fifteen stacks are deployed, five at a time, with nothing kept from one part of the bench for the next. Half an hour.
"""

import json
import random
import re
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from difflib import SequenceMatcher
from itertools import batched, combinations
from typing import Any

from bench import interrupted
from bench.cloud import embedded_cloud
from bench.figures import (
    AT_ONCE,
    BYSTANDER,
    DEPLOY_AGAIN,
    DEPLOYS_KILLED,
    DEPLOYS_LEFT,
    JANITORS_KILLED,
    JANITORS_LEFT,
    OTHERS_GONE,
    REHEARSED,
    REHEARSED_ERRORS,
    STRANGE,
    TEARDOWN,
    TEARDOWN_ERRORS,
    Measurement,
    NotMeasured,
)
from bench.stack import UNCHANGED, run_deploy, terraform, values
from bench.throttle import Seen, lines, throttled
from bench.throttled import slow_calls
from bench.workshop import PYTHON, ROOT, Workshop
from deploy.stack import stack_name
from deploy.target import choose
from janitor import kills, look, storage
from janitor.clients import Clients
from janitor.rehearsal import Rehearsed, recorded, teardown, waiting_for
from janitor.storage import State
from paygo_limits import rates

FIRST = tuple(f"fleet{number}" for number in range(1, 6))
TEN = (*FIRST, *(f"fleet{number}" for number in range(6, 11)))
SWEPT = tuple(f"swept{number}" for number in range(1, 5))
NEIGHBOUR = "neighbour"
ALL = (*TEN, *SWEPT, NEIGHBOUR)
AT_A_TIME = 5

KILLS = 10
"""Of the janitors of one stack; those that come when it is gone do not count."""
REMOVAL = 1.5
"""Seconds that one hand removes a stack, at least."""
LOOK_EVERY = 5.0
MANY = 200
APIS = 7
"""With an API a service, as many platforms have them."""
INVENTORY = ROOT / "tests" / "unit" / "janitor" / "inventory.json"
BRANCH_KILLED = "bench-killed"
_THROTTLED = re.compile(r"TooManyRequests|Throttl|Rate exceeded|LimitExceeded")


def stacks(workshop: Workshop) -> Iterator[Measurement]:
    """Deploy fifteen stacks, tear ten down within AWS's rates, and kill the janitors of four beside the last."""
    with embedded_cloud(workshop):
        clients: Clients = choose(None, None).clients()
        try:
            yield from side_by_side(workshop, clients)
            for more in batched(ALL[AT_A_TIME:], AT_A_TIME, strict=True):
                bring_up(workshop, more)
            yield from torn_down(workshop, clients)
            yield from swept(workshop, clients)
        finally:
            for branch in ALL:
                if storage.read(clients, storage.state_key(stack_name(branch))):
                    run_deploy(workshop, "destroy", f"destroy {branch}", {"BRANCH": branch})


def side_by_side(workshop: Workshop, clients: Clients) -> Iterator[Measurement]:
    """Deploy five stacks at once, and see that none touched another's resources."""
    up = bring_up(workshop, FIRST)
    yield Measurement(AT_ONCE, (len(up),), note=f"{max(up):.0f} s for the slowest")
    states = {stack_name(branch): State.load(clients, storage.state_key(stack_name(branch))) for branch in FIRST}
    yield Measurement(STRANGE, (strange(states),))
    again = [run_deploy(workshop, "up", "deploy with nothing changed", {"BRANCH": FIRST[0]}) for _ in range(UNCHANGED)]
    yield Measurement(DEPLOY_AGAIN, tuple(again), note="beside four other stacks")


def bring_up(workshop: Workshop, branches: Sequence[str]) -> list[float]:
    """Deploy branches at once and return the seconds of each."""

    def one(branch: str) -> float:
        return run_deploy(workshop, "up", f"deploy {branch}", {"BRANCH": branch})

    with ThreadPoolExecutor(len(branches)) as pool:
        return list(pool.map(one, branches))


def strange(states: Mapping[str, State]) -> int:
    """Count the resources that two stacks have, that say they are another's, and that one lacks and another has."""
    own = {stack: arns(state) for stack, state in states.items()}
    shared = sum(len(one & other) for one, other in combinations(own.values(), 2))
    others = sum(tags != stack for stack, state in states.items() for tags in owners(state))
    kinds = [Counter(resource["type"] for resource in instances(state)) for state in states.values()]
    lacking = sum(((kinds[0] - each) + (each - kinds[0])).total() for each in kinds[1:])
    return shared + others + lacking


def instances(state: State) -> list[dict[str, Any]]:
    """Return each resource that Terraform manages, by its type and attributes."""
    return [
        {"type": resource["type"], "attributes": instance.get("attributes") or {}}
        for resource in state.content.get("resources", [])
        if resource.get("mode") == "managed"
        for instance in resource["instances"]
    ]


def arns(state: State) -> set[str]:
    """Return the ARNs of all that a state knows."""
    return {arn for one in instances(state) if (arn := one["attributes"].get("arn"))}


def owners(state: State) -> list[str]:
    """Return the stack that each tagged resource says it is of."""
    tags = [one["attributes"].get("tags_all") or {} for one in instances(state)]
    return [each["Stack"] for each in tags if "Stack" in each]


def torn_down(workshop: Workshop, clients: Clients) -> Iterator[Measurement]:
    """Have one janitor remove ten stacks behind AWS's rates, in real time."""
    named = [argument for branch in TEN for argument in ("--branch", branch)]
    environment = {"APPLY": "yes"}
    with throttled(endpoint(workshop)) as cloud, Watch(clients) as watch:
        seconds = run_janitor(workshop, "janitor of ten stacks", named, environment)
    record = cloud.record()
    for line in lines(record):
        workshop.tell(line)
    limit = slowest(record)
    refused = sum(seen.refused for seen in record.values())
    said = (workshop.logs / "janitor-of-ten-stacks.log").read_text(errors="replace")
    errors = len(_THROTTLED.findall(said))
    yield Measurement(TEARDOWN, (seconds / limit,), note=f"{seconds:.0f} s / {limit:.0f} s")
    yield Measurement(TEARDOWN_ERRORS, (errors,), note=f"{refused} calls were refused and tried again")
    yield others_gone(watch.others_gone, seconds)


def others_gone(seen: float | None, seconds: float) -> Measurement:
    """Compare when everything else was seen gone with the whole; what was not seen gone was so a look later at best."""
    note = "not seen before the end" if seen is None else f"{seen:.0f} s / {seconds:.0f} s"
    return Measurement(OTHERS_GONE, ((seconds + LOOK_EVERY if seen is None else seen) / seconds,), note=note)


def slowest(record: Mapping[str, Seen]) -> float:
    """Return the least seconds that AWS lets the calls of the slowest operation take."""
    limits = []
    for name, times in slow_calls(record).items():
        service, _, operation = name.partition(".")
        limits.append((times - 1) * rates(service)[operation].seconds_each)
    if not limits or max(limits) <= 0:
        message = "The janitor made no call that AWS limits: were the stacks there?"
        raise NotMeasured(message)
    return max(limits)


class Watch:
    """Looks at ten stacks while they go, for the moment when only what waits for the slowest call is left."""

    def __init__(self, clients: Clients) -> None:
        self._clients = clients
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)
        self._stacks = {stack_name(branch) for branch in TEN}
        self.others_gone: float | None = None

    def __enter__(self) -> "Watch":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()

    def _look(self) -> None:
        waits = waiting_for(("apigateway", "DeleteRestApi"))
        began = time.monotonic()
        while not self._done.wait(LOOK_EVERY):
            passed = time.monotonic() - began
            others = [kind for kind in look.LOOKED_FOR if kind.words not in waits]
            found = look.sort_out(self._clients, look.held(self._clients, others), self._stacks).by_stack
            if not any(found.get(stack) for stack in self._stacks):
                self.others_gone = passed
                return


def swept(workshop: Workshop, clients: Clients) -> Iterator[Measurement]:
    """Kill the janitors of four stacks, again and again, beside a stack that must not notice."""
    before = planned(workshop, NEIGHBOUR)
    seed = random.SystemRandom().randrange(10**6)
    workshop.tell(f"moments of the janitors' kills: seed {seed}")
    hits, left = 0, 0
    for number, branch in enumerate(SWEPT):
        done = kills.killed(branch, KILLS, seed + number, REMOVAL, {"PAYGO_HOME": str(workshop.home)})
        hits += len(done.moments)
        stack = stack_name(branch)
        remain = remains(clients, stack)
        left += remain + (done.status != 0)
        workshop.tell(f"{branch}: {len(done.moments)} of {KILLS} janitors killed at work, {remain} left")
    after = planned(workshop, NEIGHBOUR)
    yield Measurement(JANITORS_KILLED, (hits,), note=f"seed {seed}")
    yield Measurement(JANITORS_LEFT, (left,))
    yield Measurement(BYSTANDER, (changes(before, after),))


def remains(clients: Clients, stack: str) -> int:
    """Count by a fresh look what is left of a stack."""
    known = storage.stacks(clients) | {stack}
    return len(look.sort_out(clients, look.held(clients), known).by_stack.get(stack, ()))


def changes(before: Sequence[str], after: Sequence[str]) -> int:
    """Count the lines that differ, those that came and those that went.

    >>> changes(["a", "b", "c"], ["a", "x", "c", "d"])
    2
    """
    matched = SequenceMatcher(a=before, b=after)
    return sum(max(i2 - i1, j2 - j1) for what, i1, i2, j1, j2 in matched.get_opcodes() if what != "equal")


def planned(workshop: Workshop, branch: str) -> list[str]:
    """Plan a branch's stack anew and return all that Terraform then knows of it, line by line."""
    command, environment = terraform(workshop, branch)
    plan = workshop.logs / f"{branch}.tfplan"
    options = ("plan", "-input=false", "-lock=false", f"-out={plan}", values(workshop, branch))
    workshop.timed(f"plan {branch}", [*command, *options], environment=environment)
    workshop.timed(f"show {branch}", [*command, "show", "-json", str(plan)], environment=environment)
    document = json.loads((workshop.logs / f"show-{branch}.log").read_text())
    document.pop("timestamp", None)
    return json.dumps(document, indent=1, sort_keys=True).splitlines()


def run_janitor(workshop: Workshop, name: str, arguments: Sequence[str], more: dict[str, str]) -> float:
    """Run the janitor's command and return the seconds it took."""
    _, environment = terraform(workshop, TEN[0])
    unwanted = ("BRANCH", "APPLY", "BRANCHES", "AWS_PROFILE", "AWS_ENDPOINT_URL")
    kept = {key: value for key, value in environment.items() if key not in unwanted} | more
    return workshop.timed(name, [PYTHON, "-m", "janitor", *arguments], environment=kept)


def endpoint(workshop: Workshop) -> str:
    """Return where the embedded cloud is reached."""
    return str(json.loads((workshop.home / "cloud" / "cloud.json").read_bytes())["endpoint_url"])


def rehearsal(workshop: Workshop) -> Iterator[Measurement]:
    """Tear two hundred stacks down in virtual time, and as many with an API a service for comparison."""
    one, many = (teardown(recorded(INVENTORY), MANY, apis) for apis in (1, APIS))
    for apis, done in ((1, one), (APIS, many)):
        workshop.tell(f"{MANY} stacks of {apis} API{'s' if apis > 1 else ''}: {told(done)}")
    note = f"{told(one)}; with {APIS} APIs a stack {many.seconds:,.0f} s"
    yield Measurement(REHEARSED, (one.times_the_limit,), note=note)
    yield Measurement(REHEARSED_ERRORS, (one.throttled + many.throttled,))


def told(done: Rehearsed) -> str:
    """Say what a rehearsal came to."""
    return (
        f"{done.resources:,} resources in {done.seconds:,.0f} s, {done.limit:,.0f} s at least; "
        f"everything else gone after {done.others_gone:,.0f} s"
    )


def killed_deploys(workshop: Workshop) -> Iterator[Measurement]:
    """Kill twenty deploys at moments spread over their phases, and see what the next run makes of each."""
    with embedded_cloud(workshop):
        clients: Clients = choose(None, None).clients()
        seed = random.SystemRandom().randrange(10**6)
        outcomes = interrupted.killed(BRANCH_KILLED, int(DEPLOYS_KILLED.reach), workshop.tell, seed)
        recovered = [one for one in outcomes if one.is_good]
        note = f"of {len(outcomes)}, seed {seed}"
        yield Measurement(DEPLOYS_KILLED, (len(recovered),), note=note)
        yield Measurement(DEPLOYS_LEFT, (remains(clients, stack_name(BRANCH_KILLED)),))
