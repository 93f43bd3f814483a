"""Publishes the events that the table's stream carries."""

from devices import composition
from paygo.config import setting
from paygo.outbox import publisher

handler = publisher(composition.table(), setting("TOPIC_ARN"), composition.sns())
