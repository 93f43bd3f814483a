"""One run of the janitor: look, judge, and, when it is told to, remove; then look again and say what is left."""

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from math import inf

from janitor import look, prices, storage
from janitor.buckets import Buckets
from janitor.clients import Clients
from janitor.decisions import Standing, Verdict, Wish, decide
from janitor.found import Found, counted, listed
from janitor.kinds import Kind
from janitor.locks import Locks
from janitor.rehearsal import Rehearsed, rehearse
from janitor.schedule import Schedule, Task
from janitor.storage import State
from janitor.work import HANDS, Threads, work

ROUNDS = 3
SETTLES = 2.0
"""Seconds after which a fresh look is worth one more time: some listings lag behind."""
_TOLD_EVERY = 5.0
_PATIENCE = timedelta(minutes=15)
RESERVE = 90.0
"""Seconds after a deadline for what was begun to end, and for the fresh look that forgets what is gone."""
_EARLIER = RESERVE + 60  # seconds that a removal begins nothing before its locks' time is over
_LOST = "in use: somebody else took its removal over"

REMOVES = "Removing "
"""What a run says when it begins to remove, after its last look."""

type Tell = Callable[[str], None]


@dataclass(frozen=True)
class Judged:
    """A stack, what it has, and what is to become of it."""

    stack: str
    verdict: Verdict
    tasks: Sequence[Task] = ()

    @property
    def dollars_a_month(self) -> float:
        return prices.keeping((task.kind.words, task.found) for task in self.tasks)


@dataclass(frozen=True)
class Plan:
    """What the account holds, and what of it is to go; of the hidden stacks, only that they are there."""

    judged: Sequence[Judged]
    unowned: Sequence[tuple[Kind, Found]] = ()
    everything: look.Held = field(default_factory=dict)
    states: Mapping[str, State] = field(default_factory=dict)
    hidden: Collection[str] = ()
    wish: Wish = field(default_factory=Wish)

    @property
    def going(self) -> list[Judged]:
        return [one for one in self.judged if one.verdict.goes]

    def rehearsed(self) -> Rehearsed:
        """Rehearse all that goes at once, as it is removed."""
        return rehearse([task for one in self.going for task in one.tasks])


@dataclass(frozen=True)
class Outcome:
    """What came of a removal.

    Attributes
    ----------
    gone
        The stacks of which a fresh look found nothing, and whose states are forgotten.
    left
        What is left, and why.
    throttled
        How often AWS said that it was called too often.
    in_time
        Whether it ended before its deadline; if not, another slice goes on.
    stayed
        The stacks that no longer went when their lock was taken, and why.
    """

    gone: Sequence[str]
    left: Sequence[str]
    seconds: float
    throttled: int
    in_time: bool = True
    stayed: Sequence[str] = ()


def plan(clients: Clients, locks: Locks, wish: Wish, now: datetime) -> Plan:
    """Look at the account and judge every stack that is found by its tags, its state or, when it is named, its name."""
    kept = storage.stacks(clients)
    known = kept | wish.named
    with ThreadPoolExecutor(look.THREADS) as pool:
        loading = {stack: pool.submit(State.seen, clients, storage.state_key(stack)) for stack in kept}
        everything = look.held(clients, look.LOOKED_FOR)
        states = {stack: state for stack, future in loading.items() if (state := future.result())}
    hidden = kept - states.keys()
    found = look.sort_out(clients, everything, known)
    stacks = sorted(kept | found.by_stack.keys())

    def standing(stack: str) -> Standing:
        if stack in hidden:
            return Standing(stack, hidden=True)
        state, tasks = states.get(stack, State({})), found.by_stack.get(stack, ())
        kept_of_it = _standing(stack, state, tasks, has_folder=stack in kept)
        return replace(kept_of_it, holder=locks.holder(stack, now), begun=locks.begun(stack))

    with ThreadPoolExecutor(look.THREADS) as pool:
        standings = list(pool.map(standing, stacks))
    judged = []
    for one in standings:
        tasks = found.by_stack.get(one.stack, ())
        verdict = decide(one, wish, now)
        if verdict.goes:
            tasks = look.verified(clients, tasks, known | found.by_stack.keys())
            verdict = _unless_protected(clients, verdict, tasks)
        judged.append(Judged(one.stack, verdict, tasks))
    return Plan(judged, found.unowned, everything, states, hidden, wish)


