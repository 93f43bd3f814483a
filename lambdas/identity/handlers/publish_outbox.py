"""Publishes the events of the table's stream."""

from identity import composition
from paygo.config import setting
from paygo.outbox import publisher

handler = publisher(composition.table(), setting("TOPIC_ARN"), composition.sns())
