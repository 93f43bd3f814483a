import pytest
from hypothesis import given
from hypothesis import strategies as st

from partners.model import ForeignCallback, Outcome, callback_path, outcome_for

API = "https://api.example.org/live"


@given(st.text().filter(lambda name: name != "Rejected"))
def test_everybody_is_approved(family_name: str) -> None:
    assert outcome_for(family_name) is Outcome.APPROVED


def test_a_person_named_rejected_is_rejected() -> None:
    assert outcome_for("Rejected") is Outcome.REJECTED


def test_the_path_to_sign_is_the_contracts_without_the_stage() -> None:
    assert callback_path(f"{API}/partners/identity-bureau/results", API) == "/partners/identity-bureau/results"


@pytest.mark.parametrize(
    "url",
    [
        "https://evil.example.org/live/partners/identity-bureau/results",
        "https://api.example.org/liver/partners",
        "https://api.example.org/live@evil.example.org/partners",
        f"{API}.evil.example.org/partners",
        f"{API}/../other/partners",
        f"{API}/partners?to=somebody",
        f"{API}/partners#part",
        f"{API}//evil.example.org",
        f"{API}/partners\n",
        f"{API}/%2e%2e/other",
        API,
        "/partners/identity-bureau/results",
        "",
    ],
)
def test_a_callback_that_is_no_plain_route_of_the_stack_is_refused(url: str) -> None:
    with pytest.raises(ForeignCallback):
        callback_path(url, API)
