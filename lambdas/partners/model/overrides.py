"""Answers that a test chose instead of the contract's."""

from bisect import bisect_right
from itertools import accumulate
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, model_validator

from partners.model.pointers import agrees

OF_AN_OVERRIDE = ("id", "when", "repeat", "answers")


class _Chosen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class ChosenCallback(_Chosen):
    """A call of ours by the partner: how much later than usual, and what is different in its body."""

    delay_seconds: Annotated[float, Field(ge=0, le=600)] = 0
    body: dict[str, Any] = {}


class ChosenAnswer(_Chosen):
    """One answer; what it does not say is as in the contract.

    Attributes
    ----------
    body
        The answer's JSON.
    raw
        The answer's text when it is not to be JSON.
    delay_seconds
        How long the caller waits for it.
    times
        To how many requests it is given.
    disconnect
        The partner hangs up; behind API Gateway that is a 502 without a word of the partner.
    callbacks
        What the partner calls us with afterwards, instead of once as the contract says.
    """

    status: Annotated[int | None, Field(ge=200, le=599)] = None
    headers: dict[str, str] = {}
    body: Any = None
    raw: str | None = None
    delay_seconds: Annotated[float, Field(ge=0)] = 0
    times: Annotated[int, Field(ge=1)] = 1
    disconnect: bool = False
    callbacks: tuple[ChosenCallback, ...] | None = None

    @property
    def has_body(self) -> bool:
        """Whether the body is chosen; `null` is a body too."""
        return "body" in self.model_fields_set


class Override(_Chosen):
    """A sequence of answers to the requests whose body has what `when` says.

    After its end the last answer stays, unless the sequence repeats.
    """

    id: str = ""
    when: dict[str, Any] = {}
    repeat: bool = False
    answers: Annotated[tuple[ChosenAnswer, ...], Field(min_length=1)]

    @model_validator(mode="before")
    @classmethod
    def _take_one_answer(cls, data: Any) -> Any:
        if not isinstance(data, dict) or "answers" in data:
            return data
        own = {name: value for name, value in data.items() if name in OF_AN_OVERRIDE}
        return own | {"answers": [{name: value for name, value in data.items() if name not in own}]}

    @property
    def is_sequence(self) -> bool:
        """Whether it matters how many requests came before."""
        return len(self.answers) > 1

    def at(self, position: int) -> ChosenAnswer:
        """Return the answer to the request at `position`, which counts from 0."""
        ends = list(accumulate(answer.times for answer in self.answers))
        return self.answers[bisect_right(ends, position % ends[-1] if self.repeat else min(position, ends[-1] - 1))]


_ONE_OR_MORE: TypeAdapter[tuple[Override, ...] | Override] = TypeAdapter(tuple[Override, ...] | Override)


def overrides(text: str) -> tuple[Override, ...]:
    """Read an override, or a list of which the first that agrees with the request counts."""
    read = _ONE_OR_MORE.validate_json(text)
    return read if isinstance(read, tuple) else (read,)


def chosen(found: tuple[Override, ...], body: Any) -> tuple[int, Override] | None:
    """Return the first override that is meant for a request with this body, and its place."""
    return next(((place, override) for place, override in enumerate(found) if agrees(body, override.when)), None)
