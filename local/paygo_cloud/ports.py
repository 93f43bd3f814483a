"""Choosing the ports of an embedded cloud, so that two clones can run one each."""

import os
import socket

from paygo_cloud.home import Home

LOOPBACK = "127.0.0.1"
HTTP_PORT = 4566
MQTT_PORT = 8883


class PortTakenError(Exception):
    """A port that was asked for by name is in use."""


def is_free(port: int) -> bool:
    """Whether nothing listens on the port of loopback."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
    return True


def choose(home: Home) -> tuple[int, int]:
    """Choose the HTTP and the MQTT port: the one asked for, else the last run's, else the usual one, else any."""
    remembered_http, remembered_mqtt = home.remembered_ports() or (HTTP_PORT, MQTT_PORT)
    return (
        _choose("PAYGO_PORT", [remembered_http, HTTP_PORT]),
        _choose("PAYGO_MQTT_PORT", [remembered_mqtt, MQTT_PORT]),
    )


def _choose(variable: str, preferred: list[int]) -> int:
    asked = os.environ.get(variable)
    if asked:
        if not asked.isdigit() or not 0 < int(asked) < 65536:
            raise PortTakenError(f"{variable}={asked} is not a port number; give one between 1 and 65535.")
        if not is_free(int(asked)):
            raise PortTakenError(
                f"Port {asked} ({variable}) is in use by another program: "
                f"stop that program, name another port, or unset {variable} to have a free one chosen."
            )
        return int(asked)
    return next((port for port in preferred if is_free(port)), None) or _any()


def _any() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.bind((LOOPBACK, 0))
        port: int = probe.getsockname()[1]
    return port
