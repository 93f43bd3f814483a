"""The topics of a device: Paygo's own, which ship with this package, and those of AWS IoT."""

import json
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

CREATE_CERTIFICATE = "$aws/certificates/create/json"


@cache
def _templates() -> dict[str, str]:
    document: dict[str, dict[str, str]] = json.loads((files(__package__) / "mqtt.json").read_text())
    return document["topics"]


@dataclass(frozen=True, slots=True)
class Exchange:
    """A topic to ask on and the two that answer."""

    request: str
    accepted: str
    rejected: str

    @classmethod
    def of(cls, request: str) -> "Exchange":
        """Return the exchange whose answers follow AWS's convention."""
        return cls(request, f"{request}/accepted", f"{request}/rejected")

    @property
    def answers(self) -> tuple[str, str]:
        """The topics to subscribe to."""
        return self.accepted, self.rejected


def create_certificate() -> Exchange:
    """Return where a claim certificate asks for a certificate of the device's own."""
    return Exchange.of(CREATE_CERTIFICATE)


def provision(template: str) -> Exchange:
    """Return where a claim certificate provisions with the template."""
    return Exchange.of(f"$aws/provisioning-templates/{template}/provision/json")


def shadow_get(thing: str) -> Exchange:
    """Return where the thing's shadow is read."""
    return Exchange.of(f"$aws/things/{thing}/shadow/get")


def shadow_update(thing: str) -> Exchange:
    """Return where the thing's shadow is updated."""
    return Exchange.of(f"$aws/things/{thing}/shadow/update")


def shadow_delta(thing: str) -> str:
    """Return where the thing is told what it has not acknowledged."""
    return f"$aws/things/{thing}/shadow/update/delta"


def credit_get(stack: str, thing: str) -> Exchange:
    """Return where the thing asks for its credit."""
    request, accepted, rejected = (
        _templates()[name].format(stack=stack, thing=thing)
        for name in ("credit_get", "credit_get_accepted", "credit_get_rejected")
    )
    return Exchange(request, accepted, rejected)
