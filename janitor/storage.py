"""What is kept about stacks in the account's bucket of states: Terraform's state, and who works on a stack."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from janitor.clients import Clients, Place
from janitor.errors import is_denied

ACCOUNT = "account"
"""What all stacks of an account share is kept, and locked, beside them; no stack is called so."""

JANITORS_PACKAGES = "account/janitor-"
"""What the keys of the janitor's own packages begin with: they are there before the bucket of artefacts is."""

_REFUSED = frozenset({"PreconditionFailed", "ConditionalRequestConflict", "412", "409", "NoSuchKey"})
_MISSING = frozenset({"NoSuchKey", "NoSuchBucket", "404"})


def state_bucket(target: Place) -> str:
    """Name the bucket of states; bucket names are shared by everybody on AWS, so the account's number is in it."""
    return f"paygo-state-{target.account}-{target.region}"


def artefact_bucket(target: Place) -> str:
    """Name the bucket of packages."""
    return f"paygo-artefacts-{target.account}-{target.region}"


def folder_key(stack: str) -> str:
    """Give the folder of the state bucket that holds all that is kept about a stack."""
    return "account/" if stack == ACCOUNT else f"stacks/{stack}/"


def lock_key(stack: str) -> str:
    """Name the object that is there while somebody works on a stack."""
    return f"{folder_key(stack)}deploy.lock"


def state_key(stack: str) -> str:
    """Name the object that is a stack's state."""
    return f"{folder_key(stack)}terraform.tfstate"


def releases_key(stack: str) -> str:
    """Name the object that a stack's releases are written down in."""
    return f"{folder_key(stack)}releases.json"


def comparison_key(stack: str) -> str:
    """Name the object that says what Terraform last compared a stack with."""
    return f"{folder_key(stack)}comparison.json"


def read(clients: Clients, key: str) -> dict[str, Any] | None:
    """Read a JSON object of the state bucket, or None when it is not there."""
    return read_version(clients, key)[0]


def read_version(clients: Clients, key: str) -> tuple[dict[str, Any] | None, str]:
    """Read a JSON object of the state bucket, and what tells this version of it from any other."""
    try:
        answer = clients("s3").get_object(Bucket=state_bucket(clients.target), Key=key)
    except ClientError as error:
        if error.response["Error"]["Code"] in _MISSING:
            return None, ""
        raise
    content: dict[str, Any] = json.loads(answer["Body"].read())
    return content, str(answer["ETag"])


def write(
    clients: Clients, key: str, content: Mapping[str, Any], *, only_if_new: bool = False, instead_of: str = ""
) -> bool:
    """Write a JSON object to the state bucket; False when it had to be new, or another's successor, and was not."""
    return write_version(clients, key, content, only_if_new=only_if_new, instead_of=instead_of) is not None


def write_version(
    clients: Clients, key: str, content: Mapping[str, Any], *, only_if_new: bool = False, instead_of: str = ""
) -> str | None:
    """Write as `write` does, and return what tells this version from any other; None when somebody was faster."""
    condition = {"IfNoneMatch": "*"} if only_if_new else {"IfMatch": instead_of} if instead_of else {}
    try:
        answer = clients("s3").put_object(
            Bucket=state_bucket(clients.target),
            Key=key,
            Body=json.dumps(content, indent=2).encode(),
            ContentType="application/json",
            **condition,
        )
    except ClientError as error:
        if condition and error.response["Error"]["Code"] in _REFUSED:
            return None
        raise
    return str(answer["ETag"])


def delete(clients: Clients, *keys: str) -> None:
    """Delete objects of the state bucket; those that are not there are no error."""
    for key in keys:
        clients("s3").delete_object(Bucket=state_bucket(clients.target), Key=key)


def forget(clients: Clients, folder: str, *, kept: str | None = None) -> None:
    """Delete a folder of the state bucket but for one key, for good: earlier versions of a state hold keys too."""
    s3, bucket = clients("s3"), state_bucket(clients.target)
    for page in s3.get_paginator("list_object_versions").paginate(Bucket=bucket, Prefix=folder):
        versions = [*page.get("Versions", []), *page.get("DeleteMarkers", [])]
        doomed = [{"Key": one["Key"], "VersionId": one["VersionId"]} for one in versions if one["Key"] != kept]
        if doomed:
            s3.delete_objects(Bucket=bucket, Delete={"Objects": doomed, "Quiet": True})


def stacks(clients: Clients) -> set[str]:
    """Name every stack that the state bucket knows."""
    pages = (
        clients("s3")
        .get_paginator("list_objects_v2")
        .paginate(Bucket=state_bucket(clients.target), Prefix="stacks/", Delimiter="/")
    )
    return {shared["Prefix"].split("/")[1] for page in pages for shared in page.get("CommonPrefixes", [])}


@dataclass(frozen=True)
class State:
    """What Terraform wrote down about a stack."""

    content: Mapping[str, Any]

    @classmethod
    def load(cls, clients: Clients, key: str) -> "State":
        return cls(read(clients, key) or {})

    @classmethod
    def seen(cls, clients: Clients, key: str) -> "State | None":
        """Load a state, or return None where the caller may not read it: roles of a stage see that stage's alone."""
        try:
            return cls.load(clients, key)
        except ClientError as error:
            if is_denied(error):
                return None
            raise

    @property
    def is_empty(self) -> bool:
        return not any(True for _ in self._instances())

    @property
    def hash(self) -> str:
        """What tells this state from any other; its serial number does not, since two runs may count from one."""
        return hashlib.sha256(json.dumps(self.content, sort_keys=True).encode()).hexdigest()

    @property
    def types(self) -> set[str]:
        """The types of resources that Terraform manages."""
        return {kind for kind, _ in self._instances()}

    def known(self, resource: str) -> list[Mapping[str, Any]]:
        """Give the attributes of every resource of a type that Terraform manages."""
        return [attributes for kind, attributes in self._instances() if kind == resource]

    def tag(self, name: str) -> str | None:
        """Give the value that a tag of the whole stack has."""
        for _, attributes in self._instances():
            value = (attributes.get("tags_all") or {}).get(name)
            if value:
                return str(value)
        return None

    def output(self, name: str) -> Any:
        return self.content.get("outputs", {}).get(name, {}).get("value")

    def _instances(self) -> list[tuple[str, Mapping[str, Any]]]:
        return [
            (resource["type"], instance.get("attributes") or {})
            for resource in self.content.get("resources", [])
            if resource.get("mode") == "managed"
            for instance in resource.get("instances", [])
        ]
