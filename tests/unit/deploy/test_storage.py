"""The bucket that everything else is told from: what it is like, and what was changed of it by hand is changed back."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from moto import mock_aws

from deploy import packages, storage
from deploy.target import Clients, Target


@pytest.fixture
def clients() -> Iterator[Clients]:
    with mock_aws():
        yield Clients(Target("eu-west-1", "123456789012", "nobody"))


def walls(clients: Clients) -> dict[str, bool]:
    bucket = storage.state_bucket(clients.target)
    found: dict[str, bool] = clients("s3").get_public_access_block(Bucket=bucket)["PublicAccessBlockConfiguration"]
    return found


def test_the_state_bucket_is_private_encrypted_versioned_and_reached_over_tls_only(clients: Clients) -> None:
    storage.make_state_bucket(clients)

    s3, bucket = clients("s3"), storage.state_bucket(clients.target)
    assert all(walls(clients).values())
    assert s3.get_bucket_encryption(Bucket=bucket)["ServerSideEncryptionConfiguration"]["Rules"]
    assert s3.get_bucket_versioning(Bucket=bucket)["Status"] == "Enabled"
    [statement] = json.loads(s3.get_bucket_policy(Bucket=bucket)["Policy"])["Statement"]
    assert (statement["Effect"], statement["Principal"], statement["Action"]) == ("Deny", "*", "s3:*")
    assert statement["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
    assert statement["Resource"] == [f"arn:aws:s3:::{bucket}", f"arn:aws:s3:::{bucket}/*"]


def test_a_deploy_leaves_a_state_bucket_that_is_there_and_make_account_sets_it_right(clients: Clients) -> None:
    storage.make_state_bucket(clients)
    clients("s3").delete_public_access_block(Bucket=storage.state_bucket(clients.target))

    storage.make_state_bucket(clients)
    with pytest.raises(clients("s3").exceptions.ClientError):
        walls(clients)

    storage.settle_state_bucket(clients)
    assert all(walls(clients).values())


def test_a_package_is_put_where_its_stage_is_read_from_and_over_none_that_is_there(
    clients: Clients, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    s3, bucket = clients("s3"), storage.artefact_bucket(clients.target)
    s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    (tmp_path / "ledger-1.zip").write_bytes(b"ours")
    manifest = {"ledger": {"file": "ledger-1.zip", "key": "artefacts/ledger-1.zip"}}
    released = packages.of_stage(manifest, "production")

    assert packages.of_stage(manifest, "development") == manifest
    assert [storage.upload(clients, tmp_path, manifest) for _ in range(2)] == [1, 0]
    assert storage.upload(clients, tmp_path, released) == 1
    assert s3.get_object(Bucket=bucket, Key="artefacts/released/ledger-1.zip")["Body"].read() == b"ours"

    # Two look, find nothing, and put it there.
    s3.put_object(Bucket=bucket, Key="artefacts/ledger-1.zip", Body=b"another's")
    monkeypatch.setattr(s3, "get_paginator", lambda _operation: Nothing())
    storage.upload(clients, tmp_path, manifest)
    assert s3.get_object(Bucket=bucket, Key="artefacts/ledger-1.zip")["Body"].read() == b"another's"


class Nothing:
    """A list of what is not there yet."""

    def paginate(self, **_: str) -> list[dict[str, object]]:
        return [{}]


@pytest.mark.parametrize(
    ("region", "partition"), [("eu-west-1", "aws"), ("cn-north-1", "aws-cn"), ("us-gov-west-1", "aws-us-gov")]
)
def test_a_region_belongs_to_a_part_of_aws(region: str, partition: str) -> None:
    assert storage.partition(region) == partition
