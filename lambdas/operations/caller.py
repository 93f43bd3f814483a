"""Which operator is calling."""

from typing import TYPE_CHECKING, Any

from operations.model import Operator
from operations.problems import operator_refused

if TYPE_CHECKING:
    from aws_lambda_powertools.event_handler import APIGatewayRestResolver, Response
    from aws_lambda_powertools.event_handler.middlewares import NextMiddleware
    from aws_lambda_powertools.utilities.data_classes import APIGatewayProxyEvent


def current_operator(event: "APIGatewayProxyEvent") -> Operator:
    """Return the IAM role or user that signed the request, and from where.

    API Gateway lets in whom IAM allows; should a role of the identity pool ever be allowed too, its sessions end here.

    Raises
    ------
    Problem
        403 for a session, and for a request that nobody signed.
    """
    identity = event.request_context.identity
    if identity.cognito_identity_id or identity.cognito_authentication_type or not identity.user_arn:
        raise operator_refused()
    return Operator(name=identity.user_arn, source_ip=identity.source_ip or "unknown")


def operators_only(asked: "APIGatewayRestResolver", answer_it: "NextMiddleware") -> "Response[Any]":
    """Refuse everybody else before anything is read."""
    current_operator(asked.current_event)
    return answer_it(asked)
