"""Many requests at once are served by few workers: this machine has no room for two hundred cold starts."""

import json
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from tests.local.conftest import Bench, allow

AT_ONCE = 100
TELL_WHO = """
import os, boto3
sqs = boto3.client("sqs")
def handler(event, context):
    sqs.get_queue_url(QueueName=event["queue"])
    return os.getpid()
"""
CALL_ITSELF = """
import json, os, boto3
lambda_ = boto3.client("lambda")
def handler(event, context):
    if event["depth"] == 0:
        return [os.getpid()]
    name = os.environ["AWS_LAMBDA_FUNCTION_NAME"]
    deeper = json.dumps({"depth": event["depth"] - 1})
    return [os.getpid(), *json.load(lambda_.invoke(FunctionName=name, Payload=deeper)["Payload"])]
"""


def invoke(bench: Bench, function: str, **event: Any) -> Any:
    client = bench.deployer("lambda", read_timeout=120)
    return json.load(client.invoke(FunctionName=function, Payload=json.dumps(event))["Payload"])


def test_many_requests_at_once_are_served_by_few_workers(bench: Bench) -> None:
    queue = bench.queue()[1]
    function = bench.function(TELL_WHO, allow("sqs:GetQueueUrl", queue))
    name = queue.rpartition(":")[2]
    began = time.monotonic()

    with ThreadPoolExecutor(AT_ONCE) as pool:
        workers = list(pool.map(lambda _: invoke(bench, function, queue=name), range(AT_ONCE)))

    assert all(isinstance(worker, int) for worker in workers), workers
    assert len(set(workers)) < AT_ONCE / 2, f"{len(set(workers))} workers in {time.monotonic() - began:.0f} s"


def test_a_function_that_calls_itself_gets_a_worker_for_each_call(bench: Bench) -> None:
    function = bench.function(CALL_ITSELF, allow("lambda:InvokeFunction", "*"))

    assert len(set(invoke(bench, function, depth=5))) == 6
