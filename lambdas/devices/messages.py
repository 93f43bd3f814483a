"""What devices and the cloud say to each other: the MQTT topics, their messages, and the shadow's documents.

The device reports the keys of its desired state back, which is its acknowledgement.
"""

from collections.abc import Callable
from typing import Annotated, Any

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError, WrapValidator

TOPICS: dict[str, str] = {
    "credit_get": "paygo/{stack}/{thing}/credit/get",
    "credit_get_accepted": "paygo/{stack}/{thing}/credit/get/accepted",
    "credit_get_rejected": "paygo/{stack}/{thing}/credit/get/rejected",
}
"""Every topic of our own, by name. The stack and the thing's name are filled in."""


class Message(BaseModel):
    """Something sent; a reader ignores what it does not know."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class CreditQuestion(Message):
    """A device asks for its credit."""

    device_id: str


class Credit(Message):
    """Until when a device works, in the version that the ledger gave it; without `credit_until` it does not."""

    device_id: str
    credit_until: AwareDatetime | None = None
    credit_version: Annotated[int, Field(ge=0)] = 0


class CreditRefusal(Message):
    """Why a question about credit was not answered."""

    code: str
    message: str


MESSAGES: dict[str, type[Message]] = {
    "credit_get": CreditQuestion,
    "credit_get_accepted": Credit,
    "credit_get_rejected": CreditRefusal,
}
"""The message of each topic."""


def topic(name: str, *, stack: str, thing: str) -> str:
    """Return the topic of that name, for one device."""
    return TOPICS[name].format(stack=stack, thing=thing)


def _or_nothing(value: Any, validate: Callable[[Any], Credit | None]) -> Credit | None:
    try:
        return validate(value)
    except ValidationError:
        return None


Readable = Annotated[Credit | None, WrapValidator(_or_nothing)]
"""A device may write what it likes into its own shadow: what is no credit counts as nothing."""


class ShadowState(Message):
    """What the device was told and what it acknowledged."""

    desired: Readable = None
    reported: Readable = None


class Shadow(Message):
    """A shadow as it is read; `version` grows with every change, the device's own included."""

    state: ShadowState = ShadowState()
    version: int


class DesiredState(Message):
    """What the device is told. A key without a value is removed from the shadow."""

    desired: Credit


class ShadowUpdate(Message):
    """A change of a shadow, refused by AWS IoT when the shadow has another `version` by then."""

    state: DesiredState
    version: Annotated[int | None, Field(exclude_if=lambda version: version is None)] = None
