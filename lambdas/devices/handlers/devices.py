"""`/v1/devices`: a household registers devices and follows what they were told."""

from datetime import UTC, datetime
from http import HTTPStatus

from aws_lambda_powertools.event_handler import Response

from devices import composition, wire
from devices.problems import as_problems
from devices.usecases import read_device, register_device
from paygo.composition import callers, idempotency_keys, source
from paygo.http import answer, answer_once, api, entry_point, location, paging, parse
from paygo.problems import not_found

CALLERS = callers()
DEVICES = composition.devices()

app = api()


@app.post("/v1/devices")
def register() -> Response[str]:
    """Put a device into the household's hands."""
    event, now = app.current_event, datetime.now(UTC)
    household = CALLERS.household(event, now)
    sent = parse(event, wire.DeviceRegistration)

    def work() -> Response[str]:
        with as_problems():
            device = register_device(
                sent.serial_number,
                sent.label_code,
                household=household,
                devices=DEVICES,
                # The clients of AWS IoT are made where they are used: listing devices needs neither.
                certificates=composition.certificates(),
                things=composition.things(),
                source=source(),
                correlation_id=event.request_context.request_id,
                now=now,
            )
        headers = {"Location": location(event, f"/v1/devices/{device.device_id}")}
        return answer(HTTPStatus.CREATED, wire.Device.of(device), headers)

    return answer_once(
        idempotency_keys(),
        event,
        app.lambda_context,
        caller=household.household_id,
        intent={"serial_number": sent.serial_number},
        work=work,
    )


@app.get("/v1/devices")
def list_devices() -> Response[str]:
    """List the household's devices."""
    event = app.current_event
    household = CALLERS.household(event, datetime.now(UTC))
    asked = paging(event)
    page = DEVICES.page(household.household_id, limit=asked.limit, cursor=asked.cursor)
    items = tuple(wire.Device.of(device) for device in page.devices)
    return answer(HTTPStatus.OK, wire.DevicePage(items=items, next_cursor=page.next_cursor))


@app.get("/v1/devices/<device_id>")
def read(device_id: str) -> Response[str]:
    """Tell the household how its device stands."""
    household = CALLERS.household(app.current_event, datetime.now(UTC))
    if not wire.DEVICE_ID.fullmatch(device_id):
        raise not_found("device")
    status = read_device(device_id, household, DEVICES, composition.things())
    return answer(HTTPStatus.OK, wire.DeviceStatus.of_status(status))


handler = entry_point(app)
