"""Publishes the events that the table's stream carries."""

from paygo.config import setting
from paygo.outbox import publisher
from payments import composition

handler = publisher(composition.table(), setting("TOPIC_ARN"), composition.sns())
