"""A repository to try git on."""

import subprocess
from dataclasses import dataclass
from pathlib import Path

_GIT = ["git", "-c", "user.name=Amina", "-c", "user.email=amina@example.org", "-c", "init.defaultBranch=main"]


@dataclass(frozen=True)
class Repository:
    folder: Path

    def git(self, *words: str) -> str:
        run = subprocess.run(
            [*_GIT, "-C", str(self.folder), *words],
            capture_output=True,
            text=True,
            check=True,
            stdin=subprocess.DEVNULL,
        )
        return run.stdout.strip()

    def commit(self, file: str, text: str = "x\n") -> str:
        path = self.folder / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        self.git("add", ".")
        self.git("commit", "-m", f"Write {file}")
        return self.git("rev-parse", "HEAD")
