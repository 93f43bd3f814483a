"""The CRM's HTTPS API: see contracts/partners/crm/openapi.yaml."""

from http import HTTPStatus
from typing import Annotated

from pydantic import BaseModel, Field

from paygo.events import DeviceActivated
from paygo.partners import PartnerClient


class Noted(BaseModel):
    """What the CRM made of an activation."""

    activation_id: Annotated[str, Field(min_length=1, max_length=160)]


class HttpCrm:
    """The CRM behind its URL."""

    def __init__(self, client: PartnerClient) -> None:
        self._client = client

    def tell_activation(self, event_id: str, activated: DeviceActivated) -> None:
        """Tell of an activation, which the CRM knows by the event's id when it is told again."""
        answer = self._client.request(
            "POST",
            "/activations",
            # Written out: what an event may carry one day is not for the CRM to see unasked.
            json={
                "event_id": event_id,
                "device_id": activated.device_id,
                "serial_number": activated.serial_number,
                "model": activated.model,
                "household_id": activated.household_id,
                "activated_at": activated.activated_at.isoformat(),
            },
            idempotency_key=event_id,
        )
        answer.read(HTTPStatus.CREATED, Noted)
