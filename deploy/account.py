"""What an account has once, and every stack uses: `terraform/account`, applied when it has changed."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from deploy import lock, storage
from deploy.errors import DeployError
from deploy.progress import Progress
from deploy.target import ROOT, Clients, Target
from deploy.terraform import Folder, backend
from janitor.buckets import TABLE as BUCKETS

APPLIED = "account/applied.json"
EMBEDDED_SENDER = "paygo@example.com"
JANITOR = "paygo-account-janitor"
_KEPT = ("owner", "mail_sender", "token_keys", "firewall", "partner_network", "janitor_applies")


@dataclass(frozen=True)
class Wanted:
    """What is asked for of the account; what is not said stays as it is."""

    mail_sender: str | None = None
    token_keys: Sequence[str] | None = None
    firewall: bool | None = None
    partner_network: Mapping[str, Any] | None = None
    janitor_applies: bool | None = None


@dataclass(frozen=True)
class Package:
    """The janitor's zip, and its key in the bucket of states."""

    path: Path
    key: str


@dataclass(frozen=True)
class Account:
    """What the account gives its stacks."""

    mail_sender: str
    for_stacks: Mapping[str, Any] = field(default_factory=dict)
    """Variables of a stack, as the output of that name has them."""


UNKNOWN = Account(EMBEDDED_SENDER, {"token_keys": ["arn:aws:kms:us-east-1:000000000000:key/unknown"]})
"""Enough to destroy a stack with."""


def ensure(clients: Clients, home: Path, owner: str, wanted: Wanted, janitor: Package) -> Account:
    """Apply the account's configuration unless that was done, and return what it gives its stacks."""
    applied = storage.read(clients, APPLIED) or {}
    values = _variables(clients.target, applied, owner, wanted, janitor.key)
    digest = storage.folder_hash(ROOT / "terraform" / "account", salt=str(sorted(values.items())))
    if applied.get("hash") == digest and _bucket_is_there(clients):
        return _account(applied)
    with lock.held(clients, lock.ACCOUNT, "deploy", home, print, patience=300):
        applied = storage.read(clients, APPLIED) or {}
        if applied.get("hash") == digest and _bucket_is_there(clients):
            return _account(applied)
        folder = Folder(
            source=ROOT / "terraform" / "account",
            work=lock.working_folder(home, lock.ACCOUNT),
            home=home,
            backend=backend(clients.target, lock.state_key(lock.ACCOUNT)),
        )
        folder.init()
        clients("s3").upload_file(str(janitor.path), storage.state_bucket(clients.target), janitor.key)
        _adopt(clients, folder, values)
        with Progress("Account") as progress:
            folder.create(values, progress)
        storage.expire_replaced(clients, storage.artefact_bucket(clients.target), days=30)
        state = storage.State.load(clients, lock.state_key(lock.ACCOUNT))
        kept = {name: values[name] for name in _KEPT}
        applied = {"hash": digest, **kept, "for_stacks": state.output("for_stacks") or {}}
        storage.write(clients, APPLIED, applied)
    return _account(applied)


def _account(applied: Mapping[str, Any]) -> Account:
    return Account(applied["mail_sender"], applied["for_stacks"])


def _variables(
    target: Target, applied: Mapping[str, Any], owner: str, wanted: Wanted, janitor_package: str
) -> dict[str, Any]:
    firewall = wanted.firewall if wanted.firewall is not None else applied.get("firewall", False)
    applies = wanted.janitor_applies if wanted.janitor_applies is not None else applied.get("janitor_applies", False)
    network = wanted.partner_network if wanted.partner_network is not None else applied.get("partner_network")
    return {
        "region": target.region,
        "owner": applied.get("owner") or owner,
        "artefact_bucket": storage.artefact_bucket(target),
        "mail_sender": wanted.mail_sender or applied.get("mail_sender") or _default_sender(target),
        "token_keys": list(wanted.token_keys or applied.get("token_keys") or ["1"]),
        "firewall": firewall,
        "partner_network": network or None,
        "janitor_package": janitor_package,
        "janitor_applies": applies,
        "state_bucket": storage.state_bucket(target),
        "embedded": {"endpoint_url": target.endpoint_url} if target.embedded else None,
    }


def _default_sender(target: Target) -> str:
    if target.embedded:
        return EMBEDDED_SENDER
    msg = "Say once for this account which address e-mails come from: MAIL_SENDER=..."
    raise DeployError(msg)


def _bucket_is_there(clients: Clients) -> bool:
    try:
        clients("s3").head_bucket(Bucket=storage.artefact_bucket(clients.target))
    except ClientError as error:
        if error.response["Error"]["Code"] in {"404", "NoSuchBucket"}:
            return False
        raise
    return True


def _adopt(clients: Clients, folder: Folder, values: Mapping[str, Any]) -> None:
    """Give Terraform what is there and not in its state: a killed run's, or an operator's own verified address."""
    state = storage.State.load(clients, lock.state_key(lock.ACCOUNT))
    role = f"paygo-api-gateway-{clients.target.region}"
    bucket, sender = values["artefact_bucket"], values["mail_sender"]
    there: dict[tuple[str, str], Callable[[], object]] = {
        ("aws_s3_bucket.artefacts", bucket): lambda: clients("s3").head_bucket(Bucket=bucket),
        ("aws_iam_role.api_gateway", role): lambda: clients("iam").get_role(RoleName=role),
        ("aws_iam_role.janitor", JANITOR): lambda: clients("iam").get_role(RoleName=JANITOR),
        ("aws_dynamodb_table.buckets", BUCKETS): lambda: clients("dynamodb").describe_table(TableName=BUCKETS),
        ("aws_lambda_function.janitor", JANITOR): lambda: clients("lambda").get_function(FunctionName=JANITOR),
        ("aws_sesv2_email_identity.sender", sender): lambda: clients("sesv2").get_email_identity(EmailIdentity=sender),
    }
    for (address, identifier), look in there.items():
        if any(one.get("id") == identifier for one in state.known(address.partition(".")[0])):
            continue
        try:
            look()
        except ClientError:
            continue
        _import(folder, address, identifier, values)


def _import(folder: Folder, address: str, identifier: str, values: Mapping[str, Any]) -> None:
    if folder.adopt(address, identifier, values).returncode:
        msg = f"{address} is there as {identifier} and could not be adopted: {folder.work / 'import.log'} says why."
        raise DeployError(msg)
