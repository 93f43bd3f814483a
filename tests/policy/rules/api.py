"""What the API answers, and to whom."""

import json
from collections.abc import Mapping
from fnmatch import fnmatchcase
from typing import Any

from contracts.document import load, operations
from tests.policy.plan import STACK, Plan
from tests.policy.rules.reading import Complaints, listed, operations_of, route_of, statements


def operations_ask_who_calls(plan: Plan) -> Complaints:
    """Without a credential there is a way into a session, and what a stranger may know; nothing else."""
    open_to_all = {"openSession", "refreshSession", "readConfiguration", "readKeys"}
    for _, path, operation in operations_of(plan):
        schemes = [name for requirement in operation["security"] for name in requirement]
        expected = {
            "v1": ["session"],
            "bearer": ["bearer"],
            "partners": ["partner"],
            "operations": ["operator"],
            "mocks": [],
        }
        if schemes != ([] if operation["operationId"] in open_to_all else expected[path.split("/")[1]]):
            yield f"{operation['operationId']} asks for {schemes}"


def sessions_routes_are_there_for_tokens_too(plan: Plan) -> Complaints:
    """And no others: the same function answers both."""
    answered: dict[str, dict[tuple[str, str], str]] = {"session": {}, "bearer": {}}
    for method, path, operation in operations_of(plan):
        for scheme in {name for requirement in operation["security"] for name in requirement} & answered.keys():
            route = method, path.removeprefix("/bearer") if scheme == "bearer" else path
            answered[scheme][route] = operation["x-amazon-apigateway-integration"]["uri"]
            if path.startswith("/bearer/") != (scheme == "bearer"):
                yield f"{method} {path}: is no place for {scheme}"
    for both in {*answered["session"].items()} ^ {*answered["bearer"].items()}:
        yield f"{both}: is not the same for a signature and for a token"


def tokens_are_known_by_their_authorizer(plan: Plan) -> Complaints:
    """For a minute at most, by a function that the API may call, and who brings none never reaches it."""
    for api in plan.of("aws_api_gateway_rest_api"):
        scheme = api.document("body")["components"]["securitySchemes"]["bearer"]
        authorizer = scheme["x-amazon-apigateway-authorizer"]
        function = authorizer["authorizerUri"].partition(":function:")[2]
        if (scheme["name"], scheme["in"]) != ("Authorization", "header"):
            yield f"{api.address}: the token is in another place"
        if not 0 < authorizer["authorizerResultTtlInSeconds"] <= 60:
            yield f"{api.address}: a revoked token lives on for {authorizer['authorizerResultTtlInSeconds']} s"
        # One of the type `token` would not learn where a request comes from; answers are kept by the whole header.
        if (authorizer["type"], authorizer["identitySource"]) != ("request", "method.request.header.Authorization"):
            yield f"{api.address}: remembers answers for something else than the token, or does not tell who asks"
        if not any(
            function.startswith(f"{permission.values['function_name']}:live/")
            and permission.values["source_arn"].endswith(":abcdefghij/authorizers/*")
            for permission in plan.of("aws_lambda_permission")
        ):
            yield f"{api.address}: may not call {function}"
        refused = api.document("body")["x-amazon-apigateway-gateway-responses"]["UNAUTHORIZED"]
        if refused["responseParameters"].get("gatewayresponse.header.WWW-Authenticate") != "'Bearer'":
            yield f"{api.address}: does not say how to make oneself known"


def identities_invoke_what_the_contract_says(plan: Plan) -> Complaints:
    """Also by the `*` of a wider route, which stands for slashes too."""
    kinds = {"anonymous": "unauthenticated", "household": "authenticated"}
    for kind, role in kinds.items():
        policy = plan.named("aws_iam_role_policy", f'module.identity_pool.aws_iam_role_policy.this["{role}"]')
        patterns = [
            arn.partition("/v/")[2]
            for statement in statements(policy.document("policy"))
            for arn in listed(statement["Resource"])
        ]
        for operation in operations(load()):
            route = route_of(operation.method, operation.path)
            may = any(fnmatchcase(route, pattern) for pattern in patterns)
            if may != (kind in operation.spec.get("x-paygo-callers", [])):
                yield f"{policy.address}: {route} is {'open' if may else 'closed'} to {kind} callers"


def tokens_open_what_the_contract_says(plan: Plan) -> Complaints:
    """Which routes a scope has, and which scopes a token may be made with."""
    expected: dict[str, dict[str, set[str]]] = {"anonymous": {}, "household": {}}
    for operation in operations(load()):
        for kind in operation.spec.get("x-paygo-callers", []):
            routes = expected[kind].setdefault(operation.spec["x-paygo-scope"], set())
            routes.add(route_of(operation.method, f"/bearer{operation.path}"))
    for function in plan.of("aws_lambda_function"):
        told = function.values["environment"][0]["variables"]
        if "SCOPE_ROUTES" in told:
            known = {
                kind: {scope: set(routes) for scope, routes in scopes.items()}
                for kind, scopes in _json(told, "SCOPE_ROUTES")
            }
            if known != expected:
                yield f"{function.address}: other routes than the contract's"
        if "SCOPES" in told:
            scopes = {kind: set(names) for kind, names in _json(told, "SCOPES")}
            if scopes != {kind: set(known) for kind, known in expected.items()}:
                yield f"{function.address}: other scopes than the contract's"
        if ("SCOPE_ROUTES" in told) != (function.values["function_name"] == f"{STACK}-identity-authorizer"):
            yield f"{function.address}: is told routes without deciding on them, or decides without"


def _json(told: Mapping[str, str], name: str) -> list[tuple[str, Any]]:
    read: dict[str, Any] = json.loads(told[name])
    return list(read.items())


def api_errors_are_problem_documents(plan: Plan) -> Complaints:
    for api in plan.of("aws_api_gateway_rest_api"):
        responses = api.document("body")["x-amazon-apigateway-gateway-responses"]
        for kind, response in responses.items():
            problem = json.loads(response["responseTemplates"]["application/json"])
            content_type = response["responseParameters"].get("gatewayresponse.header.Content-Type")
            if (
                not {"type", "title", "detail", "instance"} <= problem.keys()
                or content_type != "'application/problem+json'"
            ):
                yield f"{api.address}: {kind}"
            if problem.get("status") is not None and str(problem["status"]) != response.get("statusCode"):
                yield f"{api.address}: {kind} says {problem['status']} and answers {response.get('statusCode')}"
        if not {"DEFAULT_4XX", "DEFAULT_5XX"} <= responses.keys():
            yield f"{api.address}: other errors have another shape"


def third_parties_are_limited(plan: Plan) -> Complaints:
    """A plan says how many calls a second, in a burst and a day."""
    for usage_plan in plan.of("aws_api_gateway_usage_plan"):
        limits = [*usage_plan.values["throttle_settings"], *usage_plan.values["quota_settings"]]
        told = {name: value for one in limits for name, value in one.items()}
        if not (told.get("rate_limit") and told.get("burst_limit") and told.get("limit")):
            yield f"{usage_plan.address}: calls as often as it likes"


def bodies_are_checked_by_functions(plan: Plan) -> Complaints:
    """API Gateway's models are JSON Schema draft 4 and reject much of OpenAPI."""
    for _, _, operation in operations_of(plan):
        if "requestBody" in operation or any("content" in response for response in operation["responses"].values()):
            yield operation["operationId"]
