"""Releases as they are made: what is written down when, which aliases are moved, and what a killed one leaves."""

from collections.abc import Iterator, Mapping
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from moto import mock_aws

from deploy import rollout, storage
from deploy.errors import DeployError
from deploy.releases import Stamp
from deploy.rollout import Record
from deploy.storage import State
from deploy.target import Clients, Target

STACK = "paygo-demo"
NOTIFY, BOOK = "paygo-demo-payments-notify", "paygo-demo-ledger-book"
STAMP = Stamp("2026-11-30T18:00:00Z", "ada@example.org", "abc123")


class Killed(BaseException):
    """The process ends."""


class Lambda:
    """Functions with versions and their alias, the calls counted; it may refuse one, or die at one."""

    def __init__(self) -> None:
        self.live = {NOTIFY: "1", BOOK: "1"}
        self.published = {NOTIFY: {"1"}, BOOK: {"1"}}
        self.calls: list[str] = []
        self.refused: str | None = None
        self.dies_at: str | None = None

    def publish(self, name: str, version: str) -> None:
        self.published[name].add(version)

    def update_alias(self, **asked: Any) -> None:
        assert (asked["Name"], asked["RoutingConfig"]) == ("live", {"AdditionalVersionWeights": {}})
        name, version = asked["FunctionName"], asked["FunctionVersion"]
        self.calls.append(f"UpdateAlias {name}")
        if name == self.dies_at:
            raise Killed
        if name == self.refused or version not in self.published[name]:
            raise ClientError({"Error": {"Code": "ServiceException", "Message": "not now"}}, "UpdateAlias")
        self.live[name] = version

    def get_function(self, **asked: str) -> None:
        name = asked["FunctionName"]
        self.calls.append(f"GetFunction {name}")
        if asked["Qualifier"] not in self.published[name]:
            raise ClientError({"Error": {"Code": "ResourceNotFoundException"}}, "GetFunction")

    def get_paginator(self, operation: str) -> "Lambda":
        assert operation == "list_versions_by_function"
        return self

    def paginate(self, **asked: str) -> list[dict[str, Any]]:
        return [{"Versions": [{"Version": version} for version in ("$LATEST", *self.published[asked["FunctionName"]])]}]


@pytest.fixture
def functions() -> Lambda:
    return Lambda()


@pytest.fixture
def clients(functions: Lambda) -> Iterator[Clients]:
    with mock_aws():
        clients = Clients(Target("us-east-1", "123456789012", "nobody"), _made={"lambda": functions})
        boto3.client("s3").create_bucket(Bucket=storage.state_bucket(clients.target))
        yield clients


def state(
    notify: str, book: str = "1", *, aliases: Mapping[str, str] | None = None, stage: str = "development"
) -> State:
    """What Terraform wrote down: the versions it published, and where it made the aliases."""
    instances = [
        {"attributes": {"name": "live", "function_name": name, "function_version": version}}
        for name, version in (aliases or {NOTIFY: "1", BOOK: "1"}).items()
    ]
    return State(
        {
            "outputs": {
                "releases": {"value": {"payments": {NOTIFY: notify}, "ledger": {BOOK: book}}},
                "stage": {"value": stage},
            },
            "resources": [{"mode": "managed", "type": "aws_lambda_alias", "instances": instances}],
        }
    )


def deploy(clients: Clients, notify: str, book: str = "1", stage: str = "development") -> list[str]:
    functions = clients("lambda")
    functions.publish(NOTIFY, notify)
    functions.publish(BOOK, book)
    functions.calls.clear()
    told: list[str] = []
    rollout.go_live(clients, STACK, state(notify, book, stage=stage), STAMP, told.append)
    return told


def numbers(clients: Clients) -> list[tuple[int, bool]]:
    return [(release.number, release.is_done) for release in Record(clients, STACK).history]


def test_a_deploy_moves_the_aliases_that_are_behind_and_says_so(clients: Clients, functions: Lambda) -> None:
    assert deploy(clients, "1") == ["release 1 is live: 2 new functions"]
    assert functions.calls == []

    assert deploy(clients, "2") == ["release 2 is live: payments 1 function"]

    assert functions.calls == [f"UpdateAlias {NOTIFY}"]
    assert functions.live == {NOTIFY: "2", BOOK: "1"}
    assert numbers(clients) == [(1, True), (2, True)]


def test_a_deploy_with_nothing_new_calls_nobody_and_writes_nothing(clients: Clients, functions: Lambda) -> None:
    deploy(clients, "2")
    written = storage.read_version(clients, storage.releases_key(STACK))

    assert deploy(clients, "2") == []

    assert functions.calls == []
    assert storage.read_version(clients, storage.releases_key(STACK)) == written


def test_a_release_that_was_killed_is_finished_by_the_next_deploy(clients: Clients, functions: Lambda) -> None:
    deploy(clients, "1")
    functions.dies_at = NOTIFY
    with pytest.raises(Killed):
        deploy(clients, "2", "2")
    assert numbers(clients) == [(1, True), (2, False)]
    functions.dies_at = None

    deploy(clients, "2", "2")

    assert functions.live == {NOTIFY: "2", BOOK: "2"}
    assert numbers(clients) == [(1, True), (2, True)]


def test_a_function_that_cannot_be_moved_is_named_and_the_others_are_moved(clients: Clients, functions: Lambda) -> None:
    deploy(clients, "1")
    functions.refused = BOOK

    with pytest.raises(DeployError, match=f"1 of 2 functions could not be moved.*\n{BOOK} did not go to version 2"):
        deploy(clients, "2", "2")

    assert functions.live == {NOTIFY: "2", BOOK: "1"}
    assert numbers(clients)[-1] == (2, False)


