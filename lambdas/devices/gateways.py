"""AWS IoT: certificates, shadows and messages."""

from typing import TYPE_CHECKING

from devices.messages import Credit, CreditRefusal, DesiredState, Shadow, ShadowUpdate, topic
from devices.model import ShadowChanged

if TYPE_CHECKING:
    from mypy_boto3_iot import IoTClient
    from mypy_boto3_iot_data import IoTDataPlaneClient

AT_LEAST_ONCE = 1


class IotCertificates:
    """The certificates of devices."""

    def __init__(self, iot: "IoTClient") -> None:
        self._iot = iot

    def activate(self, certificate_id: str) -> None:
        """Let the certificate's holder connect."""
        self._iot.update_certificate(certificateId=certificate_id, newStatus="ACTIVE")


class IotThings:
    """The shadows of devices, and what they are answered."""

    def __init__(self, data: "IoTDataPlaneClient", stack: str) -> None:
        self._data = data
        self._stack = stack

    def shadow(self, thing_name: str) -> Shadow | None:
        """Return the thing's shadow, if it has one."""
        try:
            found = self._data.get_thing_shadow(thingName=thing_name)
        except self._data.exceptions.ResourceNotFoundException:
            return None
        return Shadow.model_validate_json(found["payload"].read())

    def tell(self, thing_name: str, credit: Credit, version: int | None) -> None:
        """Set the desired state; raise `ShadowChanged` when the shadow does not have this version any more."""
        update = ShadowUpdate(state=DesiredState(desired=credit), version=version)
        try:
            self._data.update_thing_shadow(thingName=thing_name, payload=update.model_dump_json().encode())
        except self._data.exceptions.ConflictException as error:
            raise ShadowChanged from error

    def accept(self, thing_name: str, credit: Credit) -> None:
        """Answer the device's question about its credit."""
        self._publish("credit_get_accepted", thing_name, credit)

    def reject(self, thing_name: str, refusal: CreditRefusal) -> None:
        """Tell the device why its question is not answered."""
        self._publish("credit_get_rejected", thing_name, refusal)

    def _publish(self, name: str, thing_name: str, message: Credit | CreditRefusal) -> None:
        self._data.publish(
            topic=topic(name, stack=self._stack, thing=thing_name),
            qos=AT_LEAST_ONCE,
            payload=message.model_dump_json().encode(),
        )
