"""A pipeline's command gets short-lived credentials and none of the keys behind them."""

import json
import subprocess
import sys
from pathlib import Path

import botocore.session
import pytest

SCRIPT = Path(__file__).parents[3] / ".ci" / "on-aws"
ROLE = "arn:aws:iam::123456789012:role/deploy"
KEYS = {"AWS_ACCESS_KEY_ID": "AKIAEXAMPLE", "AWS_SECRET_ACCESS_KEY": "s3cret/example"}
# Keeps what the command would find, since the files are gone afterwards.
COMMAND = """
import json, os, shutil, stat, sys
for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
    if os.path.exists(os.environ[name]):
        assert stat.S_IMODE(os.stat(os.environ[name]).st_mode) == 0o600
        shutil.copy(os.environ[name], sys.argv[1])
print(json.dumps(dict(os.environ)))
"""


def on_aws(kept: Path, **said: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(SCRIPT), sys.executable, "-c", COMMAND, str(kept)],
        env={"PATH": "/usr/bin:/bin", **said},
        capture_output=True,
        text=True,
        check=False,
    )


def profile(kept: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[dict[str, str], dict[str, dict[str, str]]]:
    monkeypatch.setenv("AWS_CONFIG_FILE", str(kept / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(kept / "credentials"))
    session = botocore.session.Session(profile="pipeline")
    return session.get_scoped_config(), session.full_config["profiles"]


def test_the_command_takes_the_role_with_the_keys_it_does_not_see(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = on_aws(tmp_path, DEPLOY_ROLE=ROLE, AWS_REGION="eu-west-1", TRAVIS_JOB_NUMBER="7.1", **KEYS)

    assert run.returncode == 0, run.stderr
    seen = json.loads(run.stdout)
    assert seen["PROFILE"] == "pipeline"
    assert not set(KEYS) & set(seen)
    assert KEYS["AWS_SECRET_ACCESS_KEY"] not in run.stdout + run.stderr
    assert not Path(seen["AWS_CONFIG_FILE"]).parent.exists()
    config, profiles = profile(tmp_path, monkeypatch)
    assert config == {
        "region": "eu-west-1",
        "role_arn": ROLE,
        "role_session_name": "pipeline-7.1",
        "source_profile": "keys",
    }
    assert profiles["keys"] == {name.lower(): value for name, value in KEYS.items()}


def test_a_token_of_the_build_system_needs_no_keys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = on_aws(tmp_path, DEPLOY_ROLE=ROLE, AWS_REGION="eu-west-1", AWS_WEB_IDENTITY_TOKEN_FILE="/run/token")

    assert run.returncode == 0, run.stderr
    config, profiles = profile(tmp_path, monkeypatch)
    assert (config["web_identity_token_file"], config["role_arn"]) == ("/run/token", ROLE)
    assert "keys" not in profiles


@pytest.mark.parametrize("missing", ["DEPLOY_ROLE", "AWS_REGION", *KEYS])
def test_nothing_runs_without_credentials(tmp_path: Path, missing: str) -> None:
    said = {"DEPLOY_ROLE": ROLE, "AWS_REGION": "eu-west-1", **KEYS}
    del said[missing]

    run = on_aws(tmp_path, **said)

    assert (run.returncode, run.stdout) == (1, "")
    assert run.stderr.startswith("paygo: ")
    assert KEYS["AWS_SECRET_ACCESS_KEY"] not in run.stderr


def test_what_the_command_returns_is_returned() -> None:
    run = subprocess.run(
        [str(SCRIPT), "bash", "-c", "exit 7"],
        env={"PATH": "/usr/bin:/bin", "DEPLOY_ROLE": ROLE, "AWS_REGION": "eu-west-1", **KEYS},
        check=False,
    )

    assert run.returncode == 7
