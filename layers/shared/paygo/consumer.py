"""Consumers: one typed event at a time from a queue, each ending in one of three ways.

Done
    The handler returned: the message is deleted.
Not ready
    The handler raised `NotReady`: a copy of the message comes back later, and the message is done. So no receive is
    spent however often that happens, and the copy says when the first was seen. Past the deadline it is an error.
Error
    The handler raised anything else: the attempt is written down, and the same message comes back, later each time.
    After ten receives it is in the dead-letter queue.

What is no event, or no event of the type, can never be handled and goes to the dead-letter queue at once.
"""

import json
from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING

from aws_lambda_powertools import Logger
from pydantic import BaseModel, ValidationError

from paygo import composition
from paygo.batches import BatchHandler, Poison, batch_handler
from paygo.events import Event, EventData
from paygo.outcomes import NotReady
from paygo.payloads import refers

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.idempotency import DynamoDBPersistenceLayer
    from aws_lambda_powertools.utilities.typing import LambdaContext

REMEMBERED = timedelta(days=30)
"""How long a handled event is: longer than one may wait in a queue and its dead-letter queue, 14 days each."""

DEADLINE = timedelta(days=3)
"""How long an event may be not ready before that is an error."""

SPARE = timedelta(seconds=3)
"""More than most events need; one that asks a partner needs more."""

NOT_JSON = object()

logger = Logger()


def consumer[Data: EventData](
    data: type[Data],
    handle: Callable[[Event[Data]], None],
    *,
    once: "DynamoDBPersistenceLayer | None" = None,
    deadline: timedelta = DEADLINE,
    spare: timedelta = SPARE,
) -> BatchHandler:
    """Return the Lambda handler that gives `handle` each event of a batch.

    Parameters
    ----------
    handle
        Must bear being given the same event twice and events in any order; what it has to wait for it raises as
        `NotReady`.
    once
        Remembers the ids of handled events, for effects that no condition in our own data can make idempotent.
    deadline
        How long an event may be not ready, from when it first came.
    spare
        No other event is begun when less is left of the invocation's time: as long as handling one may take.
    """
    envelope = Event[data]  # type: ignore[valid-type]

    def work(body: str, context: "LambdaContext") -> None:
        event = _parsed(envelope, data.TYPE, body)
        logger.set_correlation_id(event.correlationid)
        if once is None:
            handle(event)
        else:
            _remember(once, context, event, handle)
        logger.info("Handled", event_id=event.id, event_type=event.type)

    return batch_handler(work, deadline=deadline, spare=spare)


def message_consumer[Message: BaseModel](
    message: type[Message],
    handle: Callable[[Message], None],
    *,
    deadline: timedelta = DEADLINE,
    spare: timedelta = SPARE,
) -> BatchHandler:
    """Return the Lambda handler of a queue that carries a service's own messages instead of events."""

    def work(body: str, _: "LambdaContext") -> None:
        try:
            parsed = message.model_validate_json(body)
        except ValidationError as error:
            raise Poison(_wrong_places(error)) from None
        handle(parsed)

    return batch_handler(work, deadline=deadline, spare=spare)


def _parsed[Data: EventData](envelope: type[Event[Data]], expected: str, body: str) -> Event[Data]:
    try:
        event = envelope.model_validate_json(composition.payloads().fetch(body) if refers(body) else body)
    except ValueError as error:
        content = _content(body)
        if isinstance(content, dict) and isinstance(content.get("correlationid"), str):
            logger.set_correlation_id(content["correlationid"])
        raise Poison(_why(error, expected, content)) from None
    if event.type != expected:
        raise Poison(_unexpected(event.type, expected))
    return event


def _content(body: str) -> object:
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return NOT_JSON


def _why(error: ValueError, expected: str, content: object) -> str:
    if content is NOT_JSON:
        return "not JSON"
    # Data of another type is wrong in many places and for one reason.
    found = content.get("type") if isinstance(content, dict) else None
    if isinstance(found, str) and found != expected:
        return _unexpected(found, expected)
    return _wrong_places(error) if isinstance(error, ValidationError) else str(error)


def _unexpected(found: str, expected: str) -> str:
    return f"unexpected type: {found} came where {expected} is consumed; check the subscription's filter policy"


def _wrong_places(error: ValidationError) -> str:
    # Without the values, which may be a person's.
    places = error.errors(include_url=False, include_context=False, include_input=False)
    return "invalid data: " + "; ".join(
        f"{'.'.join(str(part) for part in place['loc']) or 'the message'}: {place['msg']}" for place in places
    )


def _remember[Data: EventData](
    store: "DynamoDBPersistenceLayer",
    context: "LambdaContext",
    event: Event[Data],
    handle: Callable[[Event[Data]], None],
) -> None:
    from aws_lambda_powertools.utilities.idempotency import IdempotencyConfig, idempotent_function
    from aws_lambda_powertools.utilities.idempotency.exceptions import IdempotencyAlreadyInProgressError

    def do(*, event_id: str) -> None:  # noqa: ARG001 (powertools reads the key from it)
        handle(event)

    once = idempotent_function(
        do,
        data_keyword_argument="event_id",
        persistence_store=store,
        config=IdempotencyConfig(
            lambda_context=context, hash_function="sha256", expires_after_seconds=int(REMEMBERED.total_seconds())
        ),
    )
    try:
        once(event_id=event.id)
    except IdempotencyAlreadyInProgressError:
        message = "Another worker has the event, or was killed with it a moment ago."
        raise NotReady(message) from None
