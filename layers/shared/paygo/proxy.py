"""Calling a partner through the HTTP proxy, which stands in the partner's own network.

The adapter takes the place of the network below `paygo.partners`, whose rates, retries and circuit breakers stay as
they are.
"""

import base64
import io
import json
from functools import cache
from http import HTTPStatus
from typing import TYPE_CHECKING

import boto3
import requests
import urllib3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from pydantic import TypeAdapter
from requests.adapters import BaseAdapter

from paygo.proxy_messages import FORWARDED, ProxyAnswer, Refusal, Refused

if TYPE_CHECKING:
    from mypy_boto3_lambda import LambdaClient

# Asked once: the proxy may have reached the partner although its answer is lost.
CLIENT_CONFIG = Config(
    connect_timeout=1, read_timeout=16, retries={"mode": "standard", "total_max_attempts": 1}, user_agent="paygo"
)
"""A second more than the proxy's own time-out."""

_ANSWER: TypeAdapter[ProxyAnswer | Refused] = TypeAdapter(ProxyAnswer | Refused)


class ProxyRefused(Exception):
    """The proxy does not forward this, whenever it is asked."""


class ProxyAdapter(BaseAdapter):
    """Carries the requests of a `requests` session through the proxy.

    Parameters
    ----------
    partner, url
        Who is called, and what the addresses of its routes begin with.
    function
        The proxy's alias.
    """

    def __init__(self, client: "LambdaClient", function: str, partner: str, url: str) -> None:
        super().__init__()
        self._client = client
        self._function = function
        self._partner = partner
        self._url = url

    def send(self, request: requests.PreparedRequest, *_: object, **__: object) -> requests.Response:
        """Have the request made.

        Raises
        ------
        requests.ReadTimeout, requests.ConnectionError
            When the partner, or the proxy itself, is not reached or takes too long.
        ProxyRefused
            When the proxy does not forward it.
        """
        answer = self._invoke(request)
        if isinstance(answer, Refused):
            raise _error(answer.refused, request)
        response = requests.Response()
        response.status_code = answer.status
        response.headers.update(answer.headers)
        response.url = str(request.url)
        response.request = request
        response.raw = urllib3.HTTPResponse(
            io.BytesIO(answer.body), headers=dict(answer.headers), status=answer.status, preload_content=False
        )
        return response

    def close(self) -> None:
        """Nothing is kept open."""

    def _invoke(self, request: requests.PreparedRequest) -> ProxyAnswer | Refused:
        body = request.body or b""
        asked = {
            "partner": self._partner,
            "method": request.method,
            "path": str(request.url).removeprefix(self._url),
            "headers": {name: value for name, value in request.headers.items() if name.lower() in FORWARDED},
            "body": base64.b64encode(body.encode() if isinstance(body, str) else body).decode(),
        }
        try:
            answered = self._client.invoke(FunctionName=self._function, Payload=json.dumps(asked).encode())
        except BotoCoreError as error:
            raise requests.ReadTimeout(type(error).__name__, request=request) from None
        except ClientError as error:
            if not _passes(error):
                raise
            raise requests.ConnectionError(error.response["Error"]["Code"], request=request) from None
        if "FunctionError" in answered:
            # Its own log says why; a partner's outage is what it is like for whoever waits.
            message = "the proxy failed"
            raise requests.ReadTimeout(message, request=request)
        return _ANSWER.validate_json(answered["Payload"].read())


def _passes(error: ClientError) -> bool:
    status = error.response["ResponseMetadata"]["HTTPStatusCode"]
    return status == HTTPStatus.TOO_MANY_REQUESTS or status >= HTTPStatus.INTERNAL_SERVER_ERROR


def _error(why: Refusal, request: requests.PreparedRequest) -> Exception:
    match why:
        case Refusal.UNREACHABLE:
            return requests.ConnectionError(why.value, request=request)
        case Refusal.TOO_SLOW:
            return requests.ReadTimeout(why.value, request=request)
        case _:
            return ProxyRefused(f"The proxy did not forward a {request.method}: {why.value}.")


@cache
def proxy_client() -> "LambdaClient":
    """Return the client that invokes the proxy."""
    return boto3.client("lambda", config=CLIENT_CONFIG)
