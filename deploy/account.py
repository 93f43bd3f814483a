"""What an account has once, and every stack uses: `terraform/account`, applied when it has changed."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from deploy import lock, storage
from deploy.errors import DENIED, DeployError
from deploy.progress import Progress
from deploy.target import ROOT, Clients, Target
from deploy.terraform import Folder, backend
from janitor.buckets import TABLE as BUCKETS

EMBEDDED_SENDER = "paygo@example.com"


@dataclass(frozen=True)
class Wanted:
    """What is asked for of the account; what is not said stays as it is."""

    mail_sender: str | None = None
    token_keys: Sequence[str] | None = None
    firewall: bool | None = None
    partner_network: Mapping[str, Any] | None = None
    alarm_address: str | None = None
    budget: float | None = None
    oidc: Mapping[str, Any] | None = None
    janitor_applies: bool | None = None


_KEPT = ("owner", *(one.name for one in fields(Wanted)))


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
    inbox: str = ""
    """The topic on which the account calls for somebody."""
    alarm_address: str | None = None
    budget: float | None = None
    deploy_roles: Mapping[str, str] = field(default_factory=dict)
    """The roles that a CI's jobs assume, by what they do."""


UNKNOWN = Account(EMBEDDED_SENDER, {"token_keys": ["arn:aws:kms:us-east-1:000000000000:key/unknown"]})
"""Enough to destroy a stack with."""


def ensure(clients: Clients, home: Path, owner: str, wanted: Wanted, janitor: Package) -> Account:
    """Apply the account's configuration unless that was done, and return what it gives its stacks.

    Who may not change the account, and asks for nothing of it, takes it as it is: a branch may be older than that.
    """
    applied = storage.read(clients, storage.ACCOUNT_APPLIED) or {}
    values = _variables(clients.target, applied, owner, wanted, janitor.key)
    if _is_applied(clients, applied, values):
        return _account(applied)
    try:
        with lock.held(clients, lock.ACCOUNT, "deploy", home, print, patience=300):
            applied = storage.read(clients, storage.ACCOUNT_APPLIED) or {}
            if _is_applied(clients, applied, values):
                return _account(applied)
            return _apply(clients, home, values, janitor)
    except ClientError as error:
        if error.response["Error"]["Code"] not in DENIED or not applied or wanted != Wanted():
            raise
    print("  The account was set up from another commit, and these credentials may not change it: it stays as it is.")
    return _account(applied)


def settle(clients: Clients, home: Path, owner: str, wanted: Wanted, janitor: Package) -> Account:
    """Apply the account's configuration, also when that was done: what somebody has changed by hand is as it was."""
    storage.settle_state_bucket(clients)
    with lock.held(clients, lock.ACCOUNT, "deploy", home, print, patience=300):
        applied = storage.read(clients, storage.ACCOUNT_APPLIED) or {}
        return _apply(clients, home, _variables(clients.target, applied, owner, wanted, janitor.key), janitor)


def _apply(clients: Clients, home: Path, values: Mapping[str, Any], janitor: Package) -> Account:
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
    print(f"  {progress.changes} changes to the account by Terraform ({progress.seconds:.1f} s)", flush=True)
    storage.expire_replaced(clients, storage.artefact_bucket(clients.target), days=30)
    state = storage.State.load(clients, lock.state_key(lock.ACCOUNT))
    applied = {
        "hash": _digest(values),
        **{name: values[name] for name in _KEPT},
        "for_stacks": state.output("for_stacks") or {},
        "inbox": state.output("inbox") or "",
        "deploy_roles": state.output("deploy_roles") or {},
    }
    storage.write(clients, storage.ACCOUNT_APPLIED, applied)
    return _account(applied)


def _is_applied(clients: Clients, applied: Mapping[str, Any], values: Mapping[str, Any]) -> bool:
    return applied.get("hash") == _digest(values) and _bucket_is_there(clients)


def _digest(values: Mapping[str, Any]) -> str:
    return storage.folder_hash(ROOT / "terraform" / "account", salt=str(sorted(values.items())))


def _account(applied: Mapping[str, Any]) -> Account:
    return Account(
        applied["mail_sender"],
        applied["for_stacks"],
        applied.get("inbox", ""),
        applied.get("alarm_address"),
        applied.get("budget"),
        applied.get("deploy_roles", {}),
    )


