"""A bank's HTTPS API: see contracts/partners/bank/openapi.yaml."""

from http import HTTPStatus
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from identity.model import BankCustomer, BankCustomerRefused
from paygo.partners import PartnerClient, PartnerRefused


class Customer(BaseModel):
    """What the bank says about its customer."""

    # Errors are logged, and what they would repeat is a person's data.
    model_config = ConfigDict(frozen=True, hide_input_in_errors=True)

    customer_id: Annotated[str, Field(min_length=1, max_length=64)]
    given_name: Annotated[str, Field(min_length=1)]
    family_name: Annotated[str, Field(min_length=1)]
    email: Annotated[str, Field(max_length=254, pattern=r"^[^@\s]+@[^@\s]+\.[^@\s]+$")]
    phone: Annotated[str, Field(pattern=r"^\+[1-9][0-9]{6,14}$")]


class HttpBank:
    """A bank that vouches for its own customers."""

    def __init__(self, client: PartnerClient) -> None:
        self._client = client

    def verify(self, customer_number: str, one_time_code: str, intent: str) -> BankCustomer:
        """Return the customer whose number and one-time code these are.

        Raises
        ------
        BankCustomerRefused
            When they are not.
        """
        try:
            answer = self._client.request(
                "POST",
                "/customers/verifications",
                json={"customer_number": customer_number, "one_time_code": one_time_code},
                idempotency_key=intent,
            )
        except PartnerRefused as refusal:
            if refusal.status != HTTPStatus.UNPROCESSABLE_ENTITY:
                raise
            raise BankCustomerRefused from refusal
        return BankCustomer(**dict(answer.read(HTTPStatus.OK, Customer)))
