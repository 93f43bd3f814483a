"""The transactional outbox: an event is an item of the transaction that changes the state; the stream publishes it.

See https://docs.aws.amazon.com/prescriptive-guidance/latest/cloud-design-patterns/transactional-outbox.html.
"""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from aws_lambda_powertools import Logger

from paygo.events import Event, EventData
from paygo.storage import ABSENT, Table, Write, from_attributes

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.batch.types import PartialItemFailureResponse
    from aws_lambda_powertools.utilities.data_classes.dynamo_db_stream_event import DynamoDBRecord
    from aws_lambda_powertools.utilities.typing import LambdaContext
    from mypy_boto3_sns import SNSClient

    from paygo.consumer import BatchHandler

PUBLISHED_FOR = timedelta(days=30)
"""How long a published event is kept. Only publishing sets the TTL, so what was never published never expires."""

logger = Logger()


def outbox_write[Data: EventData](table: Table, event: Event[Data]) -> Write:
    """Return the write that makes a transaction publish `event`."""
    return table.putting(
        {
            **_key(event.id),
            "event_id": event.id,
            "type": event.type,
            "correlation_id": event.correlationid,
            "event": event.model_dump_json(),
        },
        ABSENT,
    )


def publisher(
    table: Table, topic_arn: str, sns: "SNSClient", now: Callable[[], datetime] = lambda: datetime.now(UTC)
) -> "BatchHandler":
    """Return the Lambda handler that publishes the outbox items of the table's stream to `topic_arn`.

    A crash between publishing and marking publishes the event again, with the same id.
    """
    # Imported here because services that only write to an outbox should not pay for it in a cold start.
    from aws_lambda_powertools.utilities.batch import BatchProcessor, EventType, process_partial_response

    def publish(record: "DynamoDBRecord") -> None:
        item = from_attributes(record.raw_event["dynamodb"]["NewImage"])
        event_id = item["event_id"]
        logger.set_correlation_id(item["correlation_id"])
        sns.publish(
            TopicArn=topic_arn,
            Message=item["event"],
            MessageAttributes={"type": {"DataType": "String", "StringValue": item["type"]}},
        )
        published_at = now()
        table.update(
            _key(event_id),
            {
                "published_at": published_at.isoformat(),
                "expires_at": int((published_at + PUBLISHED_FOR).timestamp()),
            },
        )
        logger.info("Published", event_id=event_id, event_type=item["type"])

    def publish_or_report(record: "DynamoDBRecord") -> None:
        try:
            publish(record)
        except Exception:
            logger.exception("An event could not be published", stream_record=record.event_id)
            raise

    def handler(batch: dict[str, Any], context: "LambdaContext") -> "PartialItemFailureResponse":
        return process_partial_response(
            event=batch,
            record_handler=publish_or_report,
            processor=BatchProcessor(event_type=EventType.DynamoDBStreams, raise_on_entire_batch_failure=False),
            context=context,
        )

    return handler


def _key(event_id: str) -> dict[str, str]:
    return {"pk": f"OUTBOX#{event_id}", "sk": "OUTBOX"}