def _variables(
    target: Target, applied: Mapping[str, Any], owner: str, wanted: Wanted, janitor_package: str
) -> dict[str, Any]:
    def kept(name: str) -> Any:
        wished = getattr(wanted, name)
        return applied.get(name) if wished is None else wished

    return {
        "region": target.region,
        "owner": applied.get("owner") or owner,
        "artefact_bucket": storage.artefact_bucket(target),
        "mail_sender": kept("mail_sender") or _default_sender(target),
        "token_keys": list(kept("token_keys") or ["1"]),
        "firewall": kept("firewall") or False,
        "janitor_applies": kept("janitor_applies") or False,
        "janitor_package": janitor_package,
        # What is said to be none is none.
        **{name: kept(name) or None for name in ("partner_network", "alarm_address", "budget", "oidc")},
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
    there = _may_be_there(clients, values)
    for (address, identifier), look in there.items():
        if any(one.get("id") == identifier for one in state.known(address.partition(".")[0])):
            continue
        try:
            look()
        except ClientError:
            continue
        _import(folder, address, identifier, values)


def _may_be_there(clients: Clients, values: Mapping[str, Any]) -> dict[tuple[str, str], Callable[[], object]]:
    """Name what stands in Terraform's way when it is there already, with a way to look."""
    iam, region = clients("iam"), clients.target.region
    bucket, sender = values["artefact_bucket"], values["mail_sender"]
    arn = f"arn:{storage.partition(region)}:iam::{clients.target.account}"

    def role(address: str, name: str) -> tuple[tuple[str, str], Callable[[], object]]:
        return (address, f"{name}-{region}"), lambda: iam.get_role(RoleName=f"{name}-{region}")

    def policy(address: str, name: str) -> tuple[tuple[str, str], Callable[[], object]]:
        policy_arn = f"{arn}:policy/{name}-{region}"
        return (address, policy_arn), lambda: iam.get_policy(PolicyArn=policy_arn)

    found: list[tuple[tuple[str, str], Callable[[], object]]] = [
        (("aws_s3_bucket.artefacts", bucket), lambda: clients("s3").head_bucket(Bucket=bucket)),
        (
            ("aws_sesv2_email_identity.sender", sender),
            lambda: clients("sesv2").get_email_identity(EmailIdentity=sender),
        ),
        role("aws_iam_role.api_gateway", "paygo-api-gateway"),
        role("aws_iam_role.janitor", "paygo-janitor"),
        (("aws_dynamodb_table.buckets", BUCKETS), lambda: clients("dynamodb").describe_table(TableName=BUCKETS)),
        (
            ("aws_lambda_function.janitor", f"paygo-janitor-{region}"),
            lambda: clients("lambda").get_function(FunctionName=f"paygo-janitor-{region}"),
        ),
        policy("aws_iam_policy.stack_boundary", "paygo-stack-boundary"),
    ]
    if values["oidc"] and values["oidc"].get("issuer"):
        # One an issuer and account: other projects' pipelines may come from the same.
        issuer = f"{arn}:oidc-provider/{values['oidc']['issuer'].removeprefix('https://')}"
        provider = 'aws_iam_openid_connect_provider.ci["ci"]'
        found.append(
            ((provider, issuer), lambda: iam.get_open_id_connect_provider(OpenIDConnectProviderArn=issuer)),
        )
    if values["oidc"]:
        kinds = [kind for kind in ("deployer", "releaser") if values["oidc"].get(f"{kind}s")]
        found += [role(f'aws_iam_role.deploy["{kind}"]', f"paygo-{kind}") for kind in kinds]
        parts = ("resources", "roles", "deployer", "releaser")
        found += [policy(f'aws_iam_policy.deploy["{part}"]', f"paygo-deploying-{part}") for part in parts]
    return dict(found)


def _import(folder: Folder, address: str, identifier: str, values: Mapping[str, Any]) -> None:
    if folder.adopt(address, identifier, values).returncode:
        msg = f"{address} is there as {identifier} and could not be adopted: {folder.work / 'import.log'} says why."
        raise DeployError(msg)
