"""What an account has once, and every stack uses: `terraform/account`, applied when it has changed."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from deploy import lock, storage
from deploy.errors import DeployError
from deploy.progress import Progress
from deploy.target import ROOT, Clients, Target
from deploy.terraform import Folder, backend

APPLIED = "account/applied.json"
EMBEDDED_SENDER = "paygo@example.com"


def ensure(clients: Clients, home: Path, owner: str, mail_sender: str | None) -> str:
    """Apply the account's configuration unless that was done, and return the address that e-mails come from."""
    applied = storage.read(clients, APPLIED) or {}
    sender = mail_sender or applied.get("mail_sender") or _default_sender(clients.target)
    values = _variables(clients.target, applied.get("owner") or owner, sender)
    wanted = storage.folder_hash(ROOT / "terraform" / "account", salt=str(sorted(values.items())))
    if applied.get("hash") == wanted and _bucket_is_there(clients):
        return sender
    with lock.held(clients, lock.ACCOUNT, "deploy", home, print, patience=300):
        if (storage.read(clients, APPLIED) or {}).get("hash") == wanted and _bucket_is_there(clients):
            return sender
        folder = Folder(
            source=ROOT / "terraform" / "account",
            work=lock.working_folder(home, lock.ACCOUNT),
            home=home,
            backend=backend(clients.target, lock.state_key(lock.ACCOUNT)),
        )
        folder.init()
        _adopt(clients, folder, values)
        with Progress("Account") as progress:
            folder.create(values, progress)
        storage.expire_replaced(clients, storage.artefact_bucket(clients.target), days=30)
        storage.write(clients, APPLIED, {"hash": wanted, "mail_sender": sender, "owner": values["owner"]})
    return sender


def _variables(target: Target, owner: str, sender: str) -> dict[str, Any]:
    return {
        "region": target.region,
        "owner": owner,
        "artefact_bucket": storage.artefact_bucket(target),
        "mail_sender": sender,
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
