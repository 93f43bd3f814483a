import json
from datetime import UTC, datetime

import pytest
from pydantic import ValidationError

from paygo.events import EVENT_TYPES, Event, EventData, HouseholdRegistered, PaymentConfirmed, RegistrationSubmitted

NOW = datetime(2026, 11, 21, 10, 0, tzinfo=UTC)


def submitted() -> Event[RegistrationSubmitted]:
    return Event[RegistrationSubmitted].about(
        "r-1", RegistrationSubmitted(registration_id="r-1"), source="/s/identity", time=NOW, correlation_id="c-1"
    )


def test_an_event_is_a_cloud_event_in_json() -> None:
    event = submitted()

    assert json.loads(event.model_dump_json()) == {
        "specversion": "1.0",
        "id": event.id,
        "source": "/s/identity",
        "type": "identity.registration-submitted.v1",
        "subject": "r-1",
        "time": "2026-11-21T10:00:00Z",
        "datacontenttype": "application/json",
        "correlationid": "c-1",
        "data": {"registration_id": "r-1"},
    }


def test_two_events_have_two_ids() -> None:
    assert submitted().id != submitted().id


def test_an_event_survives_its_journey() -> None:
    event = submitted()

    assert Event[RegistrationSubmitted].model_validate_json(event.model_dump_json()) == event


def test_a_field_added_later_does_not_break_a_reader() -> None:
    document = submitted().model_dump(mode="json")
    document["data"]["added"] = "later"

    assert Event[RegistrationSubmitted].model_validate(document).data.registration_id == "r-1"


def test_a_time_without_a_zone_is_refused() -> None:
    document = submitted().model_dump(mode="json") | {"time": "2026-11-21T10:00:00"}

    with pytest.raises(ValidationError, match="timezone"):
        Event[RegistrationSubmitted].model_validate(document)


def test_an_amount_that_is_a_fraction_is_refused() -> None:
    with pytest.raises(ValidationError, match=r"amount\.amount"):
        PaymentConfirmed.model_validate_json(
            '{"payment_id":"p","provider":"m","provider_reference":"r","household_id":"h","device_id":"d",'
            '"amount":{"amount":1.5,"currency":"KES"},"paid_at":"2026-11-21T10:00:00Z"}'
        )


def test_what_is_wrong_with_an_event_is_said_without_a_persons_data() -> None:
    with pytest.raises(ValidationError) as refused:
        Event[HouseholdRegistered].model_validate_json('{"data": {"given_name": ["Amina"]}}')

    assert "data.given_name" in str(refused.value)
    assert "Amina" not in str(refused.value)


def test_every_type_is_listed_once_under_a_versioned_name() -> None:
    names = [event_type.TYPE for event_type in EVENT_TYPES]

    assert set(EVENT_TYPES) == set(EventData.__subclasses__())
    assert len(set(names)) == len(names)
    for name in names:
        assert name.rpartition(".v")[2].isdigit()
