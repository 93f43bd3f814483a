"""A resource as it was found, and whose it is: a name makes a candidate; a tag, where there is one, decides."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

PREFIX = "paygo-"
"""What every stack's name begins with."""

GOING = "going"
"""Of what is still listed, and nobody can use any more: it is on its way out."""

type Tags = Mapping[str, str] | None


@dataclass(frozen=True)
class Found:
    """A resource in the cloud: what its API calls it, and what a person does.

    Attributes
    ----------
    tags
        None when they were not asked for yet.
    about
        What else its listing tells and somebody needs, as the kind of source that a mapping polls, or `GOING`.
    """

    id: str
    name: str
    tags: Tags = None
    about: str = ""


def counted(count: int, words: str) -> str:
    """Write how many there are of something.

    >>> counted(2, "IoT policy")
    '2 IoT policies'
    """
    if count != 1:
        words = f"{words[:-1]}ies" if words.endswith("y") and words[-2] not in "aeiou" else f"{words}s"
        words = words.replace("aliass", "aliases")
    return f"{count} {words}"


def counted_each(words: Iterable[str]) -> str:
    """Write how many there are of each of some things.

    >>> counted_each(["table", "queue", "table"])
    '1 queue, 2 tables'
    """
    return ", ".join(counted(count, word) for word, count in sorted(Counter(words).items()))


def listed(names: Iterable[object], most: int = 3) -> str:
    """Write the first of some names, and how many there are besides.

    >>> listed(["a", "b", "c"], most=2)
    'a, b and 1 more'
    """
    texts = [str(name) for name in names]
    return ", ".join(texts[:most]) + (f" and {len(texts) - most} more" if len(texts) > most else "")


def owner(name: str, stacks: Iterable[str]) -> str | None:
    """Name the stack whose resource this is by its name: of those that fit, the longest.

    >>> owner("paygo-demo-2-identity", ["paygo-demo", "paygo-demo-2"])
    'paygo-demo-2'
    """
    plain = bare(name)
    fitting = [stack for stack in stacks if plain == stack or plain.startswith(f"{stack}-")]
    return max(fitting, key=len, default=None)


def bare(name: str) -> str:
    """Cut what AWS puts before a name, and write it with hyphens, as stacks are written.

    >>> bare("/aws/lambda/paygo-demo-identity-sessions")
    'paygo-demo-identity-sessions'
    """
    for prefix in ("/aws/lambda/", "/aws/apigateway/"):
        name = name.removeprefix(prefix)
    return name.replace("_", "-").replace("/", "-")


def belongs(found: Found, stack: str, stacks: Iterable[str]) -> bool:
    """Tell whether a resource is the stack's: by its tag, or where nothing is tagged by its name."""
    return stack_of(found, {stack, *stacks}) == stack


def stack_of(found: Found, stacks: Iterable[str]) -> str | None:
    """Name the stack that a resource is of: what its tag says, or where nothing is tagged the one it is named after."""
    if found.tags:
        return found.tags.get("Stack")
    return owner(found.name, stacks)


def is_here(found: Found, region: str) -> bool:
    """Tell whether a resource is of this region: roles know none, and a branch may have a stack in two."""
    return (found.tags or {}).get("Region", region) == region
