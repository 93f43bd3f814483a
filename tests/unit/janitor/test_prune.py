"""What nobody needs any more is found, and nothing else."""

import io
import zipfile
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import pytest

from deploy.releases import Kind, Release, Stamp, Step
from janitor import prune, storage
from janitor.clients import Clients
from janitor.decisions import Wish
from janitor.locks import Locks
from janitor.prune import litter, superseded, unused
from janitor.run import Plan, plan
from tests.unit.janitor.conftest import HERE, TRUST, Account

NOW = datetime.now(UTC)
TOMORROW = NOW + timedelta(days=2)


def planned(clients: Clients, wish: Wish | None = None) -> Plan:
    return plan(clients, Locks(clients, "the janitor"), wish or Wish(), NOW)


def found(clients: Clients, now: datetime = NOW) -> list[str]:
    return sorted(f"{one.words} {one.name}" for one in litter(clients, planned(clients), now))


def code(number: int) -> bytes:
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w") as archive:
        archive.writestr("f.py", f"NUMBER = {number}")
    return held.getvalue()


def function(account: Account, name: str, versions: int, live: int) -> Any:
    client = account.client("lambda")
    role = account.client("iam").create_role(RoleName=name, AssumeRolePolicyDocument=TRUST)["Role"]["Arn"]
    client.create_function(
        FunctionName=name,
        Runtime="python3.13",
        Role=role,
        Handler="f.handler",
        Code={"ZipFile": code(0)},
        Tags={"Stack": "paygo-demo"},
    )
    for number in range(1, versions + 1):
        client.update_function_code(FunctionName=name, ZipFile=code(number))
        client.publish_version(FunctionName=name)
    client.create_alias(FunctionName=name, Name="live", FunctionVersion=str(live))
    return client


def test_old_versions_go_but_for_the_live_one_and_the_last_few(clients: Clients, account: Account) -> None:
    account.state("paygo-demo", {"ExpiresAt": "never"})
    client = function(account, "paygo-demo-identity", versions=6, live=1)

    doomed = litter(clients, planned(clients), NOW)

    assert sorted(one.name for one in doomed) == ["paygo-demo-identity:2", "paygo-demo-identity:3"]
    assert prune.remove(doomed) == []
    left = client.list_versions_by_function(FunctionName="paygo-demo-identity")["Versions"]
    assert sorted(one["Version"] for one in left) == ["$LATEST", "1", "4", "5", "6"]
    assert found(clients) == []


def release(number: int, before: str | None, after: str) -> dict[str, Any]:
    steps = {"identity": {"paygo-demo-identity": Step(before, after)}}
    return Release(number, Kind.DEPLOY, Stamp("", "", ""), steps, is_done=True).as_json()


def test_versions_that_one_of_the_last_ten_releases_names_are_kept_for_rolling_back(
    clients: Clients, account: Account
) -> None:
    account.state("paygo-demo", {"ExpiresAt": "never"})
    function(account, "paygo-demo-identity", versions=8, live=8)
    unmoved = [release(number, "4", "4") for number in range(4, 12)]
    # The first, which made versions 1 and 2 live, is the eleventh from the end.
    history = [release(1, "1", "2"), release(2, "3", "3"), *unmoved, release(12, "4", "8")]
    storage.write(clients, storage.releases_key("paygo-demo"), {"releases": history})

    assert found(clients) == [f"function version paygo-demo-identity:{number}" for number in (1, 2, 5)]


def test_versions_of_a_stack_that_goes_are_not_looked_at(clients: Clients, account: Account) -> None:
    account.state("paygo-demo", {"ExpiresAt": "2020-01-01T00:00:00Z"})
    function(account, "paygo-demo-identity", versions=6, live=1)

    assert found(clients) == []


def test_a_canarys_second_version_is_kept() -> None:
    alias = {"FunctionVersion": "7", "RoutingConfig": {"AdditionalVersionWeights": {"3": 0.1}}}

    assert list(prune._versions_of(alias)) == ["7", "3"]
    assert superseded(range(1, 9), [7, 3]) == [1, 2, 4, 5]


def test_old_versions_of_a_layer_go_but_not_what_the_state_knows(clients: Clients, account: Account) -> None:
    client = account.client("lambda")
    arns = [
        client.publish_layer_version(LayerName="paygo-demo-shared", Content={"ZipFile": code(number)})[
            "LayerVersionArn"
        ]
        for number in range(5)
    ]
    layer = {"mode": "managed", "type": "aws_lambda_layer_version", "instances": [{"attributes": {"arn": arns[0]}}]}
    storage.write(clients, storage.state_key("paygo-demo"), {"resources": [layer]})

    doomed = litter(clients, planned(clients), NOW)

    assert [one.name for one in doomed] == [arns[1]]
    assert prune.remove(doomed) == []