def _standing(stack: str, state: State, tasks: Sequence[Task], *, has_folder: bool) -> Standing:
    tags: dict[str, str] = {}
    for task in tasks:
        tags.update(task.found.tags or {})

    def tag(name: str) -> str:
        return state.tag(name) or tags.get(name) or ""

    return Standing(
        stack=stack,
        branch=tag("Branch"),
        expires_at=tag("ExpiresAt"),
        created_at=tag("CreatedAt"),
        stage=str(state.output("stage") or tag("Stage")),
        protected=any(table.get("deletion_protection_enabled") for table in state.known("aws_dynamodb_table")),
        has_state=not state.is_empty,
        has_folder=has_folder,
    )


def _unless_protected(clients: Clients, verdict: Verdict, tasks: Sequence[Task]) -> Verdict:
    """Ask what may be protected itself, since a state can be lost and a table cannot be had back."""
    asked = [task for task in tasks if task.kind.protected]
    with ThreadPoolExecutor(look.THREADS) as pool:
        if any(pool.map(lambda task: task.kind.protected and task.kind.protected(clients, task.found), asked)):
            return Verdict(goes=False, why="protected: something of it may not be deleted")
    return verdict


def remove(
    clients: Clients,
    once: Clients,
    locks: Locks,
    buckets: Buckets,
    planned: Plan,
    tell: Tell,
    deadline: float = inf,
    hands: int = HANDS,
) -> Outcome:
    """Remove the stacks that go; what each has is looked for again until nothing is found.

    Parameters
    ----------
    once
        Clients that try once: what is throttled is planned again.
    deadline
        The time, in seconds since 1970, after which nothing more is begun.
    """
    began = time.time()
    lasts = min(timedelta(seconds=2 * planned.rehearsed().seconds) + _PATIENCE, _until(deadline))
    deadline = min(deadline, began + lasts.total_seconds() - _EARLIER)
    begun, left = _lock(locks, planned, lasts)
    tasks = _fresh(clients, begun, [task for one in planned.going for task in one.tasks]) if begun else []
    mine, stayed = _judged_again(clients, locks, planned, begun, tasks, left)
    tasks = [task for task in tasks if task.stack in mine]
    if tasks:
        tell(f"{REMOVES}{counted(len(tasks), 'resource')} of {counted(len(mine), 'stack')}.")
    throttled, open_stacks = 0, set(mine)
    failures: Sequence[tuple[Task, str]] = ()
    gone: list[str] = []
    for round_ in range(ROUNDS + 1):
        if round_:
            tasks = _fresh(clients, open_stacks)
        clean = open_stacks - {task.stack for task in tasks}
        gone += [stack for stack in sorted(clean) if _forget(clients, locks, stack, left)]
        open_stacks -= clean
        if not tasks or round_ == ROUNDS or time.time() >= deadline:
            break
        if round_:
            tell(f"A fresh look finds {counted(len(tasks), 'resource')}: {listed(tasks, most=5)}.")
        schedule = Schedule(tasks)
        with Threads(once, hands) as crew:
            work(schedule, buckets, crew, deadline, _progress(tell))
        throttled += schedule.throttled
        failures = schedule.failures
        time.sleep(SETTLES * (round_ > 0))
    lost = {stack for stack in open_stacks if not locks.pause(stack, datetime.now(UTC))}
    left += [f"{stack}: {_LOST}" for stack in sorted(lost)]
    why = {task.key: words for task, words in failures}
    in_time = time.time() < deadline or not tasks
    otherwise = "it is still there" if in_time else "there was no time for it"
    left += [f"{task}: {why.get(task.key, otherwise)}" for task in tasks if task.stack not in lost]
    return Outcome(gone, left, time.time() - began, throttled, in_time, stayed)


