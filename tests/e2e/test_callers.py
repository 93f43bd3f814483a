"""Requests that were changed after they were signed, or signed by somebody else; test_matrix.py has the rest."""

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from paygo_client import PaygoProblem
from tests.e2e.callers import (
    BEYOND_WINDOW,
    TOO_OLD,
    Alter,
    altered_body,
    altered_date,
    altered_header,
    altered_path,
    altered_query,
    forged_signature,
    prepare,
    refused,
    routes,
    send,
    send_as_partner,
    send_signed,
)
from tests.e2e.refusals import (
    AT_THE_GATE,
    AWS_CALLS,
    OF_A_PARTNER,
    OF_A_SESSION,
    World,
    check_anonymous_cannot_use_aws,
)

PARTNERS = {
    "importManifest": "supplier",
    "receiveCheckResult": "identity-bureau",
    "notifyPayment": "mobile-money",
}
SIGNATURE_REFUSED = {"signature-refused"}
ALTERATIONS: dict[str, Alter] = {
    "forged signature": forged_signature,
    "altered query": altered_query,
    "altered path": altered_path("/v1/nowhere"),
    "altered date": altered_date,
    "without its session token": altered_header("X-Amz-Security-Token", None),
    "with another session token": altered_header("X-Amz-Security-Token", "another"),
    "with another key": altered_header(
        "Authorization",
        "AWS4-HMAC-SHA256 Credential=ASIAAAAAAAAAAAAAAAAA/20261121/us-east-1/execute-api/aws4_request, "
        f"SignedHeaders=host;x-amz-date, Signature={'0' * 64}",
    ),
}


@pytest.mark.parametrize("service", AWS_CALLS)
def test_an_anonymous_session_uses_nothing_else_at_aws(world: World, service: str) -> None:
    check_anonymous_cannot_use_aws(world, service)


@pytest.mark.parametrize("alteration", ALTERATIONS)
@pytest.mark.parametrize("operation", OF_A_SESSION)
def test_what_is_not_signed_as_it_arrives_is_refused(world: World, operation: str, alteration: str) -> None:
    answer = send_signed(world.stage, routes()[operation], world.opens(operation), alter=ALTERATIONS[alteration])

    assert refused(answer, f"{operation} with {alteration}").status in {403, 404}


@pytest.mark.parametrize("operation", [name for name in OF_A_SESSION if routes()[name].body])
def test_an_altered_body_is_refused(world: World, operation: str) -> None:
    answer = send_signed(world.stage, routes()[operation], world.opens(operation), alter=altered_body)

    refused(answer, f"{operation} with an altered body", kinds=AT_THE_GATE)


@pytest.mark.parametrize("operation", OF_A_SESSION)
def test_an_old_signature_is_refused(world: World, operation: str) -> None:
    answer = send_signed(world.stage, routes()[operation], world.opens(operation), at=datetime.now(UTC) - TOO_OLD)

    refused(answer, f"{operation} with an old signature", kinds=AT_THE_GATE)


def test_another_households_device_is_not_there(world: World) -> None:
    theirs = world.neighbour.registered.device_id
    app = world.story.app

    for read in (app.device, app.credit):
        with pytest.raises(PaygoProblem) as problem:
            read(theirs)
        assert problem.value.status == 404
    assert theirs not in {device.device_id for device in app.devices()}
    assert theirs not in {entry.device_id for entry in app.statement().entries}


def test_a_device_that_does_not_exist_is_answered_as_another_households(world: World) -> None:
    answers = []
    for device_id in (world.neighbour.registered.device_id, uuid4()):
        with pytest.raises(PaygoProblem) as problem:
            world.story.app.device(device_id)
        answers.append((problem.value.status, problem.value.type, problem.value.title, problem.value.detail))

    assert answers[0] == answers[1]


def test_another_households_device_cannot_be_registered(world: World) -> None:
    kit = world.neighbour.kit

    with pytest.raises(PaygoProblem) as problem:
        world.story.app.register_device(kit.serial_number, kit.label_code)

    assert problem.value.status in {404, 409}
    assert kit.serial_number not in {device.serial_number for device in world.story.app.devices()}


def test_a_wrong_label_code_registers_nothing(world: World) -> None:
    kit = world.story.manifest.good_kits[3]

    with pytest.raises(PaygoProblem) as problem:
        world.story.app.register_device(kit.serial_number, world.story.kit.label_code)

    assert problem.value.status in {404, 409}


def test_a_serial_number_that_no_supplier_made_is_unknown(world: World) -> None:
    with pytest.raises(PaygoProblem) as problem:
        world.story.app.register_device(f"SHS-{world.story.run}-9999", "AAAA-AAAA")

    assert problem.value.status == 404


def test_a_kit_that_has_not_provisioned_itself_is_not_registered(world: World) -> None:
    kit = world.story.manifest.good_kits[4]

    with pytest.raises(PaygoProblem) as problem:
        world.story.app.register_device(kit.serial_number, kit.label_code)

    assert problem.value.status in {404, 409}


