"""Stacks by the dozen: deployed at once, torn down within AWS's rates, janitors and deploys killed at work.

Fifteen stacks are deployed, five at a time, with nothing kept from one part of the bench for the next: half an hour.
The short form, which `make test` runs, deploys three.
"""

import json
import os
import re
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import batched

from bench import interrupted
from bench.apart import changes, planned, strange
from bench.cloud import embedded_cloud
from bench.figures import (
    AT_ONCE,
    BYSTANDER,
    DEPLOYS_KILLED,
    DEPLOYS_LEFT,
    JANITORS_KILLED,
    JANITORS_LEFT,
    OTHERS_GONE,
    REHEARSED,
    REHEARSED_ERRORS,
    SLOW_CALLS,
    STRANGE,
    TEARDOWN,
    TEARDOWN_ERRORS,
    Measurement,
    NotMeasured,
)
from bench.stack import deployed_again, run_deploy, terraform
from bench.throttle import Seen, lines, throttled
from bench.throttled import slow_calls
from bench.workshop import FULL, PYTHON, ROOT, Workshop
from deploy.stack import stack_name
from deploy.target import choose
from janitor import kills, look, storage
from janitor.clients import Clients
from janitor.rehearsal import Rehearsed, recorded, teardown, waiting_for
from janitor.storage import State
from paygo_limits import rates

LONG = "feature/Ünïcode and a very long name that fits no resource's name"
"""What the names of all these branches begin with, so that their stacks' are shortened alike."""
NEIGHBOUR = f"{LONG}, neighbour"
AT_A_TIME = 5

REMOVAL = 1.5
"""Seconds that one hand removes a stack, at least."""
LOOK_EVERY = 15.0
"""Seconds: a look takes some of the embedded cloud's time, which the janitor that is measured waits for."""
MANY = 200
APIS = 7
"""With an API a service, as many platforms have them."""
INVENTORY = ROOT / "tests" / "unit" / "janitor" / "inventory.json"
BRANCH_KILLED = "bench-killed"
JANITOR = "janitor"
_THROTTLED = re.compile(r"TooManyRequests|Throttl|Rate exceeded|LimitExceeded")


def branches(word: str, count: int) -> list[str]:
    """Name branches."""
    return [f"{LONG}, {word}{number}" for number in range(1, count + 1)]


def stacks(workshop: Workshop) -> Iterator[Measurement]:
    """Deploy stacks, tear some down within AWS's rates, and kill the janitors of others beside a bystander.

    The bystander is the stack that tests use, where there is one.
    """
    sizes = workshop.sizes
    doomed, dirty = branches("fleet", sizes.torn_down), branches("swept", sizes.swept)
    with embedded_cloud(workshop):
        clients: Clients = choose(None, None).clients()
        tests = os.environ.get("PAYGO_TEST_BRANCH")
        bystander = tests if tests and is_known(clients, tests) else NEIGHBOUR
        ours = [*doomed, *dirty, *({bystander} - {tests})]
        first, later = ours[: sizes.at_once], ours[sizes.at_once :]
        try:
            yield from side_by_side(workshop, clients, first)
            for more in batched(later, AT_A_TIME, strict=False):
                bring_up(workshop, more)
            yield from torn_down(workshop, clients, doomed)
            yield from swept(workshop, clients, dirty, bystander)
        finally:
            for branch in ours:
                if is_known(clients, branch):
                    run_deploy(workshop, "destroy", f"destroy {short(branch)}", {"BRANCH": branch})


def is_known(clients: Clients, branch: str) -> bool:
    """Return whether a branch's stack has a state."""
    return storage.read(clients, storage.state_key(stack_name(branch))) is not None


def short(branch: str) -> str:
    """Return the end of a branch's name, which is what tells it from the others."""
    return branch.removeprefix(f"{LONG}, ")


def side_by_side(workshop: Workshop, clients: Clients, first: Sequence[str]) -> Iterator[Measurement]:
    """Deploy stacks at once behind AWS's rates, and see that none touched another's resources."""
    with throttled(endpoint(workshop)) as cloud:
        up = bring_up(workshop, first)
    more = sum(max(0, times - len(first)) for times in slow_calls(cloud.record()).values())
    note = f"behind AWS's rates, {max(up):.0f} s for the slowest"
    yield Measurement(AT_ONCE, (len(up),), note=note, asked=workshop.sizes.at_once)
    yield Measurement(SLOW_CALLS, (more,))
    states = {stack_name(branch): State.load(clients, storage.state_key(stack_name(branch))) for branch in first}
    yield Measurement(STRANGE, (strange(states),))
    yield deployed_again(workshop, first[0])


def bring_up(workshop: Workshop, branches: Sequence[str]) -> list[float]:
    """Deploy branches at once and return the seconds of each."""

    def one(branch: str) -> float:
        return run_deploy(workshop, "up", f"deploy {short(branch)}", {"BRANCH": branch})

    with ThreadPoolExecutor(len(branches)) as pool:
        return list(pool.map(one, branches))


