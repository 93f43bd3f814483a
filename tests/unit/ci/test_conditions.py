"""Conditions mean what https://docs.travis-ci.com/user/conditions-v1 says they do."""

import pytest

from ci.conditions import ConditionError, Event, parse

MASTER = Event(
    {"type": "push", "repo": "solar/paygo", "branch": "master", "os": "linux", "fork": "false", "sender": "my bot"},
    {"FOO": "foo", "BAR": "foo", "NAME": "FOO", "KIND": "push", "ONE": "solar/other", "OTHER": "solar/paygo"},
)
TAG = Event({"type": "push", "repo": "solar/paygo", "branch": "v1.0", "tag": "v1.0"}, {"SERVICE": "v1"})


@pytest.mark.parametrize(
    "condition",
    [
        "true",
        "1 = 1",
        "true != false",
        "env(KIND) = type",
        "env(FOO) = env(BAR)",
        "env(FOO) =~ /^(foo|bar)$/",
        "branch =~ /^(one|master)$/",
        "branch IN (one, master)",
        "branch NOT IN (one, other)",
        "NOT branch IN (one, other)",
        "repo IN (env(ONE), env(OTHER))",
        "tag IS blank",
        "tag IS NOT present",
        "NOT tag IS present",
        "env(env(NAME)) = foo",
        "branch = master AND env(FOO) = foo",
        "branch = other OR env(FOO) = foo",
        "branch = other AND env(FOO) = foo OR os = linux",
        "branch = master AND (env(FOO) = bar OR os = linux)",
        "NOT branch = other AND os = linux",
        "(branch =~ ^mas) AND (os = linux)",
        "((branch =~ ^mas) AND (os = linux))",
        "branch in (master) and not TYPE is blank",
        'sender = "my bot"',
        "sender = 'my bot'",
        '"foo" = env("FOO")',
        "branch =~ ^master$",
        "branch =~ master|other",
        "branch !~ /other/ AND os =~ /lin/",
        'concat("foo", "-", env(BAR)) = foo-foo',
        "branch =~ concat(^,env(NOTHING),mas)",
        "fork = false",
        "fork IS false",
        "fork IS NOT true",
        "!(branch = other) && os == linux || branch ~= x",
        "type = push AND \\\n  branch = master AND \\\n  os = linux",
        "type IN (push, pull_request)",
        "type IN (push,pull_request)",
        "(branch = master) AND (NOT(type IN (api ,pull_request)))",
    ],
)
def test_what_the_documentation_shows_holds_of_a_push_to_master(condition: str) -> None:
    assert parse(condition).holds(MASTER)


@pytest.mark.parametrize(
    "condition",
    [
        "false",
        "NOT true",
        "branch = master AND os = windows",
        "NOT branch = master AND os = linux",
        "branch = master AND (os = windows OR os = osx)",
        "env(NOTHING) IS present",
        "tag IS present",
        "tag =~ ^v",
        "tag = master",
        "branch != master",
        "sender != 'my bot'",
        "branch =~ ^master-",
        "branch NOT IN (master, other)",
        "fork IS true",
        "concat(a, b) = a",
    ],
)
def test_its_opposite_does_not(condition: str) -> None:
    assert not parse(condition).holds(MASTER)


@pytest.mark.parametrize(
    ("condition", "holds"),
    [
        ("tag =~ ^v1", True),
        ("tag =~ /^(v2|v1)/", True),
        ("(tag =~ ^v2)", False),
        ("tag =~ concat(^,env(SERVICE),\\.)", True),
        ("tag =~ ^(v1|v2)\\.[0-9]+", True),
        ("branch = master AND os = linux OR tag = v1.0", True),
        ("branch = master AND (os = linux OR tag = v1.0)", False),
        ("head_repo = repo", False),
        ("commit_message !~ /(no-deploy|wip)/", True),
    ],
)
def test_conditions_on_a_tag(condition: str, holds: bool) -> None:
    assert parse(condition).holds(TAG) is holds


def test_an_anchor_is_a_lines_as_in_ruby() -> None:
    assert parse("commit_message =~ ^Merge").holds(Event({"commit_message": "First line\nMerge the second"}))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "branch",
        "master AND branch = master",
        "branch = $MASTER",
        "$TRAVIS_TAG =~ ^v1",
        "env($TRAVIS_TAG) IS present",
        'branch IS "master"',
        "type IS push",
        "tag IS presents",
        "tag NOT present",
        "type IN push",
        "type IN (push pull_request)",
        "type = (push)",
        "branch = master type = push",
        "branch = master AND",
        "OR branch = master",
        "((branch = master)",
        "branch =~ ^(staging|master)",
        "branch !=~ ^v",
        "env.global(FOO) = foo",
        "type = pull_request AND commit_message =~ two words",
        "branch =~ [",
    ],
)
def test_what_travis_refuses_is_refused(text: str) -> None:
    with pytest.raises(ConditionError, match="Not a condition of Travis"):
        parse(text)


def test_an_event_knows_only_what_travis_knows() -> None:
    with pytest.raises(ConditionError, match="has no brunch"):
        Event({"brunch": "main"})
