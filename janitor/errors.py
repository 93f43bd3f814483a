"""What AWS's errors mean to whoever removes things."""

from botocore.exceptions import ClientError

_GONE = ("NotFound", "NoSuchEntity", "NoSuchBucket", "NonExistentQueue", "QueueDoesNotExist", "DeleteConflictGone")
_DENIED = frozenset({"AccessDenied", "AccessDeniedException", "403"})  # S3 may answer with nothing but the number
_THROTTLED = frozenset(
    {
        "TooManyRequestsException",  # API Gateway, Lambda, Cognito
        "ThrottlingException",
        "ThrottledException",
        "Throttling",
        "RequestThrottled",
        "RequestThrottledException",
        "RequestLimitExceeded",
        "LimitExceededException",  # IoT and Logs say so of rates; of counts nobody hears who only removes
        "ProvisionedThroughputExceededException",
        "SlowDown",
        "PriorRequestNotComplete",
    }
)


class JanitorError(Exception):
    """Something a person must know about; its text is all they are shown."""


def code(error: ClientError) -> str:
    """Give AWS's name of an error."""
    return str(error.response.get("Error", {}).get("Code", ""))


def is_gone(error: ClientError) -> bool:
    """Tell whether what was to be removed is not there."""
    return any(part in code(error) for part in _GONE)


def is_denied(error: ClientError) -> bool:
    """Tell whether the caller may not do what it asked for."""
    return code(error) in _DENIED


def is_throttled(error: ClientError) -> bool:
    """Tell whether AWS was called too often."""
    return code(error) in _THROTTLED


def told(error: ClientError) -> str:
    """Say what AWS said."""
    return str(error.response.get("Error", {}).get("Message") or error)
