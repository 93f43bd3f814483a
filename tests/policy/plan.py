"""Real plans of the Terraform configuration, made without a cloud and read as resources."""

import json
import os
import shutil
import subprocess
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from deploy.target import home_folder
from deploy.terraform import platform_name, provider_mirror, provider_version

REPOSITORY = Path(__file__).resolve().parents[2]
ACCOUNT = "123456789012"
REGION = "eu-west-1"
STACK = "paygo-policy"
TOKEN_KEYS = [f"arn:aws:kms:{REGION}:{ACCOUNT}:key/{number}e4e4f1e-3c83-4f0e-a0ad-0a3a0b2b5c11" for number in (1, 2)]

# What AWS names when it makes a resource would be unknown in a plan of nothing, and with it whatever it stands in.
# A state that knows these and nothing else makes the plan say the rest.
MADE_BY_AWS: dict[str, tuple[str, dict[str, Any]]] = {
    "user_pool": (
        "aws_cognito_user_pool",
        {
            "id": f"{REGION}_policy",
            "name": STACK,
            "alias_attributes": ["email"],
            "username_configuration": [{"case_sensitive": False}],
        },
    ),
    "identity_pool": (
        "aws_cognito_identity_pool",
        {
            "id": f"{REGION}:0b9f4f1e-3c83-4f0e-a0ad-0a3a0b2b5c11",
            "identity_pool_name": STACK,
            "developer_provider_name": STACK,
            "allow_unauthenticated_identities": True,
        },
    ),
    "api": ("aws_api_gateway_rest_api", {"id": "abcdefghij", "name": STACK}),
}
APP_CLIENT = {
    "id": "1example23456789",
    "name": f"{STACK}-app",
    "generate_secret": False,
    "user_pool_id": MADE_BY_AWS["user_pool"][1]["id"],
}
# Where production reaches the third parties that it calls: all that have a contract.
ADDRESSES = {
    contract.parent.name: f"https://{contract.parent.name}.example.net"
    for contract in (REPOSITORY / "contracts" / "partners").glob("*/openapi.yaml")
}
# A network that reaches a partner's own.
NETWORK = {
    "cidr": "10.20.0.0/24",
    "partner_cidr": "192.0.2.0/24",
    "customer_gateway_ip": "198.51.100.7",
    "asn": 65010,
}
BOUNDARY = f"arn:aws:iam::{ACCOUNT}:policy/paygo-stack-boundary-{REGION}"


def given(stage: str) -> dict[str, str]:
    """What a stage that is no development is told of its partners: addresses, and the account's secrets."""
    names = ("operations/webhook", *(f"outbound/{name}" for name in ADDRESSES))
    return {name: f"arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:paygo/{stage}/{name}-Ab1Cd2" for name in names}


# The secrets that functions may be told of, by their addresses.
SECRETS = {
    "aws_secretsmanager_secret.webhook": "operations/webhook",
    **{f'module.called_partner["{name}"].aws_secretsmanager_secret.this': f"outbound/{name}" for name in ADDRESSES},
    **{
        f'module.partner["{name}"].aws_secretsmanager_secret.this': f"partners/{name}"
        for name in ("supplier", *ADDRESSES)
    },
}
IDENTITY_POOL_ID = MADE_BY_AWS["identity_pool"][1]["id"]


@dataclass(frozen=True)
class Resource:
    """A resource as the plan will leave it; `unknown` names what only the apply will tell."""

    address: str
    type: str
    values: Mapping[str, Any]
    unknown: frozenset[str] = frozenset()

    def document(self, attribute: str) -> dict[str, Any]:
        """Read an attribute that holds JSON."""
        document: dict[str, Any] = json.loads(self.values[attribute])
        return document


@dataclass(frozen=True)
class Plan:
    """Every resource of a configuration."""

    resources: tuple[Resource, ...]

    def of(self, kind: str) -> list[Resource]:
        return [resource for resource in self.resources if resource.type == kind]

    def named(self, kind: str, ending: str) -> Resource:
        """Return the one resource of a kind whose address ends like this."""
        [found] = [resource for resource in self.of(kind) if resource.address.endswith(ending)]
        return found