@pytest.mark.parametrize("operation", OF_A_PARTNER)
def test_a_partners_route_wants_its_api_key(world: World, operation: str) -> None:
    keys = world.stage.partner_keys(PARTNERS[operation])
    without_key = altered_header("X-Api-Key", None)

    assert refused(send_as_partner(world.stage, routes()[operation], keys, alter=without_key), operation).status == 403
    assert refused(send_as_partner(world.stage, routes()[operation], keys, api_key="x" * 40), operation).status == 403


@pytest.mark.parametrize("operation", OF_A_PARTNER)
def test_a_partners_route_wants_its_signature(world: World, operation: str) -> None:
    api_key = world.stage.partner_keys(PARTNERS[operation]).api_key

    answer = send(prepare(world.stage, routes()[operation], {"X-Api-Key": api_key}))

    assert refused(answer, operation).status in {400, 401}


@pytest.mark.parametrize(
    ("operation", "other"),
    [(operation, other) for operation, own in PARTNERS.items() for other in PARTNERS.values() if other != own],
)
def test_no_partner_calls_anothers_route(world: World, operation: str, other: str) -> None:
    own = PARTNERS[operation]
    route, mine, theirs = routes()[operation], world.stage.partner_keys(other), world.stage.partner_keys(own)

    everything_of_mine = send_as_partner(world.stage, route, mine)
    my_api_key = send_as_partner(world.stage, route, theirs, api_key=mine.api_key)
    my_signature = send_as_partner(world.stage, route, mine, api_key=theirs.api_key)

    refused(everything_of_mine, f"{operation} by {other}", kinds=SIGNATURE_REFUSED | {"refused"})
    refused(my_api_key, f"{operation} with the API key of {other}", kinds=SIGNATURE_REFUSED | {"refused"})
    refused(my_signature, f"{operation} signed by {other}", kinds=SIGNATURE_REFUSED)


PARTNER_ALTERATIONS: dict[str, Alter] = {
    "an altered body": altered_body,
    "an altered query": altered_query,
    "a forged signature": altered_header("X-Paygo-Signature", f"v1={'0' * 64}"),
    "another version of signature": altered_header("X-Paygo-Signature", f"v2={'0' * 64}"),
    "another nonce": altered_header("X-Paygo-Nonce", "n" * 24),
    "a nonce that is too short": altered_header("X-Paygo-Nonce", "n"),
    "another time": altered_header("X-Paygo-Timestamp", str(int(datetime.now(UTC).timestamp()) - 1)),
    "a time that is none": altered_header("X-Paygo-Timestamp", "yesterday"),
}


@pytest.mark.parametrize("alteration", PARTNER_ALTERATIONS)
@pytest.mark.parametrize("operation", OF_A_PARTNER)
def test_what_a_partner_did_not_sign_is_refused(world: World, operation: str, alteration: str) -> None:
    keys = world.stage.partner_keys(PARTNERS[operation])

    answer = send_as_partner(world.stage, routes()[operation], keys, alter=PARTNER_ALTERATIONS[alteration])

    refused(answer, f"{operation} with {alteration}", kinds=SIGNATURE_REFUSED)


@pytest.mark.parametrize("operation", OF_A_PARTNER)
def test_a_partners_signature_serves_one_path(world: World, operation: str) -> None:
    keys = world.stage.partner_keys(PARTNERS[operation])
    elsewhere = next(routes()[other].path for other in OF_A_PARTNER if other != operation)

    answer = send_as_partner(world.stage, routes()[operation], keys, alter=altered_path(elsewhere))

    refused(answer, f"{operation} sent elsewhere", kinds=SIGNATURE_REFUSED)


@pytest.mark.parametrize("age", [BEYOND_WINDOW, -BEYOND_WINDOW], ids=["old", "future"])
@pytest.mark.parametrize("operation", OF_A_PARTNER)
def test_a_partners_timestamp_is_close_to_now(world: World, operation: str, age: timedelta) -> None:
    keys = world.stage.partner_keys(PARTNERS[operation])

    answer = send_as_partner(world.stage, routes()[operation], keys, at=datetime.now(UTC) - age)

    refused(answer, f"{operation} at another time", kinds=SIGNATURE_REFUSED)


@pytest.mark.parametrize("operation", OF_A_PARTNER)
def test_a_partners_nonce_is_used_once(world: World, operation: str) -> None:
    keys = world.stage.partner_keys(PARTNERS[operation])
    nonce = f"replayed-{uuid4().hex}"

    first = send_as_partner(world.stage, routes()[operation], keys, nonce=nonce)
    again = send_as_partner(world.stage, routes()[operation], keys, nonce=nonce)

    assert first.status_code != 401, first.text
    refused(again, f"{operation} replayed", kinds=SIGNATURE_REFUSED)
