"""POST /mocks/identity-bureau/checks."""

from http import HTTPStatus

from aws_lambda_powertools.event_handler import Response

from partners import composition
from partners.model import ForeignCallback
from partners.usecases import take_question
from partners.wire import CheckRequestBody
from paygo.config import setting
from paygo.http import answer, api, entry_point, parse
from paygo.problems import Place, invalid_request

ANSWERS = composition.answers()
API_URL = setting("API_URL")

app = api()


@app.post("/mocks/identity-bureau/checks")
def ask() -> Response[str]:
    """Take a question; the answer follows on the callback."""
    body = parse(app.current_event, CheckRequestBody)
    try:
        take_question(
            ANSWERS,
            API_URL,
            reference=str(body.reference),
            family_name=body.family_name,
            callback_url=body.callback_url,
        )
    except ForeignCallback as error:
        raise invalid_request(Place("/callback_url", "is not a route of this stack's API")) from error
    return answer(HTTPStatus.ACCEPTED)


handler = entry_point(app)
