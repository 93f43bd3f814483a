"""The two buckets that an account has once: stacks' states, and the packages that functions are made from."""

import hashlib
import json
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from deploy.target import Clients, Target

# What was to be replaced may be gone: https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html
_CONDITION_FAILED = ("PreconditionFailed", "ConditionalRequestConflict", "NoSuchKey", "412", "409")
ACCOUNT_APPLIED = "account/applied.json"
"""What was applied of the account's configuration, and what came of it."""


def state_bucket(target: Target) -> str:
    """Name the bucket of states; bucket names are shared by everybody on AWS, so the account's number is in it."""
    return f"paygo-state-{target.account}-{target.region}"


def artefact_bucket(target: Target) -> str:
    """Name the bucket of packages."""
    return f"paygo-artefacts-{target.account}-{target.region}"


def make_state_bucket(clients: Clients) -> None:
    """Make the bucket that Terraform's own state lives in, which therefore Terraform cannot make."""
    if not _exists(clients("s3"), state_bucket(clients.target)):
        settle_state_bucket(clients)


def settle_state_bucket(clients: Clients) -> None:
    """Make the state bucket what it should be: private, encrypted, versioned and reached over TLS only."""
    s3, bucket = clients("s3"), state_bucket(clients.target)
    region = clients.target.region
    where = {} if region == "us-east-1" else {"CreateBucketConfiguration": {"LocationConstraint": region}}
    try:
        s3.create_bucket(Bucket=bucket, **where)
    except ClientError as error:
        if error.response["Error"]["Code"] != "BucketAlreadyOwnedByYou":
            raise
    s3.put_bucket_policy(Bucket=bucket, Policy=json.dumps(_over_tls_only(bucket, partition(region))))
    s3.put_public_access_block(
        Bucket=bucket,
        PublicAccessBlockConfiguration={
            "BlockPublicAcls": True,
            "IgnorePublicAcls": True,
            "BlockPublicPolicy": True,
            "RestrictPublicBuckets": True,
        },
    )
    encryption = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}
    s3.put_bucket_encryption(Bucket=bucket, ServerSideEncryptionConfiguration={"Rules": [encryption]})
    expire_replaced(clients, bucket, days=90)
    # Last, so that a bucket with versions is a bucket with everything.
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})


def _over_tls_only(bucket: str, partition: str) -> dict[str, Any]:
    arn = f"arn:{partition}:s3:::{bucket}"
    return {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Sid": "OverTlsOnly",
                "Effect": "Deny",
                "Principal": "*",
                "Action": "s3:*",
                "Resource": [arn, f"{arn}/*"],
                "Condition": {"Bool": {"aws:SecureTransport": "false"}},
            }
        ],
    }


def partition(region: str) -> str:
    """Name the part of AWS that a region belongs to, as ARNs have it."""
    from boto3 import Session

    return Session().get_partition_for_region(region)


def expire_replaced(clients: Clients, bucket: str, days: int) -> None:
    """Let what was replaced in a bucket go after some days: nobody looks further back, and packages can be rebuilt.

    Terraform would wait a minute to see whether the setting stays.
    """
    rule = {
        "ID": "what was replaced",
        "Status": "Enabled",
        "Filter": {},
        "NoncurrentVersionExpiration": {"NoncurrentDays": days},
        "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 1},
    }
    clients("s3").put_bucket_lifecycle_configuration(Bucket=bucket, LifecycleConfiguration={"Rules": [rule]})


def _exists(s3: Any, bucket: str) -> bool:
    try:
        versioning: dict[str, str] = s3.get_bucket_versioning(Bucket=bucket)
    except ClientError as error:
        if error.response["Error"]["Code"] in {"NoSuchBucket", "404"}:
            return False
        raise
    return versioning.get("Status") == "Enabled"


