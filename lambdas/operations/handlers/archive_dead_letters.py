"""Takes what comes into any dead-letter queue into the archive, which can be browsed and redriven one by one."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.batch import BatchProcessor, EventType, process_partial_response

from operations import composition
from operations.deaths import RECEIVES
from operations.gauge import show_changed
from operations.model import Attribute, DeadMessage, Letter
from operations.usecases import archive
from paygo.correlation import follow

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.batch.types import PartialItemFailureResponse
    from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord
    from aws_lambda_powertools.utilities.typing import LambdaContext

LETTERS = composition.letters()
ATTEMPTS = composition.attempts()
GAUGE = composition.gauge()

logger = Logger()


def handler(batch: dict[str, Any], context: "LambdaContext") -> "PartialItemFailureResponse":
    """Archive each message, and show at once how many letters are open, so that the alarm rings."""
    follow(None, context)
    archived: list[Letter] = []

    def take(record: "SQSRecord") -> None:
        try:
            letter = archive(read(record), LETTERS, ATTEMPTS, datetime.now(UTC))
        except Exception:
            logger.exception("A dead letter could not be archived", message_id=record.message_id)
            raise
        logger.info(
            "Archived",
            letter_id=letter.letter_id,
            queue=letter.queue.name,
            event_id=letter.event_id,
            reason=letter.reason,
            correlation_id=letter.correlation_id,
        )
        archived.append(letter)

    answer = process_partial_response(
        event=batch,
        record_handler=take,
        processor=BatchProcessor(event_type=EventType.SQS, raise_on_entire_batch_failure=False),
        context=context,
    )
    show_changed(archived, LETTERS, GAUGE)
    return answer


def read(record: "SQSRecord") -> DeadMessage:
    """Return the message of the record."""
    raw = record.raw_event
    system = raw["attributes"]
    return DeadMessage(
        queue=composition.queue(raw["eventSourceARN"].rpartition(":")[2]),
        message_id=raw["messageId"],
        body=raw["body"],
        attributes={
            name: Attribute(data_type=sent["dataType"], value=sent.get("stringValue") or sent.get("binaryValue") or "")
            for name, sent in raw.get("messageAttributes", {}).items()
        },
        # SQS goes on counting in the dead-letter queue; what a consumer sent there begins anew.
        was_moved="DeadLetterQueueSourceArn" in system or int(system["ApproximateReceiveCount"]) > RECEIVES,
        sent_at=datetime.fromtimestamp(int(system["SentTimestamp"]) / 1000, UTC),
    )
