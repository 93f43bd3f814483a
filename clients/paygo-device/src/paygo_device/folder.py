"""Credentials in a folder that only their owner can read."""

import os
from pathlib import Path

from paygo_device.models import DeviceCredentials, NewCertificate

_FILE = "credentials.json"
_CERTIFICATE = "certificate.pem"
_PRIVATE_KEY = "private-key.pem"
_CLAIMED = "claimed.json"


class CredentialFolder:
    """Keeps a device's credentials: one JSON file, and the PEM files that other MQTT clients want.

    While the device is being provisioned it keeps the certificate that claims, which no other can replace afterwards.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def exists(self) -> bool:
        """Return whether credentials were saved."""
        return (self.path / _FILE).is_file()

    def keep_certificate(self, certificate: NewCertificate) -> None:
        """Keep the certificate that is about to be claimed."""
        self._make()
        self._write(_CLAIMED, certificate.model_dump_json())

    def certificate(self) -> NewCertificate | None:
        """Return the certificate whose claiming was not answered, if there is one."""
        try:
            return NewCertificate.model_validate_json((self.path / _CLAIMED).read_text(encoding="utf-8"))
        except FileNotFoundError:
            return None

    def save(self, credentials: DeviceCredentials) -> None:
        """Save the credentials; each file is whole or not there, whatever happens meanwhile."""
        self._make()
        self._write(_CERTIFICATE, credentials.certificate_pem)
        self._write(_PRIVATE_KEY, credentials.private_key)
        self._write(_FILE, credentials.model_dump_json())
        (self.path / _CLAIMED).unlink(missing_ok=True)

    def load(self) -> DeviceCredentials:
        """Return the saved credentials; raise `FileNotFoundError` when there are none."""
        return DeviceCredentials.model_validate_json((self.path / _FILE).read_text(encoding="utf-8"))

    def _make(self) -> None:
        self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.path.chmod(0o700)

    def _write(self, name: str, text: str) -> None:
        unfinished = self.path / f".{name}.{os.getpid()}"
        # The mode is set as the file is made, so it is never readable by others, not even for a moment.
        with os.fdopen(
            os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8"
        ) as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        unfinished.replace(self.path / name)
