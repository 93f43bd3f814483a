"""`GET /v1/devices/{device_id}/credit` and `GET /v1/statement`: what the household has and had."""

from datetime import UTC, datetime
from http import HTTPStatus

from aws_lambda_powertools.event_handler import Response

from ledger import composition, wire
from ledger.usecases import credit_of, statement
from paygo.composition import callers
from paygo.http import answer, api, entry_point, paging

CALLERS = callers()
ACCOUNTS = composition.accounts()

app = api()


@app.get("/v1/devices/<device_id>/credit")
def read_credit(device_id: str) -> Response[str]:
    """Answer the credit of one of the household's devices."""
    household = CALLERS.household(app.current_event, datetime.now(UTC))
    credit = credit_of(device_id, household, ACCOUNTS)
    return answer(
        HTTPStatus.OK,
        wire.Credit(
            device_id=credit.device_id,
            credit_until=credit.credit_until,
            credit_version=credit.version,
            price_per_day=credit.price_per_day,
        ),
    )


@app.get("/v1/statement")
def read_statement() -> Response[str]:
    """Answer the household's balance and a page of its entries."""
    household = CALLERS.household(app.current_event, datetime.now(UTC))
    page = paging(app.current_event)
    found = statement(household, ACCOUNTS, cursor=page.cursor, limit=page.limit)
    items = tuple(
        wire.StatementEntry(
            transaction_id=line.transaction_id,
            booked_at=line.booked_at,
            amount=line.amount,
            description=line.kind,
            device_id=line.device_id,
        )
        for line in found.lines
    )
    return answer(HTTPStatus.OK, wire.Statement(balance=found.balance, items=items, next_cursor=found.next_cursor))


handler = entry_point(app)
