"""The IoT rule's function: a device asked for its credit."""

from typing import TYPE_CHECKING, Any

from aws_lambda_powertools import Logger
from pydantic import BaseModel, ConfigDict

from devices import composition
from devices.messages import CreditRefusal
from devices.model import CreditRefused
from devices.usecases import answer_credit
from paygo.config import setting
from paygo.correlation import follow

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

STACK = setting("STACK")
DEVICES = composition.devices()
THINGS = composition.things()

logger = Logger()


class _Question(BaseModel):
    """The device's own message, with what the rule adds to it: `thing` from the topic, and who sent it."""

    model_config = ConfigDict(frozen=True)

    thing: str
    client_id: str | None
    device_id: Any = None


def handler(event: dict[str, Any], context: "LambdaContext") -> None:
    """Answer on the device's own topics."""
    follow(event.get("correlation_id"), context)
    asked = _Question.model_validate(event)
    try:
        credit = answer_credit(asked.thing, asked.client_id, asked.device_id, DEVICES, stack=STACK)
    except CreditRefused as refusal:
        logger.warning("A question about credit was rejected", thing=asked.thing, code=refusal.code)
        THINGS.reject(asked.thing, CreditRefusal(code=refusal.code, message=refusal.message))
        return
    THINGS.accept(asked.thing, credit)
    logger.info("Answered a question about credit", thing=asked.thing, credit_version=credit.credit_version)
