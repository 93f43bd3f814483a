"""A method whose rate and burst are -1 has no limit of its own; MiniStack refuses every request to it.

AWS: https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-request-throttling.html
"""

from typing import Any

from ministack.services import apigateway_v1 as v1

type Json = dict[str, Any]

UNLIMITED = -1


def install() -> None:
    """Leave such a method's settings out where limits are looked up."""
    original = v1._method_throttle_settings

    def settings(stage: Json, resource_path: str, http_method: str) -> Json | None:
        found: Json | None = original(stage, resource_path, http_method)
        return None if found and found.get("throttlingRateLimit") == UNLIMITED else found

    v1._method_throttle_settings = settings
