"""An answer comes in one piece, as far as it fits into one.

MiniStack's server sends an answer's head by itself and its body after it. The AWS SDK for Go may end a connection
between the two when the head came before it was quite through with sending its request, which takes a server as near
and a machine as busy as this one: https://github.com/aws/aws-sdk-go-v2/issues/2737. It asks again, and Terraform's
provider, to which the statement of its first AddPermission is then a conflict, goes on asking for five minutes. What is
there whole is read.
"""

from weakref import WeakKeyDictionary

import h11
from hypercorn.events import RawData
from hypercorn.protocol.h11 import H11Protocol
from hypercorn.typing import H11SendableEvent


def install() -> None:
    """Keep an answer's head until its body, or its end, can be sent with it."""
    heads: WeakKeyDictionary[H11Protocol, bytes] = WeakKeyDictionary()

    async def send(protocol: H11Protocol, event: H11SendableEvent) -> None:
        try:
            data = protocol.connection.send(event)
        except h11.LocalProtocolError:
            if protocol.connection.their_state != h11.ERROR:
                raise
            return
        if isinstance(event, h11.Response) and _says_how_long(event):
            heads[protocol] = data
        else:
            await protocol.send(RawData(data=heads.pop(protocol, b"") + data))

    H11Protocol._send_h11_event = send


def _says_how_long(response: h11.Response) -> bool:
    """Tell an answer from a stream, whose head says that it has begun."""
    return any(name.lower() == b"content-length" for name, _ in response.headers)