def test_logs_of_what_is_gone_go_and_others_stay(clients: Clients, account: Account) -> None:
    logs = account.client("logs")
    for name in (
        "/aws/lambda/paygo-gone-identity-x",
        "/aws/lambda/paygo-demo-identity-x",
        "/aws/lambda/somebody-elses",
        "API-Gateway-Execution-Logs_anybodys/v",
    ):
        logs.create_log_group(logGroupName=name)
    account.state("paygo-demo", {"ExpiresAt": "never"})

    doomed = litter(clients, planned(clients), NOW)

    assert [one.name for one in doomed] == ["/aws/lambda/paygo-gone-identity-x"]
    assert prune.remove(doomed) == []
    assert len(logs.describe_log_groups()["logGroups"]) == 3


def packages(clients: Clients, account: Account) -> None:
    s3 = account.client("s3")
    s3.create_bucket(Bucket=storage.artefact_bucket(HERE))
    for key in ("artefacts/used.zip", "artefacts/unused.zip", "artefacts/released/1.zip", "artefacts/released/2.zip"):
        s3.put_object(Bucket=storage.artefact_bucket(HERE), Key=key, Body=b"")
    for key in ("account/janitor-1.zip", "account/janitor-2.zip"):
        s3.put_object(Bucket=storage.state_bucket(HERE), Key=key, Body=b"")
    for stack, key in (
        ("paygo-demo", "artefacts/used.zip"),
        ("paygo-main", "artefacts/released/2.zip"),
        (storage.ACCOUNT, "account/janitor-2.zip"),
    ):
        known = {"mode": "managed", "type": "aws_lambda_function", "instances": [{"attributes": {"s3_key": key}}]}
        storage.write(clients, storage.state_key(stack), {"resources": [known]})


def test_packages_that_no_state_names_go_when_they_are_a_day_old(clients: Clients, account: Account) -> None:
    packages(clients, account)

    assert found(clients) == []
    doomed = litter(clients, planned(clients), TOMORROW)
    assert sorted(one.name for one in doomed) == [
        "account/janitor-1.zip",
        "artefacts/released/1.zip",
        "artefacts/unused.zip",
    ]
    assert prune.remove(doomed) == []
    assert found(clients, TOMORROW) == []


def test_nothing_is_pruned_of_a_stack_whose_state_is_not_ours_to_see(clients: Clients, account: Account) -> None:
    packages(clients, account)
    function(account, "paygo-demo-identity", versions=6, live=1)
    assert len(found(clients, TOMORROW)) == 5

    account.hide("stacks/paygo-demo/")

    assert found(clients, TOMORROW) == []


def test_no_package_goes_where_the_accounts_state_is_not_ours_to_see(clients: Clients, account: Account) -> None:
    packages(clients, account)
    account.hide(storage.state_key(storage.ACCOUNT))

    assert found(clients, TOMORROW) == []


def test_no_package_goes_while_somebody_deploys(clients: Clients, account: Account) -> None:
    packages(clients, account)
    storage.write(clients, storage.lock_key("paygo-demo"), {"doing": "deploy", "who": "ada"})

    assert found(clients, TOMORROW) == []


def test_no_package_goes_when_somebody_begins_to_deploy_while_it_is_looked_for(
    clients: Clients, account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    packages(clients, account)
    locks = Locks(clients, "the janitor")
    monkeypatch.setattr(prune, "YOUNG", timedelta(days=-1))
    listing = prune._objects

    def begun(*asked: Any) -> dict[str, datetime]:
        storage.write(clients, storage.lock_key(storage.ACCOUNT), {"doing": "deploy", "who": "ada"})
        return listing(*asked)

    assert len(prune.looked_for(clients, locks, Wish())) == 3
    monkeypatch.setattr(prune, "_objects", begun)
    assert prune.looked_for(clients, locks, Wish()) == []


def test_what_is_gone_already_is_pruned_and_what_is_refused_is_told(clients: Clients) -> None:
    logs = clients("logs")
    gone = prune.Litter("orphaned log group", "a", partial(logs.delete_log_group, logGroupName="a"))
    storage.write(clients, "account/applied.json", {})
    full = storage.state_bucket(HERE)
    refused = prune.Litter("function version", "b", partial(clients("s3").delete_bucket, Bucket=full))

    left = prune.remove([gone, refused])

    assert len(left) == 1
    assert left[0].startswith("function version b: ")
    assert prune.told([gone, gone]) == ["To be pruned: 2 orphaned log groups."]
    assert prune.ending([gone], []) == ["Pruned: 1 orphaned log group."]
    assert prune.ending([refused], left) == [f"Not pruned: {left[0]}"]
    assert prune.told([]) == []


def test_a_package_of_today_may_be_a_deploys() -> None:
    old, young = NOW - timedelta(days=2), NOW - timedelta(hours=2)

    assert unused({"a": old, "b": old, "c": young}, ["a"], NOW) == ["b"]


def test_a_function_that_goes_meanwhile_has_nothing_to_prune(clients: Clients) -> None:
    assert prune._versions(clients, "paygo-demo-gone", {1}) == []
