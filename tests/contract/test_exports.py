import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from contracts.export import EXPORTS, ROOT, events_schema
from paygo.events import EVENT_TYPES, Event, RegistrationSubmitted
from paygo.payloads import REFERENCE, Payloads


@pytest.mark.parametrize("path", EXPORTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_the_repository_holds_what_the_code_exports(path: Path) -> None:
    assert path.read_text() == EXPORTS[path](), "run `make docs` and commit what changed"


@pytest.mark.parametrize("event_type", EVENT_TYPES, ids=lambda event_type: event_type.TYPE)
def test_a_schema_refuses_another_type(event_type: type) -> None:
    schema = events_schema()["$defs"][event_type.TYPE]  # type: ignore[attr-defined]

    Draft202012Validator.check_schema(schema)
    errors = Draft202012Validator(schema).iter_errors(json.loads('{"type": "another.type.v1"}'))
    assert any(error.json_path == "$.type" for error in errors)


class Bucket:
    """As much of S3 as keeping needs."""

    def put_object(self, **_: object) -> None:
        """Keep it."""


def test_an_event_has_its_data_or_says_where_they_are() -> None:
    event = Event[RegistrationSubmitted].about(
        "r-1",
        RegistrationSubmitted(registration_id="r-1"),
        source="/paygo-test/identity",
        time=datetime.now(UTC),
        correlation_id="request-1",
    )
    whole = event.model_dump_json()
    referring = Payloads(Bucket(), "payloads").keep(whole)  # type: ignore[arg-type]
    schema = Draft202012Validator(events_schema()["$defs"][RegistrationSubmitted.TYPE])

    for text in (whole, referring):
        schema.validate(json.loads(text))
    assert not schema.is_valid(json.loads(whole) | {REFERENCE: "s3://payloads/events/x"})
    assert not schema.is_valid({name: value for name, value in json.loads(whole).items() if name != "data"})
