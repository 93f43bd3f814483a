from rich.console import Console

from faults.table import shown
from faults.verdicts import Row, Seen


def printed(*rows: Row) -> list[str]:
    console = Console(width=160, no_color=True)
    with console.capture() as capture:
        console.print(shown(rows))
    return [" ".join(line.split()) for line in capture.get().splitlines() if line.strip()]


def test_the_table_has_a_line_for_each_consumer_and_fault_and_a_sum() -> None:
    lines = printed(
        Row.of("b/two", "poison", [Seen(reason="not JSON")]),
        Row.of("a/one", "kill", [Seen(effects=1), Seen(effects=1)], note="2 places"),
        Row.of("a/one", "doubled", [Seen(effects=2), Seen(effects=0)]),
    )

    assert lines[0] == "consumer fault events done once dead with reason lost doubled"
    assert lines[2:5] == ["a/one kill 2 2 0 0 0 2 places", "doubled 2 0 0 1 1", "b/two poison 1 0 1 0 0"]
    assert lines[-1] == "all 5 2 1 1 1"


def test_what_was_not_played_is_said_in_the_place_of_the_note() -> None:
    row = Row.of("a/one", "kill", [Seen(effects=1)], note="2 places", problem="1 place was not reached")

    assert any(line.endswith("1 place was not reached") for line in printed(row))
