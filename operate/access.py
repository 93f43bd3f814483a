"""Finds a branch's stack and the operator's credentials."""

import configparser
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from deploy.stack import stack_name
from deploy.target import home_folder, stay_off_proxies
from operate.errors import OperateError

if TYPE_CHECKING:
    from collections.abc import Callable

STAGE = "v"
"""What every stack's API calls its stage."""

EMBEDDED_PROFILE = "operator"


@dataclass(frozen=True)
class Keys:
    """IAM credentials as they are now."""

    access_key: str
    secret_key: str
    token: str | None


@dataclass(frozen=True)
class Access:
    """Where a stack's API is, and how to sign for it."""

    stack: str
    api_url: str
    region: str
    keys: "Callable[[], Keys]"
    endpoint_url: str | None = None

    def client(self, service: str) -> Any:
        """Return a client of an AWS service, where the stack is."""
        import boto3

        keys = self.keys()
        make: Any = boto3.client  # its stubs know literal names only
        return make(
            service,
            region_name=self.region,
            endpoint_url=self.endpoint_url,
            aws_access_key_id=keys.access_key,
            aws_secret_access_key=keys.secret_key,
            aws_session_token=keys.token,
        )


def find_stack(branch: str, profile: str | None, region: str | None) -> Access:
    """Find a branch's stack: as `deploy` described it here, or by its name in the profile's account.

    Raises
    ------
    OperateError
        When there is none, or no credentials to call it with.
    """
    try:
        stack = stack_name(branch)
    except ValueError as error:
        raise OperateError(str(error)) from None
    described = _described(home_folder() / "stacks" / f"{stack}.json")
    if described and described.get("endpoint_url") and profile in {None, EMBEDDED_PROFILE}:
        stay_off_proxies()
        keys = _embedded_keys(home_folder() / "cloud" / "credentials")
        return Access(stack, described["api_url"], described["region"], lambda: keys, described["endpoint_url"])
    return _in_account(stack, described, profile, region)


def _described(path: Path) -> dict[str, Any] | None:
    try:
        found: dict[str, Any] = json.loads(path.read_bytes())
    except FileNotFoundError:
        return None
    except ValueError:
        message = f"{path} cannot be read: deploy the branch again."
        raise OperateError(message) from None
    return found


def _embedded_keys(path: Path) -> Keys:
    profiles = configparser.ConfigParser()
    profiles.read(path)
    if EMBEDDED_PROFILE not in profiles:
        message = "The embedded cloud has no operator: is it running? make start"
        raise OperateError(message)
    found = profiles[EMBEDDED_PROFILE]
    return Keys(found["aws_access_key_id"], found["aws_secret_access_key"], None)


def _in_account(stack: str, described: dict[str, Any] | None, profile: str | None, region: str | None) -> Access:
    import boto3

    on_aws = described if described and not described.get("endpoint_url") else None
    if on_aws is None and profile is None and not os.environ.get("AWS_ACCESS_KEY_ID"):
        message = f"{stack} was not deployed from here: name the AWS profile to look with, PROFILE=..."
        raise OperateError(message)
    session = boto3.Session(profile_name=profile, region_name=region or (on_aws or {}).get("region"))
    credentials = session.get_credentials()
    if credentials is None:
        message = "No AWS credentials were found: name a profile that has some with PROFILE=..., or sign in."
        raise OperateError(message)
    if session.region_name is None:
        message = "No AWS region is set: give the profile one, or say REGION=..."
        raise OperateError(message)

    def keys() -> Keys:
        # Asked for anew with each call: a role's are replaced within the hour.
        frozen = credentials.get_frozen_credentials()
        return Keys(str(frozen.access_key), str(frozen.secret_key), frozen.token)

    url = on_aws["api_url"] if on_aws else _api_url(session, stack)
    return Access(stack, url, session.region_name, keys)


def _api_url(session: Any, stack: str) -> str:
    for page in session.client("apigateway").get_paginator("get_rest_apis").paginate():
        for api in page["items"]:
            if api["name"] == stack:
                return f"https://{api['id']}.execute-api.{session.region_name}.amazonaws.com/{STAGE}"
    message = f"There is no stack {stack} in {session.region_name}: check BRANCH, PROFILE and REGION."
    raise OperateError(message)
