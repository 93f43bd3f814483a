"""Tells the operators of alarms and error reports, by mail and in a chat."""

import json
from collections.abc import Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any

from aws_lambda_powertools import Logger
from pydantic import ValidationError

from operations import composition
from operations.gateways import ErrorReported
from operations.model import Letter, Notice
from operations.texts import READ, Alarm, alarm_notice, error_notice, other_notice
from operations.usecases import tell_operators
from paygo.config import setting
from paygo.correlation import follow

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

STACK = setting("STACK")
REGION = setting("AWS_REGION")
LETTERS = composition.letters()
CHANNELS = composition.channels()

logger = Logger()


def handler(event: dict[str, Any], context: "LambdaContext") -> None:
    """Tell the operators of each message of the alarms' topic."""
    follow(None, context)
    for record in event["Records"]:
        told = record["Sns"]
        notice = read(told["MessageId"], told["Message"])
        if notice is None:
            continue
        tell_operators(notice, CHANNELS)
        logger.info("Told", notice_id=notice.notice_id)


def read(message_id: str, text: str) -> Notice | None:
    """Return what the operators are told of the message, if anything."""
    try:
        document = json.loads(text)
        if "error_report" in document:
            return error_notice(message_id, ErrorReported.model_validate(document).error_report, STACK, REGION)
        alarm = Alarm.model_validate(document)
    except (ValueError, TypeError, ValidationError):
        logger.warning("A message is neither an alarm nor an error report", notice_id=message_id)
        return other_notice(message_id, STACK)
    return alarm_notice(message_id, alarm, STACK, REGION, _letters(alarm)) if alarm.is_news else None


def _letters(alarm: Alarm) -> Sequence[Letter] | None:
    # Whoever is called must be called, whatever else is broken.
    try:
        return tuple(islice(LETTERS.open_in(composition.queue(alarm.AlarmName)), READ))
    except Exception:
        logger.exception("The letters that an alarm rings for could not be read")
        return None
