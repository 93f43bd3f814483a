"""Functions, their versions, and what calls them."""

import contextlib
from collections.abc import Iterator

from janitor.clients import Clients
from janitor.found import Found, Tags, bare
from janitor.services import pages, pairs


def functions(clients: Clients, prefix: str) -> Iterator[Found]:
    for one in pages(clients, "lambda", "list_functions", "Functions"):
        if bare(one["FunctionName"]).startswith(prefix):
            yield Found(one["FunctionName"], one["FunctionName"])


def function_tags(clients: Clients, found: Found) -> Tags:
    tags: dict[str, str] = clients("lambda").get_function(FunctionName=found.id).get("Tags", {})
    return tags


def aliases(clients: Clients, prefix: str) -> Iterator[Found]:
    for function in functions(clients, prefix):
        with contextlib.suppress(clients("lambda").exceptions.ResourceNotFoundException):
            for alias in clients("lambda").list_aliases(FunctionName=function.id)["Aliases"]:
                yield Found(f"{function.id}:{alias['Name']}", f"{function.name}:{alias['Name']}")


def alias_tags(clients: Clients, found: Found) -> Tags:
    return function_tags(clients, Found(found.id.rpartition(":")[0], ""))


def remove_alias(clients: Clients, found: Found) -> None:
    function, _, name = found.id.rpartition(":")
    clients("lambda").delete_alias(FunctionName=function, Name=name)


def mappings(clients: Clients, prefix: str) -> Iterator[Found]:
    for one in pages(clients, "lambda", "list_event_source_mappings", "EventSourceMappings"):
        name = str(one.get("FunctionArn", "")).partition(":function:")[2].partition(":")[0]
        if bare(name).startswith(prefix):
            yield Found(one["UUID"], name, about=f"{one.get('EventSourceArn', '')}:::".split(":")[2])


def layers(clients: Clients, prefix: str) -> Iterator[Found]:
    for layer in pages(clients, "lambda", "list_layers", "Layers"):
        if bare(layer["LayerName"]).startswith(prefix):
            for version in pages(
                clients, "lambda", "list_layer_versions", "LayerVersions", LayerName=layer["LayerName"]
            ):
                yield Found(version["LayerVersionArn"], layer["LayerName"])


def remove_layer(clients: Clients, found: Found) -> None:
    version = int(found.id.rpartition(":")[2])
    clients("lambda").delete_layer_version(LayerName=found.name, VersionNumber=version)


def schedules(clients: Clients, prefix: str) -> Iterator[Found]:
    for one in pages(clients, "events", "list_rules", "Rules", NamePrefix=prefix):
        yield Found(one["Name"], one["Name"])


def schedule_tags(clients: Clients, found: Found) -> Tags:
    arn = clients("events").describe_rule(Name=found.id)["Arn"]
    return pairs(clients("events").list_tags_for_resource(ResourceARN=arn)["Tags"])


def remove_schedule(clients: Clients, found: Found) -> None:
    events = clients("events")
    targets = [target["Id"] for target in events.list_targets_by_rule(Rule=found.id)["Targets"]]
    if targets:
        events.remove_targets(Rule=found.id, Ids=targets)
    events.delete_rule(Name=found.id)
