"""Publishes the outbox of a table: what its stream carries, what the stream lost, and what is to be published again.

An item is in the index `unpublished` until it is marked: what the stream lost, or never carried, a sweep finds there
and publishes. A replay publishes again what was published, with the same ids.
"""

import json
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any, Literal

from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.batch import BatchProcessor, EventType, process_partial_response
from boto3.dynamodb.conditions import Attr, Key
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, RootModel

from paygo import composition
from paygo.config import scaled
from paygo.correlation import follow
from paygo.messages import Attributes, text
from paygo.outbox import INDEX, PREFIX, SHARDS, SINCE, event_id_of, outbox_key
from paygo.payloads import is_too_large
from paygo.storage import PRESENT, ConditionFailed, Item, Table, from_attributes, sortable

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.data_classes.dynamo_db_stream_event import DynamoDBRecord
    from aws_lambda_powertools.utilities.typing import LambdaContext
    from mypy_boto3_sns import SNSClient

type Handler = Callable[[dict[str, Any], "LambdaContext"], dict[str, Any]]

PUBLISHED_FOR = timedelta(days=30)
"""How long a published event is kept. Only publishing sets the TTL, so what was never published never expires."""
UNPUBLISHED_FOR = timedelta(minutes=10)
"""How long the stream is given before a sweep publishes in its place."""

SPARE_MILLISECONDS = 5_000
"""No other event is published when less is left of the invocation's time."""

logger = Logger()


@dataclass(frozen=True, slots=True)
class Found:
    """An event to publish, or a stretch of the table that has none; `after` is where to go on behind it."""

    after: str
    event_id: str | None = None
    item: Item | None = None


class NotInOutbox(LookupError):
    """An event that is to be published again is not in the outbox: it expired, or it is another service's."""


class Sweep(BaseModel):
    """Publish what was not marked for a while."""

    model_config = ConfigDict(extra="forbid")

    action: Literal["sweep"]