def torn_down(workshop: Workshop, clients: Clients, doomed: Sequence[str]) -> Iterator[Measurement]:
    """Have one janitor remove stacks behind AWS's rates, in real time."""
    named = [argument for branch in doomed for argument in ("--branch", branch)]
    with throttled(endpoint(workshop)) as cloud, Watch(clients, doomed) as watch:
        seconds = run_janitor(workshop, named)
    record = cloud.record()
    for line in lines(record):
        workshop.tell(line)
    limit = slowest(record)
    refused = sum(seen.refused for seen in record.values())
    said = workshop.log(JANITOR).read_text(errors="replace")
    errors = len(_THROTTLED.findall(said))
    # What comes on top, looks and the last calls, hardly grows with the stacks: fewer are asked for as many seconds.
    asked = 1 + (TEARDOWN.reach - 1) * FULL.torn_down / len(doomed)
    note = f"{len(doomed)} stacks, {seconds:.0f} s / {limit:.0f} s"
    yield Measurement(TEARDOWN, (seconds / limit,), note=note, asked=asked)
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
    """Looks at stacks while they go, for the moment when only what waits for the slowest call is left."""

    def __init__(self, clients: Clients, doomed: Sequence[str]) -> None:
        self._clients = clients
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)
        self._stacks = {stack_name(branch) for branch in doomed}
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


def swept(workshop: Workshop, clients: Clients, dirty: Sequence[str], bystander: str) -> Iterator[Measurement]:
    """Kill the janitors of stacks that were used, again and again, beside a stack that must not notice."""
    sizes = workshop.sizes
    for branch in dirty:
        use(clients, stack_name(branch))
    before = known(workshop, clients, bystander)
    workshop.tell(f"moments of the janitors' kills: seed {workshop.seed}")
    hits, left = 0, 0
    for number, branch in enumerate(dirty):
        done = kills.killed(branch, sizes.kills, workshop.seed + number, REMOVAL, {"PAYGO_HOME": str(workshop.home)})
        hits += len(done.moments)
        remain = remains(clients, stack_name(branch)) + is_known(clients, branch)
        left += remain + (done.status != 0)
        workshop.tell(f"{short(branch)}: {len(done.moments)} of {sizes.kills} janitors killed at work, {remain} left")
        if done.status:
            workshop.tell(done.said)
    after = known(workshop, clients, bystander)
    yield Measurement(JANITORS_KILLED, (hits,), note=f"seed {workshop.seed}", asked=sizes.janitors_killed)
    yield Measurement(JANITORS_LEFT, (left,))
    yield Measurement(BYSTANDER, (changes(before, after),))


def use(clients: Clients, stack: str) -> None:
    """Leave what no state knows: a device that was provisioned, and a bucket's object with a version before it."""
    iot = clients("iot")
    certificate = iot.create_keys_and_certificate(setAsActive=True)["certificateArn"]
    iot.create_thing(thingName=f"{stack}-0001", attributePayload={"attributes": {"stack": stack}})
    iot.attach_policy(policyName=f"{stack}-device", target=certificate)
    iot.attach_thing_principal(thingName=f"{stack}-0001", principal=certificate)
    bucket = f"{stack}-payloads-{clients.target.account}-{clients.target.region}"
    for text in (b"before", b"after"):
        clients("s3").put_object(Bucket=bucket, Key="one", Body=text)


def known(workshop: Workshop, clients: Clients, branch: str) -> list[str]:
    """Return all that a stack has, line by line: by its plan, and by a look at the account."""
    looked = (f"{task.kind.words} {task.found.id}" for task in look.at(clients, stack_name(branch)))
    return [*planned(workshop, branch), *sorted(looked)]


def remains(clients: Clients, stack: str) -> int:
    """Count what is left of a stack."""
    return len(look.at(clients, stack))


def run_janitor(workshop: Workshop, arguments: Sequence[str]) -> float:
    """Run the janitor's command, which removes what it is told, and return the seconds it took."""
    _, environment = terraform(workshop, NEIGHBOUR)
    unwanted = ("BRANCH", "BRANCHES", "AWS_PROFILE", "AWS_ENDPOINT_URL")
    kept = {key: value for key, value in environment.items() if key not in unwanted} | {"APPLY": "yes"}
    return workshop.timed(JANITOR, [PYTHON, "-m", "janitor", *arguments], environment=kept)


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
    """Kill deploys at moments spread over their phases, and see what the next run makes of each."""
    with embedded_cloud(workshop):
        clients: Clients = choose(None, None).clients()
        count = workshop.sizes.deploys_killed
        outcomes = interrupted.killed(BRANCH_KILLED, count, workshop.tell, workshop.seed)
        recovered = [one for one in outcomes if one.is_good]
        note = f"of {len(outcomes)}, seed {workshop.seed}"
        yield Measurement(DEPLOYS_KILLED, (len(recovered),), note=note, asked=count)
        yield Measurement(DEPLOYS_LEFT, (remains(clients, stack_name(BRANCH_KILLED)),))
