"""``python -m paygo_cloud start | stop | status``."""

import argparse
import sys
from typing import TextIO

from paygo_cloud import control
from paygo_cloud.home import Cloud, Home


def main() -> int:
    """Run one command and return its exit status."""
    parser = argparse.ArgumentParser(prog="paygo_cloud", description="The embedded cloud of a working folder.")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    commands.add_parser("start", help="start it, or say that it is running")
    commands.add_parser("stop", help="stop it; what was deployed on it goes with it")
    commands.add_parser("status", help="say whether it runs; exit status 0 when it is healthy, 3 when none runs")
    command = parser.parse_args().command
    home = Home.from_environment()
    try:
        if command == "start":
            return _start(home)
        return _stop(home) if command == "stop" else _status(home)
    except control.CloudError as problem:
        say(str(problem), sys.stderr)
        return 1
    except KeyboardInterrupt:
        say("Interrupted; nothing is left running by this command.", sys.stderr)
        return 130


def say(line: str, stream: TextIO | None = None) -> None:
    """Tell the person at the terminal, at once even into a pipe."""
    print(line, file=stream, flush=True)


def _start(home: Home) -> int:
    cloud, is_new = control.start(home, say)
    say(f"{'The embedded cloud runs' if is_new else 'The embedded cloud is already running'}: {_describe(cloud)}")
    return 0


def _stop(home: Home) -> int:
    if control.stop(home):
        say("The embedded cloud is stopped; everything deployed on it, Terraform's state included, is gone.")
    else:
        say("No embedded cloud is running here.")
    return 0


def _status(home: Home) -> int:
    cloud, is_healthy = control.status(home)
    if cloud is None:
        say("No embedded cloud is running here.")
        return 3
    if not is_healthy:
        say(f"The embedded cloud does not answer: {_describe(cloud)}. `start` starts it again.")
        return 1
    say(f"The embedded cloud runs: {_describe(cloud)}, since {cloud.started_at}")
    return 0


def _describe(cloud: Cloud) -> str:
    return f"{cloud.endpoint_url}, MQTT on port {cloud.mqtt_port}, process {cloud.pid}"


if __name__ == "__main__":
    sys.exit(main())
