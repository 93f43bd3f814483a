"""Consumes the queue of answers: each is visible when it is due."""

from datetime import UTC, datetime

from aws_lambda_powertools import Logger

from partners import composition
from partners.model import Answer
from partners.usecases import deliver
from paygo.config import setting
from paygo.consumer import message_consumer

ASKER = composition.asker()
API_URL = setting("API_URL")

logger = Logger()


def tell(answer: Answer) -> None:
    """Deliver the answer."""
    outcome = deliver(ASKER, API_URL, answer, datetime.now(UTC))
    logger.info("Answered", reference=answer.reference, outcome=outcome)


handler = message_consumer(Answer, tell)
