"""What the bench works out; the times themselves are its business alone."""

import json
from collections.abc import Iterator
from contextlib import nullcontext
from io import StringIO
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, cast

import pytest
import typer
from botocore.exceptions import ClientError
from rich.console import Console

from bench import __main__ as command
from bench import suite
from bench.__main__ import Part, main, number, save, spread
from bench.__main__ import table as shown
from bench.figures import (
    AT_ONCE,
    BUILD,
    DEPLOY,
    FIGURES,
    LAYER,
    SECOND_PLAN,
    TESTS,
    THROUGHPUT,
    Measurement,
    NotMeasured,
    NotRun,
)
from bench.runtime import Function
from bench.stack import _limited_calls
from bench.throughput import Runs, milliseconds, payment, ratios
from bench.throughput_handlers.bare import handler as bare_handler
from bench.workshop import FULL, SHORT, Sizes, Workshop
from paygo.storage import Table

if TYPE_CHECKING:
    from bench.line import Line


@pytest.fixture
def workshop(tmp_path: Path) -> Workshop:
    return Workshop(tmp_path, Console(file=StringIO()))


def test_a_figure_is_the_median_of_its_samples() -> None:
    measurement = Measurement(DEPLOY, (70.0, 90.0, 72.0))

    assert measurement.value == 72.0
    assert measurement.is_reached


@pytest.mark.parametrize(("changes", "is_reached"), [(0, True), (1, False)])
def test_a_figure_is_reached_up_to_its_limit(changes: int, is_reached: bool) -> None:
    assert Measurement(SECOND_PLAN, (changes,)).is_reached is is_reached


@pytest.mark.parametrize(
    ("measurement", "status"),
    [
        (Measurement(DEPLOY, (9000.0,)), 0),
        (Measurement(SECOND_PLAN, (0,)), 0),
        (Measurement(SECOND_PLAN, (1,)), 1),
        (Measurement(AT_ONCE, (2,), asked=3), 1),
        (Measurement(AT_ONCE, (3,), asked=3), 0),
        (Measurement(AT_ONCE, (3,)), 1),
    ],
    ids=["slow", "counted right", "counted wrong", "too few", "as many as asked for", "fewer than promised"],
)
def test_a_wrong_count_fails_the_bench_and_a_long_time_does_not(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, measurement: Measurement, status: int
) -> None:
    monkeypatch.setenv("PAYGO_HOME", str(tmp_path))
    monkeypatch.setitem(command.MEASURED, Part.STACK, lambda _: iter([measurement]))

    with pytest.raises(typer.Exit) as ended:
        main([Part.STACK])

    assert ended.value.exit_code == status


@pytest.mark.parametrize(("short", "sizes"), [(True, SHORT), (False, FULL)])
def test_the_short_form_and_a_seed_reach_what_is_measured(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, short: bool, sizes: Sizes
) -> None:
    seen: list[Workshop] = []

    def measure(workshop: Workshop) -> Iterator[Measurement]:
        seen.append(workshop)
        return iter([])

    monkeypatch.setenv("PAYGO_HOME", str(tmp_path))
    monkeypatch.setitem(command.MEASURED, Part.KILLED, measure)
    monkeypatch.setattr(command, "embedded_cloud", lambda _: nullcontext())

    with pytest.raises(typer.Exit):
        main([Part.KILLED], short=short, seed=7)

    assert (seen[0].sizes, seen[0].seed) == (sizes, 7)


