"""Deploys that are ended on the way, at moments spread over their phases: what the next run then makes of it."""

import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from bench.figures import NotMeasured
from deploy.comparison import UNASKED
from deploy.lock import working_folder
from deploy.stack import stack_name
from deploy.target import home_folder

ROOT = Path(__file__).resolve().parent.parent
DESTROYING = (1.0, 12.0)
"""Seconds after which a destroy is killed: before Terraform works, while it does, or when only the look is left."""
_TIMEOUT = 600.0
NOTHING = "plan: 0 changes"
"""What a deploy says whose Terraform has found nothing to do."""


@dataclass(frozen=True)
class Phase:
    """A phase of a deploy, which ends with a line that begins like it, and the seconds that it takes at least."""

    name: str
    seconds: float


PHASES = (
    Phase("lock", 1.5),
    Phase("preflight", 0.5),
    Phase("build", 3.0),
    Phase("upload", 0.5),
    Phase("plan", 5.0),
    Phase("apply", 45.0),
    Phase("smoke test", 1.0),
    Phase("outputs", 0.02),
)
_PLAN = next(number for number, phase in enumerate(PHASES) if phase.name == "plan")


@dataclass(frozen=True)
class Moment:
    """When and how a deploy is ended.

    Attributes
    ----------
    after
        Seconds from the beginning of the phase.
    with_terraform
        Whether Terraform and its providers are killed too, or go on alone.
    by
        The signal that ends the deploy: SIGKILL, or SIGINT as Ctrl-C sends it.
    """

    phase: Phase
    after: float
    with_terraform: bool
    by: signal.Signals = signal.SIGKILL

    def __str__(self) -> str:
        company = " with its Terraform" if self.with_terraform else ""
        return f"{self.by.name}{company} {self.after:.2f} s into {self.phase.name}"


def spread(chance: random.Random, count: int, by: signal.Signals = signal.SIGKILL) -> list[Moment]:
    """Choose moments in the order of their phases, as many in the one as in the other."""
    chosen = [PHASES[int((number + chance.random()) * len(PHASES) / count)] for number in range(count)]
    return [Moment(phase, chance.uniform(0, phase.seconds), chance.random() < 0.5, by) for phase in chosen]


class Run:
    """One run of the deploy tool, in a session of its own as a terminal gives it."""

    def __init__(self, branch: str, verb: str, **settings: str) -> None:
        self.branch, self.verb = branch, verb
        self._lines: list[str] = []
        self._closed = False
        self._more = threading.Condition()
        self._process = subprocess.Popen(  # noqa: S603
            [sys.executable, "-m", "deploy", verb],
            cwd=ROOT,
            env=os.environ | {"BRANCH": branch} | settings,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        for line in self._process.stdout or ():
            with self._more:
                self._lines.append(line)
                self._more.notify_all()
        with self._more:
            self._closed = True
            self._more.notify_all()

    @property
    def said(self) -> str:
        return "".join(self._lines)

    def ends(self) -> int:
        """Wait for its end and return its exit status."""
        status = self._process.wait(timeout=_TIMEOUT)
        self._reader.join(timeout=10)
        return status

    def succeeds(self) -> str:
        """Wait for its end and return what it said.

        Raises
        ------
        NotMeasured
            When it fails.
        """
        status = self.ends()
        if status:
            message = f"{self.verb} of {self.branch} ended with {status}:\n{self.said}"
            raise NotMeasured(message)
        return self.said

    def is_ended(self, moment: Moment) -> None:
        """End the tool at that moment, unless it ends before."""
        self._reaches(moment.phase)
        time.sleep(moment.after)
        self.is_killed(with_terraform=moment.with_terraform, by=moment.by)

    def is_killed(self, *, with_terraform: bool, by: signal.Signals = signal.SIGKILL) -> None:
        """End the tool now, with what it started or alone."""
        for pid in _terraforms(self.branch) if with_terraform else []:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        with suppress(ProcessLookupError):
            self._process.send_signal(by)
        self.ends()

    def _reaches(self, phase: Phase) -> None:
        """Wait for the phase to begin, which is when the one before it says that it has ended."""
        number = PHASES.index(phase)
        if number == 0:
            return
        begin = f"  {PHASES[number - 1].name}: "

        def is_there() -> bool:
            return self._closed or any(line.startswith(begin) for line in self._lines)

        with self._more:
            self._more.wait_for(is_there, timeout=_TIMEOUT)


def _terraforms(branch: str) -> list[int]:
    """Find the Terraform processes that work in the stack's folder, and their providers."""
    folder = str(working_folder(home_folder(), stack_name(branch)))
    listed = subprocess.run(["ps", "-eo", "pid=,ppid=,args="], capture_output=True, text=True, check=True).stdout  # noqa: S607
    rows = [line.split(maxsplit=2) for line in listed.splitlines()]
    own = {row[0] for row in rows if len(row) == 3 and folder in row[2]}
    return [int(row[0]) for row in rows if row[0] in own or row[1] in own]


@dataclass(frozen=True)
class Outcome:
    """What became of a deploy that was ended: its own last words, and those of the run after it.

    Attributes
    ----------
    believed
        Whether Terraform found nothing to do where that run had not asked it.
    """

    moment: Moment
    last_words: str
    next_run: str
    status: int
    said: str
    seconds: float
    believed: bool = True

    @property
    def is_good(self) -> bool:
        return self.status == 0 and self.believed


def killed(branch: str, count: int, tell: Callable[[str], None], seed: int) -> list[Outcome]:
    """Kill so many deploys of a branch, at moments that the seed decides and that are told, and see what comes next."""
    tell(f"moments of the kills: seed {seed}")
    chance = random.Random(seed)  # noqa: S311 (moments, not secrets)
    return list(play(branch, spread(chance, count), chance, tell))


def play(
    branch: str, moments: Sequence[Moment], chance: random.Random, tell: Callable[[str], None]
) -> Iterator[Outcome]:
    """End a deploy at each moment and let the next run, a deploy or a destroy, go on from there.

    A destroy succeeds only when a fresh look finds nothing left; the last run is one, after one that was killed too.
    """
    is_up = False
    for number, moment in enumerate(moments, start=1):
        if is_up and moment.phase.name == "apply":  # of a stack that is up nothing would be applied
            Run(branch, "destroy").succeeds()
        # Of a stack that is up only so is there a plan to be killed in.
        ended = Run(branch, "up", **({"COMPARE": "yes"} if moment.phase in PHASES[_PLAN:] else {}))
        ended.is_ended(moment)
        verb = chance.choice(["up", "destroy"]) if number < len(moments) else "up"
        outcome = _next(branch, verb, moment, ended.said)
        is_up = verb == "up" and outcome.is_good
        tell(f"{moment}: the next {verb} {'succeeded' if outcome.is_good else 'failed'} in {outcome.seconds:.0f} s")
        yield outcome
    destroyed = Run(branch, "destroy")
    time.sleep(chance.uniform(*DESTROYING))
    destroyed.is_killed(with_terraform=chance.random() < 0.5)
    Run(branch, "destroy").succeeds()


def _next(branch: str, verb: str, moment: Moment, last_words: str) -> Outcome:
    began = time.monotonic()
    run = Run(branch, verb)
    status, believed = run.ends(), True
    if status == 0 and UNASKED in run.said:  # what it believes, Terraform has to see
        run = Run(branch, verb, COMPARE="yes")
        status = run.ends()
        believed = NOTHING in run.said
    return Outcome(moment, last_words, verb, status, run.said, time.monotonic() - began, believed=believed)
