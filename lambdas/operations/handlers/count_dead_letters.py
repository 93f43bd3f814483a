"""Shows every minute how many dead letters are open: an alarm goes on ringing until the last one is closed."""

from typing import TYPE_CHECKING, Any

from aws_lambda_powertools import Logger

from operations import composition
from operations.usecases import show_open
from paygo.correlation import follow

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

LETTERS = composition.letters()
GAUGE = composition.gauge()

logger = Logger()


def handler(_event: dict[str, Any], context: "LambdaContext") -> None:
    """Count the open letters of every queue."""
    follow(None, context)
    counts = show_open(LETTERS, GAUGE)
    logger.info("Counted", open_letters=sum(counts.values()), queues=len(counts))
