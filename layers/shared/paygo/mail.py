"""E-mail, by Amazon SES."""

from typing import TYPE_CHECKING

from botocore.exceptions import ClientError
from pydantic import BaseModel, ConfigDict

if TYPE_CHECKING:
    from mypy_boto3_sesv2 import SESV2Client

MESSAGE_ID_HEADER = "X-Paygo-Message-Id"
MESSAGE_ID_TAG = "paygo-message-id"


class Mail(BaseModel):
    """A message; its id is the same however often the message is sent."""

    model_config = ConfigDict(frozen=True, hide_input_in_errors=True)

    message_id: str
    recipient: str
    subject: str
    text: str


class MailRefused(Exception):
    """A message was not taken for delivery."""


class SesPost:
    """Sends from one verified sender.

    A message sent twice carries the same id both times, so that a mailbox and SES's own events can tell.
    """

    def __init__(self, ses: "SESV2Client", sender: str) -> None:
        self._ses = ses
        self._sender = sender

    def send(self, mail: Mail) -> None:
        """Send the message; raise `MailRefused` when SES does not take it."""
        try:
            self._ses.send_email(
                FromEmailAddress=self._sender,
                Destination={"ToAddresses": [mail.recipient]},
                Content={
                    "Simple": {
                        "Subject": {"Data": mail.subject, "Charset": "UTF-8"},
                        "Body": {"Text": {"Data": mail.text, "Charset": "UTF-8"}},
                        "Headers": [{"Name": MESSAGE_ID_HEADER, "Value": mail.message_id}],
                    }
                },
                EmailTags=[{"Name": MESSAGE_ID_TAG, "Value": mail.message_id}],
            )
        except ClientError as error:
            # SES's own message may name the recipient, and what is raised here is logged.
            message = f"SES did not take message {mail.message_id}: {error.response['Error']['Code']}."
            raise MailRefused(message) from None
