"""What a stack costs a month while nobody uses it, in US dollars: a small model, good to a dollar or so.

Prices are those of us-east-1 without any free tier, written down from general knowledge in 2026 and still to be
compared with the page named. What is paid by use, as requests, invocations and stored bytes, is left out: of an idle
stack that is cents. Keys of KMS are the account's and cost the same with one stack or a hundred.
"""

from collections.abc import Iterable, Mapping

from janitor.found import Found

HOURS = 730
_MILLION = 1_000_000

# Lambda polls a queue with five connections at first, each asking for 20 s.
# https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-scaling.html
_POLLERS = 5
_POLL_SECONDS = 20
POLLS_A_MONTH = _POLLERS * HOURS * 3600 // _POLL_SECONDS

SQS_MILLION_REQUESTS = 0.40  # https://aws.amazon.com/sqs/pricing/
POLLED_QUEUE = POLLS_A_MONTH / _MILLION * SQS_MILLION_REQUESTS

MONTHLY: Mapping[str, float] = {
    "alarm": 0.10,  # https://aws.amazon.com/cloudwatch/pricing/: a standard alarm on one metric
    "secret": 0.40,  # https://aws.amazon.com/secrets-manager/pricing/
}


def a_month(kind: str, found: Found) -> float:
    """Return what one resource costs a month, in dollars.

    >>> round(a_month("event source mapping", Found("m", "m", about="sqs")), 2)
    0.26
    """
    if kind == "event source mapping":
        return POLLED_QUEUE if found.about == "sqs" else 0.0  # Lambda reads a table's stream for nothing
    return MONTHLY.get(kind, 0.0)


def keeping(resources: Iterable[tuple[str, Found]]) -> float:
    """Return what keeping resources costs a month, in dollars."""
    return sum(a_month(kind, found) for kind, found in resources)
