"""A queue's batch: each of its messages ends as done, not ready or failed, and none because of another.

Whatever is interrupted, by a crash, a time-out or a lost connection, leaves its message where it is: it comes again.
"""

import random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.batch import BatchProcessor, EventType, process_partial_response

from paygo import composition
from paygo.config import scaled
from paygo.correlation import follow
from paygo.messages import Message
from paygo.outcomes import NotReady
from paygo.queues import wait_failed, wait_not_ready

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.batch.types import PartialItemFailureResponse
    from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord
    from aws_lambda_powertools.utilities.typing import LambdaContext

type BatchHandler = Callable[[dict[str, Any], "LambdaContext"], "PartialItemFailureResponse"]
type Work = Callable[[str, "LambdaContext"], None]

logger = Logger()


class Poison(Exception):
    """A message that can never be handled, and why: that goes to the dead-letter queue with it."""


class StillNotReady(Exception):
    """What a message waits for did not come before its deadline."""


def batch_handler(work: Work, *, deadline: timedelta, spare: timedelta) -> BatchHandler:
    """Return the Lambda handler that gives `work` the body of each message of a batch.

    Parameters
    ----------
    deadline
        How long a message may be not ready, from when it first came.
    spare
        No other message is begun when less is left of the invocation's time; but one that failed before and is past
        its deadline is: what goes back spends no receive, and what fails slowly in company would never be dead.
    """

    def handler(batch: dict[str, Any], context: "LambdaContext") -> "PartialItemFailureResponse":
        fresh, again = _by_receives(batch["Records"])
        _beware([Message(record) for record in again], context)
        time = _Time(context, spare)

        def take(record: "SQSRecord") -> None:
            message = Message(record.raw_event)
            follow(message.correlation_id, context)
            try:
                is_due = time.suffices() or (message.receives > 1 and _is_overdue(message, deadline))
                if is_due and not _is_early(message):
                    _handle(message, work, context, deadline)
                else:
                    _return(message)
            except Exception as error:
                _note(message, error, context)
                raise
            if again:
                _try("delete the message", lambda: composition.own_queue().delete(message))

        return process_partial_response(
            event={"Records": fresh + again},
            record_handler=take,
            processor=BatchProcessor(event_type=EventType.SQS, raise_on_entire_batch_failure=False),
            context=context,
        )

    return handler


def _handle(message: Message, work: Work, context: "LambdaContext", deadline: timedelta) -> None:
    try:
        work(message.body, context)
    except Poison as poison:
        logger.error("A message can never be handled", message_id=message.message_id, reason=str(poison))
        composition.own_queue().bury(message, str(poison))
    except NotReady as waiting:
        now = _now()
        if _is_overdue(message, deadline):
            since = message.first_seen.isoformat(timespec="seconds")
            still = f"not ready since {since}, last: {waiting.reason}"
            raise StillNotReady(still) from waiting
        times = message.times_not_ready
        wait = wait_not_ready(times) if waiting.retry_in is None else waiting.retry_in
        composition.own_queue().put_back(message, wait, now, times_not_ready=times + 1, reason=waiting.reason)
        logger.info(
            "Not ready",
            message_id=message.message_id,
            reason=waiting.reason,
            times=times + 1,
            seconds=wait.total_seconds(),
        )


def _note(message: Message, error: Exception, context: "LambdaContext") -> None:
    logger.exception("A message could not be handled", message_id=message.message_id)
    _try("write down the attempt", lambda: composition.attempts().record(message, error, context, _now()))
    _try("delay the message", lambda: composition.own_queue().hide(message, wait_failed(message.receives)))


def _return(message: Message) -> None:
    now = _now()
    wait = max((message.not_before or now) - now, timedelta(0))
    composition.own_queue().put_back(message, wait, now, times_not_ready=message.times_not_ready)


def _is_early(message: Message) -> bool:
    not_before = message.not_before
    return not_before is not None and not_before > _now()


def _is_overdue(message: Message, deadline: timedelta) -> bool:
    return _now() - message.first_seen >= scaled(deadline)


type Records = list[dict[str, Any]]


def _by_receives(records: Records) -> tuple[Records, Records]:
    # Any message that came before may be the one that killed its worker then. So those come last, in another order each
    # time, and what was handled before them is deleted at once: a killer takes none of its neighbours with it.
    fresh: Records = []
    again: Records = []
    for record in records:
        (again if Message(record).receives > 1 else fresh).append(record)
    random.shuffle(again)
    return fresh, again


def _beware(messages: list[Message], context: "LambdaContext") -> None:
    if len(messages) > 1:
        left = timedelta(milliseconds=context.get_remaining_time_in_millis())
        _try("separate the messages", lambda: composition.own_queue().separate(messages, left))


class _Time:
    """What is left of an invocation, as far as it matters for beginning another message."""

    def __init__(self, context: "LambdaContext", spare: timedelta) -> None:
        self._context = context
        self._spare = spare / timedelta(milliseconds=1)
        self._last: int | None = None
        self._longest = 0

    def suffices(self) -> bool:
        """Tell whether to begin a message; the first is always begun, or none ever would be."""
        left = self._context.get_remaining_time_in_millis()
        if self._last is None:
            self._last = left
            return True
        self._longest = max(self._longest, self._last - left)
        self._last = left
        return left > self._spare + self._longest


def _try(what: str, step: Callable[[], object]) -> None:
    # These steps make a batch better; that one of them fails must not make it worse.
    try:
        step()
    except Exception as error:  # noqa: BLE001 (whatever it is, the message has ended or comes again)
        logger.warning("A consumer could not " + what, error=f"{type(error).__name__}: {error}")


def _now() -> datetime:
    return datetime.now(UTC)
