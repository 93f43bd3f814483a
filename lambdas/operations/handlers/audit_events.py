"""`/operations/audit-events`: operators read who did what, when and from where; nobody changes it."""

from datetime import UTC, datetime
from http import HTTPStatus
from typing import TYPE_CHECKING

from operations import composition, wire
from operations.caller import operators_only
from paygo.http import answer, api, entry_point, query

if TYPE_CHECKING:
    from aws_lambda_powertools.event_handler import Response

AUDIT = composition.audit()

app = api()
app.use(middlewares=[operators_only])


@app.get("/operations/audit-events")
def list_audit_events() -> "Response[str]":
    """Answer a page of a day's or a household's audit events."""
    asked = query(app.current_event, wire.AuditQuery)
    today = datetime.now(UTC).date()
    page = AUDIT.page(asked.filter(), today, limit=asked.limit, cursor=asked.cursor)
    items = tuple(wire.Audited.of(event) for event in page.events)
    return answer(HTTPStatus.OK, wire.AuditEventPage(items=items, next_cursor=page.next_cursor))


handler = entry_point(app)
