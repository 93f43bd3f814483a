"""Secrets Manager's JSON secrets as models."""

from datetime import timedelta
from functools import cache
from typing import TYPE_CHECKING

from pydantic import BaseModel, ValidationError

from paygo.config import CLIENT_CONFIG

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.parameters import SecretsProvider

REREAD_AFTER = timedelta(minutes=5)
"""How long a read secret is used: a rotation reaches every function within this time."""


class UnreadableSecret(ValueError):
    """A secret lacks something; the message names the places and no value."""


def read_secret[Model: BaseModel](secret_id: str, model: type[Model], reread_after: timedelta = REREAD_AFTER) -> Model:
    """Return the secret as `model`, read anew once it is older than `reread_after`; raise `UnreadableSecret`."""
    text = secrets_provider().get(secret_id, max_age=int(reread_after.total_seconds()))
    if not isinstance(text, str):
        message = f"The secret {secret_id} holds no text: store it as JSON."
        raise TypeError(message)
    try:
        return model.model_validate_json(text)
    except ValidationError as error:
        # Pydantic's own message quotes what it was given, which here is the secret.
        wrong = [".".join(map(str, place["loc"])) or "the whole" for place in error.errors(include_input=False)]
        message = f"The secret {secret_id} is not what it should be at: {', '.join(wrong)}."
    raise UnreadableSecret(message)


@cache
def secrets_provider() -> "SecretsProvider":
    """Return the process's provider, which keeps what it read."""
    # Imported here because only functions that read secrets should pay for it in a cold start.
    from aws_lambda_powertools.utilities.parameters import SecretsProvider

    return SecretsProvider(boto_config=CLIENT_CONFIG)
