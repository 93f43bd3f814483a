"""The contract's bodies."""

from typing import Annotated
from uuid import UUID

from pydantic import Field

from paygo.http import WireModel


class CheckRequestBody(WireModel):
    """The contract's CheckRequest."""

    reference: UUID
    given_name: str
    family_name: str
    phone: str
    callback_url: Annotated[str, Field(max_length=2048)]
