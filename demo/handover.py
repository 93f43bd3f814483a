"""What the person may do next: where things are, how to call the API by hand, how to stop."""

import os
from pathlib import Path

from demo.stage import Access, stacks_folder
from paygo_client import Credentials, SessionDetails

SERVICE = "execute-api"


def write_curl_settings(access: Access, details: SessionDetails) -> Path:
    """Write the session's credentials where curl reads them and nobody else does; a command line shows in `ps`."""
    path = stacks_folder() / f"{access.stack}.curl"
    credentials = details.credentials
    lines = [
        f"# A session of the demo's household; good until {credentials.expires_at:%Y-%m-%d %H:%M} UTC.",
        f'user = "{credentials.access_key_id}:{credentials.secret_access_key}"',
        f'header = "X-Amz-Security-Token: {credentials.session_token}"',
        'header = "Accept: application/json"',
    ]
    unfinished = path.with_suffix(".curl.part")
    unfinished.unlink(missing_ok=True)
    with os.fdopen(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        file.write("\n".join([*lines, ""]))
    unfinished.replace(path)
    return path


def curl_line(access: Access, details: SessionDetails, settings: Path) -> str:
    """Return a command that works when it is pasted."""
    return (
        f'curl -sS --config {_shown(settings)} --aws-sigv4 "aws:amz:{details.region}:{SERVICE}"'
        f" {access.api_url}/v1/devices"
    )


def environment_lines(credentials: Credentials) -> list[str]:
    """Return the credentials as the AWS tools read them from the environment."""
    return [
        f"export AWS_ACCESS_KEY_ID={credentials.access_key_id}",
        f"export AWS_SECRET_ACCESS_KEY={credentials.secret_access_key}",
        f"export AWS_SESSION_TOKEN={credentials.session_token}",
    ]


def _shown(path: Path) -> str:
    here = Path.cwd()
    text = str(path.relative_to(here) if path.is_relative_to(here) else path)
    return f"'{text}'" if " " in text else text
