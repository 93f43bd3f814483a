import threading
from collections.abc import Iterator
from typing import Any

import pytest
import responses

from demo.mailbox import PAUSE_SECONDS, Mailbox, code_in
from demo.stage import Access, Stage
from paygo_client import PendingRegistration, Registration
from tests.unit.demo.test_demo import ACCESS

URL = "http://127.0.0.1:4566"
MAILS = f"{URL}/_ministack/ses/messages"


def mail(to: str, subject: str) -> dict[str, Any]:
    return {"To": [to], "Subject": subject}


@pytest.fixture
def cloud() -> Iterator[responses.RequestsMock]:
    with responses.RequestsMock() as answers:
        yield answers


class Time:
    """A clock that moves a little whenever it is looked at."""

    def __init__(self) -> None:
        self.now = 0.0
        self.slept: list[float] = []

    def clock(self) -> float:
        self.now += 0.01
        return self.now

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


def test_mail_is_found_by_its_recipient_whichever_account_sent_it(cloud: responses.RequestsMock) -> None:
    ours, theirs = mail("a@example.org", "One"), mail("b@example.org", "Two")
    cloud.get(MAILS, json={"messages": {"000000000000": [ours, theirs], "111111111111": [mail("a@example.org", "3")]}})
    mailbox = Mailbox(URL)

    assert [found["Subject"] for found in mailbox.to("a@example.org")] == ["One", "3"]
    assert mailbox.to("nobody@example.org") == []


def test_whoever_asks_gets_what_was_sent_until_then(cloud: responses.RequestsMock) -> None:
    cloud.get(MAILS, json={"messages": {}})
    cloud.get(MAILS, json={"messages": {"000000000000": [mail("a@example.org", "One")]}})
    time = Time()
    mailbox = Mailbox(URL, clock=time.clock, sleep=time.sleep)

    assert [len(mailbox.to("a@example.org")) for _ in range(2)] == [0, 1]
    assert 0 < time.slept[1] <= PAUSE_SECONDS


def test_those_who_ask_at_the_same_time_share_a_reading(cloud: responses.RequestsMock) -> None:
    everybody = 20
    waiting = threading.Barrier(everybody)
    cloud.get(MAILS, json={"messages": {"000000000000": [mail("a@example.org", "One")]}})
    mailbox, found = Mailbox(URL), []

    def ask() -> None:
        waiting.wait()
        found.append(len(mailbox.to("a@example.org")))

    threads = [threading.Thread(target=ask) for _ in range(everybody)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert found == [1] * everybody
    assert len(cloud.calls) <= 3


def test_the_newest_code_counts_and_other_mail_has_none() -> None:
    mails = [
        mail("a@example.org", "111111 is your Paygo code"),
        mail("a@example.org", "222222 is your Paygo code"),
        mail("a@example.org", "250.00 KES paid, reference 1234567"),
    ]

    assert code_in(mails) == "222222"
    assert code_in(mails[2:]) is None


def pending() -> PendingRegistration:
    registration = Registration.model_validate(
        {
            "registration_id": "2c3b7a54-2f44-4f6d-8a3e-6b1e0c9d2f10",
            "kind": "own",
            "state": "unconfirmed",
            "submitted_at": "2026-11-21T10:00:00Z",
            "expires_at": "2026-11-22T10:00:00Z",
        }
    )
    return PendingRegistration(registration=registration, location="", retry_after=1)


def test_a_code_is_read_from_the_mail_of_the_embedded_cloud(cloud: responses.RequestsMock) -> None:
    cloud.get(MAILS, json={"messages": {"000000000000": [mail("a@example.org", "111111 is your Paygo code")]}})

    assert Stage(Access.model_validate(ACCESS)).code_for(pending(), "a@example.org") == "111111"


@pytest.mark.parametrize(("item", "code"), [({"Item": {"code": {"S": "333333"}}}, "333333"), ({}, None)])
def test_a_code_is_read_from_our_table_on_aws_where_mail_really_leaves(
    item: dict[str, Any], code: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[dict[str, Any]] = []

    class Tables:
        def client(self, *_names: str, **_more: str) -> "Tables":
            return self

        def get_item(self, **request: Any) -> dict[str, Any]:
            asked.append(request)
            return item

    stage = Stage(Access.model_validate(ACCESS | {"endpoint_url": None}))
    monkeypatch.setitem(vars(stage), "session", Tables())

    assert stage.code_for(pending(), "a@example.org") == code
    assert asked[0]["TableName"] == "paygo-demo-identity"
    assert asked[0]["Key"]["pk"] == {"S": "REGISTRATION#2c3b7a54-2f44-4f6d-8a3e-6b1e0c9d2f10"}
