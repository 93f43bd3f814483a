"""What each provider is sent, and what is made of its answers."""

import importlib
import json
import re
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import responses

from paygo.money import Money
from paygo.partners import PartnerRefused, PartnerUnavailable
from paygo.storage import Table
from payments.gateways import Gateway, HttpProvider, gateway, mobile_money, mobile_wallet
from payments.model import RequestRefused
from tests.unit.payments.makers import request

NOTIFY_URL = "https://api.example.org/live/partners/some-provider/notifications"
COLLECTIONS = "https://mobile-money.example.org/collections"
CHARGES = "https://mobile-wallet.example.org/v2/charges"

# That each module is a gateway is for mypy to see.
MODULES: tuple[Gateway, ...] = (mobile_money, mobile_wallet)


@pytest.fixture
def web(partner_calls: Table) -> Iterator[responses.RequestsMock]:
    with responses.RequestsMock(assert_all_requests_are_fired=False) as mock:
        yield mock


def sent(web: responses.RequestsMock) -> Any:
    return json.loads(web.calls[0].request.body or b"")


def test_mobile_money_is_asked_in_minor_units_under_our_reference(web: responses.RequestsMock) -> None:
    web.post(COLLECTIONS, status=202, json={"collection_id": "c-1", "status": "pending", "fee": 1})

    HttpProvider("mobile-money", NOTIFY_URL).request(request(), "event-1")

    assert sent(web) == {
        "reference": "request-1",
        "phone": "+254700000001",
        "amount": {"amount": 25000, "currency": "KES"},
        "account": "SHS-000001",
        "callback_url": NOTIFY_URL,
    }
    assert web.calls[0].request.headers["X-Api-Key"] == "credential"
    assert web.calls[0].request.headers["Idempotency-Key"] == "event-1"


@pytest.mark.parametrize(
    ("amount", "currency", "value"),
    [(25000, "KES", "250.00"), (5, "KES", "0.05"), (250, "UGX", "250.00"), (250120, "TND", "250.12")],
)
def test_mobile_wallet_is_asked_in_decimal_text(
    web: responses.RequestsMock, amount: int, currency: str, value: str
) -> None:
    web.post(CHARGES, status=201, json={"chargeId": "c-1", "state": "CREATED"})

    HttpProvider("mobile-wallet", NOTIFY_URL).request(
        request(amount=Money(amount=amount, currency=currency)), "event-1"
    )

    assert sent(web) == {
        "merchantReference": "request-1",
        "msisdn": "254700000001",
        "value": value,
        "currencyCode": currency,
        "accountNumber": "SHS-000001",
        "notifyUrl": NOTIFY_URL,
    }
    assert web.calls[0].request.headers["Authorization"] == "Bearer credential"
    assert web.calls[0].request.headers["Idempotency-Key"] == "event-1"


@pytest.mark.parametrize(("amount", "currency"), [(250125, "TND"), (10**11, "UGX")])
def test_an_amount_that_mobile_wallet_cannot_write_is_refused_without_asking(
    web: responses.RequestsMock, amount: int, currency: str
) -> None:
    with pytest.raises(RequestRefused):
        HttpProvider("mobile-wallet", NOTIFY_URL).request(
            request(amount=Money(amount=amount, currency=currency)), "event-1"
        )

    assert len(web.calls) == 0


BOTH = pytest.mark.parametrize(("provider", "url"), [("mobile-money", COLLECTIONS), ("mobile-wallet", CHARGES)])


@BOTH
def test_a_payer_that_a_provider_refuses_is_refused(web: responses.RequestsMock, provider: str, url: str) -> None:
    web.post(url, status=422)

    with pytest.raises(RequestRefused):
        HttpProvider(provider, NOTIFY_URL).request(request(), "event-1")


@BOTH
def test_a_provider_that_is_away_is_not_available(web: responses.RequestsMock, provider: str, url: str) -> None:
    web.post(url, status=503)

    with pytest.raises(PartnerUnavailable, match=provider):
        HttpProvider(provider, NOTIFY_URL).request(request(), "event-1")


@BOTH
@pytest.mark.parametrize(
    "answer",
    [
        {"status": 401},
        {"status": 400},
        {"status": 202, "json": {}},
        {"status": 201, "json": {}},
        {"status": 202, "json": {"collection_id": "c-1", "status": "done", "chargeId": "c-1", "state": "DONE"}},
        {"status": 201, "body": "<html>"},
        {"status": 202, "body": "<html>"},
    ],
    ids=str,
)
def test_any_other_answer_is_an_error_with_words(
    web: responses.RequestsMock, provider: str, url: str, answer: dict[str, Any]
) -> None:
    web.post(url, **answer)

    with pytest.raises(PartnerRefused, match=f"{provider} answered {answer['status']}"):
        HttpProvider(provider, NOTIFY_URL).request(request(), "event-1")


ROOT = Path(__file__).parents[3]
GATEWAYS = ROOT / "lambdas" / "payments" / "gateways"
PROVIDERS = sorted(path.stem.replace("_", "-") for path in GATEWAYS.glob("*.py") if path.stem != "__init__")


def listed_providers() -> list[str]:
    """The partners that Terraform's one list calls providers."""
    text = (ROOT / "terraform" / "partners.tf").read_text()
    return sorted(re.findall(r"^\s*([a-z-]+)\s*=\s*\{.*\bprovider\s*=\s*true\b.*\}$", text, re.MULTILINE))


def test_a_provider_is_one_gateway_one_contract_and_one_entry() -> None:
    contracts = {path.name for path in (ROOT / "contracts" / "partners").iterdir()}

    assert listed_providers() == PROVIDERS
    assert set(PROVIDERS) <= contracts
    assert len(PROVIDERS) >= 2


def test_a_provider_is_found_by_its_name() -> None:
    for name, module in zip(("mobile-money", "mobile-wallet"), MODULES, strict=True):
        assert gateway(name) is module
        assert isinstance(module, ModuleType)
        assert module is importlib.import_module(f"payments.gateways.{name.replace('-', '_')}")


def test_nothing_else_names_the_second_provider() -> None:
    name = re.compile(r"mobile.?wallet", re.IGNORECASE)
    allowed = {
        "lambdas/payments/gateways/mobile_wallet.py",
        "contracts/partners/mobile-wallet/openapi.yaml",
        "terraform/partners.tf",
    }
    product = (
        "lambdas",
        "layers",
        "contracts",
        "terraform",
        "deploy",
        "clients",
        "local/paygo_cloud",
        "demo",
        "operate",
    )
    kinds = {".py", ".yaml", ".tf", ".json", ".toml"}

    naming = {
        path.relative_to(ROOT).as_posix()
        for folder in product
        for path in (ROOT / folder).rglob("*")
        if path.suffix in kinds
        and not {".venv", ".terraform", "__pycache__"} & set(path.parts)
        and name.search(path.read_text(encoding="utf-8"))
    }

    assert naming == allowed
    assert sum(bool(name.search(line)) for line in (ROOT / "terraform" / "partners.tf").read_text().splitlines()) == 1
