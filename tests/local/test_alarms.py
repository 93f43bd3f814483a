"""DescribeAlarms: https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_MetricAlarm.html."""

from typing import Any

import boto3
import pytest

from tests.conftest import Clients, Cloud
from tests.local.conftest import Bench

ACTION = "arn:aws:sns:us-east-1:000000000000:alarms"
WHOLE = {
    "AlarmDescription": "Messages nobody could handle <&>",
    "ActionsEnabled": False,
    "AlarmActions": [ACTION],
    "OKActions": [f"{ACTION}-ok"],
    "InsufficientDataActions": [f"{ACTION}-unknown"],
    "MetricName": "ApproximateNumberOfMessagesVisible",
    "Namespace": "AWS/SQS",
    "Statistic": "Maximum",
    "Dimensions": [{"Name": "QueueName", "Value": "dead"}, {"Name": "Other", "Value": "x"}],
    "Period": 300,
    "Unit": "Count",
    "EvaluationPeriods": 3,
    "DatapointsToAlarm": 2,
    "Threshold": 0.5,
    "ComparisonOperator": "GreaterThanThreshold",
    "TreatMissingData": "notBreaching",
}
PERCENTILE = {
    "MetricName": "Latency",
    "Namespace": "AWS/ApiGateway",
    "ExtendedStatistic": "p99",
    "EvaluateLowSampleCountPercentile": "ignore",
    "Period": 60,
    "EvaluationPeriods": 1,
    "Threshold": 100.0,
    "ComparisonOperator": "GreaterThanOrEqualToThreshold",
}
EXPRESSION = {
    "Metrics": [
        {"Id": "rate", "Expression": "errors / calls", "Label": "rate", "ReturnData": True},
        {
            "Id": "errors",
            "MetricStat": {
                "Metric": {
                    "Namespace": "AWS/Lambda",
                    "MetricName": "Errors",
                    "Dimensions": [{"Name": "FunctionName", "Value": "f"}],
                },
                "Period": 60,
                "Stat": "Sum",
            },
            "ReturnData": False,
        },
    ],
    "EvaluationPeriods": 1,
    "Threshold": 0.1,
    "ComparisonOperator": "GreaterThanThreshold",
}


@pytest.fixture(params=["query", "other"])
def cloudwatch(request: pytest.FixtureRequest, cloud: Cloud, deployer: Clients) -> Any:
    """Speak both protocols: Terraform's provider speaks Query, botocore a newer one."""
    client = deployer("cloudwatch")
    if request.param == "other":
        return client
    credentials = client._request_signer._credentials
    session = boto3.session.Session(credentials.access_key, credentials.secret_key, region_name="us-east-1")
    model = session._session.get_component("data_loader").load_service_model("cloudwatch", "service-2")
    before = (model["metadata"]["protocol"], model["metadata"].get("protocols"))
    model["metadata"].update(protocol="query", protocols=["query"])
    try:
        old = session.client("cloudwatch", endpoint_url=cloud.endpoint_url)
    finally:
        model["metadata"].update(protocol=before[0], protocols=before[1])
    assert old.meta.service_model.resolved_protocol == "query"
    return old


@pytest.mark.parametrize("given", [WHOLE, PERCENTILE, EXPRESSION], ids=["whole", "percentile", "expression"])
def test_an_alarm_comes_back_as_it_was_put(cloudwatch: Any, bench: Bench, given: dict[str, Any]) -> None:
    cloudwatch.put_metric_alarm(AlarmName=bench.name, **given)
    bench.later(cloudwatch.delete_alarms, AlarmNames=[bench.name])

    (described,) = cloudwatch.describe_alarms(AlarmNames=[bench.name])["MetricAlarms"]

    assert {name: described.get(name) for name in given} == given
    absent = {"Statistic", "ExtendedStatistic", "MetricName", "Namespace", "Period", "Unit"} - given.keys()
    assert not absent & described.keys()
    assert described["AlarmArn"] == f"arn:aws:cloudwatch:us-east-1:000000000000:alarm:{bench.name}"
    assert described["AlarmConfigurationUpdatedTimestamp"].year >= 2026
    assert described["StateValue"] in {"INSUFFICIENT_DATA", "OK"}  # the first evaluation may be over already


def test_putting_an_alarm_again_replaces_it(cloudwatch: Any, bench: Bench) -> None:
    cloudwatch.put_metric_alarm(AlarmName=bench.name, **WHOLE)
    bench.later(cloudwatch.delete_alarms, AlarmNames=[bench.name])
    cloudwatch.put_metric_alarm(AlarmName=bench.name, **PERCENTILE)

    (described,) = cloudwatch.describe_alarms(AlarmNamePrefix=bench.name)["MetricAlarms"]

    assert {name: described.get(name) for name in PERCENTILE} == PERCENTILE
    assert described["AlarmActions"] == []
    assert described["ActionsEnabled"] is True
