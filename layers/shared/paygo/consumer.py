"""Consumers: one typed event at a time from a queue, with partial batch failures."""

from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.batch import BatchProcessor, EventType, process_partial_response
from pydantic import BaseModel

from paygo.events import Event, EventData

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.batch.types import PartialItemFailureResponse
    from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord
    from aws_lambda_powertools.utilities.idempotency import DynamoDBPersistenceLayer
    from aws_lambda_powertools.utilities.typing import LambdaContext

type BatchHandler = Callable[[dict[str, Any], "LambdaContext"], "PartialItemFailureResponse"]

REMEMBERED = timedelta(days=30)
"""How long a handled event is: longer than one may wait in a queue and its dead-letter queue, 14 days each."""

DEADLINE = timedelta(days=3)
"""How long an event may be not ready before that is an error."""

logger = Logger()


class UnexpectedEvent(ValueError):
    """A queue delivered a type of event that its consumer does not handle."""


def consumer[Data: EventData](
    data: type[Data],
    handle: Callable[[Event[Data]], None],
    *,
    once: "DynamoDBPersistenceLayer | None" = None,
    deadline: timedelta = DEADLINE,  # noqa: ARG001
) -> BatchHandler:
    """Return the Lambda handler that gives `handle` each event of a batch.

    An event whose handling raises goes back to its queue alone; after ten receives it is in the dead-letter queue.

    Parameters
    ----------
    handle
        Must bear being given the same event twice and events in any order.
    once
        Remembers the ids of handled events, for effects that no condition in our own data can make idempotent.
    """
    envelope = Event[data]  # type: ignore[valid-type]

    def handle_event(event: Event[Data]) -> None:
        if event.type != data.TYPE:
            message = f"{event.type} came where {data.TYPE} was expected: check the subscription's filter policy."
            raise UnexpectedEvent(message)
        handle(event)

    def handle_message(body: str, context: "LambdaContext") -> None:
        event = envelope.model_validate_json(body)
        logger.set_correlation_id(event.correlationid)
        if once is None:
            handle_event(event)
        else:
            _remember(once, context, event, lambda: handle_event(event))
        logger.info("Handled", event_id=event.id, event_type=event.type)

    return queue_consumer(handle_message)


def message_consumer[Message: BaseModel](message: type[Message], handle: Callable[[Message], None]) -> BatchHandler:
    """Return the Lambda handler of a queue that carries a service's own messages instead of events."""
    return queue_consumer(lambda body, _: handle(message.model_validate_json(body)))


def queue_consumer(handle: Callable[[str, "LambdaContext"], None]) -> BatchHandler:
    """Return the Lambda handler that gives `handle` the body of each message and reports those that failed."""

    def handler(batch: dict[str, Any], context: "LambdaContext") -> "PartialItemFailureResponse":
        def handle_record(record: "SQSRecord") -> None:
            try:
                handle(record.body, context)
            except Exception:
                logger.exception("A message could not be handled", message_id=record.message_id)
                raise

        return process_partial_response(
            event=batch,
            record_handler=handle_record,
            processor=BatchProcessor(event_type=EventType.SQS, raise_on_entire_batch_failure=False),
            context=context,
        )

    return handler


def _remember[Data: EventData](
    store: "DynamoDBPersistenceLayer", context: "LambdaContext", event: Event[Data], work: Callable[[], None]
) -> None:
    from aws_lambda_powertools.utilities.idempotency import IdempotencyConfig, idempotent_function

    def do(*, event_id: str) -> None:  # noqa: ARG001 (powertools reads the key from it)
        work()

    idempotent_function(
        do,
        data_keyword_argument="event_id",
        persistence_store=store,
        config=IdempotencyConfig(
            lambda_context=context, hash_function="sha256", expires_after_seconds=int(REMEMBERED.total_seconds())
        ),
    )(event_id=event.id)
