"""GET /v1/configuration and GET /.well-known/jwks.json: what a stranger may know."""

from datetime import UTC, datetime
from http import HTTPStatus

from aws_lambda_powertools.event_handler import Response

from identity import composition
from identity.wire import ConfigurationBody, KeyBody, KeySetBody
from paygo.config import setting
from paygo.http import answer, api, entry_point

KEYS = composition.token_keys()
API_URL = setting("API_URL")
KEYS_PATH = "/.well-known/jwks.json"
KEPT = {"Cache-Control": "public, max-age=300"}
"""A rotation waits for longer before it signs with a key that was not published before."""

CONFIGURATION = ConfigurationBody(
    region=setting("AWS_REGION"),
    user_pool_id=setting("USER_POOL_ID"),
    user_pool_client_id=setting("USER_POOL_CLIENT_ID"),
    issuer=API_URL,
    audience=setting("STACK"),
    jwks_uri=f"{API_URL}{KEYS_PATH}",
)

app = api()


@app.get("/v1/configuration")
def read_configuration() -> Response[str]:
    """Tell an app what it needs to sign in and to verify tokens."""
    return answer(HTTPStatus.OK, CONFIGURATION, KEPT)


@app.get(KEYS_PATH)
def read_keys() -> Response[str]:
    """Publish the keys that tokens are signed with."""
    keys = tuple(KeyBody(kid=kid, n=n, e=e) for kid, (n, e) in KEYS.numbers(datetime.now(UTC)).items())
    return answer(HTTPStatus.OK, KeySetBody(keys=keys), KEPT)


handler = entry_point(app)
