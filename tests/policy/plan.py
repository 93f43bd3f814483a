"""Real plans of the Terraform configuration, made without a cloud and read as resources."""

import hashlib
import json
import os
import shutil
import subprocess
import threading
from collections.abc import Callable, Iterator, Mapping
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

# Where production reaches the third parties that it calls: all that have a contract.
ADDRESSES = {
    contract.parent.name: f"https://{contract.parent.name}.example.net"
    for contract in (REPOSITORY / "contracts" / "partners").glob("*/openapi.yaml")
}
# What an account's firewall and network are to its stacks.
ACL = f"arn:aws:wafv2:{REGION}:{ACCOUNT}:regional/webacl/paygo/0b9f4f1e-3c83-4f0e-a0ad-0a3a0b2b5c11"
PLACE = {"subnet_ids": ["subnet-0a1b2c3d"], "security_group_ids": ["sg-0a1b2c3d"]}
BOUNDARY = f"arn:aws:iam::{ACCOUNT}:policy/paygo-stack-boundary-{REGION}"
# What every stack is told.
FACTS: Mapping[str, Any] = {
    "stack": STACK,
    "branch": "policy",
    "commit": "0000000",
    "owner": "policy@example.org",
    "created_at": "2026-11-21T10:00:00Z",
    "expires_at": "2026-11-28T10:00:00Z",
    "region": REGION,
    "artefact_bucket": "artefacts",
    "artefacts": {
        name: f"artefacts/{name}.zip"
        for name in (
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
    },
    "architecture": "arm64",
    "mail_sender": "paygo@example.org",
    "alarm_address": "operators@example.org",
    "token_keys": TOKEN_KEYS,
    "permissions_boundary": BOUNDARY,
}
# What the stack is told that is planned first.
HURRIED: Mapping[str, Any] = {**FACTS, "stage": "development", "delay_scale": 0.01}
# What an account is told.
OF_ACCOUNT: Mapping[str, Any] = {
    "janitor_package": "account/janitor-0b9f4f1e.zip",
    "region": REGION,
    "owner": "policy@example.org",
    "artefact_bucket": "artefacts",
    "mail_sender": "paygo@example.org",
}
# A network that reaches a partner's own.
NETWORK = {
    "cidr": "10.20.0.0/24",
    "partner_cidr": "192.0.2.0/24",
    "customer_gateway_ip": "198.51.100.7",
    "asn": 65010,
}
# What an account may have besides.
ALL_THERE_MAY_BE: Mapping[str, Any] = {
    "alarm_address": "operators@example.org",
    "budget": 100,
    "firewall": True,
    "oidc": {
        "issuer": "https://oidc.example.org/paygo",
        "audience": "paygo",
        "deployers": ["repo:example/paygo:ref:refs/heads/*"],
        "releasers": ["repo:example/paygo:ref:refs/tags/v*"],
        "released_stacks": ["paygo-main"],
    },
    "partner_network": NETWORK,
    "token_keys": ["2", "1"],
}
# What AWS names when it makes a resource is unknown in a plan of nothing, and with it whatever it stands in. So a
# plan is made twice: the second time with a state that holds what the first would make, under names like these.
HERE = f"{REGION}:{ACCOUNT}"
API_ID = "abcdefghij"
USER_POOL_ID = f"{REGION}_policy"
IDENTITY_POOL_ID = f"{REGION}:0b9f4f1e-3c83-4f0e-a0ad-0a3a0b2b5c11"
STREAM = "stream/2026-11-21T10:00:00.000"
MADE_BY_AWS: Mapping[str, Mapping[str, str]] = {
    "aws_api_gateway_rest_api": {"id": API_ID},
    "aws_cloudwatch_event_rule": {"id": "{name}", "arn": f"arn:aws:events:{HERE}:rule/{{name}}"},
    "aws_cloudwatch_log_group": {"id": "{name}", "arn": f"arn:aws:logs:{HERE}:log-group:{{name}}"},
    "aws_cognito_identity_pool": {
        "id": IDENTITY_POOL_ID,
        "arn": f"arn:aws:cognito-identity:{HERE}:identitypool/{IDENTITY_POOL_ID}",
    },
    "aws_cognito_user_pool": {"id": USER_POOL_ID, "arn": f"arn:aws:cognito-idp:{HERE}:userpool/{USER_POOL_ID}"},
    "aws_cognito_user_pool_client": {"id": "1example23456789", "user_pool_id": USER_POOL_ID},
    "aws_dynamodb_table": {
        "id": "{name}",
        "arn": f"arn:aws:dynamodb:{HERE}:table/{{name}}",
        "stream_arn": f"arn:aws:dynamodb:{HERE}:table/{{name}}/{STREAM}",
    },
    "aws_iam_policy": {
        "id": f"arn:aws:iam::{ACCOUNT}:policy/{{name}}",
        "arn": f"arn:aws:iam::{ACCOUNT}:policy/{{name}}",
    },
    "aws_iam_role": {"id": "{name}", "arn": f"arn:aws:iam::{ACCOUNT}:role/{{name}}"},
    # A key is known by its place: those that stacks are told of are these.
    "aws_kms_key": {
        "id": "{index}e4e4f1e-3c83-4f0e-a0ad-0a3a0b2b5c11",
        "key_id": "{index}e4e4f1e-3c83-4f0e-a0ad-0a3a0b2b5c11",
        "arn": f"arn:aws:kms:{HERE}:key/{{index}}e4e4f1e-3c83-4f0e-a0ad-0a3a0b2b5c11",
    },
    "aws_lambda_alias": {
        "id": f"arn:aws:lambda:{HERE}:function:{{function_name}}:{{name}}",
        "arn": f"arn:aws:lambda:{HERE}:function:{{function_name}}:{{name}}",
    },
    "aws_lambda_function": {"id": "{function_name}", "arn": f"arn:aws:lambda:{HERE}:function:{{function_name}}"},
    "aws_s3_bucket": {"id": "{bucket}", "arn": "arn:aws:s3:::{bucket}"},
    "aws_secretsmanager_secret": {
        "id": f"arn:aws:secretsmanager:{HERE}:secret:{{name}}-Ab1Cd2",
        "arn": f"arn:aws:secretsmanager:{HERE}:secret:{{name}}-Ab1Cd2",
    },
    "aws_sns_topic": {"id": f"arn:aws:sns:{HERE}:{{name}}", "arn": f"arn:aws:sns:{HERE}:{{name}}"},
    "aws_sqs_queue": {
        "id": f"https://sqs.{REGION}.amazonaws.com/{ACCOUNT}/{{name}}",
        "url": f"https://sqs.{REGION}.amazonaws.com/{ACCOUNT}/{{name}}",
        "arn": f"arn:aws:sqs:{HERE}:{{name}}",
    },
}


def given(stage: str) -> dict[str, str]:
    """What a stage that is no development is told of its partners: the account's secrets."""
    names = ("operations/webhook", *(f"outbound/{name}" for name in ADDRESSES))
    return {name: f"arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:paygo/{stage}/{name}-Ab1Cd2" for name in names}


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
    """A copy of the configuration with a state of its own, on this machine.

    Terraform takes some ten seconds a plan, most of it for the provider's schemas. What it said of the same
    configuration and the same facts before is kept in `kept`; what it said of another one is removed from there.
    """

    def __init__(self, folder: Path, kept: Path) -> None:
        self._root = folder / "terraform"
        self._kept = kept / _digest()
        for other in kept.glob("*"):
            if other != self._kept:
                shutil.rmtree(other, ignore_errors=True)  # another run may do the same
        self._kept.mkdir(exist_ok=True)
        shutil.copytree(REPOSITORY / "terraform", self._root, ignore=shutil.ignore_patterns(".terraform*"))
        shutil.copytree(REPOSITORY / "contracts", folder / "contracts")

    def stack(self, **facts: Any) -> Plan:
        """Plan a stack."""
        shared = {name: value for name, value in facts.items() if name == "roles"}
        return self._plan(self._root, {**FACTS, **facts}, first={**HURRIED, **shared})

    def hurried(self) -> Plan:
        """Plan a stack with shortened delays, as first: what AWS names is unknown in it."""
        return _read(self._document(self._root, HURRIED, known=None))

    def account(self, **facts: Any) -> Plan:
        """Plan what an account has once."""
        return self._plan(self._root / "account", {**OF_ACCOUNT, **facts}, first={**OF_ACCOUNT, **ALL_THERE_MAY_BE})

    def refusal(self, **facts: Any) -> str:
        """Plan a stack that cannot be, and return why not."""
        return self._refusal(self._root, {**FACTS, **facts})

    def account_refusal(self, **facts: Any) -> str:
        """Plan an account that cannot be, and return why not."""
        return self._refusal(self._root / "account", {**OF_ACCOUNT, **facts})

    def _refusal(self, folder: Path, facts: Mapping[str, Any]) -> str:
        def refused() -> str:
            with pytest.raises(PlanRefused) as why:
                self._ask(folder, facts, known=None)
            return " ".join(str(why.value).replace("│", " ").split())

        return self._once(["refused", folder.name, facts], refused)

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

    def _plan(self, folder: Path, facts: Mapping[str, Any], first: Mapping[str, Any]) -> Plan:
        return _read(self._document(folder, facts, known=self._document(folder, first, known=None)))

    def _document(self, folder: Path, facts: Mapping[str, Any], known: Mapping[str, Any] | None) -> Mapping[str, Any]:
        asked = ["planned" if known else "first", folder.name, facts]
        document: dict[str, Any] = json.loads(self._once(asked, lambda: self._ask(folder, facts, known)))
        return document

    def _once(self, asked: list[Any], answer: Callable[[], str]) -> str:
        kept = self._kept / hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()
        if not kept.exists():
            written = kept.with_suffix(".new")
            written.write_text(answer())
            written.rename(kept)
        return kept.read_text()

    def _ask(self, folder: Path, facts: Mapping[str, Any], known: Mapping[str, Any] | None) -> str:
        (folder / "terraform.tfvars.json").write_text(json.dumps(facts))
        (folder / "terraform.tfstate").write_text(json.dumps(_state(known)))
        if not (folder / ".terraform").exists():
            self._set_up(folder)
        with _aws() as endpoint:
            _terraform(folder, "plan", "-input=false", "-lock=false", "-refresh=false", "-out=plan", endpoint=endpoint)
        return _terraform(folder, "show", "-json", "plan")


def _digest() -> str:
    """Hash all that a plan follows from, but for the facts of one stack."""
    sources = [
        Path(__file__),
        REPOSITORY / "deploy" / "terraform.py",
        *sorted((REPOSITORY / "terraform").rglob("*.tf")),
        *sorted(path for path in (REPOSITORY / "contracts").rglob("*") if path.suffix in {".yaml", ".json"}),
    ]
    digest = hashlib.sha256(_program().encode())
    for path in sources:
        digest.update(path.relative_to(REPOSITORY).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()


def _path() -> str:
    return f"{home_folder() / 'bin'}{os.pathsep}{os.environ['PATH']}"


def _program() -> str:
    program = shutil.which("terraform", path=_path())
    assert program, "Terraform is not on this machine: ./setup.sh says how to get it."
    return str(Path(program).resolve())


def _terraform(folder: Path, *arguments: str, endpoint: str = "http://127.0.0.1:1") -> str:
    overrides = folder / "terraform.rc"
    done = subprocess.run(
        [_program(), *arguments, "-no-color"],
        cwd=folder,
        env={
            "PATH": _path(),
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


def _state(planned: Mapping[str, Any] | None) -> dict[str, Any]:
    """Write the state of a stack as planned, as far as AWS names what is in it."""
    root = {} if planned is None else planned["planned_values"]["root_module"]
    return {
        "version": 4,
        "terraform_version": "1.11.0",
        "serial": 1,
        "lineage": "0b9f4f1e-3c83-4f0e-a0ad-0a3a0b2b5c11",
        "outputs": {},
        "resources": [_made(one, names) for one in _resources(root) if (names := _names(one))],
    }


def _resources(module: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    for resource in module.get("resources", []):
        if resource["mode"] == "managed":
            yield {**resource, "module": module.get("address")}
    for child in module.get("child_modules", []):
        yield from _resources(child)


def _names(resource: Mapping[str, Any]) -> dict[str, str] | None:
    """Make up what AWS names, unless it has no names for this or they stand on what is itself unknown."""
    try:
        known = {**resource["values"], "index": resource.get("index")}
        return {name: text.format(**known) for name, text in MADE_BY_AWS[resource["type"]].items()}
    except KeyError:
        return None


def _made(resource: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
    return {
        **({"module": resource["module"]} if resource["module"] else {}),
        "mode": "managed",
        "type": resource["type"],
        "name": resource["name"],
        "provider": 'provider["registry.' + 'terraform.io/hashicorp/aws"]',
        "instances": [
            {
                "schema_version": resource["schema_version"],
                "attributes": {**resource["values"], **names},
                **({"index_key": resource["index"]} if "index" in resource else {}),
            }
        ],
    }


def _read(document: Mapping[str, Any]) -> Plan:
    changes = [(one, one["change"]) for one in document["resource_changes"] if one["mode"] == "managed"]
    return Plan(
        tuple(
            Resource(
                address=resource["address"],
                type=resource["type"],
                values=change["after"],
                unknown=frozenset(name for name, said in change["after_unknown"].items() if _is_unknown(said)),
            )
            for resource, change in changes
            if change["after"] is not None
        )
    )


def _is_unknown(said: Any) -> bool:
    """Tell whether anything in an attribute is unknown: Terraform says so of each part."""
    parts = said.values() if isinstance(said, dict) else said if isinstance(said, list) else None
    return bool(said) if parts is None else any(map(_is_unknown, parts))
