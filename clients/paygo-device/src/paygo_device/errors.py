"""What can go wrong between a device and its stack."""


class DeviceError(Exception):
    """What every error of this package is."""


class ConnectionRefused(DeviceError):
    """The stack did not let the client in: the certificate is unknown or inactive, or the client id is not its own."""


class ConnectionLost(DeviceError):
    """The connection ended without being closed here; connect again, the shadow holds what was missed."""


class NotAllowed(DeviceError):
    """The certificate's policy does not allow this topic."""


class TimedOut(DeviceError):
    """No answer came in the time that was given."""


class UnexpectedMessage(DeviceError):
    """A message is not what its topic promises."""


class _Refused(DeviceError):
    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message


class ProvisioningRefused(_Refused):
    """The stack did not accept this serial number, or the proof that goes with it."""


class ShadowRefused(_Refused):
    """The shadow could not be read or updated; code 404 means that no household has registered the device yet."""


class CreditRefused(_Refused):
    """The stack did not answer the device's question about its credit."""
