"""Answers for the mock of every partner, set in one line, and the requests that it recorded.

    with PartnerMocks.of(stage) as mocks:
        mocks.down("crm")
        mocks.answer("crm", "POST", "/activations", status=503, times=2)
        ...
        [request] = mocks.requests("crm")
        assert request.body["device_id"] == device_id

An answer says what differs from the partner's contract; docs/play-a-failure.md has all of it.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Protocol, Self, TypedDict, Unpack
from uuid import uuid4

from botocore.config import Config
from botocore.exceptions import ClientError

if TYPE_CHECKING:
    from types import TracebackType

    import boto3

CONFIG = Config(s3={"addressing_style": "path"}, retries={"mode": "standard", "total_max_attempts": 5})
ATTEMPTS = 50
"""How often an object is written anew because another test wrote it in between."""
EVERY_ROUTE = "ANY"
CONTENDED = frozenset({"PreconditionFailed", "ConditionalRequestConflict"})


class MocksAbsent(Exception):
    """The stack plays no partners, as in production."""


class Place(Protocol):
    """Where a stack keeps what its mock needs."""

    @property
    def bucket(self) -> str:
        """The bucket of answers."""

    @property
    def table(self) -> str:
        """The table of requests."""


class Access(Protocol):
    """How a stack is reached, as far as mocks need it."""

    @property
    def region(self) -> str:
        """The stack's region."""

    @property
    def endpoint_url(self) -> str | None:
        """The embedded cloud's address."""

    @property
    def mocks(self) -> Place | None:
        """Where the mock keeps things."""


class Stage(Protocol):
    """A stack as its operator sees it."""

    @property
    def access(self) -> Access:
        """How it is reached."""

    @property
    def session(self) -> "boto3.Session":
        """The operator's own session."""


class Callback(TypedDict, total=False):
    """A call that the partner makes to us afterwards: how much later than usual, and what differs in its body."""

    delay_seconds: float
    body: Mapping[str, Any]


class Chosen(TypedDict, total=False):
    """One answer; what it does not say is as in the partner's contract.

    `raw` is text in place of JSON, `times` to how many requests the answer is given, `disconnect` hangs up, `callbacks`
    replaces the one that the contract has.
    """

    status: int
    headers: Mapping[str, str]
    body: Any
    raw: str
    delay_seconds: float
    times: int
    disconnect: bool
    callbacks: Sequence[Callback]


@dataclass(frozen=True)
class Requested:
    """A request that a partner was sent; the names of its headers are in lower case."""

    method: str
    route: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    text: str
    status: int
    override: str | None
    received_at: datetime

    @property
    def body(self) -> Any:
        """The JSON body."""
        return json.loads(self.text)

    @property
    def idempotency_key(self) -> str | None:
        """What makes a repetition harmless."""
        return self.headers.get("idempotency-key")


@dataclass(frozen=True)
class Choice:
    """Answers that were chosen, until they are taken back."""

    mocks: "PartnerMocks"
    key: str
    id: str

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: "TracebackType | None"
    ) -> None:
        self.take_back()

    def take_back(self) -> None:
        """Let the partner answer as before."""
        self.mocks.take_back(self)


