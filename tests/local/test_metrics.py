"""Metrics, and alarms that ring by themselves.

https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-available-cloudwatch-metrics.html,
https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/AlarmThatSendsEmail.html,
https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/using-metric-math.html
"""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.local.conftest import ACCOUNT, Bench, allow, eventually, refusal
from tests.local.test_alarms import cloudwatch

__all__ = ["cloudwatch"]  # both protocols

SPACE = "Tests"


def metric(name: str, **dimensions: str) -> dict[str, Any]:
    named = [{"Name": key, "Value": value} for key, value in dimensions.items()]
    return {"Namespace": SPACE, "MetricName": name, "Dimensions": named}


def waiting(queue: str, name: str = "ApproximateNumberOfMessagesVisible") -> dict[str, Any]:
    return {"Namespace": "AWS/SQS", "MetricName": name, "Dimensions": [{"Name": "QueueName", "Value": queue}]}


def span(minutes: float = 5) -> dict[str, datetime]:
    now = datetime.now(UTC)
    return {"StartTime": now - timedelta(minutes=minutes), "EndTime": now + timedelta(minutes=1)}


def largest(bench: Bench, of: dict[str, Any], period: int = 3600) -> float | None:
    found = bench.deployer("cloudwatch").get_metric_statistics(**of, **span(), Period=period, Statistics=["Maximum"])
    return max((float(point["Maximum"]) for point in found["Datapoints"]), default=None)


def topic_with_queue(bench: Bench, label: str) -> tuple[str, str]:
    """Make a topic whose messages can be read."""
    sns, (url, arn) = bench.deployer("sns"), bench.queue()
    delivery = {"Effect": "Allow", "Principal": {"Service": "sns.amazonaws.com"}, "Action": "sqs:SendMessage"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [{**delivery, "Resource": arn}]})
    bench.deployer("sqs").set_queue_attributes(QueueUrl=url, Attributes={"Policy": document})
    topic: str = sns.create_topic(Name=f"{bench.name}-{label}")["TopicArn"]
    bench.later(sns.delete_topic, TopicArn=topic)
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)
    return topic, url


def alarm(bench: Bench, **settings: Any) -> str:
    client, name = bench.deployer("cloudwatch"), f"{bench.name}-alarm"
    common = {"EvaluationPeriods": 1, "Threshold": 0, "ComparisonOperator": "GreaterThanThreshold"}
    client.put_metric_alarm(AlarmName=name, **(common | settings))
    bench.later(client.delete_alarms, AlarmNames=[name])
    return name


def state(bench: Bench, name: str) -> str:
    (described,) = bench.deployer("cloudwatch").describe_alarms(AlarmNames=[name])["MetricAlarms"]
    return str(described["StateValue"])


def becomes(bench: Bench, name: str, wanted: str, seconds: float = 20) -> bool:
    return eventually(lambda: state(bench, name) == wanted, seconds)


def put(bench: Bench, name: str, value: float, **dimensions: str) -> None:
    named = metric(name, **dimensions)
    datum = {"MetricName": name, "Dimensions": named["Dimensions"], "Value": value, "Unit": "Count"}
    bench.deployer("cloudwatch").put_metric_data(Namespace=SPACE, MetricData=[datum])


def test_a_queue_reports_how_much_waits_and_how_long(bench: Bench) -> None:
    sqs, (url, arn) = bench.deployer("sqs"), bench.queue()
    queue = arn.rsplit(":", 1)[1]
    for body in ("one", "two"):
        sqs.send_message(QueueUrl=url, MessageBody=body)
    sqs.send_message(QueueUrl=url, MessageBody="later", DelaySeconds=300)

    assert eventually(lambda: largest(bench, waiting(queue)) == 2)
    assert eventually(lambda: (largest(bench, waiting(queue, "ApproximateAgeOfOldestMessage")) or 0) >= 1)
    assert largest(bench, waiting(queue, "ApproximateNumberOfMessagesDelayed")) == 1
    sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=1, VisibilityTimeout=60)
    assert eventually(lambda: largest(bench, waiting(queue, "ApproximateNumberOfMessagesNotVisible")) == 1)
    assert largest(bench, waiting(f"{queue}-other")) is None


