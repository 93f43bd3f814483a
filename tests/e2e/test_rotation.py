"""A signing key is changed by an operator on a deployed stack, while the third party goes on with the old one."""

from collections.abc import Iterator

import pytest

from demo.stage import PartnerKeys, Stage
from operate.access import Access as OperatorAccess
from operate.errors import OperateError
from operate.rotation import rotate
from tests.conftest import Clients
from tests.e2e.callers import routes, send_as_partner

SECRET = "partners/supplier"


@pytest.fixture
def old_keys(stage: Stage, deployer: Clients) -> Iterator[PartnerKeys]:
    """The keys as they are before, and afterwards again: other tests sign with them."""
    secrets, arn = deployer("secretsmanager"), stage.access.partners["supplier"].secret_arn
    before = secrets.get_secret_value(SecretId=arn)["SecretString"]
    yield stage.partner_keys("supplier")
    secrets.put_secret_value(SecretId=arn, SecretString=before)


def test_the_old_key_goes_on_working_while_a_new_one_replaces_it(
    stage: Stage, operator: OperatorAccess, old_keys: PartnerKeys
) -> None:
    said = rotate(operator.client, operator.stack, SECRET, "next", input)

    new_keys = stage.partner_keys("supplier")
    assert new_keys.keys.current != old_keys.keys.current
    assert send_as_partner(stage, routes()["importManifest"], old_keys).status_code == 200
    for secret in (new_keys.keys.current, old_keys.keys.current, old_keys.api_key):
        assert secret not in said
    with pytest.raises(OperateError, match="under way"):
        rotate(operator.client, operator.stack, SECRET, "next", input)


def test_finishing_leaves_the_new_key_alone(stage: Stage, operator: OperatorAccess, old_keys: PartnerKeys) -> None:
    rotate(operator.client, operator.stack, SECRET, "next", input)
    new_keys = stage.partner_keys("supplier")

    rotate(operator.client, operator.stack, SECRET, "finish", input)

    assert stage.partner_keys("supplier") == new_keys
    with pytest.raises(OperateError, match="no change of it is under way"):
        rotate(operator.client, operator.stack, SECRET, "finish", input)


def test_the_secret_takes_over_the_api_key_that_api_gateway_has(
    stage: Stage, operator: OperatorAccess, old_keys: PartnerKeys
) -> None:
    rotate(operator.client, operator.stack, SECRET, "api-key", input)

    assert stage.partner_keys("supplier") == old_keys
