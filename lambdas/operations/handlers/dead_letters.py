"""`/operations`: operators look at dead letters, redrive or discard them, and read error reports; they edit nothing."""

import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any
from uuid import uuid4

from aws_lambda_powertools import Logger
from aws_lambda_powertools.event_handler import Response

from operations import composition, wire
from operations.audit import act_of_operator
from operations.caller import current_operator, operators_only
from operations.gauge import show_changed
from operations.model import Letter, LetterPage, Operator
from operations.problems import as_problems
from operations.usecases import discard, discard_some, find, list_letters, redrive, redrive_some
from paygo.composition import idempotency_keys
from paygo.config import setting
from paygo.correlation import followed
from paygo.http import answer, answer_once, api, entry_point, paging, parse, query

REGION = setting("AWS_REGION")
LETTERS = composition.letters()
REPORTS = composition.reports()
AUDIT = composition.audit()
GAUGE = composition.gauge()

app = api()
logger = Logger()


app.use(middlewares=[operators_only])


@app.get("/operations/dead-letters")
def list_dead_letters() -> Response[str]:
    """Answer a page of the dead letters of one state."""
    asked = query(app.current_event, wire.DeadLetterQuery)
    page = list_letters(asked.state, asked.filter(), LETTERS, limit=asked.limit, cursor=asked.cursor)
    items = tuple(wire.DeadLetter.of(letter, REGION) for letter in page.letters)
    return answer(HTTPStatus.OK, wire.DeadLetterPage(items=items, next_cursor=page.next_cursor))


@app.get("/operations/dead-letters/<letter_id>")
def read_dead_letter(letter_id: str) -> Response[str]:
    """Answer a dead letter with its message and its history."""
    with as_problems():
        letter = find(letter_id, LETTERS)
    detail = wire.DeadLetterDetail.read(letter, LETTERS.body(letter), LETTERS.history(letter_id), REGION)
    return answer(HTTPStatus.OK, detail)


@app.post("/operations/dead-letters/<letter_id>/redrive")
def redrive_dead_letter(letter_id: str) -> Response[str]:
    """Send one letter's message again."""

    def work(operator: Operator, now: datetime) -> Response[str]:
        with as_problems():
            letter = redrive(letter_id, LETTERS, composition.sender(), operator, now)
        _audit("dead-letter-redriven", operator, now, letter_id=letter_id)
        return _changed("Redriven", letter)

    return _once({"redrive": letter_id}, work)


@app.post("/operations/dead-letters/<letter_id>/discard")
def discard_dead_letter(letter_id: str) -> Response[str]:
    """Close one letter without sending it."""
    body = parse(app.current_event, wire.Discard)

    def work(operator: Operator, now: datetime) -> Response[str]:
        with as_problems():
            letter = discard(letter_id, LETTERS, operator, body.reason, now)
        _audit("dead-letter-discarded", operator, now, letter_id=letter_id, reason=body.reason)
        return _changed("Discarded", letter)

    return _once({"discard": letter_id, "reason": body.reason}, work)


@app.post("/operations/redrives")
def redrive_dead_letters() -> Response[str]:
    """Redrive a page of the letters that are meant."""
    body = parse(app.current_event, wire.Redrives)

    def work(operator: Operator, now: datetime) -> Response[str]:
        wanted = body.filter(now)
        page, skipped = redrive_some(
            wanted,
            LETTERS,
            composition.sender(),
            operator,
            now,
            per_second=body.per_second,
            cursor=body.cursor,
            wait=time.sleep,
        )
        _audit("dead-letters-redriven", operator, now, letters=str(len(page.letters)))
        return _moved("Redriven", page, skipped, body.dead_before or now)

    return _once({"redrives": body.model_dump(mode="json")}, work)


@app.post("/operations/discards")
def discard_dead_letters() -> Response[str]:
    """Discard a page of the letters that are meant."""
    body = parse(app.current_event, wire.Discards)

    def work(operator: Operator, now: datetime) -> Response[str]:
        page, skipped = discard_some(body.wanted(now), LETTERS, operator, body.reason, now, cursor=body.cursor)
        _audit("dead-letters-discarded", operator, now, letters=str(len(page.letters)), reason=body.reason)
        return _moved("Discarded", page, skipped, body.dead_before or now)

    return _once({"discards": body.model_dump(mode="json")}, work)


@app.get("/operations/error-reports")
def list_error_reports() -> Response[str]:
    """Answer a page of the error reports."""
    asked = paging(app.current_event)
    page = REPORTS.page(limit=asked.limit, cursor=asked.cursor)
    items = tuple(wire.Report.of(report, REGION) for report in page.reports)
    return answer(HTTPStatus.OK, wire.ReportPage(items=items, next_cursor=page.next_cursor))


def _once(intent: Mapping[str, Any], work: Callable[[Operator, datetime], Response[str]]) -> Response[str]:
    operator, now = current_operator(app.current_event), datetime.now(UTC)
    return answer_once(
        idempotency_keys(),
        app.current_event,
        app.lambda_context,
        caller=operator.name,
        intent=intent,
        work=lambda: work(operator, now),
    )


def _audit(act: str, operator: Operator, now: datetime, **detail: str) -> None:
    AUDIT.keep(act_of_operator(str(uuid4()), act, operator, now, correlation_id=followed(), **detail))


def _changed(done: str, letter: Letter) -> Response[str]:
    show_changed([letter], LETTERS, GAUGE)
    logger.info(done, letter_id=letter.letter_id)
    return answer(HTTPStatus.OK, wire.DeadLetter.of(letter, REGION))


def _moved(done: str, page: LetterPage, skipped: tuple[str, ...], dead_before: datetime) -> Response[str]:
    show_changed(page.letters, LETTERS, GAUGE)
    letter_ids = tuple(letter.letter_id for letter in page.letters)
    logger.info(done, letter_ids=letter_ids)
    return answer(
        HTTPStatus.OK,
        wire.Moved(letter_ids=letter_ids, skipped=skipped, next_cursor=page.next_cursor, dead_before=dead_before),
    )


handler = entry_point(app)
