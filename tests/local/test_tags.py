"""What a resource says of its tags after they were changed.

https://docs.aws.amazon.com/apigateway/latest/api/API_TagResource.html,
https://docs.aws.amazon.com/cognitoidentity/latest/APIReference/API_TagResource.html
"""

from collections.abc import Callable, Mapping
from typing import Any

import pytest

from tests.local.conftest import Bench, refusal
from tests.local.test_rest_api_import import MOCK, Api, document

MADE = {"Stack": "kept", "Commit": "1", "Old": "yes"}
THEN = {"Stack": "kept", "Commit": "2"}

type Made = tuple[str, Callable[[], Mapping[str, Any]]]


def a_stage(bench: Bench) -> Made:
    api = Api(bench)
    api.put(document({"/a": {"get": MOCK}}))
    deployment = api.client.create_deployment(restApiId=api.id)["id"]
    api.client.create_stage(restApiId=api.id, stageName="v", deploymentId=deployment, tags=MADE)
    return f"/restapis/{api.id}/stages/v", lambda: api.client.get_stage(restApiId=api.id, stageName="v")


def one(kind: str, parameter: str) -> Callable[[Bench], Made]:
    """Make what boto3 creates, gets and deletes by a kind's name, and identifies by a parameter."""

    def make(bench: Bench) -> Made:
        client = bench.deployer("apigateway")
        named = {parameter: getattr(client, f"create_{kind}")(name=bench.name, tags=MADE)["id"]}
        bench.later(getattr(client, f"delete_{kind}"), **named)
        return f"/{kind.replace('_', '')}s/{named[parameter]}", lambda: getattr(client, f"get_{kind}")(**named)

    return make


@pytest.mark.parametrize(
    "make",
    [a_stage, one("rest_api", "restApiId"), one("api_key", "apiKey"), one("usage_plan", "usagePlanId")],
    ids=["stage", "API", "key", "plan"],
)
def test_a_gateway_shows_the_tags_that_it_was_given_last(bench: Bench, make: Callable[[Bench], Made]) -> None:
    path, shown = make(bench)
    client, arn = bench.deployer("apigateway"), f"arn:aws:apigateway:us-east-1::{path}"

    client.tag_resource(resourceArn=arn, tags={"Commit": "2"})
    client.untag_resource(resourceArn=arn, tagKeys=["Old", "NeverThere"])

    assert shown()["tags"] == THEN


def test_an_identity_pool_shows_the_tags_that_it_was_given_last(bench: Bench) -> None:
    client = bench.deployer("cognito-identity")
    pool = client.create_identity_pool(
        IdentityPoolName=bench.name, AllowUnauthenticatedIdentities=False, IdentityPoolTags=MADE
    )["IdentityPoolId"]
    bench.later(client.delete_identity_pool, IdentityPoolId=pool)
    arn = f"arn:aws:cognito-identity:us-east-1:000000000000:identitypool/{pool}"

    client.tag_resource(ResourceArn=arn, Tags={"Commit": "2"})
    client.untag_resource(ResourceArn=arn, TagKeys=["Old", "NeverThere"])

    assert client.describe_identity_pool(IdentityPoolId=pool)["IdentityPoolTags"] == THEN


def test_what_is_not_there_takes_no_tags(bench: Bench) -> None:
    client, pools = bench.deployer("apigateway"), bench.deployer("cognito-identity")
    nowhere = (
        "arn:aws:cognito-identity:us-east-1:000000000000:identitypool/us-east-1:00000000-0000-0000-0000-000000000000"
    )

    assert refusal(
        lambda: client.tag_resource(resourceArn="arn:aws:apigateway:us-east-1::/apikeys/gone", tags=MADE)
    ) == ("NotFoundException")
    assert refusal(lambda: pools.tag_resource(ResourceArn=nowhere, Tags=MADE)) == "ResourceNotFoundException"