def test_a_rollback_goes_back_and_a_deploy_says_that_it_takes_that_back(clients: Clients, functions: Lambda) -> None:
    deploy(clients, "1")
    deploy(clients, "2")

    goal, made = rollout.roll_back(clients, STACK, Stamp("later", "bob@example.org", ""))

    assert functions.live[NOTIFY] == "1"
    assert goal.number == 1
    assert made is not None
    assert (made.number, made.stamp) == (3, Stamp("later", "bob@example.org", "abc123"))
    assert deploy(clients, "2") == ["release 4 is live: payments 1 function; it takes back the rollback to release 1"]
    assert functions.live[NOTIFY] == "2"


def test_production_does_not_go_back_to_what_it_was_as_another_stage(clients: Clients, functions: Lambda) -> None:
    deploy(clients, "1")
    deploy(clients, "2", stage="production")
    deploy(clients, "3", stage="production")

    with pytest.raises(
        DeployError, match=r"^Release 1 was made for development and cannot go into production: [^.]+\.$"
    ):
        rollout.roll_back(clients, STACK, STAMP, to=1, stage="production")
    assert functions.live[NOTIFY] == "3"

    rollout.roll_back(clients, STACK, STAMP, stage="production")
    assert functions.live[NOTIFY] == "2"
    assert [one.stage for one in Record(clients, STACK).history] == ["development", *3 * ["production"]]
    rollout.roll_back(clients, STACK, STAMP, to=1, stage="development")
    assert functions.live[NOTIFY] == "1"


def test_a_release_of_before_stages_were_written_down_can_be_gone_back_to(clients: Clients, functions: Lambda) -> None:
    deploy(clients, "1", stage="production")
    deploy(clients, "2", stage="production")
    content, tag = storage.read_version(clients, storage.releases_key(STACK))
    assert content is not None
    for release in content["releases"]:
        del release["stage"]
    storage.write_version(clients, storage.releases_key(STACK), content, instead_of=tag)

    rollout.roll_back(clients, STACK, STAMP, stage="production")

    assert functions.live[NOTIFY] == "1"


def test_a_killed_rollback_is_finished_by_the_next(clients: Clients, functions: Lambda) -> None:
    deploy(clients, "1")
    deploy(clients, "2", "2")
    functions.dies_at = BOOK
    with pytest.raises(Killed):
        rollout.roll_back(clients, STACK, STAMP)
    functions.dies_at = None

    rollout.roll_back(clients, STACK, STAMP)

    assert functions.live == {NOTIFY: "1", BOOK: "1"}
    assert numbers(clients) == [(1, True), (2, True), (3, True)]


def test_nothing_is_moved_when_a_version_has_been_removed_and_the_release_that_can_be_taken_is_named(
    clients: Clients, functions: Lambda
) -> None:
    deploy(clients, "1")
    deploy(clients, "2")
    deploy(clients, "3", "2")
    functions.published[NOTIFY].discard("1")
    functions.calls.clear()

    with pytest.raises(DeployError, match=f"Release 1 cannot be taken, version 1 of {NOTIFY} has .*: TO=2"):
        rollout.roll_back(clients, STACK, STAMP, to=1)

    assert functions.live == {NOTIFY: "3", BOOK: "2"}
    assert not any(call.startswith("UpdateAlias") for call in functions.calls)
    assert numbers(clients)[-1] == (3, True)


def test_when_no_release_can_be_taken_a_deploy_is_the_way(clients: Clients, functions: Lambda) -> None:
    deploy(clients, "1")
    deploy(clients, "2", "2")
    functions.published = {NOTIFY: {"2"}, BOOK: {"2"}}

    with pytest.raises(DeployError, match=r"and 1 more .* no other can: deploy the commit you want\."):
        rollout.roll_back(clients, STACK, STAMP)


def test_a_look_that_is_refused_is_no_removed_version(clients: Clients, monkeypatch: pytest.MonkeyPatch) -> None:
    deploy(clients, "1")
    deploy(clients, "2")

    def refuse(**_: str) -> None:
        raise ClientError({"Error": {"Code": "AccessDeniedException"}}, "GetFunction")

    monkeypatch.setattr(clients("lambda"), "get_function", refuse)

    with pytest.raises(ClientError):
        rollout.roll_back(clients, STACK, STAMP)


def test_only_the_last_releases_stay_written_down(clients: Clients, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rollout, "KEPT", 2)
    for version in ("1", "2", "3", "4"):
        deploy(clients, version)

    assert numbers(clients) == [(3, True), (4, True)]


def test_a_release_that_somebody_else_wrote_meanwhile_stops_this_one(clients: Clients) -> None:
    deploy(clients, "1")
    late = Record(clients, STACK)
    deploy(clients, "2")

    with pytest.raises(DeployError, match="Somebody else"):
        late.note(late.history[-1])


def test_two_first_releases_at_once_are_one_too_many(clients: Clients) -> None:
    late = Record(clients, STACK)
    deploy(clients, "1")

    with pytest.raises(DeployError, match="Somebody else"):
        late.note(Record(clients, STACK).history[-1])


def test_a_function_that_no_release_would_ever_move_stops_the_deploy(clients: Clients) -> None:
    forgotten = state("1", aliases={NOTIFY: "1", BOOK: "1", "paygo-demo-meters-read": "1"})

    with pytest.raises(DeployError, match="leaves out paygo-demo-meters-read"):
        rollout.go_live(clients, STACK, forgotten, STAMP, print)
