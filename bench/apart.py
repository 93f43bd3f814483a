"""Whether stacks keep apart: what two of them share, and what changes of one while others come and go."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any

from bench.stack import terraform, values
from bench.workshop import Workshop
from janitor.storage import State

_IN_ANY_ORDER = frozenset({"child_modules", "relevant_attributes"})
_DID = frozenset({"last_processing_result"})
"""What a resource says of what it did last; a stack that people use works on while others come and go."""


def strange(states: Mapping[str, State]) -> int:
    """Count the resources that two stacks have, that say they are another's, and that one lacks and another has."""
    own = {stack: arns(state) for stack, state in states.items()}
    shared = sum(len(one & other) for one, other in combinations(own.values(), 2))
    others = sum(tags != stack for stack, state in states.items() for tags in owners(state))
    kinds = [Counter(resource["type"] for resource in instances(state)) for state in states.values()]
    lacking = sum(((kinds[0] - each) + (each - kinds[0])).total() for each in kinds[1:])
    return shared + others + lacking


def instances(state: State) -> list[dict[str, Any]]:
    """Return each resource that Terraform manages, by its type and attributes."""
    return [
        {"type": resource["type"], "attributes": instance.get("attributes") or {}}
        for resource in state.content.get("resources", [])
        if resource.get("mode") == "managed"
        for instance in resource["instances"]
    ]


def arns(state: State) -> set[str]:
    """Return the ARNs of all that a state knows."""
    return {arn for one in instances(state) if (arn := one["attributes"].get("arn"))}


def owners(state: State) -> list[str]:
    """Return the stack that each tagged resource says it is of."""
    tags = [one["attributes"].get("tags_all") or {} for one in instances(state)]
    return [each["Stack"] for each in tags if "Stack" in each]


def changes(before: Sequence[str], after: Sequence[str]) -> int:
    """Count the lines that came or went, whichever are more; lines in another order are one change.

    >>> changes(["a", "b", "c"], ["a", "x", "c", "d"])
    2
    """
    went, came = Counter(before), Counter(after)
    return max((went - came).total(), (came - went).total(), int(before != after))


def planned(workshop: Workshop, branch: str) -> list[str]:
    """Plan a branch's stack anew and return all that Terraform then knows of it, line by line."""
    command, environment = terraform(workshop, branch)
    plan = workshop.logs / "bystander.tfplan"
    options = ("plan", "-input=false", "-lock=false", f"-out={plan}", values(workshop, branch))
    workshop.timed("plan of the bystander", [*command, *options], environment=environment)
    workshop.timed("bystander", [*command, "show", "-json", str(plan)], environment=environment)
    document = json.loads((workshop.logs / "bystander.log").read_text())
    document.pop("timestamp", None)
    return lines(document)


def lines(plan: Mapping[str, Any]) -> list[str]:
    """Return what a plan says of what a stack is, and not of what it did last, line by line.

    >>> mapping = {"address": "m", "change": {"before": {"last_processing_result": "OK"}, "after": {}}}
    >>> lines({"resource_drift": [mapping]}) == lines({"resource_drift": []})
    True
    """
    whole = ordered(plan)
    drift = [one for one in whole.get("resource_drift", []) if one["change"]["before"] != one["change"]["after"]]
    return json.dumps({**whole, "resource_drift": drift}, indent=1, sort_keys=True).splitlines()


def ordered(part: Any) -> Any:
    """Return a part of a plan with what Terraform lists in any order in one order, and without what a resource did.

    >>> ordered({"child_modules": [{"address": "module.b"}, {"address": "module.a"}], "values": ["b", "a"]})
    {'child_modules': [{'address': 'module.a'}, {'address': 'module.b'}], 'values': ['b', 'a']}
    """
    if isinstance(part, dict):
        kept = {name: ordered(one) for name, one in part.items() if name not in _DID}
        return {name: _sorted(one) if name in _IN_ANY_ORDER else one for name, one in kept.items()}
    return [ordered(one) for one in part] if isinstance(part, list) else part


def _sorted(many: list[Any]) -> list[Any]:
    return sorted(many, key=lambda one: json.dumps(one, sort_keys=True))
