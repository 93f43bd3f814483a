"""What is derived from the code and the HTTP contract: event schemas, AsyncAPI, MQTT topics and the API's page.

Run as `python -m contracts.export`; a test fails when a file in the repository is not what this module makes.
"""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel

from contracts.document import FOLDER, load
from contracts.page import page
from devices.messages import MESSAGES, TOPICS
from paygo.events import EVENT_TYPES, Event, EventData
from paygo.payloads import MAX_MESSAGE_BYTES, REFERENCE

ROOT = FOLDER.parent

type Json = dict[str, Any]


def events_schema() -> Json:
    """Return one JSON Schema (2020-12) for each type of event, envelope included."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "description": "Paygo's events: CloudEvents 1.0, one schema a type.",
        "$defs": {event_type.TYPE: _event_schema(event_type) for event_type in EVENT_TYPES},
    }


def asyncapi() -> Json:
    """Return the AsyncAPI 3.0 document of the events and of the devices' MQTT messages."""
    services = sorted({event_type.TYPE.partition(".")[0] for event_type in EVENT_TYPES})
    events: Json = {
        service: {
            "address": f"{{stack}}-{service}",
            "description": f"The SNS topic of {service}; the message attribute `type` is the event's type.",
            "parameters": {"stack": {"description": "The stack's name."}},
            "messages": {
                event_type.TYPE: {"summary": _summary(event_type), "payload": _event_schema(event_type)}
                for event_type in EVENT_TYPES
                if event_type.TYPE.startswith(f"{service}.")
            },
        }
        for service in services
    }
    mqtt: Json = {
        name: {
            "address": address,
            "parameters": {
                "stack": {"description": "The stack's name."},
                "thing": {"description": "The thing's name, which is the client id as well."},
            },
            "messages": {name: {"summary": _summary(MESSAGES[name]), "payload": _schema(MESSAGES[name])}},
        }
        for name, address in TOPICS.items()
    }
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Paygo",
            "version": load()["info"]["version"],
            "description": "Events between services, and messages between devices and the cloud.",
        },
        "channels": events | mqtt,
    }


def mqtt() -> Json:
    """Return the MQTT topics, which Terraform and the device client read."""
    return {"topics": TOPICS}


EXPORTS: dict[Path, Callable[[], str]] = {
    FOLDER / "events.schema.json": lambda: _json(events_schema()),
    FOLDER / "asyncapi.yaml": lambda: yaml.safe_dump(asyncapi(), sort_keys=False, width=120),
    FOLDER / "mqtt.json": lambda: _json(mqtt()),
    ROOT / "clients" / "paygo-device" / "src" / "paygo_device" / "mqtt.json": lambda: _json(mqtt()),
    ROOT / "docs" / "api.md": lambda: page(load()),
}


def main() -> int:
    """Write every export and say which changed."""
    for path, make in EXPORTS.items():
        text = make()
        if not path.exists() or path.read_text() != text:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
            sys.stdout.write(f"{path.relative_to(ROOT)}: written\n")
    return 0


def _event_schema(event_type: type[EventData]) -> Json:
    schema = _schema(Event[event_type])  # type: ignore[valid-type]
    schema["title"] = event_type.__name__
    schema["description"] = _summary(event_type)
    schema["properties"]["type"] = {"const": event_type.TYPE}
    schema["properties"][REFERENCE] = {
        "type": "string",
        "format": "uri",
        "description": f"Where in S3 `data` is, when the message would be over {MAX_MESSAGE_BYTES} bytes with it.",
    }
    schema["required"].remove("data")
    schema["oneOf"] = [{"required": ["data"]}, {"required": [REFERENCE]}]
    return schema


def _schema(model: type[BaseModel]) -> Json:
    return model.model_json_schema()


def _summary(model: type[BaseModel]) -> str:
    return (model.__doc__ or "").strip().partition("\n")[0]


def _json(document: Json) -> str:
    return json.dumps(document, indent=2) + "\n"


if __name__ == "__main__":
    sys.exit(main())
