"""A resource shows the tags that it was given last, not those that it was made with.

AWS: https://docs.aws.amazon.com/apigateway/latest/api/API_TagResource.html,
https://docs.aws.amazon.com/cognitoidentity/latest/APIReference/API_TagResource.html
"""

from collections.abc import Callable, Sequence
from typing import Any

from ministack.services import apigateway_v1 as v1
from ministack.services import cognito

type Json = dict[str, Any]
type Change = Callable[[dict[str, str]], None]


def install() -> None:
    """Wrap tagging and untagging."""
    tag, untag = v1._tag_v1_resource, v1._untag_v1_resource

    def tag_gateways(arn: str, request: Json) -> Any:
        return _shown(tag(arn, request), _gateways(arn), lambda tags: tags.update(request.get("tags") or {}))

    def untag_gateways(arn: str, names: Sequence[str]) -> Any:
        return _shown(untag(arn, names), _gateways(arn), lambda tags: _drop(tags, names))

    v1._tag_v1_resource, v1._untag_v1_resource = tag_gateways, untag_gateways
    tag_pool, untag_pool = cognito._identity_tag_resource, cognito._identity_untag_resource

    def tag_pools(request: Json) -> Any:
        return _shown(tag_pool(request), _pools(request), lambda tags: tags.update(request.get("Tags") or {}))

    def untag_pools(request: Json) -> Any:
        return _shown(untag_pool(request), _pools(request), lambda tags: _drop(tags, request.get("TagKeys") or []))

    cognito._identity_tag_resource, cognito._identity_untag_resource = tag_pools, untag_pools


def _shown(answer: Any, tags: dict[str, str], change: Change) -> Any:
    """Change what a resource shows when the service has changed what it keeps."""
    if answer[0] < 300:
        change(tags)
    return answer


def _drop(tags: dict[str, str], names: Sequence[str]) -> None:
    for name in names:
        tags.pop(name, None)


def _gateways(arn: str) -> dict[str, str]:
    """Find what shows the tags of an API, a stage, a key or a plan."""
    kind, _, name = arn.partition("::/")[2].partition("/")
    api, _, stage = name.partition("/stages/")
    if stage:
        found = v1._stages_v1.get(api, {}).get(stage)
    else:
        found = {"restapis": v1._rest_apis, "apikeys": v1._api_keys, "usageplans": v1._usage_plans}.get(kind, {}).get(
            name
        )
    return found.setdefault("tags", {}) if found else {}


def _pools(request: Json) -> dict[str, str]:
    pool = cognito._identity_pools.get(str(request.get("ResourceArn")).rpartition("/")[2])
    return pool.setdefault("IdentityPoolTags", {}) if pool else {}
