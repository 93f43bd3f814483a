"""The deployed stack as the fault suite sees it: its queues, tables, mail, dead letters and partners."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from functools import cache, cached_property
from itertools import batched
from typing import Any
from uuid import uuid4

import requests
from botocore.config import Config

from demo.stage import Stage, home_folder, read_access
from deploy.stack import stack_name
from faults.kill_points import KillPoints
from mocks import PartnerMocks
from operate.access import find_stack
from operate.routes import Routes
from paygo.events import Event, EventData
from paygo.storage import Table, from_attributes

CONFIG = Config(
    s3={"addressing_style": "path"}, retries={"mode": "standard", "total_max_attempts": 5}, max_pool_connections=40
)


class NoKillPoints(Exception):
    """The stack is on AWS, where no function can be told to crash."""


class DeployedStack:
    """A branch's stack on the embedded cloud."""

    def __init__(self, branch: str) -> None:
        self.name = stack_name(branch)
        self.stage = Stage(read_access(self.name), "deployer")
        if self.stage.access.endpoint_url is None:
            message = f"{self.name} is not on the embedded cloud: faults are played there only."
            raise NoKillPoints(message)
        self.endpoint_url = self.stage.access.endpoint_url
        self.kill_points = KillPoints(home_folder() / "cloud")
        self.mocks = PartnerMocks.of(self.stage)

    @cache  # noqa: B019 (there is one stack, and it lives as long as the suite)
    def client(self, service: str) -> Any:
        """Return an AWS client with the deployer's credentials."""
        return self.stage.session.client(
            service,  # type: ignore[call-overload]
            region_name=self.stage.access.region,
            endpoint_url=self.endpoint_url,
            config=CONFIG,
        )

    @cache  # noqa: B019 (as above)
    def table(self, name: str) -> Table:
        """Return the stack's table of that name."""
        return Table(f"{self.name}-{name}", self.client("dynamodb"))

    @cached_property
    def delay_scale(self) -> float:
        """By how much the stack's delays are multiplied."""
        settings = self.client("lambda").get_function_configuration(FunctionName=f"{self.name}-ledger-book-payments")
        return float(settings["Environment"]["Variables"].get("DELAY_SCALE") or 1)

    def function(self, consumer: str) -> str:
        """Return the name of the function that `<service>/<function>` is."""
        return f"{self.name}-{consumer.replace('/', '-')}"

    @cache  # noqa: B019 (as above)
    def queue_url(self, name: str) -> str:
        """Return the address of a queue of the stack."""
        url: str = self.client("sqs").get_queue_url(QueueName=f"{self.name}-{name}")["QueueUrl"]
        return url

    def consumers(self) -> dict[str, list[str]]:
        """Return what the stack's functions consume: `<service>/<function>` and the ARNs of queues and streams."""
        found: dict[str, list[str]] = {}
        for page in self.client("lambda").get_paginator("list_event_source_mappings").paginate():
            for mapping in page["EventSourceMappings"]:
                function = mapping["FunctionArn"].split(":function:")[1].split(":")[0]
                if function.startswith(f"{self.name}-"):
                    service, _, name = function.removeprefix(f"{self.name}-").partition("-")
                    found.setdefault(f"{service}/{name}", []).append(mapping["EventSourceArn"])
        return found

    def send(
        self, queue: str, bodies: Iterable[str], *, delays: Iterable[int] | None = None, **attributes: str
    ) -> None:
        """Send messages to a queue as its topic does, each with the delay that belongs to it."""
        waits = list(delays) if delays is not None else None
        entries = [
            {
                "Id": str(place),
                "MessageBody": body,
                "DelaySeconds": waits[place] if waits else 0,
                "MessageAttributes": _attributes(attributes),
            }
            for place, body in enumerate(bodies)
        ]
        for batch in batched(entries, 10, strict=False):
            answer = self.client("sqs").send_message_batch(QueueUrl=self.queue_url(queue), Entries=list(batch))
            if answer.get("Failed"):
                message = f"{queue} did not take {len(answer['Failed'])} messages: {answer['Failed'][0]['Message']}"
                raise RuntimeError(message)

    def publish(self, service: str, events: Sequence[Event[Any]]) -> None:
        """Publish events on the topic of a service."""
        topic = f"arn:aws:sns:us-east-1:000000000000:{self.name}-{service}"
        for batch in batched(events, 10, strict=False):
            self.client("sns").publish_batch(
                TopicArn=topic,
                PublishBatchRequestEntries=[
                    {
                        "Id": str(place),
                        "Message": event.model_dump_json(),
                        "MessageAttributes": _attributes({"type": event.type}),
                    }
                    for place, event in enumerate(batch)
                ],
            )

    def replay(self, service: str, ids: Iterable[str]) -> None:
        """Let the service publish events again."""
        answer = self.client("lambda").invoke(
            FunctionName=f"{self.function(f'{service}/publish-outbox')}:live",
            Payload=json.dumps({"action": "replay", "ids": list(ids)}).encode(),
        )
        if answer.get("FunctionError"):
            raise RuntimeError(answer["Payload"].read().decode())

    def event[Data: EventData](self, service: str, subject: str, data: Data) -> Event[Data]:
        """Make an event as the service does."""
        envelope: type[Event[Data]] = Event[type(data)]  # type: ignore[assignment,misc]
        return envelope.about(
            subject, data, source=f"/{self.name}/{service}", time=datetime.now(UTC), correlation_id=str(uuid4())
        )

    def outbox(self, service: str) -> list[dict[str, Any]]:
        """Return the items of a service's outbox, with their events read."""
        pages = (
            self.client("dynamodb")
            .get_paginator("scan")
            .paginate(
                TableName=f"{self.name}-{service}",
                ConsistentRead=True,
                FilterExpression="begins_with(pk, :outbox)",
                ExpressionAttributeValues={":outbox": {"S": "OUTBOX#"}},
            )
        )
        items = [from_attributes(item) for page in pages for item in page["Items"]]
        return [item | {"event": json.loads(item["event"])} for item in items]

    def partitions(self, service: str, *, sk: str) -> set[str]:
        """Return the `pk` of every item of a service's table that has this `sk`."""
        pages = (
            self.client("dynamodb")
            .get_paginator("scan")
            .paginate(
                TableName=f"{self.name}-{service}",
                ConsistentRead=True,
                ProjectionExpression="pk",
                FilterExpression="sk = :sk",
                ExpressionAttributeValues={":sk": {"S": sk}},
            )
        )
        return {item["pk"]["S"] for page in pages for item in page["Items"]}

    def letters(self, consumer: str) -> Iterator[tuple[str, str]]:
        """Return the body and the reason of each open dead letter of a consumer."""
        for item in self._all(self.table("operations"), "OPEN", f"LETTER#{consumer}#"):
            yield self._body(item["letter_id"]), f"{item['reason']}: {item['error']}".rstrip(": ")

    def discard_letters(self, since: datetime) -> None:
        """Close the dead letters that died since then, as an operator does, so that no alarm rings on for a test."""
        routes = Routes(find_stack(self.stage.access.branch, None, None))
        own = [letter.letter_id for letter in routes.letters({}) if letter.dead_at >= since]
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda letter_id: routes.discard(letter_id, "The fault suite made it."), own))

    def mails(self) -> list[Mapping[str, Any]]:
        """Return all mail that was sent."""
        answer = requests.get(f"{self.endpoint_url}/_ministack/ses/messages", timeout=30)
        answer.raise_for_status()
        return [mail for mails in answer.json()["messages"].values() for mail in mails]

    def waiting(self, queue: str) -> int:
        """Return how many messages a queue has, visible or not."""
        names = [f"ApproximateNumberOfMessages{which}" for which in ("", "NotVisible", "Delayed")]
        answer = self.client("sqs").get_queue_attributes(QueueUrl=self.queue_url(queue), AttributeNames=names)
        return sum(int(answer["Attributes"][name]) for name in names)

    @cache  # noqa: B019 (as above)
    def _body(self, letter_id: str) -> str:
        parts = self._all(self.table("operations"), f"LETTER#{letter_id}", "BODY#")
        return "".join(part["text"] for part in parts)

    def _all(self, table: Table, pk: str, prefix: str) -> Iterator[dict[str, Any]]:
        cursor = None
        while True:
            page = table.query(pk, prefix=prefix, limit=500, cursor=cursor)
            yield from (dict(item) for item in page.items)
            cursor = page.next_cursor
            if cursor is None:
                return


def _attributes(values: Mapping[str, str]) -> dict[str, Any]:
    return {
        name.replace("_", "-"): {"DataType": "Number" if value.isdigit() else "String", "StringValue": value}
        for name, value in values.items()
    }
