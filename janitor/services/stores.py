"""What keeps data: tables, buckets, secrets and people."""

from collections.abc import Iterator

from botocore.exceptions import ClientError

from janitor.clients import Clients
from janitor.found import GOING, Found, Tags
from janitor.services import pages, pairs
from janitor.storage import artefact_bucket, state_bucket

MOST_AT_ONCE = 1000
"""How many objects DeleteObjects takes. https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteObjects.html"""


def tables(clients: Clients, prefix: str) -> Iterator[Found]:
    for name in pages(clients, "dynamodb", "list_tables", "TableNames"):
        if name.startswith(prefix):
            yield Found(name, name)


def table_tags(clients: Clients, found: Found) -> Tags:
    table = clients("dynamodb").describe_table(TableName=found.id)["Table"]
    return pairs(clients("dynamodb").list_tags_of_resource(ResourceArn=table["TableArn"])["Tags"])


def table_data(clients: Clients, found: Found) -> str | None:
    # What describe_table counts is up to six hours old, so one item is looked for.
    return "it has items" if clients("dynamodb").scan(TableName=found.id, Limit=1)["Items"] else None


def table_is_protected(clients: Clients, found: Found) -> bool:
    """Tell whether a table may not be deleted."""
    return bool(clients("dynamodb").describe_table(TableName=found.id)["Table"].get("DeletionProtectionEnabled"))


def remove_table(clients: Clients, found: Found) -> None:
    dynamodb = clients("dynamodb")
    dynamodb.delete_table(TableName=found.id)
    dynamodb.get_waiter("table_not_exists").wait(TableName=found.id, WaiterConfig={"Delay": 1, "MaxAttempts": 120})


def buckets(clients: Clients, prefix: str) -> Iterator[Found]:
    # All regions are listed alike, and a bucket that was made a moment ago has no tags yet: its name says where it is.
    here = f"-{clients.target.account}-{clients.target.region}"
    the_accounts = {state_bucket(clients.target), artefact_bucket(clients.target)}
    for one in pages(clients, "s3", "list_buckets", "Buckets"):
        if one["Name"].startswith(prefix) and one["Name"].endswith(here) and one["Name"] not in the_accounts:
            yield Found(one["Name"], one["Name"])


def bucket_tags(clients: Clients, found: Found) -> Tags:
    try:
        return pairs(clients("s3").get_bucket_tagging(Bucket=found.id)["TagSet"])
    except ClientError as error:
        if error.response["Error"]["Code"] == "NoSuchTagSet":
            return None
        raise


def bucket_data(clients: Clients, found: Found) -> str | None:
    return "it has objects" if clients("s3").list_objects_v2(Bucket=found.id, MaxKeys=1).get("Contents") else None


def remove_bucket(clients: Clients, found: Found) -> None:
    """Empty a bucket of every version, the first thousand again and again, and remove it."""
    s3 = clients("s3")
    while True:
        page = s3.list_object_versions(Bucket=found.id, MaxKeys=MOST_AT_ONCE)
        gone = [*page.get("Versions", []), *page.get("DeleteMarkers", [])][:MOST_AT_ONCE]
        if not gone:
            break
        objects = [{"Key": one["Key"], "VersionId": one["VersionId"]} for one in gone]
        if s3.delete_objects(Bucket=found.id, Delete={"Objects": objects, "Quiet": True}).get("Errors"):
            break  # what is left is told by the bucket, which does not go
    s3.delete_bucket(Bucket=found.id)


def secrets(clients: Clients, prefix: str) -> Iterator[Found]:
    filters = [{"Key": "name", "Values": [prefix]}]
    for one in pages(
        clients, "secretsmanager", "list_secrets", "SecretList", Filters=filters, IncludePlannedDeletion=True
    ):
        if one["Name"].startswith(prefix):
            about = GOING if "DeletedDate" in one else ""
            yield Found(one["ARN"], one["Name"], pairs(one.get("Tags")) or None, about)


def remove_secret(clients: Clients, found: Found) -> None:
    clients("secretsmanager").delete_secret(SecretId=found.id, ForceDeleteWithoutRecovery=True)


def user_pools(clients: Clients, prefix: str) -> Iterator[Found]:
    for one in pages(clients, "cognito-idp", "list_user_pools", "UserPools", PaginationConfig={"PageSize": 60}):
        if one["Name"].startswith(prefix):
            yield Found(one["Id"], one["Name"])


def user_pool_tags(clients: Clients, found: Found) -> Tags:
    tags: dict[str, str] = (
        clients("cognito-idp").describe_user_pool(UserPoolId=found.id)["UserPool"].get("UserPoolTags", {})
    )
    return tags


def user_pool_data(clients: Clients, found: Found) -> str | None:
    return "it has users" if clients("cognito-idp").list_users(UserPoolId=found.id, Limit=1)["Users"] else None


def user_pool_is_protected(clients: Clients, found: Found) -> bool:
    """Tell whether a pool may not be deleted."""
    pool = clients("cognito-idp").describe_user_pool(UserPoolId=found.id)["UserPool"]
    return bool(pool.get("DeletionProtection") == "ACTIVE")


def remove_user_pool(clients: Clients, found: Found) -> None:
    cognito = clients("cognito-idp")
    pool = cognito.describe_user_pool(UserPoolId=found.id)["UserPool"]
    if pool.get("Domain"):
        cognito.delete_user_pool_domain(UserPoolId=found.id, Domain=pool["Domain"])
    cognito.delete_user_pool(UserPoolId=found.id)


def identity_pools(clients: Clients, prefix: str) -> Iterator[Found]:
    arguments = {"PaginationConfig": {"PageSize": 60}}
    for one in pages(clients, "cognito-identity", "list_identity_pools", "IdentityPools", **arguments):
        if one["IdentityPoolName"].startswith(prefix):
            yield Found(one["IdentityPoolId"], one["IdentityPoolName"])


def identity_pool_tags(clients: Clients, found: Found) -> Tags:
    pool = clients("cognito-identity").describe_identity_pool(IdentityPoolId=found.id)
    tags: dict[str, str] = pool.get("IdentityPoolTags") or {}
    return tags


def remove_identity_pool(clients: Clients, found: Found) -> None:
    clients("cognito-identity").delete_identity_pool(IdentityPoolId=found.id)
