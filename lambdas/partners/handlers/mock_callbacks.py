"""Consumes the queue of callbacks: each is visible when it is due."""

from datetime import UTC, datetime

from aws_lambda_powertools import Logger

from partners import composition
from partners.model.callbacks import Callback
from partners.usecases.mock import deliver
from paygo.config import setting
from paygo.consumer import message_consumer

PLATFORM = composition.platform()
API_URL = setting("API_URL")

logger = Logger()


def tell(callback: Callback) -> None:
    """Make the call."""
    deliver(PLATFORM, API_URL, callback, datetime.now(UTC))
    logger.info("Called back", partner=callback.partner)


handler = message_consumer(Callback, tell)
