"""Publishes the events that the table's stream carries."""

from paygo.composition import own_table, sns
from paygo.config import setting
from paygo.publisher import publisher

handler = publisher(own_table(), setting("TOPIC_ARN"), sns())
