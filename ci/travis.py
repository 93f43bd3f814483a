"""`.travis.yml` as Travis reads it: the jobs it has, and those that an event gets."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from ci.conditions import ALWAYS, Condition, Event, parse

FILE = Path(__file__).resolve().parent.parent / ".travis.yml"
_STEPS = ("before_install", "install", "before_script", "script", "after_success", "after_failure", "after_script")


@dataclass(frozen=True)
class Job:
    """One job: what it is called, when it runs, and the lines it runs."""

    name: str
    stage: str
    condition: Condition
    lines: tuple[str, ...]


@dataclass(frozen=True)
class Pipeline:
    """What `.travis.yml` says."""

    condition: Condition
    stages: Mapping[str, Condition]
    jobs: tuple[Job, ...]
    everywhere: tuple[str, ...]
    """The lines that every job runs besides its own."""

    @classmethod
    def load(cls, file: Path = FILE) -> "Pipeline":
        """Read a `.travis.yml` whose jobs are all written out in `jobs.include`.

        Raises
        ------
        ConditionError
            When Travis would not read a condition.
        """
        document: dict[str, Any] = yaml.safe_load(file.read_text(encoding="utf-8"))
        return cls(
            condition=_condition(document),
            stages={
                stage["name"]: _condition(stage) for stage in document.get("stages", ()) if isinstance(stage, dict)
            },
            jobs=tuple(
                Job(entry["name"], entry["stage"], _condition(entry), _lines(entry))
                for entry in document["jobs"]["include"]
            ),
            everywhere=_lines(document),
        )

    def jobs_of(self, event: Event) -> tuple[Job, ...]:
        """Give the jobs that an event gets, in the order of the file."""
        if not self.condition.holds(event):
            return ()
        return tuple(
            job for job in self.jobs if self.stages.get(job.stage, ALWAYS).holds(event) and job.condition.holds(event)
        )


def _condition(entry: Mapping[str, Any]) -> Condition:
    return parse(str(entry["if"])) if "if" in entry else ALWAYS


def _lines(entry: Mapping[str, Any]) -> tuple[str, ...]:
    written = [entry[step] for step in _STEPS if step in entry]
    lines = (str(line) for step in written for line in (step if isinstance(step, list) else [step]))
    return tuple(line for line in lines if line != "skip")