class PlanRefused(Exception):
    """Terraform found something wrong with the configuration or with what it was told."""


class Planner:
    """A copy of the configuration with a state of its own, on this machine."""

    def __init__(self, folder: Path) -> None:
        self._root = folder / "terraform"
        shutil.copytree(REPOSITORY / "terraform", self._root, ignore=shutil.ignore_patterns(".terraform*"))
        shutil.copytree(REPOSITORY / "contracts", folder / "contracts")

    def stack(self, **facts: Any) -> Plan:
        """Plan a stack."""
        names = (
            "layer",
            "layer-tokens",
            "identity",
            "devices",
            "payments",
            "ledger",
            "notifications",
            "partners",
            "operations",
        )
        facts = {
            "stack": STACK,
            "branch": "policy",
            "commit": "0000000",
            "owner": "policy@example.org",
            "created_at": "2026-11-21T10:00:00Z",
            "expires_at": "2026-11-28T10:00:00Z",
            "region": REGION,
            "artefact_bucket": "artefacts",
            "artefacts": {name: f"artefacts/{name}.zip" for name in names},
            "architecture": "arm64",
            "mail_sender": "paygo@example.org",
            "alarm_address": "operators@example.org",
            "token_keys": TOKEN_KEYS,
            "permissions_boundary": BOUNDARY,
            **facts,
        }
        return self._plan(self._root, facts, _STACK_STATE)

    def account(self, **facts: Any) -> Plan:
        """Plan what an account has once."""
        facts = {
            "region": REGION,
            "owner": "policy@example.org",
            "artefact_bucket": "artefacts",
            "mail_sender": "paygo@example.org",
            **facts,
        }
        return self._plan(self._root / "account", facts, _ACCOUNT_STATE)

    def refusal(self, **facts: Any) -> str:
        """Plan a stack that cannot be, and return why not."""
        with pytest.raises(PlanRefused) as refused:
            self.stack(**facts)
        return " ".join(str(refused.value).replace("│", " ").split())

    @staticmethod
    def _set_up(folder: Path) -> None:
        """Find the modules, and the provider where it lies already: to install it is to hash 675 MB of it."""
        main = folder / "main.tf"
        main.write_text(main.read_text().replace('backend "s3" {}', ""))
        here = f"*/hashicorp/aws/{provider_version(folder)}/{platform_name()}"
        places = [provider_mirror(folder), home_folder() / "providers"]
        provider = next((found for place in places if place for found in place.glob(here)), None)
        if provider is None:
            _terraform(folder, "init", "-input=false")
            return
        _terraform(folder, "get")
        (folder / "terraform.rc").write_text(
            f'provider_installation {{\n  dev_overrides {{ "hashicorp/aws" = {json.dumps(str(provider))} }}\n}}\n'
        )

    def _plan(self, folder: Path, facts: Mapping[str, Any], known: Mapping[str, Mapping[str, Any]]) -> Plan:
        (folder / "terraform.tfvars.json").write_text(json.dumps(facts))
        (folder / "terraform.tfstate").write_text(json.dumps(_state(known)))
        if not (folder / ".terraform").exists():
            self._set_up(folder)
        with _aws() as endpoint:
            _terraform(folder, "plan", "-input=false", "-lock=false", "-refresh=false", "-out=plan", endpoint=endpoint)
        return _read(json.loads(_terraform(folder, "show", "-json", "plan")))


