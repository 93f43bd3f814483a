"""A thousand sessions opened, registered and escalated on the embedded cloud: how fast, and with how many calls to AWS.

Everything goes through the API, signed, but for the e-mailed codes. The identity bureau is played by the stack's own
mock, which takes as many checks a second as its contract says.
"""

import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from statistics import median, quantiles
from typing import Any

from bench.cloud import Clients, deployer, embedded_cloud
from bench.figures import AWS_CALLS, REGISTRATIONS, REGISTRATIONS_LOST, Measurement, NotMeasured
from bench.households import Codes, Households, Journey, Step, lost
from bench.stack import deployed
from bench.workshop import Workshop
from demo.stage import read_access
from deploy.stack import stack_name
from deploy.target import stay_off_proxies
from faults.kill_points import Call, KillPoints

BRANCH = "bench-identity"
HOUSEHOLDS = 1_000
WARMING = 50
TRACED = 10
QUIET_SECONDS = 5.0
PATIENCE_SECONDS = 120.0
METHODS = ("GET ", "POST ", "PUT ", "PATCH ", "DELETE ")
OF_A_STAND_IN = ("partners-mock", "partners-mock-callbacks")
"""Functions that play third parties: on AWS their calls are not made."""


def registrations(workshop: Workshop) -> Iterator[Measurement]:
    """Register a thousand households at once, then some one after the other, whose calls to AWS are counted."""
    stay_off_proxies()
    with embedded_cloud(workshop), deployed(workshop, BRANCH):
        access = read_access(stack_name(BRANCH))
        clients = deployer(workshop)
        with Codes(access) as codes:
            households = Households(access, codes)
            complain(households.register(WARMING))
            began = time.perf_counter()
            journeys = households.register(HOUSEHOLDS)
            seconds = time.perf_counter() - began
            workshop.tell(f"{HOUSEHOLDS} households registered in {seconds:.0f} s")
            missing = lost(journeys)
            for sentence in missing[:5]:
                workshop.tell(sentence)
            yield Measurement(REGISTRATIONS_LOST, (len(missing),), note=f"of {HOUSEHOLDS:,}")
            yield Measurement(REGISTRATIONS, (HOUSEHOLDS / seconds,), note=steps(journeys))
            calls = traced(KillPoints(workshop.home / "cloud"), functions(clients, access.stack), households)
            yield Measurement(AWS_CALLS, (calls.total() / TRACED,), note=by_service(calls))


def complain(journeys: Sequence[Journey]) -> None:
    """Raise when a journey was lost that is not counted."""
    missing = lost(journeys)
    if missing:
        message = f"{len(missing)} of {len(journeys)} registrations were lost beside the measurement: {missing[0]}"
        raise NotMeasured(message)


def steps(journeys: Iterable[Journey]) -> str:
    """Say what each step took: the median and the 99th percentile."""
    whole = [journey for journey in journeys if not journey.problem]
    if len(whole) < 2:
        return ""
    return "; ".join(f"{step} {spread([journey.seconds[step] for journey in whole])}" for step in Step)


def spread(seconds: list[float]) -> str:
    """Say times as their median and their 99th percentile."""
    return f"{1000 * median(seconds):.0f} ms, p99 {1000 * quantiles(seconds, n=100)[98]:.0f} ms"


def traced(kill_points: KillPoints, recorded: Sequence[str], households: Households) -> Counter[str]:
    """Register some households one after the other, and count what the functions call at AWS until all is quiet."""
    kill_points.clear()
    kill_points.lay(record=recorded)
    try:
        complain([households.journey() for _ in range(TRACED)])
        return counted(quiet(kill_points))
    finally:
        kill_points.clear()


def quiet(kill_points: KillPoints) -> list[Call]:
    """Return all calls once no more are made."""
    ends = time.monotonic() + PATIENCE_SECONDS
    calls = kill_points.calls()
    while time.monotonic() < ends:
        time.sleep(QUIET_SECONDS)
        before, calls = calls, kill_points.calls()
        if len(calls) == len(before):
            return calls
    message = f"The functions still call AWS {PATIENCE_SECONDS:.0f} s after the last household registered."
    raise NotMeasured(message)


def counted(calls: Iterable[Call]) -> Counter[str]:
    """Count the calls to AWS, by their operation; what goes to a third party is named by its method."""
    return Counter(call.operation for call in calls if not call.operation.startswith(METHODS))


def by_service(calls: Counter[str]) -> str:
    """Say how many calls each service of AWS gets from one registration."""
    services: Counter[str] = Counter()
    for operation, count in calls.items():
        services[operation.replace(" ", ".").partition(".")[0]] += count
    return ", ".join(f"{service} {count / TRACED:.1f}" for service, count in services.most_common())


def functions(clients: Clients, stack: str) -> list[str]:
    """Return the stack's functions, without its stand-ins and those that a schedule calls, whoever registers."""
    without = {f"{stack}-{name}" for name in OF_A_STAND_IN} | set(scheduled(clients("events"), stack))
    pages = clients("lambda").get_paginator("list_functions").paginate()
    names = [function["FunctionName"] for page in pages for function in page["Functions"]]
    return [name for name in names if name.startswith(f"{stack}-") and name not in without]


def scheduled(events: Any, stack: str) -> Iterator[str]:
    """Yield the functions that rules of the stack call."""
    for rule in events.list_rules(NamePrefix=stack)["Rules"]:
        for target in events.list_targets_by_rule(Rule=rule["Name"])["Targets"]:
            _, is_function, name = target["Arn"].partition(":function:")
            if is_function:
                yield name.partition(":")[0]
