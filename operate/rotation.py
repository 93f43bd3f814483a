"""Changes a stack's secrets so that nobody is locked out meanwhile. No value is ever shown."""

import json
import re
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from botocore.exceptions import ClientError

from deploy import stage_secrets
from operate.errors import OperateError

STEPS = ("next", "finish", "api-key")
GIVEN = ("staging", "production")
"""The stages that are given secrets of the account; a stack for development makes its own."""
KNOWN_AFTER = "five minutes"
"""What `paygo.secrets.REREAD_AFTER` says."""

type Clients = Callable[[str], Any]
"""Makes a client of an AWS service."""

type Ask = Callable[[str], str]
"""Asks for what nobody should see."""


@dataclass(frozen=True)
class Held:
    """A secret as it is now, and which version that is."""

    content: Mapping[str, Any]
    version: str


def rotate(clients: Clients, stack: str, name: str, step: str, ask: Ask) -> str:
    """Do one step of changing a secret, and return what is to be done next.

    Parameters
    ----------
    name
        `partners/<name>`: a third party's signing key. `outbound/<name>`: our credential at a partner.
        `operations/webhook`: where alarms are posted.

    Raises
    ------
    OperateError
        When there is no such secret or step, or somebody else is changing it.
    """
    if step not in STEPS:
        message = f"A step is {', '.join(STEPS[:-1])} or {STEPS[-1]}, not {step}."
        raise OperateError(message)
    place, _, who = name.partition("/")
    kinds: Mapping[str, Callable[[Held, str, str, Ask], tuple[Mapping[str, Any], str]]] = {
        "partners": _signing_key,
        "outbound": _credential,
        "operations": _webhook,
    }
    if place not in kinds or not who:
        message = (
            f"{name or 'Nothing'} cannot be changed here: name partners/<name>, outbound/<name> or operations/webhook."
        )
        raise OperateError(message)
    secret_id, client = f"{stack}/{name}", clients("secretsmanager")
    held = _read(client, secret_id)
    if step == "api-key":
        content, said = _api_key(clients("apigateway"), held, secret_id, f"{stack}-{who}")
    else:
        content, said = kinds[place](held, secret_id, step, ask)
    _write(client, secret_id, held, content)
    return said


def put(clients: Clients, stage: str, name: str, ask: Ask) -> str:
    """Put a secret that a stage is given where deploys look for it, or change it there; return what to know of it.

    Parameters
    ----------
    name
        `outbound/<name>`: our credential at a partner. `operations/webhook`: where alarms are posted.

    Raises
    ------
    OperateError
        When the stage is given no such secret, or somebody else is changing it.
    """
    place, _, who = name.partition("/")
    kinds: Mapping[str, Callable[[Held, str, str, Ask], tuple[Mapping[str, Any], str]]] = {
        "outbound": _credential,
        "operations": _webhook,
    }
    if stage not in GIVEN or place not in kinds or not who:
        message = f"Say STAGE={' or STAGE='.join(GIVEN)}, and SECRET=outbound/<name> or {stage_secrets.WEBHOOK}."
        raise OperateError(message)
    secret_id, client = stage_secrets.secret_id(stage, name), clients("secretsmanager")
    if not _is_there(client, secret_id):
        content, _ = kinds[place](Held({}, "none"), secret_id, "next", ask)
        tags = [{"Key": "Project", "Value": "paygo"}, {"Key": "Stage", "Value": stage}]
        client.create_secret(Name=secret_id, SecretString=json.dumps(content), Tags=tags)
        return f"{secret_id} is there: every stack of {stage} that is deployed from now on is given it."
    held = _read(client, secret_id)
    content, said = kinds[place](held, secret_id, "next", ask)
    _write(client, secret_id, held, content)
    return said


