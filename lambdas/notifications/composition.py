"""The service's collaborators, each made once in a process."""

from functools import cache

import boto3

from notifications.repository import ContactTable
from paygo.composition import own_table
from paygo.config import CLIENT_CONFIG, setting
from paygo.mail import SesPost


@cache
def contacts() -> ContactTable:
    """Return where contacts are kept."""
    return ContactTable(own_table())


@cache
def post() -> SesPost:
    """Return what sends messages."""
    return SesPost(boto3.client("sesv2", config=CLIENT_CONFIG), setting("MAIL_SENDER"))
