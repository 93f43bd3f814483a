"""The identity bureau's HTTPS API: see contracts/partners/identity-bureau/openapi.yaml."""

from http import HTTPStatus
from typing import Literal

from pydantic import BaseModel

from identity.model import Applicant, Outcome
from paygo.partners import PartnerClient


class Check(BaseModel):
    """A check that the bureau took."""

    reference: str
    state: Literal["pending", "approved", "rejected"]


class HttpBureau:
    """The bureau, which answers on `callback_url`."""

    def __init__(self, client: PartnerClient, callback_url: str) -> None:
        self._client = client
        self._callback_url = callback_url

    def ask(self, registration_id: str, applicant: Applicant, intent: str) -> None:
        """Ask the bureau to check the applicant."""
        answer = self._client.request(
            "POST",
            "/checks",
            json={
                "reference": registration_id,
                "given_name": applicant.given_name,
                "family_name": applicant.family_name,
                "date_of_birth": applicant.date_of_birth.isoformat(),
                "phone": applicant.phone,
                "callback_url": self._callback_url,
            },
            idempotency_key=intent,
        )
        answer.read(HTTPStatus.ACCEPTED, Check)

    def outcome(self, registration_id: str) -> Outcome | None:
        """Return what the bureau found, if it has found it by now."""
        state = self._client.request("GET", f"/checks/{registration_id}").read(HTTPStatus.OK, Check).state
        return None if state == "pending" else Outcome(state)
