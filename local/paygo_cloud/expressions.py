"""DynamoDB's expressions are read once, not once for each item.

No gap of MiniStack's but a matter of speed: its one event loop reads the text of an expression again for each item that
a query or scan looks at, which is most of what those cost.
"""

from functools import cache, lru_cache

from ministack.services import dynamodb

READ_ONCE = ("_tokenize", "_condition_syntax_error")
"""Functions of an expression's text alone, whose results nobody changes."""
REMEMBERED = 1024
"""Expressions; a stack has some dozens."""


@cache
def install() -> None:
    """Remember what was read of each expression."""
    for name in READ_ONCE:
        setattr(dynamodb, name, lru_cache(REMEMBERED)(getattr(dynamodb, name)))
