import json
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from contracts.export import EXPORTS, ROOT, events_schema
from paygo.events import EVENT_TYPES


@pytest.mark.parametrize("path", EXPORTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_the_repository_holds_what_the_code_exports(path: Path) -> None:
    assert path.read_text() == EXPORTS[path](), "run `make docs` and commit what changed"


@pytest.mark.parametrize("event_type", EVENT_TYPES, ids=lambda event_type: event_type.TYPE)
def test_a_schema_refuses_another_type(event_type: type) -> None:
    schema = events_schema()["$defs"][event_type.TYPE]  # type: ignore[attr-defined]

    Draft202012Validator.check_schema(schema)
    errors = Draft202012Validator(schema).iter_errors(json.loads('{"type": "another.type.v1"}'))
    assert any(error.json_path == "$.type" for error in errors)