def _signing_key(held: Held, secret_id: str, step: str, _: Ask) -> tuple[Mapping[str, Any], str]:
    keys = held.content["keys"]
    if step == "finish":
        if not keys.get("previous"):
            message = f"{secret_id} has one signing key: no change of it is under way."
            raise OperateError(message)
        said = f"The old signing key of {secret_id} is gone; in {KNOWN_AFTER} no function takes it any more."
        return {**held.content, "keys": {"current": keys["current"], "previous": ""}}, said
    if keys.get("previous"):
        message = (
            f"{secret_id} has two signing keys: a change is under way. When the third party signs with the new one, "
            "end it with STEP=finish."
        )
        raise OperateError(message)
    said = (
        f"{secret_id} has a new signing key, keys.current; the old one still works. In {KNOWN_AFTER} every function "
        "knows the new one: then hand it over. When the third party signs with it: STEP=finish."
    )
    return {**held.content, "keys": {"current": secrets.token_urlsafe(36), "previous": keys["current"]}}, said


def _api_key(gateway: Any, held: Held, secret_id: str, key_name: str) -> tuple[Mapping[str, Any], str]:
    found = gateway.get_api_keys(nameQuery=key_name, includeValues=True)["items"]
    values = [key["value"] for key in found if key["name"] == key_name]
    if len(values) != 1 or "api_key" not in held.content:
        message = f"{secret_id} goes with {len(values)} API keys of the name {key_name}: it takes one of a third party."
        raise OperateError(message)
    said = (
        f"{secret_id} holds the API key that API Gateway has; in {KNOWN_AFTER} every function takes it. Hand it over."
    )
    return {**held.content, "api_key": values[0]}, said


def _credential(held: Held, secret_id: str, step: str, ask: Ask) -> tuple[Mapping[str, Any], str]:
    _refuse_finish(secret_id, step)
    credential = ask("The credential that the partner gave us").strip()
    if not re.fullmatch(r"[\x21-\x7e]+", credential):
        message = "A credential is one word of printable ASCII: it travels in a header."
        raise OperateError(message)
    said = (
        f"{secret_id} holds the new credential; in {KNOWN_AFTER} every function shows it. Let the old one live so long."
    )
    return {**held.content, "credential": credential}, said


def _webhook(held: Held, secret_id: str, step: str, ask: Ask) -> tuple[Mapping[str, Any], str]:
    _refuse_finish(secret_id, step)
    url = ask("The webhook's address (nothing for none)").strip()
    if url and not re.fullmatch(r"https://\S+", url):
        message = "A webhook's address begins with https://."
        raise OperateError(message)
    said = f"Alarms are {'posted to the new address' if url else 'not posted any more'} from now on."
    return {**held.content, "url": url or None}, said


def _refuse_finish(secret_id: str, step: str) -> None:
    if step != "next":
        message = f"{secret_id} is changed in one step: there is nothing to finish."
        raise OperateError(message)


def _read(client: Any, secret_id: str) -> Held:
    try:
        found = client.get_secret_value(SecretId=secret_id)
    except ClientError as error:
        # A secret that somebody made by hand may have no value yet.
        if error.response["Error"]["Code"] != "ResourceNotFoundException":
            raise
        if _is_there(client, secret_id):
            return Held({}, "none")
        message = (
            f"There is no secret {secret_id}: check BRANCH and SECRET. What staging and production are given is the "
            "account's: make secret STAGE=..."
        )
        raise OperateError(message) from None
    return Held(json.loads(found["SecretString"]), found["VersionId"])


def _is_there(client: Any, secret_id: str) -> bool:
    try:
        client.describe_secret(SecretId=secret_id)
    except ClientError:
        return False
    return True


def _write(client: Any, secret_id: str, before: Held, content: Mapping[str, Any]) -> None:
    # A version is written once, and this one follows from the one that was read: of two at once one is refused.
    token = str(uuid5(NAMESPACE_URL, f"{secret_id}#{before.version}"))
    try:
        client.put_secret_value(SecretId=secret_id, SecretString=json.dumps(content), ClientRequestToken=token)
    except ClientError as error:
        if error.response["Error"]["Code"] != "ResourceExistsException":
            raise
        message = f"Somebody else has just changed {secret_id}: look who, and try again."
        raise OperateError(message) from None
