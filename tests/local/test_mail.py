"""What a sent mail is known by; https://docs.aws.amazon.com/ses/latest/APIReference-V2/API_SendEmail.html."""

from typing import Any

import requests

from tests.local.conftest import Bench


def test_a_mail_keeps_the_headers_and_tags_it_was_sent_with(bench: Bench) -> None:
    ses, sender = bench.deployer("sesv2"), f"{bench.name}@example.org"
    ses.create_email_identity(EmailIdentity=sender)
    bench.later(ses.delete_email_identity, EmailIdentity=sender)
    message: dict[str, Any] = {
        "Subject": {"Data": "Paid"},
        "Body": {"Text": {"Data": "Thank you."}},
        "Headers": [{"Name": "X-Message-Id", "Value": "m-1"}],
    }

    message_id = ses.send_email(
        FromEmailAddress=sender,
        Destination={"ToAddresses": ["amina@example.org"]},
        Content={"Simple": message},
        EmailTags=[{"Name": "message-id", "Value": "m-1"}],
    )["MessageId"]

    sent = requests.get(f"{bench.cloud.endpoint_url}/_ministack/ses/messages", timeout=10).json()["messages"]
    (mail,) = [mail for mails in sent.values() for mail in mails if mail["MessageId"] == message_id]
    assert mail["Headers"] == {"X-Message-Id": "m-1"}
    assert mail["Tags"] == {"message-id": "m-1"}
