"""`POST /partners/supplier/manifests`: the devices that a supplier is about to deliver."""

from datetime import UTC, datetime
from http import HTTPStatus

from aws_lambda_powertools.event_handler import Response

from devices import composition, wire
from devices.problems import as_problems
from devices.usecases import import_manifest
from paygo.composition import nonces
from paygo.config import setting
from paygo.http import answer, api, entry_point, raw_body
from paygo.security import partner_keys, verify_partner

PARTNER_SECRET_ARN = setting("PARTNER_SECRET_ARN")
NONCES = nonces()
DEVICES = composition.devices()

app = api()


@app.post("/partners/supplier/manifests")
def take_manifest() -> Response[str]:
    """Import the good rows and report the bad ones by line."""
    event = app.current_event
    verify_partner(event, partner_keys(PARTNER_SECRET_ARN), NONCES, datetime.now(UTC))
    with as_problems():
        report = import_manifest(raw_body(event), DEVICES)
    return answer(HTTPStatus.OK, wire.ManifestReport.of(report))


handler = entry_point(app)
