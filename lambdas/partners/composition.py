"""The service's collaborators, made once in each environment."""

import os
from functools import cache

import boto3

from partners.gateways import AnswerQueue, SignedCallback
from paygo.config import CLIENT_CONFIG, setting

ANSWER_DELAY_SECONDS = "2"
"""Long enough that an asker sees its question undecided, short enough to wait for."""


@cache
def answers() -> AnswerQueue:
    """Return the queue of answers."""
    delay = int(os.environ.get("ANSWER_DELAY_SECONDS", ANSWER_DELAY_SECONDS))
    return AnswerQueue(boto3.client("sqs", config=CLIENT_CONFIG), setting("ANSWERS_QUEUE_URL"), delay)


@cache
def asker() -> SignedCallback:
    """Return the platform's API."""
    return SignedCallback(setting("BUREAU_SECRET_ARN"))
