"""Takes the errors in any function's log into one report each, and tells the operators at most once an hour of each.

Nothing here may log what it was given, and its own log is not subscribed: an error of its own would come back for ever.
"""

import base64
import gzip
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from aws_lambda_powertools import Logger

from operations import composition
from operations.errors import LogBatch
from operations.usecases import report_errors
from paygo.config import setting
from paygo.correlation import follow

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

STACK = setting("STACK")
REPORTS = composition.reports()
NOTICES = composition.notices()

logger = Logger()


def handler(event: dict[str, Any], context: "LambdaContext") -> None:
    """Report the errors of a delivery of CloudWatch Logs."""
    follow(None, context)
    batch = LogBatch.model_validate_json(gzip.decompress(base64.b64decode(event["awslogs"]["data"])))
    groups = report_errors(batch, STACK, REPORTS, NOTICES, datetime.now(UTC), wait=time.sleep)
    logger.info("Reported", log_group=batch.logGroup, lines=len(batch.logEvents), groups=groups)
