"""The bucket that everything else is told from: what it is like, and what was changed of it by hand is changed back."""

import json
from collections.abc import Iterator

import pytest
from moto import mock_aws

from deploy import storage
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


@pytest.mark.parametrize(
    ("region", "partition"), [("eu-west-1", "aws"), ("cn-north-1", "aws-cn"), ("us-gov-west-1", "aws-us-gov")]
)
def test_a_region_belongs_to_a_part_of_aws(region: str, partition: str) -> None:
    assert storage.partition(region) == partition
