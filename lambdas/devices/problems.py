"""The service's exceptions as problems."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http import HTTPStatus

from devices.manifest import MAX_ROWS
from devices.model import (
    DeviceNotProvisioned,
    DevicesRefusal,
    ManifestTooLarge,
    ManifestUnreadable,
    UnknownDevice,
)
from paygo.problems import Place, Problem, invalid_request, not_found

_PROBLEMS: Mapping[type[DevicesRefusal], Callable[[str], Problem]] = {
    UnknownDevice: lambda _: not_found("device"),
    DeviceNotProvisioned: lambda _: Problem(
        HTTPStatus.CONFLICT,
        "device-not-provisioned",
        "The device has not been connected yet",
        "Switch the device on where it has a connection, wait a minute and register it again.",
    ),
    ManifestUnreadable: lambda reason: invalid_request(Place("/", reason)),
    ManifestTooLarge: lambda _: Problem(
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
        "manifest-too-large",
        "The manifest is too large",
        f"Send at most {MAX_ROWS} rows in one call.",
    ),
}


@contextmanager
def as_problems() -> Iterator[None]:
    """Turn what the service refuses into the problem that its caller is told."""
    try:
        yield
    except DevicesRefusal as refusal:
        raise _PROBLEMS[type(refusal)](str(refusal)) from refusal
