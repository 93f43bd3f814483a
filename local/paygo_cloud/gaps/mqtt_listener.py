"""The MQTT listener is bound to loopback only, like the HTTP one; MiniStack binds every interface.

There is no AWS page for this: nothing of an embedded cloud may be reached from another machine.
"""

import asyncio

from ministack.services import iot

LOOPBACK = "127.0.0.1"


def install() -> None:
    """Replace the function that binds."""
    iot._mtls_start_locked = _start


async def _start() -> None:
    port = iot._mtls_port()
    if iot._mtls_server is not None or port is None:
        return
    loop = asyncio.get_running_loop()
    # A port that is taken fails the start; without a listener no device could ever connect.
    iot._mtls_server = await loop.create_server(iot._MtlsAcceptor, host=LOOPBACK, port=port)
    iot._mtls_loop = loop
    iot._mtls_logger.info("MQTT listening on %s:%d (client certificate required)", LOOPBACK, port)
