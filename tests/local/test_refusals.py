"""How a refused caller is answered, what a signature covers, and on what resource sending mail is judged.

https://docs.aws.amazon.com/apigateway/latest/developerguide/supported-gateway-response-types.html,
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html,
https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonsimpleemailservicev2.html
"""

from typing import Any

import requests
from requests_aws4auth import AWS4Auth  # type: ignore[import-untyped]

from tests.local.conftest import ACCOUNT, Bench, allow, refusal
from tests.local.test_rest_api_import import ECHO, Api, document, proxied

SIGV4 = {"type": "apiKey", "name": "Authorization", "in": "header", "x-amazon-apigateway-authtype": "awsSigv4"}


def test_a_caller_whom_iam_refuses_is_answered_as_the_api_says(bench: Bench) -> None:
    api = Api(bench)
    refused = {
        "statusCode": "403",
        "responseParameters": {"gatewayresponse.header.Content-Type": "'application/problem+json'"},
        "responseTemplates": {"application/json": '{"title": "Not for you", "error": $context.error.messageString}'},
    }
    api.put(
        document(
            {"/shut": {"get": proxied(bench.function(ECHO), security=[{"sigv4": []}])}},
            components={"securitySchemes": {"sigv4": SIGV4}},
            **{"x-amazon-apigateway-gateway-responses": {"ACCESS_DENIED": refused}},
        )
    )
    url = api.deploy()
    given = bench.deployer("sts").assume_role(
        RoleArn=bench.role(
            allow("dynamodb:ListTables"),
            trust={"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}, "Action": "sts:AssumeRole"},
        ),
        RoleSessionName="caller",
    )["Credentials"]
    auth = AWS4Auth(
        given["AccessKeyId"],
        given["SecretAccessKey"],
        "us-east-1",
        "execute-api",
        session_token=given["SessionToken"],
    )

    answer = requests.get(f"{url}/shut", auth=auth, timeout=20)

    assert answer.status_code == 403
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.headers["x-amzn-ErrorType"] == "AccessDeniedException"
    assert answer.json()["title"] == "Not for you"


def test_a_body_that_is_not_the_signed_one_is_refused(bench: Bench) -> None:
    api = Api(bench)
    api.put(
        document(
            {"/open": {"post": proxied(bench.function(ECHO), security=[{"sigv4": []}])}},
            components={"securitySchemes": {"sigv4": SIGV4}},
        )
    )
    url = f"{api.deploy()}/open"
    given = bench.deployer("sts").assume_role(
        RoleArn=bench.role(
            allow("execute-api:Invoke"),
            trust={"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}, "Action": "sts:AssumeRole"},
        ),
        RoleSessionName="caller",
    )["Credentials"]
    auth = AWS4Auth(
        given["AccessKeyId"],
        given["SecretAccessKey"],
        "us-east-1",
        "execute-api",
        session_token=given["SessionToken"],
    )
    signed = requests.Request("POST", url, data=b"pay 1", auth=auth).prepare()
    altered = signed.copy()
    altered.body = b"pay 9"

    with requests.Session() as http:
        assert http.send(signed, timeout=20).status_code == 200
        assert http.send(altered, timeout=20).status_code == 403


def test_mail_is_sent_by_whom_the_senders_identity_is_open_to(bench: Bench) -> None:
    sender = f"{bench.name}@example.org"
    mail: dict[str, Any] = {
        "Destination": {"ToAddresses": ["somebody@example.org"]},
        "Content": {"Simple": {"Subject": {"Data": "Hello"}, "Body": {"Text": {"Data": "Hello"}}}},
    }
    identities = bench.deployer("sesv2")
    identities.create_email_identity(EmailIdentity=sender)
    bench.later(identities.delete_email_identity, EmailIdentity=sender)
    caller = bench.user(allow("ses:SendEmail", f"arn:aws:ses:us-east-1:{ACCOUNT}:identity/{sender}"))("sesv2")

    assert caller.send_email(FromEmailAddress=sender, **mail)["MessageId"]
    assert caller.send_email(FromEmailAddress=f"Somebody <{sender}>", **mail)["MessageId"]
    other = refusal(lambda: caller.send_email(FromEmailAddress="another@example.org", **mail))
    assert other.startswith("AccessDenied")
