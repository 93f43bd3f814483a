"""The embedded cloud's users: who deploys, who operates, each with a key of its own."""

import configparser
import json
import os
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config

from paygo_cloud.home import ACCOUNT, REGION

ADMINISTRATOR = "arn:aws:iam::aws:policy/AdministratorAccess"

OPERATOR_POLICY = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Sid": "ReadWhatAPartnerOrADeviceIsGiven",
            "Effect": "Allow",
            "Action": ["secretsmanager:GetSecretValue", "secretsmanager:DescribeSecret"],
            "Resource": "*",
        },
        {
            "Sid": "LookAtMail",
            "Effect": "Allow",
            "Action": ["ses:Get*", "ses:List*"],
            "Resource": "*",
        },
        {
            "Sid": "LookAtQueuesAndAlarms",
            "Effect": "Allow",
            "Action": [
                "cloudwatch:DescribeAlarms",
                "sqs:GetQueueAttributes",
                "sqs:GetQueueUrl",
                "sqs:ListQueues",
                "logs:DescribeLogGroups",
                "logs:DescribeLogStreams",
                "logs:FilterLogEvents",
                "logs:GetLogEvents",
            ],
            "Resource": "*",
        },
        {
            "Sid": "MendDeadLetters",
            "Effect": "Allow",
            "Action": "execute-api:Invoke",
            "Resource": f"arn:aws:execute-api:{REGION}:{ACCOUNT}:*/*/*/operations/*",
        },
        {
            "Sid": "ChangeSecrets",
            "Effect": "Allow",
            "Action": "secretsmanager:PutSecretValue",
            "Resource": [
                f"arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:paygo-*/{name}-??????"
                for name in ("operations/webhook", "outbound/*", "partners/*")
            ],
        },
        {
            "Sid": "GiveStagesTheirSecrets",
            "Effect": "Allow",
            "Action": ["secretsmanager:CreateSecret", "secretsmanager:PutSecretValue", "secretsmanager:TagResource"],
            "Resource": f"arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:paygo/*",
        },
        {
            "Sid": "ApproveForProduction",
            "Effect": "Allow",
            "Action": "s3:PutObject",
            "Resource": "arn:aws:s3:::paygo-state-*/approvals/*",
        },
        {
            "Sid": "ReadApiKeys",
            "Effect": "Allow",
            "Action": "apigateway:GET",
            "Resource": f"arn:aws:apigateway:{REGION}::/apikeys",
        },
        {
            "Sid": "SayWhatPartnersAnswer",
            "Effect": "Allow",
            "Action": ["s3:DeleteObject", "s3:GetObject", "s3:ListBucket", "s3:PutObject"],
            "Resource": ["arn:aws:s3:::paygo-*-mocks-*", "arn:aws:s3:::paygo-*-mocks-*/*"],
        },
        {
            "Sid": "ReadWhatPartnersWereAsked",
            "Effect": "Allow",
            "Action": ["dynamodb:DescribeTable", "dynamodb:GetItem", "dynamodb:Query", "dynamodb:Scan"],
            "Resource": f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/paygo-*-mocks",
        },
    ],
}


def create(endpoint_url: str, region: str, root_key: tuple[str, str], credentials_file: Path) -> None:
    """Make the users ``deployer`` and ``operator`` and write their keys; nothing else ever uses the root key."""
    root = boto3.session.Session(aws_access_key_id=root_key[0], aws_secret_access_key=root_key[1], region_name=region)
    # No proxy, whatever the environment says: it is on this machine.
    iam = root.client("iam", endpoint_url=endpoint_url, config=Config(proxies={}))
    profiles = configparser.ConfigParser()

    iam.create_user(UserName="deployer")
    iam.attach_user_policy(UserName="deployer", PolicyArn=ADMINISTRATOR)
    profiles["deployer"] = _new_key(iam, "deployer")

    iam.create_user(UserName="operator")
    iam.put_user_policy(UserName="operator", PolicyName="operate", PolicyDocument=json.dumps(OPERATOR_POLICY))
    profiles["operator"] = _new_key(iam, "operator")

    descriptor = os.open(credentials_file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        profiles.write(file)
    credentials_file.chmod(0o600)


def _new_key(iam: Any, user: str) -> dict[str, str]:
    key = iam.create_access_key(UserName=user)["AccessKey"]
    return {"aws_access_key_id": key["AccessKeyId"], "aws_secret_access_key": key["SecretAccessKey"]}