def _terraform(folder: Path, *arguments: str, endpoint: str = "http://127.0.0.1:1") -> str:
    path = f"{home_folder() / 'bin'}{os.pathsep}{os.environ['PATH']}"
    program = shutil.which("terraform", path=path)
    assert program, "Terraform is not on this machine: ./setup.sh says how to get it."
    overrides = folder / "terraform.rc"
    done = subprocess.run(
        [program, *arguments, "-no-color"],
        cwd=folder,
        env={
            "PATH": path,
            "HOME": str(Path.home()),
            "AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE",
            "AWS_SECRET_ACCESS_KEY": "none",
            "AWS_ENDPOINT_URL": endpoint,
            "CHECKPOINT_DISABLE": "1",
            "GOGC": "400",  # most of a plan is reading schemas
            **({"TF_CLI_CONFIG_FILE": str(overrides)} if overrides.exists() else {}),
        },
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        message = f"terraform {arguments[0]}: {done.stderr}"
        raise PlanRefused(message)
    return done.stdout


class _Aws(BaseHTTPRequestHandler):
    """Answers all that a plan asks AWS: whose account this is, where its devices connect, and for a random word."""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        if self.headers.get("X-Amz-Target", "").endswith(".GetRandomPassword"):
            self._answer(json.dumps({"RandomPassword": "none"}), "application/x-amz-json-1.1")
            return
        self._answer(
            '<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><GetCallerIdentityResult>'
            f"<Account>{ACCOUNT}</Account><UserId>policy</UserId>"
            f"<Arn>arn:aws:iam::{ACCOUNT}:user/policy</Arn></GetCallerIdentityResult></GetCallerIdentityResponse>",
            "text/xml",
        )

    def do_GET(self) -> None:
        self._answer(json.dumps({"endpointAddress": f"policy-ats.iot.{REGION}.amazonaws.com"}), "application/json")

    def _answer(self, body: str, content_type: str) -> None:
        self.send_response(200)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body.encode())

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Say nothing."""


@contextmanager
def _aws() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Aws)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


def _state(known: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    return {
        "version": 4,
        "terraform_version": "1.11.0",
        "serial": 1,
        "lineage": "0b9f4f1e-3c83-4f0e-a0ad-0a3a0b2b5c11",
        "outputs": {},
        "resources": [_resource(address, attributes) for address, attributes in known.items()],
    }


def _resource(address: str, attributes: Mapping[str, Any]) -> dict[str, Any]:
    *module, kind, named = address.split(".")
    name, _, key = named.partition("[")
    return {
        **({"module": ".".join(module)} if module else {}),
        "mode": "managed",
        "type": kind,
        "name": name,
        "provider": 'provider["registry.' + 'terraform.io/hashicorp/aws"]',
        "instances": [
            {"schema_version": 0, "attributes": attributes, **({"index_key": json.loads(key[:-1])} if key else {})}
        ],
    }


def _secret(name: str) -> dict[str, str]:
    arn = f"arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:{STACK}/{name}-Ab1Cd2"
    return {"id": arn, "arn": arn, "name": f"{STACK}/{name}"}


_STACK_STATE: Mapping[str, Mapping[str, Any]] = {
    **{f"module.{module}.{kind}.this": facts for module, (kind, facts) in MADE_BY_AWS.items()},
    "module.user_pool.aws_cognito_user_pool_client.app": APP_CLIENT,
    **{address: _secret(name) for address, name in SECRETS.items()},
}
_ACCOUNT_STATE: Mapping[str, Mapping[str, Any]] = {
    f'aws_kms_key.token["{number}"]': {
        "id": arn.rpartition("/")[2],
        "arn": arn,
        "key_usage": "SIGN_VERIFY",
        "customer_master_key_spec": "RSA_2048",
    }
    for number, arn in enumerate(TOKEN_KEYS, 1)
}


def _read(document: Mapping[str, Any]) -> Plan:
    return Plan(
        tuple(
            Resource(
                address=change["address"],
                type=change["type"],
                values=change["change"]["after"],
                unknown=frozenset(name for name, is_unknown in change["change"]["after_unknown"].items() if is_unknown),
            )
            for change in document["resource_changes"]
            if change["mode"] == "managed" and change["change"]["after"] is not None
        )
    )
