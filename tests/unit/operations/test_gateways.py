import json
import traceback
from typing import TYPE_CHECKING, Any

import boto3
import pytest
import responses
from botocore.config import Config
from botocore.exceptions import EndpointConnectionError
from botocore.stub import Stubber
from moto.ses.models import ses_backends

from operations.deaths import LETTER
from operations.gateways import (
    AlarmsTopic,
    AwsSender,
    CloudWatchGauge,
    ErrorReported,
    Mailbox,
    Webhook,
)
from operations.model import Attribute, Letter, Notice, NoticeRefused, NotRedrivable
from tests.unit.operations.makers import EVENT, letter, queue
from tests.unit.operations.test_reports import report

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

NOTICE = Notice(notice_id="n-1", subject="[paygo-test] ALARM", text="Look.\n")
SECRET = "paygo-test/operations/webhook"
HOOK = "https://hooks.example.org/services/secret"
SENDER, ADDRESS = "no-reply@paygo.example.org", "operators@paygo.example.org"


@pytest.fixture
def sqs() -> "SQSClient":
    return boto3.client("sqs")


def sender(sqs: "SQSClient", functions: Any = None) -> AwsSender:
    return AwsSender(
        sqs,
        functions,
        queue_urls="https://sqs.us-east-1.amazonaws.com/123456789012/paygo-test-",
        function_arns="arn:aws:lambda:us-east-1:123456789012:function:paygo-test-",
    )


def test_a_message_goes_back_to_its_queue_with_its_own_attributes(sqs: "SQSClient") -> None:
    url = sqs.create_queue(QueueName="paygo-test-ledger-book-payments")["QueueUrl"]
    dead = letter(attributes={"reason": "r", "not-ready": "1"})
    dead = dead.model_copy(
        update={"attributes": {**dead.attributes, "raw": Attribute(data_type="Binary", value="AAE=")}}
    )

    sent = sender(sqs).send(dead, json.dumps(EVENT), delay_seconds=0)

    (received,) = sqs.receive_message(QueueUrl=url, MessageAttributeNames=["All"])["Messages"]
    assert received["MessageId"] == sent
    assert json.loads(received["Body"]) == EVENT
    attributes = received["MessageAttributes"]
    assert set(attributes) == {"type", "raw", LETTER}
    assert attributes["type"].get("StringValue") == "payments.payment-confirmed.v1"
    assert attributes["raw"].get("BinaryValue") == b"\x00\x01"
    assert attributes[LETTER].get("StringValue") == dead.letter_id


def test_a_delayed_message_waits(sqs: "SQSClient") -> None:
    url = sqs.create_queue(QueueName="paygo-test-ledger-book-payments")["QueueUrl"]

    sender(sqs).send(letter(), "{}", delay_seconds=9)

    waiting = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["ApproximateNumberOfMessagesDelayed"])
    assert waiting["Attributes"]["ApproximateNumberOfMessagesDelayed"] == "1"


@pytest.mark.parametrize(
    ("place", "body", "payload"),
    [
        ("devices/answer-credit", {"requestPayload": {"device_id": "d-1"}}, {"device_id": "d-1"}),
        ("ledger/publish-outbox", {"DDBStreamBatchInfo": {}}, {"action": "sweep"}),
    ],
)
def test_a_function_is_called_again_in_the_background(
    sqs: "SQSClient", place: str, body: dict[str, Any], payload: dict[str, Any]
) -> None:
    functions = boto3.client("lambda")
    arn = f"arn:aws:lambda:us-east-1:123456789012:function:paygo-test-{place.replace('/', '-')}:live"
    with Stubber(functions) as stubbed:
        stubbed.add_response(
            "invoke",
            {"StatusCode": 202, "ResponseMetadata": {"RequestId": "invocation-2"}},
            {"FunctionName": arn, "InvocationType": "Event", "Payload": json.dumps(payload).encode()},
        )

        assert sender(sqs, functions).send(letter(place), json.dumps(body), delay_seconds=0) == "invocation-2"


@pytest.mark.parametrize("body", ["no JSON", "[]", "{}"])
def test_a_call_whose_payload_is_not_known_is_not_made(sqs: "SQSClient", body: str) -> None:
    with pytest.raises(NotRedrivable, match="does not say"):
        sender(sqs).send(letter("devices/answer-credit"), body, delay_seconds=0)


def test_what_came_from_elsewhere_is_not_sent(sqs: "SQSClient") -> None:
    stray: Letter = letter("device/rules")

    with pytest.raises(NotRedrivable, match=queue("device/rules").name):
        sender(sqs).send(stray, "{}", delay_seconds=0)