def test_an_aws_error_is_a_part_that_was_not_measured_in_a_sentence(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def refused(_: Workshop) -> Iterator[Measurement]:
        raise ClientError({"Error": {"Code": "SlowDown", "Message": "Reduce your rate."}}, "PutObject")

    monkeypatch.setenv("PAYGO_HOME", str(tmp_path))
    monkeypatch.setitem(command.MEASURED, Part.STACK, refused)

    with pytest.raises(typer.Exit) as ended:
        main([Part.STACK])

    assert ended.value.exit_code == 1
    assert "Not measured: stack: AWS refused PutObject: Reduce your rate." in capsys.readouterr().out


def test_every_row_says_what_was_measured_what_was_promised_and_whether_it_was_reached() -> None:
    printed = StringIO()
    Console(file=printed, width=160).print(shown([Measurement(BUILD, (6.0, 7.0, 8.0)), Measurement(LAYER, (11.52,))]))

    text = " ".join(printed.getvalue().split())
    assert "build from nothing, wheels cached 7 s 5 s not reached 6 .. 8, 3 runs" in text
    assert "the layer, zipped 11.5 MB 12 MB reached" in text


@pytest.mark.parametrize(("value", "text"), [(75.0, "75"), (11.52, "11.5"), (0.148, "0.15"), (1.0, "1")])
def test_numbers_keep_the_digits_that_mean_something(value: float, text: str) -> None:
    assert number(value) == text


def test_one_sample_has_no_spread() -> None:
    assert spread(Measurement(DEPLOY, (70.0,))) == ""


def test_the_results_are_kept_with_their_samples(tmp_path: Path) -> None:
    save(tmp_path / "bench.json", [Measurement(DEPLOY, (70.0, 80.0), note="twice")], ["tests: not run"])

    kept = json.loads((tmp_path / "bench.json").read_text())
    assert kept["figures"] == [
        {
            "name": "deploy",
            "what": DEPLOY.what,
            "value": 75.0,
            "reach": 75,
            "unit": "s",
            "reached": True,
            "samples": [70.0, 80.0],
            "note": "twice",
        }
    ]
    assert kept["not_measured"] == ["tests: not run"]


def test_figures_have_names_of_their_own() -> None:
    assert len({figure.name for figure in FIGURES}) == len(FIGURES)


def test_a_call_is_counted_once_wherever_its_entry_names_it(tmp_path: Path) -> None:
    log = tmp_path / "provider.log"
    log.write_text(
        "2026-11-21T13:04:19.676Z [DEBUG] provider: setting endpoint: rpc.method=CreateRestApi\n"
        "2026-11-21T13:04:19.677Z [DEBUG] provider: HTTP Request Sent: http.request.body=\n"
        '  | {"name":"paygo-bench"}\n'
        "   rpc.method=CreateRestApi http.method=POST\n"
        "2026-11-21T13:04:19.819Z [DEBUG] provider: HTTP Response Received: rpc.method=CreateRestApi\n"
        "2026-11-21T13:04:19.820Z [DEBUG] provider: HTTP Request Sent: rpc.method=PutRestApi\n"
        "2026-11-21T13:04:19.821Z [DEBUG] provider: HTTP Request Sent: rpc.method=PutRestApi\n"
        "2026-11-21T13:04:19.822Z [DEBUG] provider: HTTP Request Sent: rpc.method=CreateDeploymentConfig\n"
    )

    counted = {found.figure.name: found.value for found in _limited_calls(log)}

    assert counted == {"create-rest-api": 1, "put-rest-api": 2, "create-deployment": 0}


def test_calls_cannot_be_counted_without_a_log(tmp_path: Path) -> None:
    with pytest.raises(NotMeasured, match="TF_LOG_PATH"):
        list(_limited_calls(tmp_path / "provider.log"))


def test_a_function_is_told_every_setting_that_its_code_and_the_layer_ask_for(tmp_path: Path) -> None:
    code, shared = tmp_path / "ledger", tmp_path / "layer" / "python" / "paygo"
    code.mkdir()
    shared.mkdir(parents=True)
    (code / "composition.py").write_text("Table(setting('TABLE'))")
    (shared / "clock.py").write_text('setting("STACK")')

    environment = Function("ledger", "accounts", layer=tmp_path / "layer", code=code).environment()

    assert {"TABLE", "STACK"} <= set(environment)
    assert environment["POWERTOOLS_SERVICE_NAME"] == "ledger"


def test_a_handler_is_named_after_its_function() -> None:
    function = Function("payments", "payment-requests", layer=Path(), code=Path())

    assert function.module == "payments.handlers.payment_requests"


def test_what_the_last_run_of_the_tests_took_is_read(workshop: Workshop) -> None:
    (workshop.home / "tests.json").write_text('{"seconds": 301.5, "ended_at": "2026-11-21T13:00:00+00:00"}')

    (measurement,) = suite.last_run(workshop)

    assert (measurement.figure, measurement.value) == (TESTS, 301.5)


def test_tests_that_were_never_timed_are_left_out_with_a_sentence(workshop: Workshop) -> None:
    with pytest.raises(NotRun, match="--all"):
        list(suite.last_run(workshop))


def test_a_command_that_fails_is_told_with_its_last_words(workshop: Workshop) -> None:
    with pytest.raises(NotMeasured, match=r"it failed with exit status 3 .*no such thing"):
        workshop.timed("it", ["bash", "-c", "echo no such thing; exit 3"])


@pytest.mark.parametrize(("value", "is_reached"), [(0.89, False), (0.9, True), (1.1, True)])
def test_where_more_is_better_a_figure_is_reached_from_its_limit_on(value: float, is_reached: bool) -> None:
    assert Measurement(THROUGHPUT, (value,)).is_reached is is_reached


def test_a_figure_that_must_be_large_says_so() -> None:
    printed = StringIO()
    Console(file=printed, width=200).print(shown([Measurement(THROUGHPUT, (0.95,))]))

    assert "0.95 times at least 0.90 times reached" in " ".join(printed.getvalue().split())


def test_each_round_is_compared_with_the_bare_handlers_round_beside_it() -> None:
    ours, bare = (Runs(cast("Line", SimpleNamespace(handler=name))) for name in ("ours", "bare"))
    ours.rates, bare.rates = [90.0, 220.0], [100.0, 200.0]

    assert ratios(ours, bare) == (0.9, 1.1)


def test_latencies_are_told_by_their_middle_and_their_worst_hundredth() -> None:
    assert milliseconds([0.004] * 98 + [0.050] * 2) == "4 ms, p99 50 ms"


def test_the_bare_handler_writes_each_event_once_and_reports_what_it_could_not_write(table: Table) -> None:
    event = json.loads(payment().model_dump_json())
    bodies = [json.dumps(event), json.dumps(event), "{}"]

    answer = bare_handler({"Records": [{"messageId": str(n), "body": body} for n, body in enumerate(bodies)]}, None)

    assert answer == {"batchItemFailures": [{"itemIdentifier": "2"}]}
    row = table.get(pk=f"PAYMENT#{event['data']['payment_id']}", sk="PAYMENT") or {}
    assert (row["event_id"], row["amount"], row["currency"]) == (event["id"], 25_000, "KES")