def test_a_metric_is_its_name_and_all_of_its_dimensions(cloudwatch: Any, bench: Bench) -> None:
    name = f"Metric{bench.name}"
    put(bench, name, 7, Queue="a")
    put(bench, name, 1)

    def asked(**dimensions: str) -> tuple[list[float], list[float]]:
        named = metric(name, **dimensions)
        statistics = cloudwatch.get_metric_statistics(**named, **span(), Period=3600, Statistics=["Sum"])
        stat = {"Metric": named, "Period": 3600, "Stat": "Sum"}
        data = cloudwatch.get_metric_data(MetricDataQueries=[{"Id": "m", "MetricStat": stat}], **span())
        return [point["Sum"] for point in statistics["Datapoints"]], data["MetricDataResults"][0]["Values"]

    assert asked() == ([1], [1])
    assert asked(Queue="a") == ([7], [7])
    assert asked(Queue="b") == ([], [])


def test_an_expression_is_worked_out_from_the_metrics_it_names(cloudwatch: Any, bench: Bench) -> None:
    put(bench, f"Some{bench.name}", 6)
    queries = [
        {"Id": "sum", "Expression": "FILL(some, 0) + FILL(none, 0) * 2 + MAX([some, 8])"},
        *(
            {"Id": key, "MetricStat": {"Metric": metric(name), "Period": 3600, "Stat": "Sum"}, "ReturnData": False}
            for key, name in (("some", f"Some{bench.name}"), ("none", f"None{bench.name}"))
        ),
    ]

    (result,) = cloudwatch.get_metric_data(MetricDataQueries=queries, **span())["MetricDataResults"]

    assert (result["Id"], max(result["Values"])) == ("sum", 14)


def test_an_alarm_rings_for_its_own_queue_and_recovers_without_anybody_putting_a_metric(bench: Bench) -> None:
    sqs, (url, arn) = bench.deployer("sqs"), bench.queue()
    queue = arn.rsplit(":", 1)[1]
    rung, rung_url = topic_with_queue(bench, "rung")
    settled, settled_url = topic_with_queue(bench, "settled")
    settings = {"AlarmActions": [rung], "OKActions": [settled], "TreatMissingData": "notBreaching"}
    name = alarm(bench, **waiting(queue), Statistic="Maximum", Period=10, AlarmDescription="Look.", **settings)
    assert becomes(bench, name, "OK")
    assert len(bench.messages(settled_url)) == 1

    sqs.send_message(QueueUrl=url, MessageBody="dead")
    assert becomes(bench, name, "ALARM")
    (envelope,) = (json.loads(body) for body in bench.messages(rung_url))
    told = json.loads(envelope["Message"])
    assert envelope["Subject"] == f'ALARM: "{name}" in US East (N. Virginia)'
    expected = {
        "AlarmName": name,
        "AlarmDescription": "Look.",
        "AWSAccountId": ACCOUNT,
        "NewStateValue": "ALARM",
        "OldStateValue": "OK",
        "Region": "US East (N. Virginia)",
        "AlarmArn": f"arn:aws:cloudwatch:us-east-1:{ACCOUNT}:alarm:{name}",
        "AlarmActions": [rung],
        "OKActions": [settled],
        "InsufficientDataActions": [],
    }
    assert {key: told[key] for key in expected} == expected
    assert told["NewStateReason"].startswith("Threshold Crossed: 1 datapoint [1.0 (")
    assert told["Trigger"] == {
        "MetricName": "ApproximateNumberOfMessagesVisible",
        "Namespace": "AWS/SQS",
        "StatisticType": "Statistic",
        "Statistic": "MAXIMUM",
        "Unit": None,
        "Dimensions": [{"value": queue, "name": "QueueName"}],
        "Period": 10,
        "EvaluationPeriods": 1,
        "DatapointsToAlarm": 1,
        "ComparisonOperator": "GreaterThanThreshold",
        "Threshold": 0.0,
        "TreatMissingData": "notBreaching",
        "EvaluateLowSampleCountPercentile": "",
    }

    assert bench.messages(url) == ["dead"]
    assert becomes(bench, name, "OK", 30)
    (envelope,) = (json.loads(body) for body in bench.messages(settled_url))
    assert json.loads(envelope["Message"])["OldStateValue"] == "ALARM"


