"""Every method of /mocks/{partner}/{route+}."""

import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from aws_lambda_powertools.event_handler import Response

from partners import composition
from partners.model.contract import Answer, Request
from partners.usecases.mock import play
from paygo.correlation import HEADER, follow
from paygo.http import api, entry_point, raw_body
from paygo.problems import not_found

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.data_classes import APIGatewayProxyEvent

THEATRE = composition.theatre()
LEAST_LEFT_SECONDS = 1.0
"""What an answer that is kept back leaves of the function's time."""

app = api()


@app.route("/mocks/<name>/.+", method=["GET", "PUT", "POST", "PATCH", "DELETE"])
def answer(name: str) -> Response[str]:
    """Answer as the partner would."""
    event = app.current_event
    # Who calls is the stack itself, so that its request is followed through the mock as well.
    follow(event.headers.get(HEADER) or event.request_context.request_id, app.lambda_context)
    partner = composition.partner(name)
    played = play(THEATRE, partner, _request(event, name), datetime.now(UTC)) if partner else None
    if played is None:
        raise not_found("route")
    if played.delay_seconds:
        left = app.lambda_context.get_remaining_time_in_millis() / 1000 - LEAST_LEFT_SECONDS
        time.sleep(max(0.0, min(played.delay_seconds, left)))
    return _response(played.answer)


def _request(event: "APIGatewayProxyEvent", partner: str) -> Request:
    return Request(
        method=event.http_method,
        route=event.path.removeprefix(f"/mocks/{partner}"),
        query=event.query_string_parameters,
        headers={name.lower(): value for name, value in event.headers.items()},
        text=raw_body(event).decode(errors="replace"),
    )


def _response(sent: Answer) -> Response[str]:
    headers = {name: value for name, value in sent.headers.items() if name.lower() != "content-type"}
    chosen_type = next((value for name, value in sent.headers.items() if name.lower() == "content-type"), None)
    return Response(
        status_code=sent.status, content_type=chosen_type or sent.content_type, body=sent.text, headers=headers
    )


handler = entry_point(app)
