"""An expression is read once however many items it is asked of, and says of each what it said before."""

import json
import subprocess

from tests.conftest import REPOSITORY

ASK = """
import json
from ministack.services import dynamodb
from paygo_cloud import expressions

def ask(text, slot="FilterExpression"):
    said = []
    for n in range(4):
        item = {"n": {"N": str(n)}, "name": {"S": f"item {n}"}}
        values, names = {":n": {"N": "2"}, ":prefix": {"S": "item"}}, {"#n": "n", "#name": "name"}
        try:
            said.append(dynamodb._evaluate_condition(text, item, values, names, slot=slot))
        except ValueError as refused:
            said.append(str(refused))
    return said

TEXTS = ["#n = :n", "begins_with(#name, :prefix) AND NOT #n < :n", "#n BETWEEN :n AND :n", "#n = = :n", "((#n = :n))"]
before = [ask(text) for text in TEXTS]
expressions.install()
expressions.install()
after = [ask(text) for text in TEXTS]
read = {name: getattr(dynamodb, name).cache_info().misses for name in expressions.READ_ONCE}
print(json.dumps({"before": before, "after": after, "read": read}))
"""


def test_an_expression_is_read_once_and_means_the_same() -> None:
    python = REPOSITORY / "local" / ".venv" / "bin" / "python"
    done = subprocess.run(
        [python, "-c", ASK], capture_output=True, text=True, check=True, cwd=REPOSITORY / "local", timeout=60
    )

    told = json.loads(done.stdout.splitlines()[-1])
    assert told["after"] == told["before"]
    assert told["after"][0] == [False, False, True, False]
    assert "Syntax error" in told["after"][3][0]
    assert all(0 < times <= 5 for times in told["read"].values())
