"""Takes the refusals in the log of any function that answers requests into the audit.

A refused request changes nothing, so there is no transaction that an event could be part of: it is a line of the log.
Nothing here may log what it was given.
"""

import base64
import gzip
from typing import TYPE_CHECKING, Any

from aws_lambda_powertools import Logger

from operations import composition
from operations.audit import UnreadableRefusal, refusals_of
from operations.errors import LogBatch
from paygo.correlation import follow

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

AUDIT = composition.audit()

logger = Logger()


def handler(event: dict[str, Any], context: "LambdaContext") -> None:
    """Keep the refusals of a delivery of CloudWatch Logs; delivered again, they are kept once."""
    follow(None, context)
    batch = LogBatch.model_validate_json(gzip.decompress(base64.b64decode(event["awslogs"]["data"])))
    for refusal in refusals_of(batch):
        if isinstance(refusal, UnreadableRefusal):
            logger.error("A line for the audit cannot be read", log_group=batch.logGroup, line_id=str(refusal))
        else:
            AUDIT.keep(refusal)
    logger.info("Kept", log_group=batch.logGroup, lines=len(batch.logEvents))
