"""Where one embedded cloud keeps its files, and what it says about itself."""

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
ACCOUNT = "000000000000"
REGION = "us-east-1"


@dataclass(frozen=True)
class Cloud:
    """A running embedded cloud, as written to ``cloud.json`` for everything that calls it."""

    pid: int
    endpoint_url: str
    port: int
    mqtt_port: int
    ca_file: str
    credentials_file: str
    region: str
    account_id: str
    started_at: str


@dataclass(frozen=True)
class Home:
    """The embedded cloud's working folder."""

    path: Path

    @classmethod
    def from_environment(cls) -> "Home":
        """``$PAYGO_HOME/cloud``, or ``.paygo/cloud`` in this repository."""
        return cls(Path(os.environ.get("PAYGO_HOME") or REPOSITORY / ".paygo").resolve() / "cloud")

    @property
    def description(self) -> Path:
        """``cloud.json``: what runs, for everything that calls it."""
        return self.path / "cloud.json"

    @property
    def credentials(self) -> Path:
        """The users' keys, as an AWS shared-credentials file."""
        return self.path / "credentials"

    @property
    def log(self) -> Path:
        """What the server and its functions say."""
        return self.path / "server.log"

    @property
    def temporary(self) -> Path:
        """The server's whole state and its functions' folders; removed with it."""
        return self.path / "tmp"

    @property
    def kill_points(self) -> Path:
        """Where a plan of crashes is laid and what came of it is read; see `kill_points`."""
        return self.path / "kill-points"

    @property
    def ca(self) -> Path:
        """The authority that signed the MQTT listener's certificate."""
        return self.path / "ca.pem"

    @property
    def ports(self) -> Path:
        """The ports of the last run; kept when the cloud stops."""
        return self.path / "ports.json"

    @property
    def server_lock(self) -> Path:
        """Held by the server for as long as it lives, so a stale or reused process id is never believed."""
        return self.path / "server.lock"

    @property
    def command_lock(self) -> Path:
        """Held by a running ``start`` or ``stop``, so that two of them never interleave."""
        return self.path / "command.lock"

    def read(self) -> Cloud | None:
        """Read ``cloud.json``, None when there is none."""
        try:
            return Cloud(**json.loads(self.description.read_text()))
        except (OSError, ValueError, TypeError):
            return None

    def write(self, cloud: Cloud) -> None:
        """Write ``cloud.json`` in one step, so that nobody reads half of it."""
        partial = self.description.with_suffix(".partial")
        partial.write_text(json.dumps(asdict(cloud), indent=2) + "\n")
        partial.replace(self.description)

    def remembered_ports(self) -> tuple[int, int] | None:
        """Return the ports of the last run, which bookmarks and shell histories still name."""
        try:
            remembered = json.loads(self.ports.read_text())
            return int(remembered["port"]), int(remembered["mqtt_port"])
        except (OSError, ValueError, TypeError, KeyError):
            return None

    def remember_ports(self, port: int, mqtt_port: int) -> None:
        """Keep the ports for the next run."""
        self.ports.write_text(json.dumps({"port": port, "mqtt_port": mqtt_port}) + "\n")
