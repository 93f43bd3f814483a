"""An alarm rings for a dead letter and settles when it is mended; nothing here puts a metric."""

import json
import os
import time
from collections.abc import Callable, Iterator
from typing import Any
from uuid import uuid4

import pytest
import requests
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest

from demo.stage import Stage, read_access
from deploy.stack import stack_name
from tests.conftest import Clients
from tests.receiver import Receiver, receiving

STACK = stack_name(os.environ.get("PAYGO_TEST_BRANCH") or "test")
SERVICE, CONSUMER = "notifications", "keep-contacts"
ALARM = f"{STACK}-{SERVICE}-{CONSUMER}-dead"
TOPIC = f"arn:aws:sns:us-east-1:000000000000:{STACK}-identity"
TYPE = "identity.household-registered.v1"
WEBHOOK = f"{STACK}/operations/webhook"

# A metric counts for as long as the alarm's period, and the number of open letters is shown once a minute.
RING_SECONDS = 60
SETTLE_SECONDS = 150


class Operator:
    """Someone with the operator's credentials: its routes, its mail, and where its alarms are posted."""

    def __init__(self, clients: Clients, deployer: Clients) -> None:
        self.stage = Stage(read_access(STACK))
        self.secrets, self.cloudwatch = clients("secretsmanager"), clients("cloudwatch")
        configuration = deployer("lambda").get_function_configuration(
            FunctionName=f"{STACK}-operations-notify-operators"
        )
        self.address = configuration["Environment"]["Variables"]["ALARM_ADDRESS"]

    def call(self, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        url, data = f"{self.stage.access.api_url}/operations/{path}", json.dumps(body) if body is not None else None
        headers = {"Content-Type": "application/json", "Idempotency-Key": str(uuid4())} if data else {}
        request = AWSRequest(method, url, data=data, headers=headers)
        credentials = self.stage.session.get_credentials()
        assert credentials is not None
        SigV4Auth(credentials, "execute-api", "us-east-1").add_auth(request)
        answer = requests.request(method, url, data=data, headers=dict(request.headers), timeout=30)
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    def letters(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.call("GET", f"dead-letters?service={SERVICE}&consumer={CONSUMER}")["items"]
        return found

    def state(self) -> str:
        (alarm,) = self.cloudwatch.describe_alarms(AlarmNames=[ALARM])["MetricAlarms"]
        return str(alarm["StateValue"])

    def mails(self, state: str) -> list[dict[str, Any]]:
        return [mail for mail in self.stage.mail_to(self.address) or [] if is_about(mail["Subject"], state)]

    def post_alarms_to(self, url: str | None) -> None:
        self.secrets.put_secret_value(SecretId=WEBHOOK, SecretString=json.dumps({"url": url}))


@pytest.fixture
def caller(operator: Clients, deployer: Clients) -> Operator:
    return Operator(operator, deployer)


@pytest.fixture
def receiver(caller: Operator) -> Iterator[Receiver]:
    with receiving() as received:
        caller.post_alarms_to(received.url)
        try:
            yield received
        finally:
            caller.post_alarms_to(None)


def is_about(text: str, state: str) -> bool:
    return f" {state} " in text and f"{SERVICE}-{CONSUMER}-dead" in text


def posted(receiver: Receiver, state: str) -> list[dict[str, Any]]:
    return [post for post in receiver.posts if is_about(post["text"].splitlines()[0], state)]


def eventually(is_so: Callable[[], object], seconds: float = 60) -> bool:
    deadline = time.monotonic() + seconds
    while not is_so():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.5)
    return True


def test_a_dead_letter_rings_until_it_is_discarded(caller: Operator, receiver: Receiver, deployer: Clients) -> None:
    for letter in caller.letters():  # what another test left
        caller.call("POST", f"dead-letters/{letter['letter_id']}/discard", {"reason": "left by another test"})
    assert eventually(lambda: caller.state() == "OK", SETTLE_SECONDS)
    before = {state: len(caller.mails(state)) for state in ("ALARM", "OK")}
    receiver.posts.clear()

    poison = f"not an event {uuid4()}"
    kind = {"type": {"DataType": "String", "StringValue": TYPE}}
    deployer("sns").publish(TopicArn=TOPIC, Message=poison, MessageAttributes=kind)

    assert eventually(caller.letters)
    (letter,) = caller.letters()
    found = caller.call("GET", f"dead-letters/{letter['letter_id']}")
    assert letter["reason"]
    assert poison in json.dumps(found)
    assert eventually(lambda: caller.state() == "ALARM", RING_SECONDS)
    assert eventually(lambda: len(caller.mails("ALARM")) == before["ALARM"] + 1)
    assert letter["letter_id"] in json.dumps(caller.mails("ALARM")[-1])
    assert eventually(lambda: len(posted(receiver, "ALARM")) == 1)
    assert letter["letter_id"] in posted(receiver, "ALARM")[0]["text"]
    assert poison not in json.dumps([receiver.posts, caller.mails("ALARM")])

    caller.call("POST", f"dead-letters/{letter['letter_id']}/discard", {"reason": "it was a test"})
    assert not caller.letters()
    assert eventually(lambda: caller.state() == "OK", SETTLE_SECONDS)
    assert eventually(lambda: len(caller.mails("OK")) == before["OK"] + 1)
    assert eventually(lambda: len(posted(receiver, "OK")) == 1)
    assert len(posted(receiver, "ALARM")) == 1


def test_an_error_in_a_functions_log_is_counted_in_one_report_and_told(
    caller: Operator, receiver: Receiver, deployer: Clients
) -> None:
    def report() -> dict[str, Any]:
        reports = caller.call("GET", "error-reports?limit=100")["items"]
        mine = [one for one in reports if (one["function"], one["type"]) == ("book-payments", "KeyError")]
        assert len(mine) <= 1
        return mine[0] if mine else {"count": 0, "notified_at": None}

    before = report()
    for _ in range(2):
        # A call that is no batch: nothing of ours expects it.
        answer = deployer("lambda").invoke(FunctionName=f"{STACK}-ledger-book-payments:live", Payload=b"{}")
        assert answer["FunctionError"]

    assert eventually(lambda: report()["count"] == before["count"] + 2)
    after = report()
    subject = f"[{STACK}] ERROR ledger: KeyError at {after['place']}"
    assert eventually(lambda: any(mail["Subject"] == subject for mail in caller.stage.mail_to(caller.address) or []))
    # Once an hour at most: an earlier run on this stack may have told it.
    is_news = after["notified_at"] != before["notified_at"]
    assert eventually(
        lambda: [post["text"].splitlines()[0] for post in receiver.posts].count(f"*{subject}*") == is_news
    )