def test_an_alarm_may_ring_for_either_of_two_metrics(bench: Bench) -> None:
    sqs, (url, arn) = bench.deployer("sqs"), bench.queue()
    rung, rung_url = topic_with_queue(bench, "rung")
    queue = arn.rsplit(":", 1)[1]
    open_letters = metric(f"Open{bench.name}", Queue=queue)
    metrics = [
        {"Id": "letters", "Expression": "SUM([waiting, open])", "Label": "letters", "ReturnData": True},
        *(
            {"Id": key, "MetricStat": {"Metric": named, "Period": 10, "Stat": "Maximum"}, "ReturnData": False}
            for key, named in (("waiting", waiting(queue)), ("open", open_letters))
        ),
    ]
    name = alarm(bench, Metrics=metrics, AlarmActions=[rung], TreatMissingData="notBreaching")
    assert becomes(bench, name, "OK")

    put(bench, f"Open{bench.name}", 1, Queue="another")
    sqs.send_message(QueueUrl=url, MessageBody="dead")
    assert becomes(bench, name, "ALARM")
    (envelope,) = (json.loads(body) for body in bench.messages(rung_url))
    trigger = json.loads(envelope["Message"])["Trigger"]
    assert trigger["Metrics"][0] == metrics[0]
    assert trigger["Metrics"][1]["MetricStat"]["Metric"]["Dimensions"] == [{"value": queue, "name": "QueueName"}]
    assert bench.messages(url) == ["dead"]
    assert becomes(bench, name, "OK", 30)
    put(bench, f"Open{bench.name}", 1, Queue=queue)
    assert becomes(bench, name, "ALARM")


@pytest.mark.parametrize(
    ("treatment", "expected"),
    [("missing", "INSUFFICIENT_DATA"), ("notBreaching", "OK"), ("breaching", "ALARM")],
)
def test_missing_data_are_treated_as_the_alarm_says(bench: Bench, treatment: str, expected: str) -> None:
    name = alarm(
        bench, **metric(f"None{bench.name}"), Statistic="Sum", Period=60, TreatMissingData=treatment, Threshold=1
    )
    client = bench.deployer("cloudwatch")
    client.set_alarm_state(AlarmName=name, StateValue="OK" if expected != "OK" else "ALARM", StateReason="test")

    assert becomes(bench, name, expected)


def test_as_many_periods_must_breach_as_the_alarm_asks(bench: Bench) -> None:
    name = f"Rare{bench.name}"
    given = {"Statistic": "Sum", "Period": 10, "EvaluationPeriods": 3, "TreatMissingData": "notBreaching"}
    demanding = alarm(bench, **metric(name), **given, DatapointsToAlarm=2)
    put(bench, name, 5)
    assert not becomes(bench, demanding, "ALARM", 6)

    def one_more() -> bool:
        put(bench, name, 5)
        return state(bench, demanding) == "ALARM"

    assert eventually(one_more, 20)


def test_a_log_line_in_the_embedded_format_is_a_metric(bench: Bench) -> None:
    name = f"Embedded{bench.name}"
    line = {
        "_aws": {
            "Timestamp": int(datetime.now(UTC).timestamp() * 1000),
            "CloudWatchMetrics": [
                {"Namespace": SPACE, "Dimensions": [["Queue"], []], "Metrics": [{"Name": name, "Unit": "Count"}]}
            ],
        },
        "Queue": "a",
        name: [3, 4],
    }
    function = bench.function(f"def handler(event, context):\n    print({json.dumps(line)!r})\n")

    bench.deployer("lambda").invoke(FunctionName=function)

    assert eventually(lambda: largest(bench, metric(name, Queue="a")) == 4)
    assert largest(bench, metric(name)) == 4
    assert largest(bench, metric(name, Queue="b")) is None


@pytest.mark.parametrize("cloudwatch", ["query", "other"], indirect=True)
def test_a_policy_may_name_the_namespace_that_metrics_are_put_in(cloudwatch: Any, bench: Bench) -> None:
    named = allow("cloudwatch:PutMetricData", Condition={"StringEquals": {"cloudwatch:namespace": [SPACE]}})
    keys = bench.user(named)("sts")._request_signer._credentials
    cloudwatch._request_signer._credentials = keys
    data = [{"MetricName": "Allowed", "Value": 1.0}]

    cloudwatch.put_metric_data(Namespace=SPACE, MetricData=data)
    many = [{"MetricName": f"Allowed{number}", "Value": 1.0, "Unit": "Count"} for number in range(900)]
    cloudwatch.put_metric_data(Namespace=SPACE, MetricData=many)  # so many that the request is compressed

    code = refusal(lambda: cloudwatch.put_metric_data(Namespace="Another", MetricData=data))
    assert code in {"AccessDenied", "AccessDeniedException"}
