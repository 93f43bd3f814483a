"""Consumes `identity.household-registered.v1`: keeps how the household is reached."""

from notifications import composition
from notifications.model import Contact
from notifications.usecases import keep_contact
from paygo.consumer import consumer
from paygo.events import Event, HouseholdRegistered

CONTACTS = composition.contacts()


def handle(event: Event[HouseholdRegistered]) -> None:
    """Keep the registered household's contact."""
    registered = event.data
    contact = Contact(household_id=registered.household_id, given_name=registered.given_name, email=registered.email)
    keep_contact(contact, CONTACTS)


handler = consumer(HouseholdRegistered, handle)
