"""Count what the account holds against its quotas, and refuse a stack that does not fit before any of it is made."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import islice
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from deploy import lock, storage
from deploy.errors import DeployError
from deploy.leftovers import counted, listed
from deploy.needs import CODE, LIMITED, Limited, Needs, missing
from deploy.stack import PREFIX
from deploy.storage import State
from deploy.target import Clients
from janitor.found import owner
from paygo_limits import Quota

PAGES = 60
"""How many pages of a list are read: at a hundred to a page more than any quota allows."""
STRAYS = "Paygo's but no stack's here"
OTHERS = "not Paygo's"
_THREADS = 16
# What is counted in all regions together is kept in one: https://docs.aws.amazon.com/general/latest/gr/iam-service.html
_HOME = {"iam": "us-east-1", "s3": "us-east-1"}


@dataclass(frozen=True)
class Listing:
    """How the names of all resources of a type are listed, whoever made them."""

    service: str
    operation: str
    item: str
    name: str = ""
    page_size: int | None = None
    counts: Callable[[Mapping[str, Any]], bool] = lambda _: True

    def names(self, clients: Clients) -> Iterator[str]:
        paging = {"PaginationConfig": {"PageSize": self.page_size}} if self.page_size else {}
        pages = clients(self.service).get_paginator(self.operation).paginate(**paging)
        for page in islice(pages, PAGES):
            for one in page.get(self.item) or []:
                if isinstance(one, str):
                    yield one
                elif self.counts(one):
                    yield one[self.name]


def _regional(api: Mapping[str, Any]) -> bool:
    return "EDGE" not in api.get("endpointConfiguration", {}).get("types", [])


LISTINGS: Mapping[str, Listing] = {
    "aws_iam_role": Listing("iam", "list_roles", "Roles", "RoleName", 1000),
    "aws_cloudwatch_event_rule": Listing("events", "list_rules", "Rules", "Name"),
    "aws_cloudwatch_metric_alarm": Listing("cloudwatch", "describe_alarms", "MetricAlarms", "AlarmName", 100),
    "aws_dynamodb_table": Listing("dynamodb", "list_tables", "TableNames"),
    "aws_iot_provisioning_template": Listing("iot", "list_provisioning_templates", "templates", "templateName", 250),
    "aws_api_gateway_usage_plan": Listing("apigateway", "get_usage_plans", "items", "name", 500),
    "aws_api_gateway_rest_api": Listing("apigateway", "get_rest_apis", "items", "name", 500, _regional),
    "aws_api_gateway_api_key": Listing("apigateway", "get_api_keys", "items", "name", 500),
    "aws_cognito_user_pool": Listing("cognito-idp", "list_user_pools", "UserPools", "Name", 60),
    "aws_cognito_identity_pool": Listing(
        "cognito-identity", "list_identity_pools", "IdentityPools", "IdentityPoolName", 60
    ),
    "aws_iot_topic_rule": Listing("iot", "list_topic_rules", "rules", "ruleName", 1000),
    "aws_s3_bucket": Listing("s3", "list_buckets", "Buckets", "Name", 1000),
}


@dataclass(frozen=True)
class Stock:
    """How much of a quota is taken, and by whom.

    Attributes
    ----------
    limit
        What AWS says that the account may have, or else what is written down.
    held
        How much there is; None where it could not be counted.
    by
        The same by stack; `OTHERS` and `STRAYS` stand for what is of none.
    """

    limited: Limited
    limit: int
    held: int | None
    by: Mapping[str, int]

    def room(self, stack: str) -> int:
        """Say for how much of it there is room, what the stack has already included."""
        return self.limit - (self.held or 0) + self.by.get(stack, 0)


@dataclass(frozen=True)
class Lives:
    """What a stack's state says of how long it is to live."""

    stack: str
    expires_at: str
    stage: str

    def may_go(self, now: datetime) -> bool:
        """Tell whether its time has passed and nothing protects it."""
        try:
            over = datetime.fromisoformat(self.expires_at) < now
        except ValueError:
            return False  # "never"
        return over and self.stage == "development"


def check(clients: Clients, stack: str, needed: Needs, state: State) -> str:
    """Say that the account has room for what a stack needs and does not have.

    What is the stack's already is no obstacle, even where a killed run did not write it down.

    Raises
    ------
    DeployError
        When there is no room: with what is full, what fills it and what could be freed.
    """
    wanted = [limited for limited in LIMITED if limited.resource in missing(needed, state)]
    if not wanted:
        return "nothing more is needed"
    stocks = look(clients, wanted, stack)
    full = [stock for stock in stocks if stock.held is not None and needed[stock.limited.resource] > stock.room(stack)]
    if full:
        now = datetime.now(UTC)
        ended = [lives.stack for lives in lifetimes(clients) if lives.may_go(now) and lives.stack != stack]
        raise DeployError("\n".join(refusal(stack, needed[stock.limited.resource], stock, ended) for stock in full))
    unknown = [stock.limited.quota.words for stock in stocks if stock.held is None]
    seen = f"room in {counted(len(stocks) - len(unknown), 'quota')}"
    return f"{seen}, not seen: {', '.join(unknown)}" if unknown else seen


