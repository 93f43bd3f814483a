"""A throttle in front of the embedded cloud: AWS's published rates, and its quotas on numbers of things.

No gap of MiniStack's but a limit of an account's: an embedded cloud without it takes any call at any speed, and hides
that a deploy, a preflight or a janitor will meet an account that does not. Off unless ``PAYGO_THROTTLE`` or the control
route (`route`) says otherwise; what it enforces stands in `paygo_limits`.

What a function calls while it works is the data plane's, which has no rates here, and is never held up.
"""

import os
from typing import Any

VARIABLE = "PAYGO_THROTTLE"


def install() -> None:
    """Add the control route, and switch on what the environment says."""
    from ministack import app

    from paygo_cloud.throttle import route, switch

    clock = os.environ.get(VARIABLE) or switch.OFF
    if clock not in {switch.OFF, *switch.CLOCKS}:
        raise SystemExit(f"{VARIABLE} is one of {', '.join((switch.OFF, *switch.CLOCKS))}, not {clock}.")
    original = app._handle_post_body_shortcuts

    async def shortcuts(method: str, path: str, headers: Any, body: bytes, *rest: Any) -> Any:
        if path == route.PATH:
            return route.handle(method, body)
        return await original(method, path, headers, body, *rest)

    app._handle_post_body_shortcuts = shortcuts
    switch.set_to(clock)
