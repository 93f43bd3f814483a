"""What may happen to a registration, in any order: plain steps, for whoever plays them.

`tests/unit/identity/test_machine.py` plays them on the use cases; a suite with a deployed stack plays `drawn(200)`.
There the bus delivers by itself, so `DELIVERIES` and `CRASHES` mean nothing but to wait, or to send events again.
"""

import random
from collections.abc import Collection
from dataclasses import dataclass
from enum import StrEnum

from hypothesis import strategies as st


class Step(StrEnum):
    """Something that happens to a registration."""

    CONFIRM = "confirm"
    """Its household sends the right code."""
    CONFIRM_WRONG = "confirm-wrong"
    ANOTHER_CODE = "another-code"

    CALLBACK_APPROVED = "callback-approved"
    """The bureau calls."""
    CALLBACK_REJECTED = "callback-rejected"
    POLL_PENDING = "poll-pending"
    """The bureau is asked how far it is."""
    POLL_APPROVED = "poll-approved"
    POLL_REJECTED = "poll-rejected"

    BANK_AWAY = "bank-away"
    """The bank does not answer when it is asked."""
    BANK_ASKED = "bank-asked"
    """The bank answers when it is asked: as the sequence says."""

    DELIVER = "deliver"
    """The bus delivers what has waited longest."""
    DELIVER_NEWEST = "deliver-newest"
    REDELIVER = "redeliver"
    """The bus delivers again whatever it has delivered."""
    CRASH_BEFORE_WRITING = "crash-before-writing"
    """The next that writes dies before."""
    CRASH_AFTER_WRITING = "crash-after-writing"

    EXPIRE = "expire"
    """Its time is over."""
    ESCALATE = "escalate"
    """Its session asks for the credentials of its household."""


ANSWERS = {
    Step.CALLBACK_APPROVED: "approved",
    Step.CALLBACK_REJECTED: "rejected",
    Step.POLL_APPROVED: "approved",
    Step.POLL_REJECTED: "rejected",
}
TRIES, CODES = 5, 3
"""How many tries a code has, and how many codes a registration."""
CRASHES = frozenset({Step.CRASH_BEFORE_WRITING, Step.CRASH_AFTER_WRITING})
DELIVERIES = frozenset({Step.DELIVER, Step.DELIVER_NEWEST, Step.REDELIVER})

_BUREAU = frozenset({Step.CONFIRM, Step.CONFIRM_WRONG, Step.ANOTHER_CODE, Step.POLL_PENDING, *ANSWERS})
_BANK = frozenset({Step.BANK_AWAY, Step.BANK_ASKED})

OF_OWN = tuple(step for step in Step if step not in _BANK)
OF_PARTNER = tuple(step for step in Step if step not in _BUREAU)


@dataclass(frozen=True)
class Sequence:
    """A registration of a kind, and what happens to it.

    Parameters
    ----------
    verified
        What the bank says of a partner's customer.
    """

    kind: str
    steps: tuple[Step, ...]
    verified: bool = True

    @property
    def crashes(self) -> bool:
        """Tell whether something dies on the way."""
        return not CRASHES.isdisjoint(self.steps)


def sequences(*, without: Collection[Step] = ()) -> st.SearchStrategy[Sequence]:
    """Return any sequence of either kind; of an own one it is likely that its household confirms it."""
    own = [step for step in OF_OWN if step not in without]
    partner = [step for step in OF_PARTNER if step not in without]
    beginnings = st.sampled_from([(), (Step.CONFIRM,), (Step.CONFIRM_WRONG, Step.CONFIRM)])
    return st.one_of(
        st.builds(
            lambda beginning, rest: Sequence("own", (*beginning, *rest)),
            beginnings,
            st.lists(st.sampled_from(own), max_size=9),
        ),
        st.builds(
            lambda steps, verified: Sequence("partner", tuple(steps), verified),
            st.lists(st.sampled_from(partner), max_size=7),
            st.booleans(),
        ),
    )


def drawn(count: int, seed: int = 5, *, without: Collection[Step] = ()) -> list[Sequence]:
    """Return so many sequences, the same each time; every fourth is of a partner's customer."""
    chance = random.Random(seed)
    found = []
    for number in range(count):
        is_own = number % 4 != 3
        choices = [step for step in (OF_OWN if is_own else OF_PARTNER) if step not in without]
        steps = chance.choices(choices, k=chance.randrange(8))
        if is_own and chance.random() < 0.8:
            steps.insert(chance.randrange(len(steps) + 1), Step.CONFIRM)
        kind = "own" if is_own else "partner"
        found.append(Sequence(kind, tuple(steps), is_own or chance.random() < 0.7))
    return found


def ends(sequence: Sequence) -> frozenset[str]:
    """Return the states in which the registration may end; without crashes that of an own one is certain.

    After the last step everything that waits is delivered, and then its time is over.
    """
    if sequence.kind == "partner":
        decided = "approved" if sequence.verified else "rejected"
        if Step.EXPIRE not in sequence.steps:
            return frozenset({decided})
        is_certain = Step.BANK_ASKED in sequence.steps[: sequence.steps.index(Step.EXPIRE)] and not sequence.crashes
        return frozenset({decided} if is_certain else {decided, "expired"})
    if sequence.crashes:
        return frozenset({*(ANSWERS[step] for step in sequence.steps if step in ANSWERS), "expired"})
    return frozenset({_first_answer(sequence.steps) or "expired"})


def _first_answer(steps: tuple[Step, ...]) -> str | None:
    """The first answer between the confirmation and the end of its time."""
    confirmed, codes, tries = False, 1, 0
    for step in steps:
        match step:
            case Step.EXPIRE:
                return None
            case Step.CONFIRM:
                confirmed = confirmed or tries < TRIES
            case Step.CONFIRM_WRONG:
                tries += 1
            case Step.ANOTHER_CODE if codes < CODES and not confirmed:
                codes, tries = codes + 1, 0
            case _ if confirmed and step in ANSWERS:
                return ANSWERS[step]
    return None
