"""A function's code and layers are unpacked once, not for each of its workers, and so compiled once.

MiniStack unpacks both for each worker, which then compiles all that it imports: most of what a cold start costs here.
On AWS an environment finds its code mounted, read only.

AWS: https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtime-environment.html
"""

import hashlib
import tempfile
import zipfile
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from ministack.core import lambda_runtime

FOLDER = "unpacked"


class SharedZipFile(zipfile.ZipFile):
    """An archive that is unpacked by a link to where it was unpacked before."""

    def extractall(self, path: Any = None, members: Any = None, pwd: Any = None) -> None:
        """Unpack into a folder that is there and empty."""
        if self.filename is None or path is None or members is not None or any(Path(path).iterdir()):
            super().extractall(path, members, pwd)
            return
        shared = self._unpacked(Path(self.filename))
        Path(path).rmdir()
        Path(path).symlink_to(shared)

    def _unpacked(self, archive: Path) -> Path:
        with archive.open("rb") as content:
            digest = hashlib.file_digest(content, "sha256").hexdigest()
        shared = Path(tempfile.gettempdir(), FOLDER, digest)
        if not shared.is_dir():
            shared.parent.mkdir(exist_ok=True)
            partial = Path(tempfile.mkdtemp(dir=shared.parent))
            super().extractall(partial)
            try:
                partial.rename(shared)
            except OSError:  # another worker was faster
                if not shared.is_dir():
                    raise
        return shared


def install() -> None:
    """Let workers' archives be unpacked once."""
    if not hasattr(lambda_runtime.Worker, "_spawn") or lambda_runtime.zipfile is not zipfile:
        raise RuntimeError("MiniStack unpacks its workers' code elsewhere now: mend shared_code.")
    lambda_runtime.zipfile = SimpleNamespace(**{**vars(zipfile), "ZipFile": SharedZipFile})
