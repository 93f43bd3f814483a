"""What every carrier of messages does: the fake of the other tests and SES."""

import traceback
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.stub import Stubber
from moto.ses.models import ses_backends

from paygo.mail import Mail, MailRefused, SesPost
from tests.unit.notifications.fakes import FakePost

if TYPE_CHECKING:
    from collections.abc import Callable

    from notifications.usecases import Post

SENDER = "no-reply@paygo.example.org"
MAIL = Mail(message_id="event-1", recipient="amina@example.org", subject="Paid ✓", text="Hello Åsa,\n")


@pytest.fixture(params=["fake", "ses"])
def post(request: pytest.FixtureRequest) -> "Post":
    if request.param == "fake":
        return FakePost()
    ses = boto3.client("sesv2")
    ses.create_email_identity(EmailIdentity=SENDER)
    return SesPost(ses, SENDER)


@pytest.fixture
def delivered(post: "Post") -> "Callable[[], list[tuple[str, str, str]]]":
    """Return what was delivered: to whom, the subject, the text."""

    def read() -> list[tuple[str, str, str]]:
        if isinstance(post, FakePost):
            return [(mail.recipient, mail.subject, mail.text) for mail in post.sent]
        messages: list[Any] = ses_backends["123456789012"]["us-east-1"].sent_messages
        return [(message.destinations["ToAddresses"][0], message.subject, message.body) for message in messages]

    return read


def test_a_message_reaches_its_recipient(post: "Post", delivered: "Callable[[], list[tuple[str, str, str]]]") -> None:
    post.send(MAIL)

    assert delivered() == [("amina@example.org", "Paid ✓", "Hello Åsa,\n")]


def test_a_message_carries_its_id_as_header_and_tag() -> None:
    ses = boto3.client("sesv2")
    with Stubber(ses) as stubbed:
        stubbed.add_response(
            "send_email",
            {"MessageId": "1"},
            {
                "FromEmailAddress": SENDER,
                "Destination": {"ToAddresses": ["amina@example.org"]},
                "Content": {
                    "Simple": {
                        "Subject": {"Data": "Paid ✓", "Charset": "UTF-8"},
                        "Body": {"Text": {"Data": "Hello Åsa,\n", "Charset": "UTF-8"}},
                        "Headers": [{"Name": "X-Paygo-Message-Id", "Value": "event-1"}],
                    }
                },
                "EmailTags": [{"Name": "paygo-message-id", "Value": "event-1"}],
            },
        )

        SesPost(ses, SENDER).send(MAIL)

        stubbed.assert_no_pending_responses()


def test_a_refusal_says_why_and_not_to_whom() -> None:
    ses = boto3.client("sesv2")
    with Stubber(ses) as stubbed:
        stubbed.add_client_error("send_email", "MessageRejected", "amina@example.org is not verified")

        with pytest.raises(MailRefused, match="event-1: MessageRejected") as refused:
            SesPost(ses, SENDER).send(MAIL)

    assert "amina" not in "".join(traceback.format_exception(refused.value))
