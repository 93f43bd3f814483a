"""Each gateway keeps to its partner's contract: the mock takes what it sends, and every answer is read as meant."""

import json
from collections.abc import Callable, Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import pytest
import requests
import responses
from openapi_schema_validator import OAS31Validator

from contracts.document import Document, load_partners, resolve
from identity.gateways.bank import HttpBank
from identity.gateways.bureau import HttpBureau
from identity.model import Applicant, BankCustomer, BankCustomerRefused, Outcome
from identity.wire import CheckResultBody
from partners.gateways.crm import HttpCrm
from partners.model.callbacks import Callback
from partners.model.contract import Contract, Request
from partners.usecases.mock import Partner, Played, Stored, Theatre, play
from paygo.events import DeviceActivated
from paygo.money import Money
from paygo.partners import PartnerRefused, PartnerUnavailable, api_key, bearer, partner, retry_after
from payments.gateways import HttpProvider, gateway
from payments.model import PaymentRequest, RequestRefused, RequestState
from tests.unit.conftest import SETTINGS, aws, partner_calls  # noqa: F401 (fixtures)

PARTNERS = load_partners()
NOW = datetime(2026, 11, 21, 10, 5, tzinfo=UTC)
API_URL = SETTINGS["API_URL"]
EVENT_ID = "1b4e28ba-2fa1-4d2e-883f-0016d3cca427"
PROVIDERS = ("mobile-money", "mobile-wallet")

AMINA = Applicant(
    email="amina@example.org",
    given_name="Amina",
    family_name="Odhiambo",
    date_of_birth=date(1990, 5, 17),
    phone="+254700000001",
)
REFERENCE = "2c3b7a54-2f44-4f6d-8a3e-6b1e0c9d2f10"
ACTIVATED = DeviceActivated(
    device_id="9a8b7c6d-5e4f-4a3b-9c2d-1e0f9a8b7c6d",
    serial_number="SHS-000001",
    model="solar-home-50",
    household_id="5d6c0f5e-6f0e-4a5b-9a42-0b1f6f3f6d1e",
    activated_at=NOW,
)
ASKED = PaymentRequest(
    payment_request_id="6f1d2c3b-4a59-5e68-8f77-0a1b2c3d4e5f",
    household_id=ACTIVATED.household_id,
    device_id=ACTIVATED.device_id,
    provider="mobile-money",
    account="SHS-000001",
    amount=Money(amount=25000, currency="KES"),
    phone="+254700000001",
    state=RequestState.REQUESTED,
    requested_at=NOW,
)


def pay(provider: str) -> None:
    notify_url = f"{API_URL}/partners/{provider}/notifications"
    HttpProvider(provider, notify_url).request(ASKED.model_copy(update={"provider": provider}), EVENT_ID)


def bureau() -> HttpBureau:
    return HttpBureau(partner("identity-bureau", api_key), f"{API_URL}/partners/identity-bureau/results")


CALLS: Mapping[tuple[str, str, str], Callable[[], object]] = {
    ("identity-bureau", "post", "/checks"): lambda: bureau().ask(REFERENCE, AMINA, EVENT_ID),
    ("identity-bureau", "get", "/checks/{reference}"): lambda: bureau().outcome(REFERENCE),
    ("bank", "post", "/customers/verifications"): lambda: HttpBank(partner("bank", bearer)).verify(
        "1002003004", "493817", EVENT_ID
    ),
    ("crm", "post", "/activations"): lambda: HttpCrm(partner("crm", bearer)).tell_activation(EVENT_ID, ACTIVATED),
    ("mobile-money", "post", "/collections"): lambda: pay("mobile-money"),
    ("mobile-wallet", "post", "/v2/charges"): lambda: pay("mobile-wallet"),
}
"""Each operation that we use, and the gateway that uses it."""

REFUSALS: Mapping[str, type[Exception]] = {
    "bank": BankCustomerRefused,
    **dict.fromkeys(PROVIDERS, RequestRefused),
}
"""What a partner's 422 becomes."""

EXAMPLES = [
    pytest.param(call, int(status), example["value"], id=f"{call[0]} {status} {name}")
    for call in CALLS
    for status, part in PARTNERS[call[0]]["paths"][call[2]][call[1]]["responses"].items()
    for content in resolve(PARTNERS[call[0]], part).get("content", {}).values()
    for name, example in content["examples"].items()
]


