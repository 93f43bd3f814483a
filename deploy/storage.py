"""The two buckets that an account has once: stacks' states, and the packages that functions are made from."""

import hashlib
import json
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from deploy import packages
from janitor.clients import Clients
from janitor.storage import (
    State,
    artefact_bucket,
    delete,
    forget,
    read,
    read_version,
    releases_key,
    stacks,
    state_bucket,
    write,
    write_version,
)

__all__ = [
    "ACCOUNT_APPLIED",
    "State",
    "artefact_bucket",
    "delete",
    "expire_replaced",
    "folder_hash",
    "forget",
    "listed",
    "make_state_bucket",
    "read",
    "read_version",
    "releases_key",
    "settle_state_bucket",
    "stacks",
    "state_bucket",
    "upload",
    "write",
    "write_version",
]


ACCOUNT_APPLIED = "account/applied.json"
"""What was applied of the account's configuration, and what came of it."""


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
    """Put the stacks' packages that the bucket lacks into it, over none that is there, and return how many."""
    s3, bucket = clients("s3"), artefact_bucket(clients.target)
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=packages.ARTEFACTS)
    there = {item["Key"] for page in pages for item in page.get("Contents", [])}
    wanted = [entry for entry in manifest.values() if entry["key"].startswith(packages.ARTEFACTS)]
    missing = [entry for entry in wanted if entry["key"] not in there]

    def put(entry: Mapping[str, str]) -> None:
        try:
            s3.put_object(Bucket=bucket, Key=entry["key"], Body=(folder / entry["file"]).read_bytes(), IfNoneMatch="*")
        except ClientError as error:
            # Somebody else has put it there meanwhile, or is about to.
            if error.response["Error"]["Code"] not in {"PreconditionFailed", "ConditionalRequestConflict"}:
                raise

    with ThreadPoolExecutor(max_workers=4) as pool:
        list(pool.map(put, missing))
    return len(missing)


def listed(clients: Clients, prefix: str) -> list[str]:
    """List the keys of the state bucket that begin alike; none where there is no bucket."""
    pages = clients("s3").get_paginator("list_objects_v2").paginate(Bucket=state_bucket(clients.target), Prefix=prefix)
    try:
        return [item["Key"] for page in pages for item in page.get("Contents", [])]
    except ClientError as error:
        if error.response["Error"]["Code"] in {"NoSuchBucket", "404"}:
            return []
        raise


def folder_hash(folder: Path, salt: str = "") -> str:
    """Hash the sources in a folder, which are all files but hidden and compiled ones."""
    digest = hashlib.sha256(salt.encode())
    for path in sorted(path for path in folder.rglob("*") if path.is_file() and _is_source(path.relative_to(folder))):
        digest.update(path.relative_to(folder).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()


def _is_source(path: Path) -> bool:
    return not any(part.startswith(".") or part == "__pycache__" for part in path.parts)
