"""CreateApiKey makes up a value when the request's is empty, as Terraform's is.

AWS: https://docs.aws.amazon.com/apigateway/latest/api/API_CreateApiKey.html
"""

from typing import Any

from ministack.services import apigateway_v1 as v1


def install() -> None:
    """Drop an empty value from the request."""
    original = v1._create_api_key

    def create(request: dict[str, Any]) -> Any:
        return original({name: value for name, value in request.items() if name != "value" or value})

    v1._create_api_key = create
