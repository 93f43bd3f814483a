"""SNS -> SQS -> Lambda -> DynamoDB through the platform's consumer, against a bare handler of plain boto3.

Both have the same topic, queue, mapping, memory and table, on the same embedded cloud, and take turns round by round.
A round's time runs from the first event published to the last one deleted from the queue.
"""

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from statistics import median, quantiles
from uuid import uuid4

from bench.cloud import deployer, embedded_cloud
from bench.figures import THROUGHPUT, Measurement
from bench.line import Line
from bench.packages import built
from bench.workshop import Workshop
from paygo.events import Event, PaymentConfirmed
from paygo.money import Money

ROUNDS = 16
EVENTS = 300
SINGLY = 25
"""How many events of a round are published one after the other, each when the one before is written."""
WARMING = 300


@dataclass
class Runs:
    """What was measured of one line."""

    line: Line
    rates: list[float] = field(default_factory=list)
    latencies: list[float] = field(default_factory=list)

    def __str__(self) -> str:
        return f"{self.line.handler} {median(self.rates):.0f} events/s, to written {milliseconds(self.latencies)}"

    def take(self) -> None:
        """Take one round."""
        events = [payment() for _ in range(EVENTS)]
        began = time.perf_counter()
        self.line.handle(events)
        self.rates.append(EVENTS / (time.perf_counter() - began))
        self.latencies.extend(self.line.latency(payment()) for _ in range(SINGLY))


def ratio(workshop: Workshop) -> Iterator[Measurement]:
    """Measure both and compare each round's pair."""
    layer = built(workshop)["layer"]
    with embedded_cloud(workshop):
        clients = deployer(workshop)
        ours, bare = Runs(Line("ours", clients)), Runs(Line("bare", clients))
        try:
            for runs in (ours, bare):
                runs.line.remove()  # what a bench that was killed has left
                runs.line.make(layer)
                runs.line.handle([payment() for _ in range(WARMING)])
            for number in range(ROUNDS):
                for runs in (ours, bare) if number % 2 else (bare, ours):
                    runs.take()
                workshop.tell(f"throughput, round {number + 1} of {ROUNDS}: {ours.rates[-1] / bare.rates[-1]:.2f}")
            for runs in (ours, bare):
                runs.line.check()
        finally:
            for runs in (ours, bare):
                runs.line.remove()
    yield Measurement(THROUGHPUT, ratios(ours, bare), note=f"{ours}; {bare}")


def ratios(ours: Runs, bare: Runs) -> tuple[float, ...]:
    """Return how much of the bare handler's rate ours reached in each round."""
    return tuple(mine / its for mine, its in zip(ours.rates, bare.rates, strict=True))


def milliseconds(seconds: list[float]) -> str:
    """Say latencies as their median and their 99th percentile."""
    return f"{1000 * median(seconds):.0f} ms, p99 {1000 * quantiles(seconds, n=100)[98]:.0f} ms"


def payment() -> Event[PaymentConfirmed]:
    """Return an event that never was before."""
    now = datetime.now(UTC)
    confirmed = PaymentConfirmed(
        payment_id=str(uuid4()),
        provider="mobile-money",
        provider_reference="BENCH",
        household_id=str(uuid4()),
        device_id=str(uuid4()),
        amount=Money(amount=25_000, currency="KES"),
        paid_at=now,
    )
    return Event[PaymentConfirmed].about(
        confirmed.payment_id, confirmed, source="/bench/payments", time=now, correlation_id=str(uuid4())
    )
