"""A dead letter from the queue to its end, as an operator sees it on the command line's own routes."""

import json
import os
import time
from collections.abc import Callable
from uuid import uuid4

import pytest

from deploy.stack import stack_name
from operate.access import find_stack
from operate.answers import Letter, LetterDetail
from operate.routes import Routes
from paygo_client import PaygoProblem
from tests.conftest import Clients

BRANCH = os.environ.get("PAYGO_TEST_BRANCH") or "test"
QUEUE = f"{stack_name(BRANCH)}-ledger-open-accounts"
CONSUMER = {"service": "ledger", "consumer": "open-accounts"}


@pytest.fixture(scope="module")
def operations() -> Routes:
    return Routes(find_stack(BRANCH, None, None))


def send(deployer: Clients, event_id: str) -> None:
    """Send the consumer an event that lacks what its type has."""
    sqs = deployer("sqs")
    body = {"specversion": "1.0", "id": event_id, "type": "devices.device-activated.v1", "data": {}}
    sqs.send_message(QueueUrl=sqs.get_queue_url(QueueName=QUEUE)["QueueUrl"], MessageBody=json.dumps(body))


def wait_for[Found](look: Callable[[], Found | None]) -> Found:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        found = look()
        if found:
            return found
        time.sleep(0.3)
    pytest.fail("It did not happen within a minute.")


def opened(operations: Routes, event_id: str) -> Letter | None:
    return next((letter for letter in operations.letters(CONSUMER) if letter.event_id == event_id), None)


def test_a_letter_lives_from_its_queue_to_its_end(operations: Routes, deployer: Clients) -> None:
    event_id = str(uuid4())
    send(deployer, event_id)

    letter = wait_for(lambda: opened(operations, event_id))
    assert (letter.reason, letter.event_type, letter.deaths) == ("invalid data", "devices.device-activated.v1", 1)

    operations.redrive(letter.letter_id)

    def died_again() -> LetterDetail | None:
        found = operations.letter(letter.letter_id)
        return found if found.deaths == 2 else None

    again = wait_for(died_again)
    assert again.state == "open"
    assert [entry.what for entry in again.history if entry.what != "attempt"] == ["archived", "redriven", "archived"]

    assert operations.discard(letter.letter_id, "It was only a test.").state == "discarded"
    done = operations.letter(letter.letter_id).history[-1]
    assert (done.what, done.reason) == ("discarded", "It was only a test.")
    assert done.by is not None
    assert done.by.endswith(":user/operator")
    with pytest.raises(PaygoProblem, match="not open"):
        operations.redrive(letter.letter_id)


def test_letters_are_redriven_and_discarded_by_the_dozen(operations: Routes, deployer: Clients) -> None:
    event_ids = {str(uuid4()) for _ in range(12)}
    for event_id in event_ids:
        send(deployer, event_id)

    def deaths(number: int) -> bool:
        found = [letter for letter in operations.letters(CONSUMER) if letter.event_id in event_ids]
        return len(found) == len(event_ids) and all(letter.deaths >= number for letter in found)

    wait_for(lambda: deaths(1))
    wanted = CONSUMER | {"reason": "invalid data"}
    began = time.monotonic()
    moved = [letter_id for page in operations.redrive_some(wanted, 4, time.sleep) for letter_id in page.letter_ids]
    assert len(moved) >= len(event_ids)
    wait_for(lambda: deaths(2))
    assert time.monotonic() - began >= len(event_ids) / 4 - 1

    discarded = [letter_id for page in operations.discard_some(wanted, "Only a test.") for letter_id in page.letter_ids]
    assert set(moved) <= set(discarded)
    assert list(operations.letters(wanted)) == []
