"""File locks that end with the process holding them, whatever ended it."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def take(path: Path) -> int | None:
    """Lock a file without waiting.

    Returns the descriptor that holds the lock until it is closed, or None when another process holds it.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    return descriptor


def holder(path: Path) -> int | None:
    """Return the process id written by the lock's holder, or None when nobody holds it."""
    if not path.exists():
        return None
    descriptor = take(path)
    if descriptor is not None:
        os.close(descriptor)
        return None
    return int(path.read_text().strip() or "0")


def sign(descriptor: int) -> None:
    """Write this process's id into the lock it holds."""
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)


@contextmanager
def exclusive(path: Path) -> Iterator[None]:
    """Wait for a lock and hold it."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
