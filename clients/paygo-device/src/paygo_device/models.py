"""What a device needs to know and is told."""

from pathlib import Path

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class Endpoint(_Model):
    """Where the devices of one stack connect.

    Attributes
    ----------
    stack
        The stack's name, which its topics and client ids carry.
    ca_file
        The authority of the server's certificate, where it is not one that the system trusts.
    """

    stack: str
    host: str
    port: int = 8883
    ca_file: Path | None = None


class KeyPair(_Model):
    """A certificate and its private key, as PEM: a batch's claim, or a device's own."""

    certificate_pem: str
    private_key: str = Field(repr=False)


class NewCertificate(KeyPair):
    """A certificate that AWS IoT made for a device, and the token that it may be claimed with for an hour."""

    certificate_id: str
    ownership_token: str = Field(repr=False)


class DeviceCredentials(KeyPair):
    """A device's own identity, made by provisioning."""

    thing_name: str
    certificate_id: str


class Credit(_Model):
    """Until when the device works, in the version that the ledger gave it; without `credit_until` it does not."""

    device_id: str
    credit_until: AwareDatetime | None = None
    credit_version: int = Field(ge=0)
