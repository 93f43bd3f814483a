"""Removes what is left of sessions that are over, called by the clock."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from aws_lambda_powertools import Logger

from identity import composition
from identity.usecases.causes import Cause
from identity.usecases.ending import sweep
from paygo.composition import source
from paygo.correlation import follow

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

SESSIONS = composition.sessions()
CREDENTIALS = composition.credentials()
SOURCE = source()

SPARE_MILLISECONDS = 15_000
"""A batch takes a few seconds, and what it began must end."""

logger = Logger()


def handler(_: dict[str, Any], context: "LambdaContext") -> dict[str, Any]:
    """Sweep as far as the time suffices; the next call goes on."""
    follow(None, context)
    swept = sweep(
        SESSIONS,
        CREDENTIALS,
        has_time=lambda: context.get_remaining_time_in_millis() > SPARE_MILLISECONDS,
        cause=Cause(SOURCE, context.aws_request_id),
        now=datetime.now(UTC),
    )
    if swept.kept:
        logger.error("Identities of sessions that are over could not be deleted", identities=swept.kept)
    logger.info("Swept", removed=swept.removed, finished=swept.finished)
    return {"removed": swept.removed, "kept": len(swept.kept), "finished": swept.finished}
