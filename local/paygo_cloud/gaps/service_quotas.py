"""Service Quotas tells the quotas in force: AWS's, or what the throttle lowered them to.

MiniStack has no such service; asked for it, it answers an error after reading the model of every service there is,
which costs it 400 MB. Only quotas that have a code in `paygo_limits` are told.

AWS: https://docs.aws.amazon.com/servicequotas/2019-06-24/apireference/API_GetServiceQuota.html,
https://docs.aws.amazon.com/servicequotas/2019-06-24/apireference/API_ListServiceQuotas.html,
https://docs.aws.amazon.com/servicequotas/2019-06-24/apireference/API_GetAWSDefaultServiceQuota.html
"""

import json
from collections.abc import Callable, Mapping
from typing import Any

from ministack import app
from ministack.core import iam_actions, router
from ministack.core.responses import get_account_id, get_region

from paygo_cloud.throttle import switch
from paygo_limits import Quota, quotas

SERVICE = "service-quotas"
GLOBAL = frozenset({"iam"})
"""Services whose quotas are the account's, whatever the region."""

type Json = dict[str, Any]


class Refused(Exception):
    """What is asked for is not there, or not asked for as it should be."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


def install() -> None:
    """Add the service to what MiniStack routes, authorizes and serves."""
    router.SERVICE_PATTERNS[SERVICE] = {"target_prefixes": ["ServiceQuotasV20190624"]}
    iam_actions.SERVICE_TO_IAM_NAMESPACE[SERVICE] = "servicequotas"
    app.SERVICE_HANDLERS[SERVICE] = handle


async def handle(_method: str, _path: str, headers: Mapping[str, str], body: bytes, _query: object) -> Any:
    """Answer a request of its JSON protocol."""
    answer = _OPERATIONS.get(headers.get("x-amz-target", "").rpartition(".")[2])
    try:
        if answer is None:
            raise Refused("UnknownOperationException", "The embedded cloud's Service Quotas only tells quotas.")
        status, told = 200, answer(json.loads(body or b"{}"))
    except Refused as refused:
        status, told = 400, {"__type": refused.code, "Message": str(refused)}
    return status, {"Content-Type": "application/x-amz-json-1.1"}, json.dumps(told).encode()


def _get(asked: Json, limit: Callable[[Quota], int]) -> Json:
    service, code = _needed(asked, "ServiceCode"), _needed(asked, "QuotaCode")
    for quota in _of(service):
        if quota.code == code:
            return {"Quota": _told(quota, limit(quota))}
    raise Refused("NoSuchResourceException", "The request failed because the specified service quota does not exist.")


def _list(asked: Json, limit: Callable[[Quota], int]) -> Json:
    """List on one page: a service has a handful here."""
    told = [_told(quota, limit(quota)) for quota in _of(_needed(asked, "ServiceCode"))]
    return {"Quotas": [each for each in told if asked.get("QuotaCode") in {None, each["QuotaCode"]}]}


def _needed(asked: Json, name: str) -> str:
    value = asked.get(name)
    if not value:
        raise Refused("IllegalArgumentException", f"{name} is missing.")
    return str(value)


def _of(service: str) -> list[Quota]:
    found = [quota for quota in quotas(service).values() if quota.code]
    if not found:
        raise Refused("NoSuchResourceException", f"The request failed because the service {service} has no quotas.")
    return found


def _told(quota: Quota, limit: int) -> Json:
    is_global = quota.service in GLOBAL
    arn = f"arn:aws:servicequotas:{'' if is_global else get_region()}:{get_account_id()}:{quota.service}/{quota.code}"
    return {
        "ServiceCode": quota.service,
        "ServiceName": quota.words.removesuffix(f" {quota.name.replace('_', ' ')}"),
        "QuotaArn": arn,
        "QuotaCode": quota.code,
        "QuotaName": quota.name.replace("_", " "),
        "Value": float(limit),
        "Unit": "None",
        "Adjustable": True,
        "GlobalQuota": is_global,
        "QuotaAppliedAtLevel": "ACCOUNT",
    }


def _in_force(quota: Quota) -> int:
    return switch.limit(quota.service, quota.name)


def _published(quota: Quota) -> int:
    return quota.limit


_OPERATIONS: Mapping[str, Callable[[Json], Json]] = {
    "GetServiceQuota": lambda asked: _get(asked, _in_force),
    "ListServiceQuotas": lambda asked: _list(asked, _in_force),
    "GetAWSDefaultServiceQuota": lambda asked: _get(asked, _published),
    "ListAWSDefaultServiceQuotas": lambda asked: _list(asked, _published),
}
