"""Tools that others wrote, as people use them: curl, which signs by itself, and the AWS CLI."""

import json
import os
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from demo.stage import Access, home_folder
from paygo_client import Credentials, SessionDetails

AWS_CLI = "awscli==1.46.2"
AS_OF = "2026-11-21"
STATUS_MARK = "status="


@dataclass(frozen=True)
class Answer:
    """What curl was answered."""

    status: int
    body: Any


def curl(
    url: str,
    session: SessionDetails | None = None,
    *,
    method: str = "GET",
    body: Mapping[str, Any] | None = None,
    headers: Mapping[str, str] | None = None,
) -> Answer:
    """Call by curl, which signs with a session's credentials where it is given one."""
    settings = [f'url = "{url}"', f'request = "{method}"', f'write-out = "{STATUS_MARK}%{{http_code}}"']
    if session is not None:
        keys = session.credentials
        settings += [
            f'aws-sigv4 = "aws:amz:{session.region}:execute-api"',
            f'user = "{keys.access_key_id}:{keys.secret_access_key}"',
            f'header = "X-Amz-Security-Token: {keys.session_token}"',
        ]
    if body is not None:
        settings += ['header = "Content-Type: application/json"', f"data = {json.dumps(json.dumps(body))}"]
    settings += [f'header = "{name}: {value}"' for name, value in (headers or {}).items()]
    # A command line shows in `ps`, so what is secret comes by standard input.
    done = subprocess.run(
        ["curl", "--silent", "--show-error", "--max-time", "60", "--config", "-"],
        input="\n".join(settings),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        message = f"curl ended with {done.returncode}: {done.stderr}"
        raise AssertionError(message)
    text, _, status = done.stdout.rpartition(STATUS_MARK)
    return Answer(int(status), json.loads(text) if text.strip() else None)


@dataclass(frozen=True)
class Ended:
    """How a command ended."""

    status: int
    error: str

    @property
    def code(self) -> str | None:
        """The error code in the AWS CLI's message."""
        _, found, rest = self.error.partition("An error occurred (")
        return rest.partition(")")[0] if found else None


def aws(arguments: Sequence[str], access: Access, keys: Credentials | Mapping[str, str], folder: Path) -> Ended:
    """Run the AWS CLI with these credentials and none of the machine's; it is installed apart, pinning a botocore."""
    if isinstance(keys, Credentials):
        keys = {
            "AWS_ACCESS_KEY_ID": keys.access_key_id,
            "AWS_SECRET_ACCESS_KEY": keys.secret_access_key,
            "AWS_SESSION_TOKEN": keys.session_token,
        }
    kept = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    environment = kept | {
        **keys,
        "AWS_DEFAULT_REGION": access.region,
        "AWS_CONFIG_FILE": str(folder / "none"),
        "AWS_SHARED_CREDENTIALS_FILE": str(folder / "none"),
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_MAX_ATTEMPTS": "1",
    }
    if access.endpoint_url:
        environment["AWS_ENDPOINT_URL"] = access.endpoint_url
    tools = home_folder() / "bin"
    tool = [str(tools / "uv"), "tool", "run", "--quiet", "--python", str(tools / "python3.13")]
    pinned = ["--exclude-newer", AS_OF, "--from", AWS_CLI]
    done = subprocess.run(
        [*tool, *pinned, "aws", *arguments], env=environment, capture_output=True, text=True, check=False
    )
    return Ended(done.returncode, done.stderr)
