"""What every keeper of contacts does: the fake of the other tests and the table."""

from typing import TYPE_CHECKING

import pytest

from notifications.model import Contact
from notifications.repository import ContactTable
from paygo.storage import Table
from tests.unit.notifications.fakes import FakeContacts

if TYPE_CHECKING:
    from notifications.usecases import Contacts

AMINA = Contact(household_id="household-1", given_name="Amina", email="amina@example.org")


@pytest.fixture(params=["fake", "table"])
def contacts(request: pytest.FixtureRequest, table: Table) -> "Contacts":
    return FakeContacts() if request.param == "fake" else ContactTable(table)


def test_a_contact_is_found_by_its_household(contacts: "Contacts") -> None:
    contacts.keep(AMINA)

    assert contacts.find("household-1") == AMINA
    assert contacts.find("household-2") is None


def test_a_contact_kept_again_is_the_contact(contacts: "Contacts") -> None:
    contacts.keep(AMINA.model_copy(update={"email": "old@example.org"}))
    contacts.keep(AMINA)

    assert contacts.find("household-1") == AMINA