@dataclass
class Stage:
    """The partners, played by the mock's own code in this process."""

    documents: dict[str, Document]
    chosen: dict[str, Any] = field(default_factory=dict)
    callbacks: list[Callback] = field(default_factory=list)
    answered: list[tuple[Request, Played]] = field(default_factory=list)

    def find(self, key: str) -> Stored | None:
        return Stored("1", json.dumps(self.chosen[key])) if key in self.chosen else None

    def position(self, sequence: str) -> int:
        raise AssertionError(sequence)

    def record(self, partner: str, request: Request, played: Played | None, now: datetime) -> None:
        assert played
        self.answered.append((request, played))

    def put(self, callback: Callback, delay: timedelta) -> None:
        self.callbacks.append(callback)

    def answer(self, sent: requests.PreparedRequest) -> tuple[int, dict[str, str], str]:
        url, body = urlsplit(str(sent.url)), sent.body or ""
        name = str(url.hostname).removesuffix(".example.org")
        played = play(
            Theatre(self, self, self, API_URL, lambda: str(uuid4())),
            Partner(name, Contract(self.documents[name]), lambda: "credential"),
            Request(
                method=str(sent.method),
                route=url.path,
                headers={key.lower(): value for key, value in sent.headers.items()},
                text=body.decode() if isinstance(body, bytes) else str(body),
            ),
            NOW,
        )
        assert played
        return played.answer.status, dict(played.answer.headers), played.answer.text


@pytest.fixture
def stage(partner_calls: object) -> Iterator[Stage]:  # noqa: F811 (a fixture)
    made = Stage(deepcopy(PARTNERS))
    with responses.RequestsMock(assert_all_requests_are_fired=False) as web:
        for name, method, route in CALLS:
            address = f"https://{name}.example.org{route.replace('{reference}', REFERENCE)}"
            web.add_callback(method.upper(), address, made.answer)
        yield made


def test_every_partner_that_we_call_has_its_gateway_tested() -> None:
    assert {name for name, _, _ in CALLS} == set(PARTNERS)


@pytest.mark.parametrize("call", CALLS, ids=str)
def test_a_gateway_sends_what_the_contract_says_and_understands_the_answer(
    stage: Stage, call: tuple[str, str, str]
) -> None:
    CALLS[call]()

    [(request, played)] = stage.answered
    assert played.answer.is_success
    assert request.headers.get("idempotency-key") == (EVENT_ID if request.method == "POST" else None)


@pytest.mark.parametrize(("call", "status", "value"), EXAMPLES)
def test_every_example_answer_is_read_as_it_is_meant(
    stage: Stage, call: tuple[str, str, str], status: int, value: Any
) -> None:
    name, method, route = call
    stage.chosen[f"{name}{route}/{method.upper()}.json"] = {"answers": [{"status": status, "body": value}]}

    if status < 300:
        CALLS[call]()
    elif status in {429, 503}:
        with pytest.raises(PartnerUnavailable, match=f"{name} is not available: status {status}") as away:
            CALLS[call]()
        asked = retry_after(stage.answered[0][1].answer.headers.get("Retry-After", ""), NOW)
        told = away.value.retry_in
        assert (asked, told) == (None, None) or (asked and told and asked <= told <= 2 * asked)
    elif status == 422:
        with pytest.raises(REFUSALS[name]):
            CALLS[call]()
    else:
        with pytest.raises(PartnerRefused, match=f"{name} answered {status}") as refused:
            CALLS[call]()
        assert refused.value.status == status


@pytest.mark.parametrize("call", CALLS, ids=str)
@pytest.mark.parametrize(
    "wrong",
    [{"raw": "<html>down for maintenance</html>"}, {"body": {}}, {"body": []}, {"body": None}, {"raw": ""}],
    ids=str,
)
def test_a_good_answer_of_the_wrong_shape_is_refused_with_words(
    stage: Stage, call: tuple[str, str, str], wrong: dict[str, Any]
) -> None:
    name, method, route = call
    stage.chosen[f"{name}{route}/{method.upper()}.json"] = {"answers": [wrong]}

    with pytest.raises(PartnerRefused, match=f"{name} answered 20[0-9]: not as its contract says at /"):
        CALLS[call]()


@pytest.mark.parametrize("call", CALLS, ids=str)
def test_a_partner_that_hangs_up_is_not_available(stage: Stage, call: tuple[str, str, str]) -> None:
    name, method, route = call
    stage.chosen[f"{name}{route}/{method.upper()}.json"] = {"answers": [{"disconnect": True}]}

    with pytest.raises(PartnerUnavailable, match=name):
        CALLS[call]()


