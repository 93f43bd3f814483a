"""UpdateRestApi changes lists, numbers and truth values as such; MiniStack keeps every patch as text in a map.

Terraform sends these patches after an import, for what its configuration sets beside the document.

AWS: https://docs.aws.amazon.com/apigateway/latest/api/patch-operations.html
"""

from typing import Any

from ministack.services import apigateway_v1 as v1

type Json = dict[str, Any]


def install() -> None:
    """Apply the patches that need care, and leave the others to MiniStack."""
    original = v1._update_rest_api

    def update(api_id: str, request: Json) -> Any:
        api = v1._rest_apis.get(api_id)
        patches = request.get("patchOperations") or []
        others = [patch for patch in patches if api is None or not _apply(api, patch)]
        return original(api_id, {**request, "patchOperations": others})

    v1._update_rest_api = update


def _apply(api: Json, patch: Json) -> bool:
    """Apply one patch; tell whether it was one of ours."""
    operation, value = patch.get("op", "replace"), patch.get("value")
    name, _, rest = patch.get("path", "").lstrip("/").partition("/")
    entry = rest.replace("~1", "/").replace("~0", "~")
    if name == "binaryMediaTypes":
        kept = [each for each in api.get(name) or [] if each != entry]
        api[name] = kept if operation == "remove" else [*kept, value if operation == "replace" and value else entry]
    elif name == "minimumCompressionSize":
        api[name] = int(value) if operation != "remove" and value not in (None, "") else None
    elif name == "disableExecuteApiEndpoint":
        api[name] = str(value).lower() == "true"
    elif name == "endpointConfiguration" and entry.startswith("types/"):
        api[name]["types"] = [value]
    elif name == "policy":
        api[name] = None if operation == "remove" else value or None
    else:
        return False
    return True