class Replay(BaseModel):
    """Publish events of a time again, whether they were published or not; `types` and `ids` narrow them down."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True)

    action: Literal["replay"]
    since: Annotated[AwareDatetime, Field(alias="from")] = datetime(2000, 1, 1, tzinfo=UTC)
    until: Annotated[AwareDatetime, Field(alias="to")] = datetime(3000, 1, 1, tzinfo=UTC)
    types: tuple[str, ...] = ()
    ids: tuple[str, ...] = ()
    after: str | None = None
    """Where a replay that ran out of time told to go on."""


class Request(RootModel[Annotated[Sweep | Replay, Field(discriminator="action")]]):
    """What the publisher does besides publishing what the stream carries."""


class Outcome(BaseModel):
    """What became of a request."""

    published: int = 0
    failed: tuple[str, ...] = ()
    """The ids of events that could not be published; the log says why."""
    finished: bool = True
    """Whether the time sufficed; where it did not, a replay goes on with the same request and this `after`."""
    after: str | None = None


def publisher(
    table: Table, topic_arn: str, sns: "SNSClient", now: Callable[[], datetime] = lambda: datetime.now(UTC)
) -> Handler:
    """Return the Lambda handler that publishes the outbox items of the table's stream to `topic_arn`.

    A crash between publishing and marking publishes the event again, with the same id. Invoked with a `Sweep` or a
    `Replay` instead of a batch, it does that.
    """
    outbox = _Outbox(table, topic_arn, sns, now)

    def publish_record(record: "DynamoDBRecord") -> None:
        try:
            outbox.publish(from_attributes(record.raw_event["dynamodb"]["NewImage"]))
        except Exception:
            logger.exception("An event could not be published", stream_record=record.event_id)
            raise

    def handler(batch: dict[str, Any], context: "LambdaContext") -> dict[str, Any]:
        follow(None, context)
        if "action" in batch:
            return outbox.answer(Request.model_validate(batch).root, context).model_dump(mode="json")
        answer = process_partial_response(
            event=batch,
            record_handler=publish_record,
            processor=BatchProcessor(event_type=EventType.DynamoDBStreams, raise_on_entire_batch_failure=False),
            context=context,
        )
        return {**answer}

    return handler


class _Outbox:
    """The outbox of a table, and the topic that its events are published to."""

    def __init__(self, table: Table, topic_arn: str, sns: "SNSClient", now: Callable[[], datetime]) -> None:
        self._table = table
        self._topic_arn = topic_arn
        self._sns = sns
        self._now = now

    def publish(self, item: Item) -> None:
        """Publish the item's event and mark the item."""
        logger.set_correlation_id(item.get("correlation_id"))
        event_id, event = item["event_id"], item["event"]
        attributes: Attributes = {"type": text(item["type"])}
        if is_too_large(event, attributes):
            event = composition.payloads().keep(event)
        self._sns.publish(TopicArn=self._topic_arn, Message=event, MessageAttributes=attributes)
        self._mark(event_id)
        logger.info("Published", event_id=event_id, event_type=item["type"])

    def answer(self, request: Sweep | Replay, context: "LambdaContext") -> Outcome:
        """Do what is asked for, as far as the time suffices."""
        if isinstance(request, Replay):
            return self._publish_all(self._chosen(request), context, Outcome(after=request.after))
        outcome = self._publish_all(self._unmarked(), context, Outcome())
        follow(None, context)
        if outcome.published:
            logger.warning("A sweep published events that the stream did not", events=outcome.published)
        return outcome

    def _publish_all(self, found: Iterator[Found], context: "LambdaContext", outcome: Outcome) -> Outcome:
        for one in found:
            if one.event_id is None:
                # There is nothing to do, so this much is done even when the time is over.
                outcome.after = one.after
            if context.get_remaining_time_in_millis() < SPARE_MILLISECONDS:
                outcome.finished = False
                break
            outcome.after = one.after
            if one.event_id is not None:
                self._publish_found(one.event_id, one.item, context, outcome)
        return outcome

    def _publish_found(self, event_id: str, item: Item | None, context: "LambdaContext", outcome: Outcome) -> None:
        follow(None, context)
        try:
            if item is None:
                raise NotInOutbox(event_id)
            self.publish(item)
        except Exception:
            logger.exception("An event could not be published", event_id=event_id)
            outcome.failed += (event_id,)
        else:
            outcome.published += 1

    def _unmarked(self) -> Iterator[Found]:
        before = sortable(self._now() - scaled(UNPUBLISHED_FOR))
        for shard in SHARDS:
            for entry in self._table.query_index(INDEX, Key(INDEX).eq(shard) & Key(SINCE).lt(before)):
                # An index is behind its table, which may say by now that the event was published.
                item = self._table.get(pk=entry["pk"], sk=entry["sk"])
                if item is not None and INDEX in item:
                    event_id = event_id_of(item)
                    yield Found(event_id, event_id, item)

    def _chosen(self, replay: Replay) -> Iterator[Found]:
        if replay.ids:
            begin = replay.ids.index(replay.after) + 1 if replay.after else 0
            for event_id in replay.ids[begin:]:
                yield Found(event_id, event_id, self._table.get(**outbox_key(event_id)))
            return
        chosen = Attr("pk").begins_with(PREFIX) & Attr("occurred_at").between(
            sortable(replay.since), sortable(replay.until)
        )
        if replay.types:
            chosen &= Attr("type").is_in(list(replay.types))
        for items, last in self._table.scan(chosen, after=json.loads(replay.after) if replay.after else None):
            for item in items:
                event_id = event_id_of(item)
                yield Found(json.dumps(outbox_key(event_id)), event_id, item)
            # A table of other things has page after page without an event, and the time may end in any of them.
            if last:
                yield Found(json.dumps(last))

    def _mark(self, event_id: str) -> None:
        published_at = self._now()
        # What expired since it was read is not to come back as an item that is all mark and no event.
        with suppress(ConditionFailed):
            self._table.update(
                outbox_key(event_id),
                {
                    "published_at": published_at.isoformat(),
                    "expires_at": int((published_at + PUBLISHED_FOR).timestamp()),
                },
                PRESENT,
                remove=(INDEX, SINCE),
            )
