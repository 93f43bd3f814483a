"""The provisioning template's hook, which decides whether a device gets a certificate of its own.

See https://docs.aws.amazon.com/iot/latest/developerguide/pre-provisioning-hook.html.
"""

from typing import TYPE_CHECKING, Annotated, Any

from aws_lambda_powertools import Logger
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from devices import composition
from devices.manifest import SerialNumber
from devices.model import Claim, ProvisioningRefused, thing_name
from devices.usecases import claim_device
from paygo.config import setting
from paygo.correlation import follow

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

STACK = setting("STACK")
DEVICES = composition.devices()

REFUSED: dict[str, Any] = {"allowProvisioning": False}

logger = Logger()


class _Parameters(BaseModel):
    model_config = ConfigDict(frozen=True)

    serial_number: Annotated[SerialNumber, Field(alias="SerialNumber")]
    proof: Annotated[str, Field(alias="Proof", repr=False)]


class _Request(BaseModel):
    model_config = ConfigDict(frozen=True)

    certificate_id: Annotated[str, Field(alias="certificateId", min_length=1)]
    parameters: _Parameters


def handler(event: dict[str, Any], context: "LambdaContext") -> dict[str, Any]:
    """Allow provisioning and name the thing, or refuse and log why; the device is not told."""
    follow(None, context)  # AWS IoT hands over no id of the message
    try:
        request = _Request.model_validate(event)
    except ValidationError:
        logger.warning("Provisioning refused", reason="The request has no serial number or no proof.")
        return REFUSED
    serial_number = request.parameters.serial_number
    claim = Claim(certificate_id=request.certificate_id, thing_name=thing_name(STACK, serial_number))
    try:
        claim_device(serial_number, request.parameters.proof, claim, DEVICES)
    except ProvisioningRefused as refusal:
        logger.warning("Provisioning refused", reason=str(refusal), serial_number=serial_number)
        return REFUSED
    logger.info("Provisioning allowed", serial_number=serial_number)
    return {"allowProvisioning": True, "parameterOverrides": {"ThingName": claim.thing_name}}