def test_the_number_of_open_letters_is_a_metric_of_their_queue() -> None:
    cloudwatch = boto3.client("cloudwatch")
    with Stubber(cloudwatch) as stubbed:
        for names in ([f"q{number:04}" for number in range(1000)], ["q1000"]):
            stubbed.add_response(
                "put_metric_data",
                {},
                {
                    "Namespace": "Paygo",
                    "MetricData": [
                        {
                            "MetricName": "OpenDeadLetters",
                            "Dimensions": [{"Name": "Queue", "Value": name}],
                            "Value": int(name[1:]),
                            "Unit": "Count",
                        }
                        for name in names
                    ],
                },
            )

        gauge = CloudWatchGauge(cloudwatch, "Paygo")
        gauge.show({})
        gauge.show({f"q{number:04}": number for number in reversed(range(1001))})

        stubbed.assert_no_pending_responses()


def test_an_error_goes_to_the_topic_of_the_alarms() -> None:
    sns = boto3.client("sns")
    with Stubber(sns) as stubbed:
        stubbed.add_response(
            "publish",
            {"MessageId": "1"},
            {
                "TopicArn": "arn:topic",
                "Message": ErrorReported(error_report=report()).model_dump_json(),
                "MessageAttributes": {"type": {"DataType": "String", "StringValue": "error-report"}},
            },
        )

        AlarmsTopic(sns, "arn:topic").publish(report())

        stubbed.assert_no_pending_responses()


def test_a_notice_is_mailed() -> None:
    ses = boto3.client("sesv2")
    ses.create_email_identity(EmailIdentity=SENDER)

    Mailbox(ses, SENDER, ADDRESS).tell(NOTICE)

    (mail,) = ses_backends["123456789012"]["us-east-1"].sent_messages
    assert (mail.source, mail.destinations["ToAddresses"]) == (SENDER, [ADDRESS])
    assert (mail.subject, mail.body) == (NOTICE.subject, NOTICE.text)


def test_a_mail_carries_the_notices_id_and_a_subject_of_some_length() -> None:
    ses = boto3.client("sesv2")
    with Stubber(ses) as stubbed:
        stubbed.add_response(
            "send_email",
            {"MessageId": "1"},
            {
                "FromEmailAddress": SENDER,
                "Destination": {"ToAddresses": [ADDRESS]},
                "Content": {
                    "Simple": {
                        "Subject": {"Data": "x" * 200, "Charset": "UTF-8"},
                        "Body": {"Text": {"Data": "Look.\n", "Charset": "UTF-8"}},
                        "Headers": [{"Name": "X-Paygo-Message-Id", "Value": "n-1"}],
                    }
                },
            },
        )

        Mailbox(ses, SENDER, ADDRESS).tell(NOTICE.model_copy(update={"subject": "x" * 300}))

        stubbed.assert_no_pending_responses()


def test_a_mail_that_ses_refuses_says_why_and_not_to_whom() -> None:
    ses = boto3.client("sesv2")
    with Stubber(ses) as stubbed:
        stubbed.add_client_error("send_email", "MessageRejected", f"{ADDRESS} is not verified")

        with pytest.raises(NoticeRefused, match="n-1: MessageRejected") as refused:
            Mailbox(ses, SENDER, ADDRESS).tell(NOTICE)

    assert ADDRESS not in "".join(traceback.format_exception(refused.value))


def test_a_mail_that_does_not_reach_ses_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    ses = boto3.client("sesv2", config=Config(retries={"total_max_attempts": 1}))

    def unreachable(**_: object) -> None:
        raise EndpointConnectionError(endpoint_url="https://ses.example.org")

    monkeypatch.setattr(ses, "send_email", unreachable)

    with pytest.raises(NoticeRefused, match="EndpointConnectionError"):
        Mailbox(ses, SENDER, ADDRESS).tell(NOTICE)


def webhook(url: str | None) -> Webhook:
    boto3.client("secretsmanager").create_secret(Name=SECRET, SecretString=json.dumps({"url": url}))
    return Webhook(SECRET)


@responses.activate
def test_a_notice_is_posted_to_the_chat() -> None:
    responses.post(HOOK, body="ok")

    webhook(HOOK).tell(NOTICE)

    (call,) = responses.calls
    assert json.loads(call.request.body or b"") == {"text": "*[paygo-test] ALARM*\nLook.\n"}


@responses.activate
def test_nothing_is_posted_without_an_address() -> None:
    webhook(None).tell(NOTICE)

    assert len(responses.calls) == 0


@responses.activate
@pytest.mark.parametrize("status", [302, 404, 500])
def test_a_post_that_is_not_taken_is_refused_without_naming_the_address(status: int) -> None:
    responses.post(HOOK, status=status, headers={"Location": "https://elsewhere.example.org"})

    with pytest.raises(NoticeRefused, match=f"answered {status}") as refused:
        webhook(HOOK).tell(NOTICE)

    assert "secret" not in "".join(traceback.format_exception(refused.value)).replace("create_secret", "")
    assert len(responses.calls) == 1


@responses.activate
def test_a_chat_that_is_not_reached_is_refused_without_naming_the_address() -> None:
    with pytest.raises(NoticeRefused, match="ConnectionError") as refused:
        webhook(HOOK).tell(NOTICE)

    assert "hooks.example.org" not in "".join(traceback.format_exception(refused.value))
