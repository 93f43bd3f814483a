"""Contacts in DynamoDB: HOUSEHOLD#<id>, CONTACT."""

from notifications.model import Contact
from paygo.storage import Table


class ContactTable:
    """The contacts of a table."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def keep(self, contact: Contact) -> None:
        """Keep the household's contact."""
        self._table.put({**_key(contact.household_id), **contact.model_dump()})

    def find(self, household_id: str) -> Contact | None:
        """Return the household's contact."""
        item = self._table.get(**_key(household_id))
        return Contact.model_validate(item) if item else None


def _key(household_id: str) -> dict[str, str]:
    return {"pk": f"HOUSEHOLD#{household_id}", "sk": "CONTACT"}
