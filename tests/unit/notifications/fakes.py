from notifications.model import Contact
from paygo.mail import Mail


class FakeContacts:
    def __init__(self) -> None:
        self.contacts: dict[str, Contact] = {}

    def keep(self, contact: Contact) -> None:
        self.contacts[contact.household_id] = contact

    def find(self, household_id: str) -> Contact | None:
        return self.contacts.get(household_id)


class FakePost:
    def __init__(self) -> None:
        self.sent: list[Mail] = []

    def send(self, mail: Mail) -> None:
        self.sent.append(mail)
