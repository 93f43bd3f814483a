"""Where letters go back to, where their number is shown, and how operators are reached."""

import base64
import json
from collections.abc import Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError
from pydantic import BaseModel, ConfigDict, SecretStr

from operations.deaths import own_attributes
from operations.model import ErrorReport, Kind, Letter, Notice, NoticeRefused, NotRedrivable
from paygo.mail import MESSAGE_ID_HEADER
from paygo.secrets import read_secret

if TYPE_CHECKING:
    from mypy_boto3_cloudwatch import CloudWatchClient
    from mypy_boto3_lambda import LambdaClient
    from mypy_boto3_sesv2 import SESV2Client
    from mypy_boto3_sns import SNSClient
    from mypy_boto3_sqs import SQSClient

TIMEOUT = (3, 10)
"""Seconds to connect and to wait for each read of the webhook; the function's own time-out is longer."""

METRIC = "OpenDeadLetters"
METRICS_A_CALL = 1000
"""https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutMetricData.html"""

SUBJECT_CHARACTERS = 200


class AwsSender:
    """Sends to a stack's queues and functions, whose names follow from the letter's.

    Parameters
    ----------
    queue_urls, function_arns
        What the URLs and ARNs begin with, up to the service's name.
    """

    def __init__(self, sqs: "SQSClient", functions: "LambdaClient", *, queue_urls: str, function_arns: str) -> None:
        self._sqs = sqs
        self._functions = functions
        self._queue_urls = queue_urls
        self._function_arns = function_arns

    def send(self, letter: Letter, body: str, *, delay_seconds: int) -> str:
        """Send the message and return its new id; raise `NotRedrivable` for a letter that came from elsewhere."""
        match letter.queue.kind:
            case Kind.QUEUE:
                return self._enqueue(letter, body, delay_seconds)
            case Kind.FUNCTION:
                return self._invoke(letter, _payload(letter, body))
            case Kind.STREAM:
                # Its records may be gone from the stream; their events are in the table.
                return self._invoke(letter, json.dumps({"action": "sweep"}))
            case _:
                message = f"{letter.queue.name} is not the queue of a consumer here."
                raise NotRedrivable(message)

    def _enqueue(self, letter: Letter, body: str, delay_seconds: int) -> str:
        sent = self._sqs.send_message(
            QueueUrl=self._queue_urls + _name(letter),
            MessageBody=body,
            MessageAttributes={
                name: _attribute(attribute.data_type, attribute.value)
                for name, attribute in own_attributes(letter).items()
            },
            DelaySeconds=delay_seconds,
        )
        return sent["MessageId"]

    def _invoke(self, letter: Letter, payload: str) -> str:
        invoked = self._functions.invoke(
            FunctionName=f"{self._function_arns}{_name(letter)}:live", InvocationType="Event", Payload=payload.encode()
        )
        return invoked["ResponseMetadata"]["RequestId"]


class CloudWatchGauge:
    """Shows the number of open letters as the metric that the queues' alarms add to what still waits in a queue."""

    def __init__(self, cloudwatch: "CloudWatchClient", namespace: str) -> None:
        self._cloudwatch = cloudwatch
        self._namespace = namespace

    def show(self, counts: Mapping[str, int]) -> None:
        """Put one number for each queue."""
        data: list[Any] = [
            {"MetricName": METRIC, "Dimensions": [{"Name": "Queue", "Value": queue}], "Value": count, "Unit": "Count"}
            for queue, count in sorted(counts.items())
        ]
        for at in range(0, len(data), METRICS_A_CALL):
            self._cloudwatch.put_metric_data(Namespace=self._namespace, MetricData=data[at : at + METRICS_A_CALL])


class AlarmsTopic:
    """The topic that alarms use too, so that operators need no second way to be reached."""

    def __init__(self, sns: "SNSClient", topic_arn: str) -> None:
        self._sns = sns
        self._topic_arn = topic_arn

    def publish(self, report: ErrorReport) -> None:
        """Tell the topic of an error."""
        self._sns.publish(
            TopicArn=self._topic_arn,
            Message=ErrorReported(error_report=report).model_dump_json(),
            MessageAttributes={"type": {"DataType": "String", "StringValue": "error-report"}},
        )


class ErrorReported(BaseModel):
    """What the topic carries beside alarms."""

    model_config = ConfigDict(frozen=True)

    error_report: ErrorReport


class Mailbox:
    """One address, by Amazon SES."""

    def __init__(self, ses: "SESV2Client", sender: str, address: str) -> None:
        self._ses = ses
        self._sender = sender
        self._address = address

    def tell(self, notice: Notice) -> None:
        """Send the notice as a mail; raise `NoticeRefused` when SES does not take it."""
        try:
            self._ses.send_email(
                FromEmailAddress=self._sender,
                Destination={"ToAddresses": [self._address]},
                Content={
                    "Simple": {
                        "Subject": {"Data": notice.subject[:SUBJECT_CHARACTERS], "Charset": "UTF-8"},
                        "Body": {"Text": {"Data": notice.text, "Charset": "UTF-8"}},
                        "Headers": [{"Name": MESSAGE_ID_HEADER, "Value": notice.notice_id}],
                    }
                },
            )
        except ClientError as error:
            # SES's own message may name the recipient, and what is raised here is logged.
            message = f"SES did not take notice {notice.notice_id}: {error.response['Error']['Code']}."
            raise NoticeRefused(message) from None
        except BotoCoreError as error:
            message = f"SES was not reached with notice {notice.notice_id}: {type(error).__name__}."
            raise NoticeRefused(message) from None


class WebhookSecret(BaseModel):
    """Where a chat takes messages; whoever knows the address may write there, so it is a secret."""

    model_config = ConfigDict(frozen=True)

    url: SecretStr | None


class Webhook:
    """A chat's incoming webhook, as Slack has them; nothing is sent while no address is set."""

    def __init__(self, secret_arn: str) -> None:
        self._secret_arn = secret_arn

    def tell(self, notice: Notice) -> None:
        """Post the notice; raise `NoticeRefused` when it is not taken. Neither names the address."""
        # Imported here because only one function of the service should pay for it in a cold start.
        import requests

        # Read each time: notices are rare, and whoever just set the address waits for the first.
        url = read_secret(self._secret_arn, WebhookSecret, timedelta(0)).url
        if url is None:
            return
        try:
            answered = requests.post(
                url.get_secret_value(),
                json={"text": f"*{notice.subject}*\n{notice.text}"},
                timeout=TIMEOUT,
                allow_redirects=False,
            )
        except requests.RequestException as error:
            message = f"The webhook was not reached with notice {notice.notice_id}: {type(error).__name__}."
            raise NoticeRefused(message) from None
        if not 200 <= answered.status_code < 300:
            message = f"The webhook answered {answered.status_code} to notice {notice.notice_id}."
            raise NoticeRefused(message)


def _name(letter: Letter) -> str:
    return f"{letter.queue.service}-{letter.queue.consumer}"


def _payload(letter: Letter, body: str) -> str:
    try:
        record = json.loads(body)
        return json.dumps(record["requestPayload"])
    except (ValueError, KeyError, TypeError) as error:
        message = f"{letter.letter_id} does not say what its function was given."
        raise NotRedrivable(message) from error


def _attribute(data_type: str, value: str) -> Any:
    if data_type.startswith("Binary"):
        return {"DataType": data_type, "BinaryValue": base64.b64decode(value)}
    return {"DataType": data_type, "StringValue": value}