def look(clients: Clients, wanted: Sequence[Limited] = LIMITED, *stacks: str) -> list[Stock]:
    """Count what the account holds of each, all at once, for the stacks whose state is there and for these."""
    ask = askers(clients)
    with ThreadPoolExecutor(_THREADS) as pool:
        with_state = pool.submit(storage.stacks, clients)
        limits = pool.map(lambda limited: allowed(ask, limited.quota), wanted)
        held = pool.map(lambda limited: _held(clients, limited), wanted)
        known = {*with_state.result(), *stacks}
        return [
            Stock(limited, limit, *_counted(names, known))
            for limited, limit, names in zip(wanted, limits, held, strict=True)
        ]


def _counted(found: list[str] | int | None, stacks: Iterable[str]) -> tuple[int | None, Mapping[str, int]]:
    if isinstance(found, list):
        return len(found), by_stack(found, stacks)
    return found, {}


def _held(clients: Clients, limited: Limited) -> list[str] | int | None:
    """List the names of what there is, or for code say its size; None where this may not or cannot be asked."""
    try:
        if limited.resource == CODE:
            return int(clients("lambda").get_account_settings()["AccountUsage"]["TotalCodeSize"])
        return list(LISTINGS[limited.resource].names(clients))
    except (BotoCoreError, ClientError, KeyError):
        return None


def askers(clients: Clients) -> Callable[[Quota], Any]:
    """Make what gives the Service Quotas that knows a quota, which need not be the region's."""
    here = clients.target.region
    others = {region: Clients(replace(clients.target, region=region)) for region in {*_HOME.values()} - {here}}
    made = {here: clients, **others}
    return lambda quota: made[_HOME.get(quota.service, here)]("service-quotas")


def allowed(ask: Callable[[Quota], Any], quota: Quota) -> int:
    """Ask AWS how many the account may have; what is written down where it does not answer."""
    if quota.code is None:
        return quota.limit
    try:
        answer = ask(quota).get_service_quota(ServiceCode=quota.service, QuotaCode=quota.code)
        return int(answer["Quota"]["Value"])
    except Exception:  # noqa: BLE001 (whatever keeps AWS from answering, the written-down limit holds)
        return quota.limit


def by_stack(names: Iterable[str], stacks: Iterable[str]) -> Counter[str]:
    """Count names by the stack whose they are.

    >>> by_stack(["paygo-demo-identity", "paygo-gone-x", "somebody-elses"], ["paygo-demo"])
    Counter({'paygo-demo': 1, "Paygo's but no stack's here": 1, "not Paygo's": 1})
    """
    known = list(stacks)
    return Counter(owner(name, known) or (STRAYS if _is_paygos(name) else OTHERS) for name in names)


def _is_paygos(name: str) -> bool:
    return name.replace("_", "-").startswith(PREFIX)


def lifetimes(clients: Clients) -> list[Lives]:
    """Read from every stack's state how long it is to live; one that the caller may not read says nothing."""

    def read(stack: str) -> Lives:
        state = State.seen(clients, lock.state_key(stack)) or State({})
        return Lives(stack, state.output("expires_at") or "never", state.output("stage") or "")

    with ThreadPoolExecutor(_THREADS) as pool:
        return list(pool.map(read, sorted(storage.stacks(clients))))


def refusal(stack: str, needed: int, stock: Stock, ended: Iterable[str]) -> str:
    """Say why a stack does not fit, what is in its way, and the ways on."""
    quota, held = stock.limited.quota, stock.held or 0
    text = (
        f"{stack} needs {needed:,} {quota.words} and the account has room for {max(stock.room(stack), 0):,}: "
        f"{held:,} of {stock.limit:,} are taken{_takers(stock.by)}."
    )
    freed = {name: stock.by[name] for name in ended if stock.by.get(name)}
    if freed:
        janitor = (
            f"the janitor could free {sum(freed.values()):,} (`make janitor`), for the time of {listed(freed)} is over"
        )
    else:
        janitor = "the janitor could free nothing, for no stack's time is over"
    fewer = ", deploy with ROLES=service" if stock.limited.resource == "aws_iam_role" else ""
    code = f" {quota.code}" if quota.code else ""
    return (
        f"{text} Nothing was made; {janitor}. Destroy a stack that nobody needs{fewer}, or have AWS raise the "
        f"quota{code}: docs/limits.md."
    )


def _takers(by: Mapping[str, int]) -> str:
    """Name the stacks that hold most, and what is no stack's."""
    if not by:
        return ""
    stacks = sorted(
        ((count, name) for name, count in by.items() if name not in {OTHERS, STRAYS}), key=lambda one: (-one[0], one[1])
    )
    told = []
    if stacks:
        largest = listed(f"{name} {count:,}" for count, name in stacks)
        total = sum(count for count, _ in stacks)
        told.append(f"{counted(len(stacks), 'stack')} hold{'s' * (len(stacks) == 1)} {total:,} ({largest})")
    told += [f"{by[name]:,} {'is' if by[name] == 1 else 'are'} {name}" for name in (STRAYS, OTHERS) if by.get(name)]
    return f", of which {' and '.join(told)}" if len(told) < 3 else f", of which {', '.join(told[:-1])} and {told[-1]}"
