"""What notifications does: keeps contacts and tells households about their payments."""

from typing import Protocol

from notifications.model import Contact, ContactNotKnown, CreditedPayment
from notifications.texts import payment_mail
from paygo.mail import Mail


class Contacts(Protocol):
    """Where contacts are kept."""

    def keep(self, contact: Contact) -> None:
        """Keep the household's contact."""

    def find(self, household_id: str) -> Contact | None:
        """Return the household's contact."""


class Post(Protocol):
    """What carries messages."""

    def send(self, mail: Mail) -> None:
        """Send the message."""


def keep_contact(contact: Contact, contacts: Contacts) -> None:
    """Keep how a household is reached."""
    contacts.keep(contact)


def tell_payment(message_id: str, payment: CreditedPayment, contacts: Contacts, post: Post) -> None:
    """Tell a household what its payment gave it.

    Raises
    ------
    ContactNotKnown
        When the household's registration has not arrived yet; it comes by another queue.
    """
    contact = contacts.find(payment.household_id)
    if contact is None:
        message = f"The household of payment {payment.payment_id} has no contact yet."
        raise ContactNotKnown(message)
    post.send(payment_mail(message_id, contact, payment))
