"""The identity bureau's HTTPS API."""

from http import HTTPStatus

import requests
from pydantic import BaseModel, ConfigDict

from identity.model import Applicant, CheckNotTaken
from paygo.secrets import read_secret

TIMEOUT = (3, 10)
"""Seconds to connect and to wait for each read; the function's own time-out is longer."""


class BureauAccess(BaseModel):
    """Our credential at the bureau."""

    model_config = ConfigDict(frozen=True)

    api_key: str


class HttpBureau:
    """The bureau behind its URL; it answers on `callback_url`."""

    def __init__(self, url: str, secret_arn: str, callback_url: str) -> None:
        self._url = url
        self._secret_arn = secret_arn
        self._callback_url = callback_url

    def ask(self, registration_id: str, applicant: Applicant) -> None:
        """Ask the bureau to check the applicant."""
        answered = requests.post(
            f"{self._url}/checks",
            json={
                "reference": registration_id,
                "given_name": applicant.given_name,
                "family_name": applicant.family_name,
                "phone": applicant.phone,
                "callback_url": self._callback_url,
            },
            headers={"X-Api-Key": read_secret(self._secret_arn, BureauAccess).api_key},
            timeout=TIMEOUT,
            allow_redirects=False,
        )
        if answered.status_code != HTTPStatus.ACCEPTED:
            message = f"The bureau answered {answered.status_code} to registration {registration_id}."
            raise CheckNotTaken(message)
