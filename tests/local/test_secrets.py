"""A version of a secret; https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_PutSecretValue.html."""

from uuid import uuid4

import pytest
from botocore.exceptions import ClientError

from tests.local.conftest import Bench


def test_a_version_of_a_secret_is_written_once(bench: Bench) -> None:
    secrets, name, token = bench.deployer("secretsmanager"), f"{bench.name}/secret", str(uuid4())
    secrets.create_secret(Name=name, SecretString="first")
    bench.later(secrets.delete_secret, SecretId=name, ForceDeleteWithoutRecovery=True)

    written = secrets.put_secret_value(SecretId=name, SecretString="second", ClientRequestToken=token)
    again = secrets.put_secret_value(SecretId=name, SecretString="second", ClientRequestToken=token)
    with pytest.raises(ClientError, match="ResourceExistsException"):
        secrets.put_secret_value(SecretId=name, SecretString="third", ClientRequestToken=token)

    assert again["VersionId"] == written["VersionId"] == token
    assert secrets.get_secret_value(SecretId=name)["SecretString"] == "second"
