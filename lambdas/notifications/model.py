"""Who is told what."""

from pydantic import AwareDatetime, BaseModel, ConfigDict

from paygo.money import Money
from paygo.outcomes import NotReady


class ContactNotKnown(NotReady):
    """A household is to be told something and its contact has not arrived yet."""


class Value(BaseModel):
    """Something that never changes; errors do not repeat its content, which may be a person's."""

    model_config = ConfigDict(frozen=True, hide_input_in_errors=True)


class Contact(Value):
    """How a household is reached."""

    household_id: str
    given_name: str
    email: str


class CreditedPayment(Value):
    """A payment that gave a device credit."""

    payment_id: str
    household_id: str
    amount: Money
    credit_until: AwareDatetime
