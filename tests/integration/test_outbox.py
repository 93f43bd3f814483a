"""What leaves an outbox through the deployed topic and queue: what the stream missed, and what no message can carry."""

import json
import time
from datetime import UTC, datetime
from typing import Any

from paygo.events import HouseholdRegistered
from paygo.outbox import INDEX, SINCE, outbox_key, outbox_write
from paygo.payloads import MAX_MESSAGE_BYTES
from paygo.storage import Table, sortable
from tests.conftest import Clients
from tests.integration.test_events import STACK, Household, eventually


def test_a_sweep_publishes_what_the_stream_did_not(deployer: Clients) -> None:
    home = Household(deployer)
    outbox = Table(f"{STACK}-identity", deployer("dynamodb"))
    contacts = Table(f"{STACK}-notifications", deployer("dynamodb"))
    registered = home.about(
        "identity", HouseholdRegistered(household_id=home.household_id, given_name="Amina", email=home.email)
    )

    def entry() -> dict[str, Any]:
        return dict(outbox.get(**outbox_key(registered.id)) or {})

    def contact() -> list[dict[str, Any]]:
        found = contacts.query(f"HOUSEHOLD#{home.household_id}", prefix="CONTACT", limit=1).items
        return [dict(item) for item in found]

    outbox.transact([outbox_write(outbox, registered)])
    assert eventually(lambda: INDEX not in entry())
    assert eventually(lambda: bool(contact()))

    # As if it had never been: a change is nothing that the stream publishes.
    unpublished = {INDEX: registered.id[0], SINCE: sortable(datetime(2026, 1, 1, tzinfo=UTC))}
    outbox.update(outbox_key(registered.id), unpublished, remove=("published_at",))
    [kept] = contact()
    deployer("dynamodb").delete_item(
        TableName=f"{STACK}-notifications", Key={"pk": {"S": kept["pk"]}, "sk": {"S": kept["sk"]}}
    )
    time.sleep(2)
    assert INDEX in entry()
    assert not contact()

    answer = deployer("lambda").invoke(
        FunctionName=f"{STACK}-identity-publish-outbox:live", Payload=json.dumps({"action": "sweep"}).encode()
    )

    assert json.load(answer["Payload"])["failed"] == []
    assert INDEX not in entry()
    assert eventually(lambda: bool(contact()))


def test_an_event_too_large_for_a_message_arrives_whole(deployer: Clients) -> None:
    home = Household(deployer)
    outbox = Table(f"{STACK}-identity", deployer("dynamodb"))
    contacts = Table(f"{STACK}-notifications", deployer("dynamodb"))
    name = "A" * MAX_MESSAGE_BYTES
    registered = home.about(
        "identity", HouseholdRegistered(household_id=home.household_id, given_name=name, email=home.email)
    )

    def names() -> list[str]:
        found = contacts.query(f"HOUSEHOLD#{home.household_id}", prefix="CONTACT", limit=1).items
        return [str(item["given_name"]) for item in found]

    outbox.transact([outbox_write(outbox, registered)])

    assert eventually(lambda: bool(names()))
    assert names() == [name]
