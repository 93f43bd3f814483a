"""The figures that we promise, and what a measurement of one says."""

from dataclasses import dataclass
from statistics import median


class NotMeasured(Exception):
    """A figure could not be measured; the text says why and what to do, in one sentence."""


class NotRun(Exception):
    """A figure was left out because it takes long and was not asked for; the text says how to get it."""


@dataclass(frozen=True, slots=True)
class Figure:
    """One row of the table: what is measured, in which unit, and what it may be at most, or must be at least.

    Attributes
    ----------
    must
        Whether a bench fails where it is not reached: it counts, and no machine is so slow that it counts otherwise.
    """

    name: str
    what: str
    reach: float
    unit: str
    more_is_better: bool = False
    must: bool = False


@dataclass(frozen=True, slots=True)
class Measurement:
    """The samples of one figure; its value is their median.

    Attributes
    ----------
    asked
        What is to be reached where fewer things are measured than the figure says.
    """

    figure: Figure
    samples: tuple[float, ...]
    note: str = ""
    asked: float | None = None

    @property
    def value(self) -> float:
        return median(self.samples)

    @property
    def reach(self) -> float:
        return self.figure.reach if self.asked is None else self.asked

    @property
    def is_reached(self) -> bool:
        if self.figure.more_is_better:
            return self.value >= self.reach
        return self.value <= self.reach


FRESH_CLONE = Figure("fresh-clone", "fresh clone to journey done", 300, "s")
DEMO_AGAIN = Figure("demo-again", "`make demo` again, nothing changed", 60, "s")
DEPLOY = Figure("deploy", "deploy of the stack, embedded cloud", 75, "s")
DEPLOY_AGAIN = Figure("deploy-again", "deploy with nothing changed", 8, "s")
DESTROY = Figure("destroy", "destroy", 30, "s")
SECOND_PLAN = Figure("second-plan", "second plan straight after a deploy", 0, "changes", must=True)
BUILD = Figure("build", "build from nothing, wheels cached", 5, "s")
BUILD_AGAIN = Figure("build-again", "build with nothing changed", 0.3, "s")
LAYER = Figure("layer", "the layer, zipped", 12, "MB")
SERVICE_ZIP = Figure("service-zip", "the largest service's zip", 100, "kB")
INIT = Figure("init", "init of an API function / one boto3 client", 1.7, "times")
OWN_TIME = Figure("own-time", "the platform's own time in a warm request", 1, "ms")
THROUGHPUT = Figure("throughput", "events/s through our consumer / a bare handler", 0.9, "times", more_is_better=True)
REGISTRATIONS = Figure(
    "registrations", "sessions opened, registered and escalated", 2, "per second", more_is_better=True
)
REGISTRATIONS_LOST = Figure("registrations-lost", "registrations lost", 0, "", must=True)
# On a stack whose delays are a thousandth: what is not ready is looked at every second, and not after minutes.
AWS_CALLS = Figure("aws-calls", "AWS calls of our functions in a registration", 400, "calls")
CREATE_REST_API = Figure("create-rest-api", "CreateRestApi calls in a deploy", 1, "calls", must=True)
PUT_REST_API = Figure("put-rest-api", "PutRestApi calls in a deploy", 1, "calls", must=True)
CREATE_DEPLOYMENT = Figure("create-deployment", "CreateDeployment calls in a deploy", 1, "calls", must=True)
DEPLOY_THROTTLED = Figure("deploy-throttled", "deploy behind AWS's rates / without", 1.2, "times")
SLOW_CALLS = Figure(
    "slow-calls", "calls more than one a stack, of those limited to less than 1/s", 0, "calls", must=True
)
AT_ONCE = Figure("at-once", "stacks up, of those deployed at once", 5, "stacks", more_is_better=True, must=True)
STRANGE = Figure("strange", "resources that two of them have, or that one lacks, by ARN", 0, "", must=True)
TEARDOWN = Figure("teardown", "stacks torn down behind AWS's rates / the slowest call's", 1.05, "times")
TEARDOWN_ERRORS = Figure("teardown-errors", "throttling errors in the janitor's log", 0, "", must=True)
OTHERS_GONE = Figure("others-gone", "seconds until everything else was gone / all of it", 1, "times")
REHEARSED = Figure("rehearsed", "200 stacks torn down in virtual time / the slowest call's", 1.05, "times", must=True)
REHEARSED_ERRORS = Figure("rehearsed-errors", "refused calls meanwhile", 0, "", must=True)
JANITORS_KILLED = Figure("janitors-killed", "janitors killed at work", 20, "", more_is_better=True, must=True)
JANITORS_LEFT = Figure("janitors-left", "resources left of their stacks in the end", 0, "", must=True)
BYSTANDER = Figure("bystander", "changes to a bystander, in its plan", 0, "", must=True)
DEPLOYS_KILLED = Figure(
    "deploys-killed", "killed deploys that the next run mended", 20, "", more_is_better=True, must=True
)
DEPLOYS_LEFT = Figure("deploys-left", "resources left of their stack after the last destroy", 0, "", must=True)
TESTS = Figure("tests", "`make test`", 900, "s")

FIGURES = (
    FRESH_CLONE,
    DEMO_AGAIN,
    DEPLOY,
    DEPLOY_AGAIN,
    DESTROY,
    SECOND_PLAN,
    BUILD,
    BUILD_AGAIN,
    LAYER,
    SERVICE_ZIP,
    INIT,
    OWN_TIME,
    THROUGHPUT,
    REGISTRATIONS,
    REGISTRATIONS_LOST,
    AWS_CALLS,
    CREATE_REST_API,
    PUT_REST_API,
    CREATE_DEPLOYMENT,
    AT_ONCE,
    STRANGE,
    DEPLOY_THROTTLED,
    SLOW_CALLS,
    TEARDOWN,
    TEARDOWN_ERRORS,
    OTHERS_GONE,
    REHEARSED,
    REHEARSED_ERRORS,
    JANITORS_KILLED,
    JANITORS_LEFT,
    BYSTANDER,
    DEPLOYS_KILLED,
    DEPLOYS_LEFT,
    TESTS,
)
