"""PutRestApi and ImportRestApi: a whole REST API from one OpenAPI document, JSON or YAML.

AWS: https://docs.aws.amazon.com/apigateway/latest/api/API_PutRestApi.html,
https://docs.aws.amazon.com/apigateway/latest/api/API_ImportRestApi.html,
https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-swagger-extensions.html,
https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-known-issues.html
"""

import copy
import json
import re
from collections.abc import Iterator
from typing import Any

import yaml
from ministack.services import apigateway_v1 as v1

type Json = dict[str, Any]
type Response = tuple[int, dict[str, str], bytes]

_METHODS = {"get", "post", "put", "delete", "patch", "head", "options", "x-amazon-apigateway-any-method"}
_PATH_ITEM_FIELDS = _METHODS | {"parameters", "summary", "description", "servers", "$ref", "trace"}
_LOCATIONS = {"path": "path", "query": "querystring", "header": "header"}
_EXTENSION = "x-amazon-apigateway-"
_MODEL_NAME = re.compile(r"[A-Za-z0-9]+")
_PATH_PART = re.compile(r"\{[A-Za-z0-9._-]+\+?\}|[A-Za-z0-9._:$-]+")
# The stores of one API that its document defines, put back when the document is refused.
_STORES = ("_rest_apis", "_resources", "_authorizers_v1", "_models", "_gateway_responses", "_request_validators")


class _InvalidError(Exception):
    """What is wrong with a document, for the caller."""


def install() -> None:
    """Answer both operations before MiniStack's router, which knows neither."""
    original = v1.handle_request

    async def handle(method: str, path: str, headers: dict[str, str], body: bytes, query: Json) -> Response:
        parts = [part for part in path.strip("/").split("/") if part]
        if method == "PUT" and len(parts) == 2 and parts[0] == "restapis":
            return _put(parts[1], body, query)
        if method == "POST" and parts == ["restapis"] and v1._qp(query, "mode") == "import":
            return _import(body, query)
        answer: Response = await original(method, path, headers, body, query)
        return answer

    v1.handle_request = handle


def _put(api_id: str, body: bytes, query: Json) -> Response:
    if api_id not in v1._rest_apis:
        return _error("NotFoundException", "Invalid API identifier specified", 404)
    return _define(api_id, body, query, mode=v1._qp(query, "mode") or "merge")


def _import(body: bytes, query: Json) -> Response:
    types = v1._qp(query, "endpointConfigurationTypes") or "EDGE"
    created = v1._create_rest_api({"name": "import", "endpointConfiguration": {"types": [types]}})
    api_id = json.loads(created[2])["id"]
    answer = _define(api_id, body, query, mode="overwrite")
    if answer[0] >= 400:
        v1._delete_rest_api(api_id)
        return answer
    return 201, answer[1], answer[2]


def _define(api_id: str, body: bytes, query: Json, mode: str) -> Response:
    before = {name: copy.deepcopy(getattr(v1, name).get(api_id)) for name in _STORES}
    try:
        if mode not in {"merge", "overwrite"}:
            raise _InvalidError(f"Invalid mode: {mode}")
        document = _parse(body)
        if mode == "overwrite":
            _empty(api_id)
        warnings = list(_Import(api_id, document).run())
        if warnings and str(v1._qp(query, "failonwarnings")).lower() == "true":
            raise _InvalidError(f"Warnings found during import:\n\t{'\n\t'.join(warnings)}")
    except _InvalidError as invalid:
        for name, value in before.items():
            getattr(v1, name)[api_id] = value if value is not None else {}
        return _error("BadRequestException", str(invalid), 400)
    view = json.loads(v1._get_rest_api(api_id)[2])
    answer: Response = v1._v1_response({**view, **({"warnings": warnings} if warnings else {})})
    return answer


def _error(code: str, message: str, status: int) -> Response:
    answer: Response = v1._v1_error(code, message, status)
    return answer


def _parse(body: bytes) -> Json:
    try:
        parsed = yaml.safe_load(body)  # JSON is YAML
    except yaml.YAMLError as problem:
        raise _InvalidError(f"Unable to parse API definition: {problem}") from None
    if not isinstance(parsed, dict):
        raise _InvalidError("Unable to parse API definition because of a malformed document")
    document: Json = json.loads(json.dumps(parsed, default=str))  # responses' numeric keys become text, as in JSON
    version = str(document.get("openapi") or document.get("swagger") or "")
    if version != "2.0" and not version.startswith("3.0"):
        raise _InvalidError(f"Unsupported OpenAPI version '{version}': API Gateway imports 2.0 and 3.0")
    if not (document.get("info") or {}).get("title"):
        raise _InvalidError("Missing required field: info.title")
    return document


