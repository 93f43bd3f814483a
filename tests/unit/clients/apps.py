"""Who calls in these tests, and their sessions."""

from datetime import date

from paygo_client import BankCustomer, Household, Session
from tests.unit.clients.scripted_api import ScriptedApi, Time, answer, session

HOUSEHOLD = Household(
    email="amina@example.org",
    password="correct-horse-battery-9",
    given_name="Amina",
    family_name="Odhiambo",
    date_of_birth=date(1990, 5, 17),
    phone="+254700000001",
)
CUSTOMER = BankCustomer(customer_number="1002003004", one_time_code="493817")


def opened(api: ScriptedApi, time: Time, *, bearer: bool = False) -> Session:
    """An anonymous session, as the first thing that the API was asked for."""
    api.will(answer(session(), 201))
    return Session.open(api.url, bearer=bearer, clock=time.clock, sleep=time.sleep)


def paths(api: ScriptedApi) -> list[str]:
    """What was asked for, after opening the session."""
    return [f"{asked.method} {asked.target.removeprefix('/_aws/execute-api/abc123/live')}" for asked in api.asked[1:]]