@pytest.mark.parametrize("call", [call for call in CALLS if call[1] == "post"], ids=str)
def test_a_contract_that_asks_for_more_is_noticed(stage: Stage, call: tuple[str, str, str]) -> None:
    name, method, route = call
    document = stage.documents[name]
    body = document["paths"][route][method]["requestBody"]["content"]["application/json"]["schema"]
    schema = resolve(document, body)
    schema["required"].append("branch")
    schema["properties"]["branch"] = {"type": "string"}

    with pytest.raises(PartnerRefused, match=f"{name} answered 400"):
        CALLS[call]()


@pytest.mark.parametrize("call", CALLS, ids=str)
def test_a_contract_whose_answer_lacks_what_we_read_is_noticed(stage: Stage, call: tuple[str, str, str]) -> None:
    name, method, route = call
    document = stage.documents[name]
    for status, part in document["paths"][route][method]["responses"].items():
        if status.startswith("2"):
            for example in resolve(document, part)["content"]["application/json"]["examples"].values():
                example["value"] = {f"{key}_v2": value for key, value in example["value"].items()}
                example.pop("x-paygo-values", None)

    with pytest.raises(PartnerRefused, match="not as its contract says"):
        CALLS[call]()


def test_a_bank_says_who_its_customer_is(stage: Stage) -> None:
    assert CALLS["bank", "post", "/customers/verifications"]() == BankCustomer(
        customer_id="BANK-1002003004",
        given_name="Wanjiru",
        family_name="Kamau",
        email="wanjiru.kamau@example.org",
        phone="+254711000002",
    )


def test_a_code_that_the_bank_refuses_is_refused(stage: Stage) -> None:
    with pytest.raises(BankCustomerRefused):
        HttpBank(partner("bank", bearer)).verify("1002003004", "000000", EVENT_ID)


@pytest.mark.parametrize("provider", PROVIDERS)
def test_what_a_provider_notifies_after_our_request_pays_it(stage: Stage, provider: str) -> None:
    pay(provider)

    [callback] = stage.callbacks
    assert callback.url == f"{API_URL}/partners/{provider}/notifications"
    notification = gateway(provider).parse_notification(provider, callback.body.encode())
    assert ASKED.model_copy(update={"provider": provider}).is_paid_by(notification)
    assert notification.paid_at == NOW


def test_what_the_bureau_calls_back_with_is_what_we_take(stage: Stage) -> None:
    CALLS["identity-bureau", "post", "/checks"]()

    [callback] = stage.callbacks
    assert CheckResultBody.model_validate_json(callback.body).outcome == "approved"


@pytest.mark.parametrize("state", ["pending", "approved", "rejected"])
def test_a_bureau_that_is_asked_how_far_it_is_says_what_it_found(stage: Stage, state: str) -> None:
    if state != "pending":
        answer = {"body": {"reference": REFERENCE, "state": state}}
        stage.chosen["identity-bureau/checks/{reference}/GET.json"] = {"answers": [answer]}

    assert bureau().outcome(REFERENCE) == (None if state == "pending" else Outcome(state))


NOTIFICATIONS = [
    pytest.param(provider, content["schema"], example["value"], id=f"{provider} {name}")
    for provider in PROVIDERS
    for item in PARTNERS[provider]["paths"].values()
    for operation in item.values()
    for paths in operation.get("callbacks", {}).values()
    for methods in paths.values()
    for content in methods["post"]["requestBody"]["content"].values()
    for name, example in content["examples"].items()
]


@pytest.mark.parametrize(("provider", "schema", "value"), NOTIFICATIONS)
def test_every_example_notification_is_understood(provider: str, schema: Document, value: dict[str, Any]) -> None:
    notification = gateway(provider).parse_notification(provider, json.dumps(value).encode())

    assert (notification.provider, notification.account) == (provider, "SHS-000001")
    assert notification.amount == Money(amount=25000, currency="KES")


@pytest.mark.parametrize(("provider", "schema", "value"), NOTIFICATIONS)
def test_a_notification_without_what_the_contract_requires_is_refused(
    provider: str, schema: Document, value: dict[str, Any]
) -> None:
    document = PARTNERS[provider]
    validator = OAS31Validator({**schema, "components": document["components"]})
    for name in value:
        shortened = {key: part for key, part in value.items() if key != name}
        if validator.is_valid(shortened):
            gateway(provider).parse_notification(provider, json.dumps(shortened).encode())
        else:
            with pytest.raises(ValueError, match=name):
                gateway(provider).parse_notification(provider, json.dumps(shortened).encode())
