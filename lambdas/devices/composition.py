"""The service's collaborators, made once in each environment."""

from functools import cache
from typing import TYPE_CHECKING

import boto3

from devices.repository import DeviceTable
from paygo.composition import own_table
from paygo.config import CLIENT_CONFIG, setting

if TYPE_CHECKING:
    from devices.gateways import IotCertificates, IotThings


@cache
def devices() -> DeviceTable:
    """Return the devices."""
    return DeviceTable(own_table())


@cache
def certificates() -> "IotCertificates":
    """Return the certificates, by the control plane of AWS IoT."""
    from devices.gateways import IotCertificates

    return IotCertificates(boto3.client("iot", config=CLIENT_CONFIG))


@cache
def things() -> "IotThings":
    """Return the things, by the data plane of AWS IoT, whose endpoint boto3 knows (`data-ats`)."""
    from devices.gateways import IotThings

    return IotThings(boto3.client("iot-data", config=CLIENT_CONFIG), setting("STACK"))