def upload(clients: Clients, folder: Path, manifest: Mapping[str, Mapping[str, str]]) -> int:
    """Put the packages that the bucket lacks into it and return how many those were."""
    s3, bucket = clients("s3"), artefact_bucket(clients.target)
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix="artefacts/")
    there = {item["Key"] for page in pages for item in page.get("Contents", [])}
    missing = [entry for entry in manifest.values() if entry["key"] not in there]
    with ThreadPoolExecutor(max_workers=4) as pool:
        list(pool.map(lambda entry: s3.upload_file(str(folder / entry["file"]), bucket, entry["key"]), missing))
    return len(missing)


def read(clients: Clients, key: str) -> dict[str, Any] | None:
    """Read a JSON object of the state bucket, or None when it is not there."""
    return read_tagged(clients, key)[0]


def read_tagged(clients: Clients, key: str) -> tuple[dict[str, Any] | None, str | None]:
    """Read a JSON object of the state bucket with the tag that tells it from what is written later; or neither."""
    try:
        answer = clients("s3").get_object(Bucket=state_bucket(clients.target), Key=key)
    except ClientError as error:
        if error.response["Error"]["Code"] in {"NoSuchKey", "NoSuchBucket", "404"}:
            return None, None
        raise
    content: dict[str, Any] = json.loads(answer["Body"].read())
    return content, answer["ETag"]


def write(clients: Clients, key: str, content: Mapping[str, Any], *, only_if_new: bool = False) -> bool:
    """Write a JSON object to the state bucket; False when it had to be new and was not."""
    return _put(clients, key, content, {"IfNoneMatch": "*"} if only_if_new else {}) is not None


def write_tagged(clients: Clients, key: str, content: Mapping[str, Any], read: str | None) -> str | None:
    """Replace what was read under a tag, or write what was not there; return its tag, None when somebody was faster."""
    return _put(clients, key, content, {"IfMatch": read} if read else {"IfNoneMatch": "*"})


def _put(clients: Clients, key: str, content: Mapping[str, Any], condition: Mapping[str, str]) -> str | None:
    try:
        answer = clients("s3").put_object(
            Bucket=state_bucket(clients.target),
            Key=key,
            Body=json.dumps(content, indent=2).encode(),
            ContentType="application/json",
            **condition,
        )
    except ClientError as error:
        if error.response["Error"]["Code"] in _CONDITION_FAILED:
            return None
        raise
    return str(answer["ETag"])


def delete(clients: Clients, *keys: str) -> None:
    """Delete objects of the state bucket; those that are not there are no error."""
    for key in keys:
        clients("s3").delete_object(Bucket=state_bucket(clients.target), Key=key)


def forget(clients: Clients, folder: str, *, kept: str) -> None:
    """Delete a folder of the state bucket but for one key, for good: earlier versions of a state hold keys too."""
    s3, bucket = clients("s3"), state_bucket(clients.target)
    for page in s3.get_paginator("list_object_versions").paginate(Bucket=bucket, Prefix=folder):
        versions = [*page.get("Versions", []), *page.get("DeleteMarkers", [])]
        doomed = [{"Key": one["Key"], "VersionId": one["VersionId"]} for one in versions if one["Key"] != kept]
        if doomed:
            s3.delete_objects(Bucket=bucket, Delete={"Objects": doomed, "Quiet": True})


def listed(clients: Clients, prefix: str) -> list[str]:
    """List the keys of the state bucket that begin alike; none where there is no bucket."""
    pages = clients("s3").get_paginator("list_objects_v2").paginate(Bucket=state_bucket(clients.target), Prefix=prefix)
    try:
        return [item["Key"] for page in pages for item in page.get("Contents", [])]
    except ClientError as error:
        if error.response["Error"]["Code"] in {"NoSuchBucket", "404"}:
            return []
        raise


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

    @property
    def is_empty(self) -> bool:
        return not any(True for _ in self._instances())

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


def folder_hash(folder: Path, salt: str = "") -> str:
    """Hash the Terraform sources of a folder."""
    digest = hashlib.sha256(salt.encode())
    for path in sorted(folder.rglob("*.tf")):
        digest.update(path.relative_to(folder).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()
