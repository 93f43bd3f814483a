"""What every part of the bench works with: the folders, commands that are timed, and telling how far it is."""

import random
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from rich.console import Console

from bench.figures import NotMeasured

ROOT = Path(__file__).resolve().parent.parent
PYTHON = sys.executable
RUNTIME = ROOT / "local" / ".venv" / "bin" / "python"  # what functions run in on the embedded cloud

_TELL_EVERY = 10.0


@dataclass(frozen=True)
class Sizes:
    """How many stacks, janitors and deploys a bench of delivery takes.

    Attributes
    ----------
    at_once
        Stacks that are deployed at the same time.
    torn_down
        Stacks that one janitor removes behind AWS's rates.
    swept
        Stacks whose janitors are killed, each so many times as `kills` says.
    janitors_killed
        How many of those kills have to hit a janitor at work.
    deploys_killed
        Deploys that are killed on the way.
    """

    at_once: int
    torn_down: int
    swept: int
    kills: int
    janitors_killed: int
    deploys_killed: int


FULL = Sizes(at_once=5, torn_down=10, swept=4, kills=10, janitors_killed=20, deploys_killed=20)
SHORT = Sizes(at_once=3, torn_down=2, swept=1, kills=3, janitors_killed=1, deploys_killed=3)


@dataclass(frozen=True)
class Workshop:
    """Where a bench works, whom it tells, how much it does, and what decides whatever is left to chance."""

    home: Path
    console: Console
    sizes: Sizes = FULL
    seed: int = field(default_factory=lambda: random.SystemRandom().randrange(10**6))

    @property
    def logs(self) -> Path:
        return self.home / "bench"

    def tell(self, text: str) -> None:
        self.console.print(f"· {text}", style="dim", highlight=False)

    def log(self, name: str) -> Path:
        """Return where the output of a command of that name goes."""
        return self.logs / f"{name.replace(' ', '-')}.log"

    def timed(
        self,
        name: str,
        command: Sequence[str | Path],
        *,
        folder: Path = ROOT,
        environment: Mapping[str, str] | None = None,
    ) -> float:
        """Run a command, its output going to a log of that name, and return the seconds it took.

        Parameters
        ----------
        environment
            The whole environment; this process's own when it is left out.

        Raises
        ------
        NotMeasured
            When it fails.
        """
        self.logs.mkdir(parents=True, exist_ok=True)
        log = self.log(name)
        began = told = time.monotonic()
        with log.open("wb") as output:
            process = subprocess.Popen(  # noqa: S603
                [str(part) for part in command],
                cwd=folder,
                env=None if environment is None else dict(environment),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
            try:
                while process.poll() is None:
                    time.sleep(0.005)
                    if time.monotonic() - told > _TELL_EVERY:
                        told = time.monotonic()
                        self.tell(f"{name} ... {told - began:.0f} s")
            except BaseException:
                process.terminate()
                process.wait()
                raise
        seconds = time.monotonic() - began
        if process.returncode:
            ending = " / ".join(log.read_text(errors="replace").strip().splitlines()[-2:])
            message = f"{name} failed with exit status {process.returncode} (see {log}): {ending}"
            raise NotMeasured(message)
        self.tell(f"{name}: {seconds:.2f} s")
        return seconds
