"""What an account has once: what was asked for stays until something else is asked for."""

from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from deploy import account, lock, run, storage
from deploy.account import Wanted
from deploy.storage import State
from deploy.target import Target

NETWORK = {
    "cidr": "10.20.0.0/24",
    "partner_cidr": "192.0.2.0/24",
    "customer_gateway_ip": "198.51.100.7",
    "asn": 65010,
}
GIVEN = {"web_acl_arn": "arn:aws:wafv2:eu-west-1:123456789012:regional/webacl/paygo/1", "partner_network": None}


class Clients:
    """A cloud whose bucket is there."""

    target = Target("eu-west-1", "123456789012", "profile")

    def __call__(self, service: str) -> Any:
        return self

    def head_bucket(self, **_: str) -> None:
        """Find it."""

    def upload_file(self, *_: str) -> None:
        """Take it."""


class Account:
    """An account's configuration, its state bucket, and how often it was applied with what."""

    def __init__(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.home = tmp_path
        self.kept: dict[str, Any] = {}
        self.applied: list[Any] = []
        self.settled: list[str] = []
        self.refused = False
        monkeypatch.setattr(storage, "read", lambda _, key: self.kept.get(key))
        monkeypatch.setattr(storage, "write", lambda _, key, content: self.kept.update({key: content}))
        monkeypatch.setattr(storage, "expire_replaced", lambda *_, **__: None)
        monkeypatch.setattr(State, "load", lambda *_: State({"outputs": {"for_stacks": {"value": GIVEN}}}))
        monkeypatch.setattr(storage, "settle_state_bucket", lambda _: self.settled.append("state bucket"))
        monkeypatch.setattr(account, "_adopt", lambda *_: None)
        monkeypatch.setattr(account, "Folder", lambda **_: self)
        monkeypatch.setattr(lock, "held", lambda *_, **__: self)

    def __enter__(self) -> None:
        """Take the lock."""
        if self.refused:
            raise ClientError({"Error": {"Code": "AccessDenied", "Message": "no"}}, "PutObject")

    def __exit__(self, *_: object) -> None:
        """Give it back."""

    def init(self) -> None:
        """Set Terraform up."""

    def create(self, values: Any, _progress: object) -> None:
        self.applied.append(values)

    @property
    def package(self) -> account.Package:
        return account.Package(self.home / "janitor-1.zip", "account/janitor-1.zip")

    def settle(self, wanted: Wanted) -> account.Account:
        return account.settle(Clients(), self.home, "me", wanted, self.package)  # type: ignore[arg-type]

    def ensure(self, wanted: Wanted) -> account.Account:
        return account.ensure(Clients(), self.home, "me", wanted, self.package)  # type: ignore[arg-type]


@pytest.fixture
def its(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Account:
    return Account(tmp_path, monkeypatch)


def test_what_an_account_gives_its_stacks_is_known_without_applying_it_again(its: Account) -> None:
    first = its.ensure(Wanted("paygo@example.org"))
    second = its.ensure(Wanted())

    assert first == second == account.Account("paygo@example.org", GIVEN)
    assert len(its.applied) == 1


def test_an_account_has_neither_firewall_nor_network_unless_they_are_asked_for(its: Account) -> None:
    its.ensure(Wanted("paygo@example.org"))

    assert (its.applied[0]["firewall"], its.applied[0]["partner_network"]) == (False, None)


def test_what_was_asked_for_stays_until_something_else_is(its: Account) -> None:
    its.ensure(Wanted("paygo@example.org", firewall=True, partner_network=NETWORK))
    its.ensure(Wanted("other@example.org"))
    its.ensure(Wanted(firewall=False, partner_network={}))

    assert [(one["mail_sender"], one["firewall"], one["partner_network"]) for one in its.applied] == [
        ("paygo@example.org", True, NETWORK),
        ("other@example.org", True, NETWORK),
        ("other@example.org", False, None),
    ]


def test_the_janitor_removes_only_where_that_was_asked_for(its: Account) -> None:
    its.ensure(Wanted("paygo@example.org"))
    its.ensure(Wanted(janitor_applies=True))
    its.ensure(Wanted("other@example.org"))

    assert [one["janitor_applies"] for one in its.applied] == [False, True, True]
    assert {one["janitor_package"] for one in its.applied} == {"account/janitor-1.zip"}


def test_a_firewall_is_there_or_not() -> None:
    assert (run.switch("yes", "FIREWALL"), run.switch("no", "FIREWALL")) == (True, False)
    with pytest.raises(ValueError, match="yes or no, not 'on'"):
        run.switch("on", "FIREWALL")


def test_a_network_is_said_whole_or_not_at_all() -> None:
    said = (
        '{"cidr": "10.20.0.0/24", "partner_cidr": "192.0.2.0/24", "customer_gateway_ip": "198.51.100.7", "asn": 65010}'
    )

    assert run.network(said) == NETWORK
    assert run.network("none") == {}
    for wrong in ("on", "[]", '{"cidr": "10.20.0.0/24"}'):
        with pytest.raises(ValueError, match="PARTNER_NETWORK is none, or JSON as"):
            run.network(wrong)


def test_an_accounts_keys_of_tokens_stay_until_others_are_named(its: Account) -> None:
    its.ensure(Wanted("paygo@example.org"))
    its.ensure(Wanted(token_keys=["1", "2"]))
    its.ensure(Wanted(firewall=True))

    assert [one["token_keys"] for one in its.applied] == [["1"], ["1", "2"], ["1", "2"]]


def test_keys_of_tokens_are_names_in_the_order_of_their_use() -> None:
    assert run.keys("2,1") == ["2", "1"]
    assert run.keys("next, 1") == ["next", "1"]
    for wrong in ("", "1,", "1,1", "a b", "1;2"):
        with pytest.raises(ValueError, match="TOKEN_KEYS names keys"):
            run.keys(wrong)


def test_a_stack_that_goes_needs_no_account() -> None:
    assert account.UNKNOWN.for_stacks["token_keys"]


def test_an_account_that_is_set_up_anew_is_applied_again_whatever_was(its: Account) -> None:
    its.ensure(Wanted("paygo@example.org"))

    settled = its.settle(Wanted(alarm_address="ops@example.org", budget=250.0))
    its.settle(Wanted())

    assert len(its.applied) == 3
    assert its.settled == ["state bucket", "state bucket"]
    assert (settled.alarm_address, settled.budget) == ("ops@example.org", 250.0)
    assert (its.applied[2]["mail_sender"], its.applied[2]["budget"]) == ("paygo@example.org", 250.0)


def test_what_is_said_to_be_none_is_taken_away(its: Account) -> None:
    oidc = {"issuer": "https://ci.example.org", "audience": "aws", "deployers": ["repo:example/paygo:ref:*"]}
    its.settle(Wanted("paygo@example.org", alarm_address="ops@example.org", budget=250.0, oidc=oidc))
    its.settle(Wanted(alarm_address="", budget=run.budget("none"), oidc=run.pipeline("none")))

    first, second = ([one[name] for name in ("alarm_address", "budget", "oidc")] for one in its.applied)
    assert first == ["ops@example.org", 250.0, oidc]
    assert second == [None, None, None]


def test_who_may_not_change_the_account_takes_it_as_it_is(its: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    before = its.ensure(Wanted("paygo@example.org"))
    monkeypatch.setattr(storage, "folder_hash", lambda *_, **__: "of another commit")
    its.refused = True

    assert its.ensure(Wanted()) == before
    with pytest.raises(ClientError):
        its.ensure(Wanted(firewall=True))


def test_who_may_not_set_up_an_account_is_told(its: Account) -> None:
    its.refused = True

    with pytest.raises(ClientError):
        its.ensure(Wanted("paygo@example.org"))


def test_a_ci_is_said_whole_or_not_at_all() -> None:
    for wrong in ("on", "[]", '{"issuer": "https://ci.example.org"}', '{"deployers": ["a"], "x": 1}'):
        with pytest.raises(ValueError, match="OIDC is none, or JSON with a CI's issuer"):
            run.pipeline(wrong)


def test_a_budget_is_an_amount() -> None:
    assert run.budget("250") == 250
    with pytest.raises(ValueError, match="not 'much'"):
        run.budget("much")


def test_a_stage_is_one_of_three() -> None:
    assert [run.stage(text) for text in ("dev", "development", "staging", "production")] == [
        "development",
        "development",
        "staging",
        "production",
    ]
    with pytest.raises(ValueError, match="not 'prod'"):
        run.stage("prod")