def _empty(api_id: str) -> None:
    """Remove what the API was, settings included, as overwriting does; id, tags, endpoint type and stages stay."""
    resources = v1._resources[api_id]
    for resource_id in [key for key, each in resources.items() if each["path"] != "/"]:
        del resources[resource_id]
    for root in resources.values():
        root["resourceMethods"] = {}
    for name in ("_authorizers_v1", "_models", "_gateway_responses", "_request_validators"):
        getattr(v1, name)[api_id] = {}
    v1._rest_apis[api_id].update(
        description="",
        version="",
        binaryMediaTypes=[],
        minimumCompressionSize=None,
        apiKeySource="HEADER",
        policy=None,
        disableExecuteApiEndpoint=False,
    )


class _Import:
    """One document on its way into one API; ``run`` yields AWS's kind of warnings as it goes."""

    def __init__(self, api_id: str, document: Json) -> None:
        self.api_id = api_id
        self.document = document
        self.validators: dict[str, str] = {}
        self.schemes: Json = {}

    def run(self) -> Iterator[str]:
        self._settings()
        self._models()
        self._validators()
        self._gateway_responses()
        self.schemes = v1._import_security_schemes(self.api_id, self.document)
        yield from self._unusable_schemes()
        for path, item in (self.document.get("paths") or {}).items():
            resource_id = self._resource(path)
            item = self._resolved(item)  # noqa: PLW2901 - the same item, its reference followed
            for field in item.keys() - _PATH_ITEM_FIELDS:
                if not field.startswith("x-"):
                    yield f"Ignoring unknown field '{field}' of path '{path}'"
            for method in _METHODS & item.keys():
                yield from self._operation(resource_id, path, method, item)

    def _settings(self) -> None:
        api, info = v1._rest_apis[self.api_id], self.document["info"]
        api["name"] = str(info["title"])
        for name in ("description", "version"):
            if info.get(name) is not None:
                api[name] = str(info[name])
        for extension, name in (
            ("binary-media-types", "binaryMediaTypes"),
            ("minimum-compression-size", "minimumCompressionSize"),
            ("api-key-source", "apiKeySource"),
            ("policy", "policy"),
        ):
            if f"{_EXTENSION}{extension}" in self.document:
                api[name] = self.document[f"{_EXTENSION}{extension}"]
        endpoint = self.document.get(f"{_EXTENSION}endpoint-configuration") or {}
        for server in self.document.get("servers") or []:
            endpoint = {**endpoint, **(server.get(f"{_EXTENSION}endpoint-configuration") or {})}
        if "disableExecuteApiEndpoint" in endpoint:
            api["disableExecuteApiEndpoint"] = endpoint["disableExecuteApiEndpoint"]
        if isinstance(api.get("policy"), dict):
            api["policy"] = json.dumps(api["policy"])

    def _models(self) -> None:
        schemas = self.document.get("definitions") or (self.document.get("components") or {}).get("schemas") or {}
        for name, schema in schemas.items():
            if not _MODEL_NAME.fullmatch(name):
                raise _InvalidError(f"Invalid model name specified: {name}. Model names must be alphanumeric.")
            v1._create_model(self.api_id, {"name": name, "schema": json.dumps(schema)})

    def _validators(self) -> None:
        for name, definition in (self.document.get(f"{_EXTENSION}request-validators") or {}).items():
            created = v1._create_request_validator(self.api_id, {"name": name, **definition})
            self.validators[name] = json.loads(created[2])["id"]

    def _gateway_responses(self) -> None:
        for kind, definition in (self.document.get(f"{_EXTENSION}gateway-responses") or {}).items():
            answer = v1._put_gateway_response(self.api_id, kind, definition)
            if answer[0] >= 400:
                raise _InvalidError(json.loads(answer[2])["message"])

    def _unusable_schemes(self) -> Iterator[str]:
        for name in v1._security_schemes(self.document).keys() - self.schemes.keys():
            yield f"Security definition '{name}' is not supported and is ignored"

    def _resource(self, path: str) -> str:
        resources = v1._resources[self.api_id]
        current = next(key for key, each in resources.items() if each["path"] == "/")
        for part in [each for each in path.split("/") if each]:
            if not _PATH_PART.fullmatch(part):
                raise _InvalidError(f"Invalid path '{path}': resource's path part may not be '{part}'")
            siblings = {each["pathPart"]: key for key, each in resources.items() if each["parentId"] == current}
            if part not in siblings:
                self._refuse_second_variable(part, siblings)
                current = json.loads(v1._create_resource(self.api_id, current, {"pathPart": part})[2])["id"]
            else:
                current = siblings[part]
        found: str = current
        return found

    @staticmethod
    def _refuse_second_variable(part: str, siblings: dict[str, str]) -> None:
        other = next((each for each in siblings if each.startswith("{") and not each.endswith("+}")), None)
        if other is not None and part.startswith("{") and not part.endswith("+}"):
            raise _InvalidError(
                f"A sibling ({other}) of this resource already has a variable path part -- "
                "only one unique variable path part is allowed"
            )

    def _operation(self, resource_id: str, path: str, method: str, item: Json) -> Iterator[str]:
        operation = item[method]
        http_method = "ANY" if method.startswith("x-") else method.upper()
        security = operation.get("security", self.document.get("security"))
        method_settings = v1._method_security(security, self.schemes)
        for name in {key for each in security or [] for key in each} - self.schemes.keys():
            yield f"Security '{name}' of {http_method} {path} is not defined and is ignored"
        explicit = (operation.get(f"{_EXTENSION}auth") or {}).get("type")
        if explicit:
            method_settings["authorizationType"] = explicit.upper()
        parameters, warnings = self._parameters(path, item, operation)
        yield from (f"{warning} of {http_method} {path}" for warning in warnings)
        v1._put_method(
            self.api_id,
            resource_id,
            http_method,
            {
                **method_settings,
                "operationName": operation.get("operationId", ""),
                "requestParameters": parameters,
                "requestModels": self._request_models(operation),
                "requestValidatorId": self._validator(operation),
            },
        )
        for status, response in (operation.get("responses") or {}).items():
            if status.isdigit():
                self._method_response(resource_id, http_method, status, self._resolved(response))
        integration = operation.get(f"{_EXTENSION}integration")
        if integration:
            self._integration(resource_id, http_method, integration)

    def _parameters(self, path: str, item: Json, operation: Json) -> tuple[dict[str, bool], list[str]]:
        found: dict[str, bool] = {f"method.request.path.{name}": True for name in re.findall(r"\{([^}+]+)\+?\}", path)}
        warnings: list[str] = []
        for parameter in map(self._resolved, [*(item.get("parameters") or []), *(operation.get("parameters") or [])]):
            location = _LOCATIONS.get(parameter["in"])
            if location:
                found[f"method.request.{location}.{parameter['name']}"] = bool(parameter.get("required"))
            elif parameter["in"] not in {"body", "formData"}:
                warnings.append(f"Ignoring {parameter['in']} parameter '{parameter['name']}'")
        return found, warnings

    def _request_models(self, operation: Json) -> dict[str, str]:
        content = self._resolved(operation.get("requestBody") or {}).get("content") or {}
        models = {kind: (media.get("schema") or {}).get("$ref", "") for kind, media in content.items()}
        for parameter in map(self._resolved, operation.get("parameters") or []):
            if parameter["in"] == "body":
                models["application/json"] = (parameter.get("schema") or {}).get("$ref", "")
        return {kind: reference.rsplit("/", 1)[-1] for kind, reference in models.items() if reference}

    def _validator(self, operation: Json) -> str | None:
        key = f"{_EXTENSION}request-validator"
        name = operation.get(key, self.document.get(key))
        if name is not None and name not in self.validators:
            raise _InvalidError(f"Invalid request validator specified: {name}")
        return self.validators.get(name) if name is not None else None

    def _method_response(self, resource_id: str, http_method: str, status: str, response: Json) -> None:
        headers = {f"method.response.header.{name}": False for name in response.get("headers") or {}}
        v1._put_method_response(self.api_id, resource_id, http_method, status, {"responseParameters": headers})

    def _integration(self, resource_id: str, http_method: str, integration: Json) -> None:
        settings = {**integration, "type": str(integration.get("type", "")).upper()}
        for name in ("passthroughBehavior", "connectionType", "contentHandling"):
            if settings.get(name):
                settings[name] = settings[name].upper()
        v1._put_integration(self.api_id, resource_id, http_method, settings)
        stored = v1._resources[self.api_id][resource_id]["resourceMethods"][http_method]["methodIntegration"]
        for name in ("cacheNamespace", "connectionId", "tlsConfig", "responseTransferMode"):
            if name in integration:
                stored[name] = integration[name]
        for pattern, response in (integration.get("responses") or {}).items():
            v1._put_integration_response(
                self.api_id,
                resource_id,
                http_method,
                str(response["statusCode"]),
                {**response, "selectionPattern": "" if pattern == "default" else pattern},
            )

    def _resolved(self, value: Json) -> Json:
        reference = value.get("$ref")
        if not isinstance(reference, str) or not reference.startswith("#/"):
            return value
        found: Any = self.document
        for key in reference[2:].split("/"):
            name = key.replace("~1", "/").replace("~0", "~")
            if not isinstance(found, dict) or name not in found:
                raise _InvalidError(f"Unable to resolve reference {reference}")
            found = found[name]
        return found  # type: ignore[no-any-return]
