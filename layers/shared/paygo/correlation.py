"""The correlation id: one API request or device's message, followed through every event and log line it causes."""

from typing import TYPE_CHECKING

from aws_lambda_powertools import Logger

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

HEADER = "X-Correlation-Id"
"""What a call to a partner carries it in, so that a partner's log can be searched for it too."""

logger = Logger()


def follow(correlation_id: str | None, context: "LambdaContext") -> None:
    """Put the id on every line logged from now on, and the invocation's own, by which the runtime's lines are found.

    Parameters
    ----------
    correlation_id
        None when nobody asked for the work but a clock, or who asked gave no id: then the invocation's own.
    """
    logger.append_keys(
        correlation_id=correlation_id or context.aws_request_id, function_request_id=context.aws_request_id
    )


def followed() -> str | None:
    """Return the id of what is being worked on."""
    return logger.get_correlation_id()
