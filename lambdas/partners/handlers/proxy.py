"""Invoked by functions that call a partner which only its own network reaches."""

from typing import TYPE_CHECKING, Any

from aws_lambda_powertools import Logger

from partners import composition
from partners.usecases.proxy import forward
from paygo.correlation import HEADER, follow
from paygo.proxy_messages import ProxyRequest, Refused

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

PROXIED = composition.proxied()
NETWORK = composition.partner_network()

logger = Logger()


def handler(event: dict[str, Any], context: "LambdaContext") -> dict[str, Any]:
    """Forward the request."""
    request = ProxyRequest.model_validate(event)
    headers = {name.lower(): value for name, value in request.headers.items()}
    follow(headers.get(HEADER.lower()), context)
    answer = forward(PROXIED, NETWORK, request)
    asked = {"partner": request.partner, "method": request.method, "path": request.path}
    if isinstance(answer, Refused):
        logger.warning("Not forwarded", request=asked, refused=answer.refused.value)
    else:
        logger.info("Forwarded", request=asked, status=answer.status)
    return answer.model_dump(mode="json")
