"""The settings of one method, by their name and without a limit.

A stage tells them by the name that they were given, in which the path's slashes are `~1`: `~1v1~1devices/GET`.
MiniStack tells another name, so that Terraform takes the settings for gone. And a method whose rate and burst are -1
has no limit of its own; MiniStack refuses every request to it.

AWS: https://docs.aws.amazon.com/apigateway/latest/api/patch-operations.html
AWS: https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-request-throttling.html
"""

from typing import Any

from ministack.services import apigateway_v1 as v1

type Json = dict[str, Any]

UNLIMITED = -1


def install() -> None:
    """Keep the names as they come, and leave unlimited methods out where limits are looked up."""
    original = v1._method_throttle_settings

    def settings(stage: Json, resource_path: str, http_method: str) -> Json | None:
        own: Json | None = (stage.get("methodSettings") or {}).get(f"{resource_path.replace('/', '~1')}/{http_method}")
        found: Json | None = own or original(stage, resource_path, http_method)
        return None if found and found.get("throttlingRateLimit") == UNLIMITED else found

    v1._method_throttle_settings = settings
    v1._decode_json_pointer_token = lambda token: token  # of names of settings only
