"""What several tests of deploy share: an account in memory with a bucket of states."""

from collections.abc import Iterator

import boto3
import pytest
from moto import mock_aws

from deploy import storage
from deploy.target import Clients, Target


@pytest.fixture
def clients() -> Iterator[Clients]:
    with mock_aws():
        clients = Clients(Target("us-east-1", "123456789012", "nobody"))
        boto3.client("s3").create_bucket(Bucket=storage.state_bucket(clients.target))
        yield clients