class PartnerMocks:
    """The mock of every partner of one stack.

    Choices of several tests stand side by side as long as each says by `when` which requests it is for; one without
    `when` replaces the one before. Requests are those since this object was made.
    """

    def __init__(self, access: Access, session: "boto3.Session") -> None:
        if access.mocks is None:
            message = "The stack plays no partners: its stage is production."
            raise MocksAbsent(message)
        self._place = access.mocks
        self._s3 = session.client("s3", region_name=access.region, endpoint_url=access.endpoint_url, config=CONFIG)
        self._dynamodb = session.client(
            "dynamodb", region_name=access.region, endpoint_url=access.endpoint_url, config=CONFIG
        )
        self._made: list[Choice] = []
        self.began = datetime.now(UTC)

    @classmethod
    def of(cls, stage: Stage) -> Self:
        """Return the mocks of a stack as its operator reaches them."""
        return cls(stage.access, stage.session)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: "TracebackType | None"
    ) -> None:
        self.clear()

    def answer(
        self,
        partner: str,
        method: str,
        route: str,
        *,
        when: Mapping[str, Any] | None = None,
        **answer: Unpack[Chosen],
    ) -> Choice:
        """Let the partner answer so; with `times`, to so many requests and then as its contract says.

        Parameters
        ----------
        when
            JSON pointers into the request's body, and what stands there in the requests that are meant.
        """
        answers: list[Chosen] = [answer, {}] if "times" in answer else [answer]
        return self.sequence(partner, method, route, answers, when=when)

    def sequence(
        self,
        partner: str,
        method: str,
        route: str,
        answers: Iterable[Chosen],
        *,
        repeat: bool = False,
        when: Mapping[str, Any] | None = None,
    ) -> Choice:
        """Let the partner answer one after another; the last stays, unless they are to be repeated."""
        return self._choose(f"{partner}{route}/{method.upper()}.json", answers, repeat=repeat, when=when)

    def every_route(self, partner: str, *answers: Chosen, repeat: bool = False) -> Choice:
        """Let the partner answer so, whatever it is asked and nothing else was chosen for."""
        return self._choose(f"{partner}/{EVERY_ROUTE}.json", answers, repeat=repeat)

    def down(self, partner: str, status: int = 503) -> Choice:
        """Let the partner be away."""
        return self.every_route(partner, {"status": status})

    def slow(self, partner: str, seconds: float) -> Choice:
        """Let the partner answer as always, but late."""
        return self.every_route(partner, {"delay_seconds": seconds})

    def wrong(self, partner: str, body: Any = "not what the contract says") -> Choice:
        """Let the partner answer with the right status and JSON that its contract does not have."""
        return self.every_route(partner, {"body": body})

    def malformed(self, partner: str, text: str = "<html><body>Welcome!</body></html>") -> Choice:
        """Let the partner answer with the right status and no JSON."""
        return self.every_route(partner, {"raw": text})

    def hangs_up(self, partner: str) -> Choice:
        """Let the partner end every connection without a word."""
        return self.every_route(partner, {"disconnect": True})

    def flapping(self, partner: str, *, down: int = 1, up: int = 1) -> Choice:
        """Let the partner be away for some requests, there for some, and so on."""
        return self.every_route(partner, {"status": 503, "times": down}, {"times": up}, repeat=True)

    def take_back(self, choice: Choice) -> None:
        """Let the partner answer as before the choice."""
        self._rewrite(choice.key, lambda kept: [one for one in kept if one["id"] != choice.id])
        self._made = [one for one in self._made if one != choice]

    def clear(self) -> None:
        """Take back all that was chosen here."""
        for choice in list(self._made):
            self.take_back(choice)

    def requests(self, partner: str, *, since: datetime | None = None, route: str | None = None) -> list[Requested]:
        """Return what the partner was asked, the earliest first; of one route, if it is named."""
        pages = self._dynamodb.get_paginator("query").paginate(
            TableName=self._place.table,
            KeyConditionExpression="pk = :partner AND sk >= :since",
            ExpressionAttributeValues={
                ":partner": {"S": f"REQUESTS#{partner}"},
                ":since": {"S": (since or self.began).astimezone(UTC).isoformat(timespec="microseconds")},
            },
            ConsistentRead=True,
        )
        found = [_requested(item) for page in pages for item in page["Items"]]
        return [request for request in found if route is None or request.route == route]

    def _choose(
        self, key: str, answers: Iterable[Chosen], *, repeat: bool = False, when: Mapping[str, Any] | None = None
    ) -> Choice:
        choice = Choice(self, key, str(uuid4()))
        override = {"id": choice.id, "answers": list(answers), "repeat": repeat, "when": dict(when or {})}

        def put_first(kept: list[dict[str, Any]]) -> list[dict[str, Any]]:
            special = [one for one in kept if one["when"]]
            general = [one for one in kept if not one["when"]]
            return [override, *special, *general] if when else [*special, override]

        self._rewrite(key, put_first)
        self._made.append(choice)
        return choice

    def _rewrite(self, key: str, change: "Change") -> None:
        """Change the object that several tests may change at once."""
        for _ in range(ATTEMPTS):
            kept, etag = self._read(key)
            wanted = change(kept)
            only_if: dict[str, Any] = {"IfMatch": etag} if etag else {"IfNoneMatch": "*"}
            try:
                # An object without answers stands for none: deleting it could lose what another test writes meanwhile.
                self._s3.put_object(Bucket=self._place.bucket, Key=key, Body=json.dumps(wanted).encode(), **only_if)
            except ClientError as error:
                if error.response["Error"]["Code"] not in CONTENDED:
                    raise
            else:
                return
        message = f"Other tests kept changing {key}."
        raise RuntimeError(message)

    def _read(self, key: str) -> tuple[list[dict[str, Any]], str | None]:
        try:
            found = self._s3.get_object(Bucket=self._place.bucket, Key=key)
        except ClientError as error:
            if error.response["Error"]["Code"] == "NoSuchKey":
                return [], None
            raise
        read = json.loads(found["Body"].read())
        # What somebody wrote by hand has no id: it makes room.
        return [one for one in read if "id" in one] if isinstance(read, list) else [], found["ETag"]


class Change(Protocol):
    """What becomes of the choices in one object."""

    def __call__(self, kept: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Return them as they are to be."""


def _requested(item: Mapping[str, Any]) -> Requested:
    return Requested(
        method=item["method"]["S"],
        route=item["route"]["S"],
        query={name: value["S"] for name, value in item["query"]["M"].items()},
        headers={name: value["S"] for name, value in item["headers"]["M"].items()},
        text=item["body"]["S"],
        status=int(item["status"]["N"]),
        override=item["override"].get("S"),
        received_at=datetime.fromisoformat(item["received_at"]["S"]),
    )