def _lock(locks: Locks, planned: Plan, lasts: timedelta) -> tuple[dict[str, str], list[str]]:
    """Take the stacks that go: those that are ours, with why a removal of them was begun before, and what is left."""
    mine: dict[str, str] = {}
    left = []
    for one in planned.going:
        begun = locks.begun(one.stack)
        # Until it is judged again, no removal is begun that was not before.
        holder = locks.take(one.stack, begun, datetime.now(UTC), lasts)
        if holder:
            left.append(f"{one.stack}: in use: {holder}")
        else:
            mine[one.stack] = begun
    return mine, left


def _judged_again(
    clients: Clients,
    locks: Locks,
    planned: Plan,
    begun: Mapping[str, str],
    tasks: Sequence[Task],
    left: list[str],
) -> tuple[list[str], list[str]]:
    """Judge what is locked by what is there now: a deploy may have renewed it since; give back what no longer goes."""
    going, stayed = [], []
    for stack, why in begun.items():
        of_it = [task for task in tasks if task.stack == stack]
        state = State.load(clients, storage.state_key(stack))
        # Its lock makes a folder of its own.
        standing = replace(_standing(stack, state, of_it, has_folder=stack in planned.states), begun=why)
        verdict = decide(standing, planned.wish, datetime.now(UTC))
        if verdict.goes:
            verdict = _unless_protected(clients, verdict, of_it)
        if not verdict.goes:
            locks.release(stack)
            stayed.append(f"{stack} stays: {verdict.why}")
        elif locks.begin(stack, verdict.why):
            # If this removal is killed, the deploy after it has to look for itself.
            storage.delete(clients, storage.comparison_key(stack))
            going.append(stack)
        else:
            left.append(f"{stack}: {_LOST}")
    return going, stayed


def _until(deadline: float) -> timedelta:
    return timedelta.max if deadline == inf else timedelta(seconds=max(0.0, deadline - time.time()) + _EARLIER)


def _fresh(clients: Clients, stacks: Collection[str], seen: Collection[Task] = ()) -> list[Task]:
    """Look again at what stacks have; what was seen just now is not asked for its tags again."""
    known = storage.stacks(clients) | set(stacks)
    found = look.sort_out(clients, look.held(clients, look.LOOKED_FOR), known).by_stack
    tasks = look.remembered([task for stack in stacks for task in found.get(stack, ())], seen)
    return look.verified(clients, tasks, known | found.keys())


def _forget(clients: Clients, locks: Locks, stack: str, left: list[str]) -> bool:
    """Forget a stack of which nothing was found, if it is still ours and its state knows of nothing no look finds."""
    if not locks.is_ours(stack):
        left.append(f"{stack}: {_LOST}")
        return False
    strange = look.not_seen(State.load(clients, storage.state_key(stack)), stack)
    if strange:
        left += [f"{stack}: {one}" for one in strange]
        return False
    folder = storage.folder_key(stack)
    storage.forget(clients, folder, kept=storage.lock_key(stack))
    storage.forget(clients, folder)
    return True


def _progress(tell: Tell) -> Callable[[Schedule, float], None]:
    """Say now and then how far it is, and when it ends."""
    began = time.time()
    told = began

    def say(schedule: Schedule, now: float) -> None:
        nonlocal told
        if now - told < _TOLD_EVERY and schedule.unfinished:
            return
        told = now
        gone = schedule.total - schedule.unfinished
        pace = (now - began) / gone * schedule.unfinished if gone else 0.0
        ends = datetime.fromtimestamp(now + max(schedule.seconds_left(), pace), UTC).strftime("%H:%M:%S")
        call = schedule.limiting()
        waits = f"; what is waited for is {call[1]}" if call and schedule.seconds_left() > pace else ""
        tell(f"{gone} of {schedule.total} resources gone after {now - began:.0f} s, all at about {ends} UTC{waits}")

    return say
