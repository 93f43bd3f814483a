"""The account's function may make every call that the janitor makes, as far as moto plays them, and no more."""

import re
from pathlib import Path

import pytest

from janitor import buckets
from janitor.clients import Clients
from janitor.found import PREFIX
from janitor.kinds import NAMED
from tests.unit.janitor.conftest import HERE, Account
from tests.unit.janitor.test_buckets import make_table
from tests.unit.janitor.test_services import MADE, claim

ROLE = Path(__file__).resolve().parents[3] / "terraform" / "account" / "janitor.tf"
ACTIONS = set(re.findall(r'"([a-z0-9-]+:[A-Z]\w+)"', ROLE.read_text()))
# What IAM calls otherwise than the API does. https://docs.aws.amazon.com/service-authorization/latest/reference/
OTHERWISE = {
    ("s3", "ListBuckets"): ["s3:ListAllMyBuckets"],
    ("s3", "ListObjectVersions"): ["s3:ListBucketVersions"],
    ("s3", "ListObjectsV2"): ["s3:ListBucket"],
    ("s3", "DeleteObjects"): ["s3:DeleteObject", "s3:DeleteObjectVersion"],
    ("lambda", "GetFunction"): ["lambda:GetFunction", "lambda:ListTags"],  # for the tags that it answers with
    ("dynamodb", "TransactWriteItems"): ["dynamodb:UpdateItem"],
}
VERBS = {"Get": "GET", "Delete": "DELETE", "Update": "PATCH"}


def actions(service: str, operation: str) -> list[str]:
    if service == "apigateway":
        return [f"apigateway:{next(verb for start, verb in VERBS.items() if operation.startswith(start))}"]
    return OTHERWISE.get((service, operation), [f"{service}:{operation}"])


@pytest.mark.parametrize("words", MADE)
def test_the_role_allows_what_finding_and_removing_a_kind_takes(
    words: str, account: Account, called: list[tuple[str, str]]
) -> None:
    MADE[words](account)
    kind, clients = NAMED[words], Clients(HERE)
    called.clear()

    for found in list(kind.find(clients, PREFIX)):
        if kind.tags and words not in {"IoT rule", "IoT policy"}:  # moto has no tags of theirs
            kind.tags(clients, found)
        if kind.protected:
            kind.protected(clients, found)
        kind.remove(clients, found)

    needed = {action for call in called for action in actions(*call)}
    assert needed - ACTIONS == set()


def test_the_role_allows_what_sharing_a_rate_takes(called: list[tuple[str, str]], account: Account) -> None:
    make_table()
    claim(account)
    called.clear()

    clients = Clients(HERE)
    buckets.of(clients).take([("apigateway", "DeleteRestApi")], 1_800_000_000.0)

    assert {action for call in called for action in actions(*call)} - ACTIONS == set()


def test_the_role_makes_and_changes_nothing_but_locks_and_rates() -> None:
    verbs = ("Create", "Put", "Attach", "Add", "Publish")
    changing = {action for action in ACTIONS if action.split(":")[1].startswith(verbs)}

    assert changing == {"s3:PutObject", "logs:CreateLogStream", "logs:PutLogEvents", "sns:Publish"}
