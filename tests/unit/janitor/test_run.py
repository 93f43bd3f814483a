"""A whole run against an account in memory: what goes, what stays, and what is said about it."""

import time
from datetime import UTC, datetime

import pytest
from botocore.exceptions import ClientError

from janitor import look, report, run, storage, work
from janitor.buckets import LocalBuckets
from janitor.clients import Clients
from janitor.decisions import Verdict, Wish
from janitor.found import Found
from janitor.kinds import NAMED, Kind
from janitor.locks import Locks
from janitor.run import Judged, Outcome, Plan, plan, remove
from janitor.schedule import Refused, Removed, Schedule, Task, Throttled
from janitor.storage import State
from tests.unit.janitor.conftest import HERE, Account

NOW = datetime(2026, 11, 30, 12, tzinfo=UTC)


@pytest.fixture
def locks(clients: Clients) -> Locks:
    return Locks(clients, "the janitor")


def verdicts(planned: Plan) -> dict[str, tuple[bool, str]]:
    return {one.stack: (one.verdict.goes, one.verdict.why) for one in planned.judged}


def removed(clients: Clients, locks: Locks, planned: Plan, deadline: float = float("inf")) -> Outcome:
    once = Clients(HERE, attempts=1)
    return remove(clients, once, locks, LocalBuckets(), planned, lambda _: None, deadline)


def left_of(clients: Clients, stack: str) -> list[str]:
    known = {stack} | storage.stacks(clients)
    found = look.sort_out(clients, look.held(clients, look.LOOKED_FOR), known).by_stack
    return sorted(map(str, look.verified(clients, found.get(stack, ()), known)))


def test_what_has_expired_goes_whole_and_its_neighbour_stays_as_it_is(
    clients: Clients, locks: Locks, account: Account
) -> None:
    account.stack("paygo-old", ExpiresAt="2026-11-29T00:00:00Z")
    account.stack("paygo-new", ExpiresAt="2026-12-29T00:00:00Z")
    before = left_of(clients, "paygo-new")

    planned = plan(clients, locks, Wish(), NOW)
    outcome = removed(clients, locks, planned)

    assert verdicts(planned) == {
        "paygo-old": (True, "expired 2026-11-29T00:00:00Z"),
        "paygo-new": (False, "until 2026-12-29T00:00:00Z"),
    }
    assert (outcome.gone, outcome.left) == (["paygo-old"], [])
    assert left_of(clients, "paygo-old") == []
    assert left_of(clients, "paygo-new") == before
    assert storage.stacks(clients) == {"paygo-new"}
    versions = account.client("s3").list_object_versions(Bucket=storage.state_bucket(HERE), Prefix="stacks/paygo-old")
    assert "Versions" not in versions
    assert "DeleteMarkers" not in versions


def test_a_deploy_after_a_removal_that_was_begun_has_to_look_for_itself(
    clients: Clients, locks: Locks, account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    account.stack("paygo-old", ExpiresAt="2026-11-29T00:00:00Z")
    account.stack("paygo-new", ExpiresAt="2026-12-29T00:00:00Z")
    for stack in ("paygo-old", "paygo-new"):
        storage.write(clients, storage.comparison_key(stack), {"inputs": "all of it"})
    planned = plan(clients, locks, Wish(), NOW)

    def kill(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(run, "work", kill)
    with pytest.raises(KeyboardInterrupt):
        removed(clients, locks, planned)

    assert storage.read(clients, storage.comparison_key("paygo-old")) is None
    assert storage.read(clients, storage.comparison_key("paygo-new")) is not None


def test_a_stack_without_a_state_is_found_by_its_tags(clients: Clients, locks: Locks, account: Account) -> None:
    account.stack("paygo-lost")
    storage.forget(clients, "stacks/")

    planned = plan(clients, locks, Wish(), NOW)

    assert verdicts(planned) == {"paygo-lost": (True, "no state knows it")}
    assert removed(clients, locks, planned).left == []
    assert left_of(clients, "paygo-lost") == []


def test_a_stack_whose_state_is_still_empty_is_a_deploys_that_has_just_begun(
    clients: Clients, locks: Locks, account: Account
) -> None:
    storage.write(clients, storage.state_key("paygo-new"), {"version": 4, "resources": []})
    account.client("sqs").create_queue(QueueName="paygo-new-identity", tags={"Stack": "paygo-new"})
    account.client("sqs").create_queue(QueueName="paygo-lost-identity", tags={"Stack": "paygo-lost"})

    assert verdicts(plan(clients, locks, Wish(), NOW)) == {
        "paygo-new": (False, "it never expires"),
        "paygo-lost": (True, "no state knows it"),
    }


@pytest.mark.parametrize("wish", [Wish(), Wish(named=frozenset({"paygo-theirs"}))])
def test_a_stack_whose_state_is_not_ours_to_see_stays(
    clients: Clients, locks: Locks, account: Account, wish: Wish
) -> None:
    account.stack("paygo-theirs", ExpiresAt="2026-11-29T00:00:00Z")
    account.hide("stacks/paygo-theirs/")

    planned = plan(clients, locks, wish, NOW)

    assert verdicts(planned) == {"paygo-theirs": (False, "protected: not ours to see")}
    assert planned.hidden == {"paygo-theirs"}


def test_what_else_s3_refuses_is_not_taken_for_a_state_to_hide(clients: Clients, account: Account) -> None:
    def refuse(**_: object) -> None:
        raise ClientError({"Error": {"Code": "SlowDown"}}, "GetObject")

    s3 = clients("s3")
    s3.get_object = refuse

    with pytest.raises(ClientError, match="SlowDown"):
        State.seen(clients, storage.state_key("paygo-theirs"))


def test_a_stage_that_only_the_states_tags_tell_protects(clients: Clients, locks: Locks, account: Account) -> None:
    account.state("paygo-kept", {"ExpiresAt": "2026-11-29T00:00:00Z", "Stage": "production"})

    planned = plan(clients, locks, Wish(), NOW)

    assert verdicts(planned) == {"paygo-kept": (False, "protected: production")}


def test_what_has_neither_state_nor_tag_goes_when_it_is_named_and_is_told_before(
    clients: Clients, locks: Locks, account: Account
) -> None:
    account.client("sqs").create_queue(QueueName="paygo-bare-identity")

    assert [found.name for _, found in plan(clients, locks, Wish(), NOW).unowned] == ["paygo-bare-identity"]
    planned = plan(clients, locks, Wish(named=frozenset({"paygo-bare"})), NOW)
    assert verdicts(planned) == {"paygo-bare": (True, "named")}
    assert removed(clients, locks, planned).gone == ["paygo-bare"]


def test_the_accounts_own_resources_are_nobodys_stack(clients: Clients, locks: Locks, account: Account) -> None:
    tags = {"Project": "paygo", "ManagedBy": "terraform"}
    account.client("sqs").create_queue(QueueName="paygo-account-janitor", tags=tags)

    planned = plan(clients, locks, Wish(named=frozenset({"paygo-account"})), NOW)

    assert planned.going == [] or planned.going[0].tasks == []
    assert left_of(clients, "paygo-account") == []
    assert account.client("sqs").list_queues()["QueueUrls"]


@pytest.mark.parametrize("has_state", [True, False])
def test_a_table_that_may_not_be_deleted_protects_its_stack_even_without_a_state(
    clients: Clients, locks: Locks, account: Account, has_state: bool
) -> None:
    tags = account.stack("paygo-kept", ExpiresAt="2026-11-29T00:00:00Z")
    pairs = [{"Key": key, "Value": value} for key, value in tags.items()]
    account.table("paygo-kept-ledger", pairs, protected=True)
    if not has_state:
        storage.forget(clients, "stacks/")

    planned = plan(clients, locks, Wish(), NOW)

    assert verdicts(planned) == {"paygo-kept": (False, "protected: something of it may not be deleted")}


def test_a_state_that_says_protected_is_believed(clients: Clients, locks: Locks, account: Account) -> None:
    tags = account.stack("paygo-kept", ExpiresAt="2026-11-29T00:00:00Z")
    account.state("paygo-kept", tags, deletion_protection_enabled=True)

    assert not plan(clients, locks, Wish(named=frozenset({"paygo-kept"})), NOW).going


def test_a_stack_that_somebody_deploys_meanwhile_is_left_and_told(
    clients: Clients, locks: Locks, account: Account
) -> None:
    account.stack("paygo-old", ExpiresAt="2026-11-29T00:00:00Z")
    planned = plan(clients, locks, Wish(), NOW)
    storage.write(
        clients, storage.lock_key("paygo-old"), {"doing": "deploy", "who": "ada", "host": "x", "since": "now"}
    )

    outcome = removed(clients, locks, planned)

    assert outcome.left == ["paygo-old: in use: a deploy by ada on x since now"]
    assert left_of(clients, "paygo-old")


def test_a_stack_that_was_renewed_meanwhile_is_given_back_and_told(
    clients: Clients, locks: Locks, account: Account
) -> None:
    tags = account.stack("paygo-old", ExpiresAt="2026-11-29T00:00:00Z")
    planned = plan(clients, locks, Wish(), NOW)
    account.state("paygo-old", tags | {"ExpiresAt": "never"})
    before = left_of(clients, "paygo-old")

    outcome = removed(clients, locks, planned)

    assert (outcome.gone, outcome.left) == ([], [])
    assert outcome.stayed == ["paygo-old stays: it never expires"]
    assert outcome.stayed[0] in report.ending(outcome)
    assert left_of(clients, "paygo-old") == before
    assert storage.read(clients, storage.lock_key("paygo-old")) is None


def test_a_stack_that_was_protected_meanwhile_is_given_back_even_when_its_removal_was_begun(
    clients: Clients, locks: Locks, account: Account
) -> None:
    tags = account.stack("paygo-old")
    locks.take("paygo-old", "named", NOW, run._PATIENCE)
    planned = plan(clients, locks, Wish(), NOW + run._PATIENCE)
    pairs = [{"Key": key, "Value": value} for key, value in tags.items()]
    account.table("paygo-old-ledger", pairs, protected=True)

    outcome = removed(clients, Locks(clients, "the next", is_dead=lambda _: True), planned)

    assert verdicts(planned) == {"paygo-old": (True, "named")}
    assert outcome.stayed == ["paygo-old stays: protected: something of it may not be deleted"]
    assert "table paygo-old-identity" in left_of(clients, "paygo-old")


def test_what_the_plan_has_seen_is_not_asked_for_its_tags_again_and_what_came_after_it_is(
    clients: Clients, locks: Locks, account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    account.stack("paygo-old")
    planned = plan(clients, locks, Wish(named=frozenset({"paygo-old"})), NOW)
    queues = account.client("sqs")
    queues.create_queue(QueueName="paygo-old-late", tags={"Stack": "paygo-old"})
    queues.create_queue(QueueName="paygo-old-theirs", tags={"Stack": "paygo-old-other"})
    asked: list[str] = []
    ask = look.with_tags

    def with_tags(clients: Clients, kind: Kind, found: Found) -> Found | None:
        if found.tags is None:
            asked.append(found.name)
        return ask(clients, kind, found)

    monkeypatch.setattr(look, "with_tags", with_tags)

    outcome = removed(clients, locks, planned)

    assert (outcome.gone, outcome.left) == (["paygo-old"], [])
    assert sorted(asked)[:2] == ["paygo-old-late", "paygo-old-theirs"]
    assert {name for name in asked if name.startswith("paygo-old-")} == {"paygo-old-late", "paygo-old-theirs"}
    assert [url.rpartition("/")[2] for url in queues.list_queues()["QueueUrls"]] == ["paygo-old-theirs"]


def test_what_came_after_the_plan_is_removed_too(clients: Clients, locks: Locks, account: Account) -> None:
    tags = account.stack("paygo-old", ExpiresAt="2026-11-29T00:00:00Z")
    planned = plan(clients, locks, Wish(), NOW)
    account.client("sqs").create_queue(QueueName="paygo-old-later", tags=tags)
    told: list[str] = []

    remove(
        clients,
        Clients(HERE, attempts=1),
        locks,
        LocalBuckets(),
        planned,
        told.append,
    )

    assert told[0] == f"Removing {len(planned.going[0].tasks) + 1} resources of 1 stack."
    assert left_of(clients, "paygo-old") == []


def test_what_came_while_the_rest_was_removed_is_named_and_removed_too(
    clients: Clients, locks: Locks, account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    tags = account.stack("paygo-old", ExpiresAt="2026-11-29T00:00:00Z")
    removes, late, told = work.removal, ["paygo-old-late-1", "paygo-old-late-2"], list[str]()

    def removal(clients: Clients, task: Task) -> Removed | Refused | Throttled:
        if task.kind.words == "table":
            while late:
                account.client("sqs").create_queue(QueueName=late.pop(0), tags=tags)
        return removes(clients, task)

    monkeypatch.setattr(work, "removal", removal)

    planned = plan(clients, locks, Wish(), NOW)
    outcome = remove(clients, Clients(HERE, attempts=1), locks, LocalBuckets(), planned, told.append)

    again = [line for line in told if line.startswith("A fresh look")]
    assert again == ["A fresh look finds 2 resources: queue paygo-old-late-1, queue paygo-old-late-2."]
    assert (outcome.gone, outcome.left) == (["paygo-old"], [])


def take_over(clients: Clients, stack: str) -> dict[str, str]:
    theirs = {"doing": "removal", "who": "another", "why": "named", "until": "2100-01-01T00:00:00Z"}
    storage.write(clients, storage.lock_key(stack), theirs)
    return theirs


def test_a_stack_that_another_took_over_is_neither_forgotten_nor_paused(
    clients: Clients, locks: Locks, account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    for stack in ("paygo-done", "paygo-half"):
        account.stack(stack, ExpiresAt="2026-11-29T00:00:00Z")
    planned = plan(clients, locks, Wish(), NOW)
    removes = work.removal
    theirs: dict[str, str] = {}

    def removal(clients: Clients, task: Task) -> Removed | Refused | Throttled:
        theirs.update(take_over(clients, task.stack))
        guarded = task.stack == "paygo-half" and task.kind.words == "queue"
        return Refused("it is guarded") if guarded else removes(clients, task)

    monkeypatch.setattr(work, "removal", removal)
    monkeypatch.setattr("janitor.schedule.ATTEMPTS", 1)
    monkeypatch.setattr(run, "ROUNDS", 1)

    outcome = removed(clients, locks, planned)

    assert outcome.gone == []
    assert outcome.left == [f"paygo-{name}: in use: somebody else took its removal over" for name in ("done", "half")]
    assert storage.stacks(clients) == {"paygo-done", "paygo-half"}
    assert all(storage.read(clients, storage.lock_key(stack)) == theirs for stack in planned.states)


def test_a_lease_lasts_past_the_deadline_until_the_fresh_look_has_ended(
    clients: Clients, locks: Locks, account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    account.stack("paygo-old", ExpiresAt="2026-11-29T00:00:00Z")
    refuse_queues(monkeypatch)
    leases: list[str] = []
    begin = Locks.begin

    def begun(self: Locks, stack: str, why: str) -> bool:
        leases.append(str((storage.read(clients, storage.lock_key(stack)) or {})["until"]))
        return begin(self, stack, why)

    monkeypatch.setattr(Locks, "begin", begun)
    deadline = time.time() + 20

    removed(clients, locks, plan(clients, locks, Wish(), NOW), deadline)

    # Whole seconds are written down.
    assert datetime.fromisoformat(leases[0]).timestamp() > deadline + run.RESERVE + 59


def test_a_look_that_was_killed_before_it_judged_again_began_no_removal(
    clients: Clients, locks: Locks, account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    tags = account.stack("paygo-old", ExpiresAt="2026-11-29T00:00:00Z")
    planned = plan(clients, locks, Wish(), NOW)
    account.state("paygo-old", tags | {"ExpiresAt": "never"})

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(run, "_judged_again", killed)
    with pytest.raises(KeyboardInterrupt):
        removed(clients, locks, planned)

    later = plan(clients, Locks(clients, "the next", is_dead=lambda _: True), Wish(), NOW)
    assert verdicts(later) == {"paygo-old": (False, "it never expires")}


def test_what_cannot_be_removed_is_named_with_its_reason_and_its_state_is_kept(
    clients: Clients, locks: Locks, account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    account.stack("paygo-old", ExpiresAt="2026-11-29T00:00:00Z")
    refuse_queues(monkeypatch)

    outcome = removed(clients, locks, plan(clients, locks, Wish(), NOW))

    assert outcome.gone == []
    assert outcome.left == ["queue paygo-old-identity: it is guarded"]
    assert left_of(clients, "paygo-old") == ["queue paygo-old-identity"]
    assert storage.stacks(clients) == {"paygo-old"}
    later = plan(clients, locks, Wish(), datetime.now(UTC))
    assert verdicts(later)["paygo-old"] == (True, "expired 2026-11-29T00:00:00Z")


def refuse_queues(monkeypatch: pytest.MonkeyPatch) -> None:
    removes = work.removal

    def removal(clients: Clients, task: Task) -> Removed | Refused | Throttled:
        return Refused("it is guarded") if task.kind.words == "queue" else removes(clients, task)

    monkeypatch.setattr(work, "removal", removal)
    monkeypatch.setattr("janitor.schedule.ATTEMPTS", 1)
    monkeypatch.setattr(run, "ROUNDS", 1)


def test_a_slice_that_ran_out_of_time_lets_the_next_one_go_on(clients: Clients, locks: Locks, account: Account) -> None:
    account.stack("paygo-old")
    planned = plan(clients, locks, Wish(named=frozenset({"paygo-old"})), NOW)

    first = removed(clients, locks, planned, deadline=time.time() - 1)
    second_plan = plan(clients, Locks(clients, "the next"), Wish(), datetime.now(UTC))
    second = removed(clients, locks, second_plan)

    assert not first.in_time
    assert all(line.endswith("there was no time for it") for line in first.left)
    assert verdicts(second_plan) == {"paygo-old": (True, "named")}
    assert (second.gone, second.left) == (["paygo-old"], [])


def test_a_removal_killed_before_its_state_was_forgotten_only_forgets(
    clients: Clients, locks: Locks, account: Account
) -> None:
    account.state("paygo-old", {"ExpiresAt": "never"})
    locks.take("paygo-old", "named", NOW, run._PATIENCE)

    planned = plan(clients, Locks(clients, "the next"), Wish(), NOW + run._PATIENCE)
    outcome = removed(clients, Locks(clients, "the next", is_dead=lambda _: True), planned)

    assert verdicts(planned) == {"paygo-old": (True, "named")}
    assert outcome.gone == ["paygo-old"]
    assert storage.stacks(clients) == set()


def test_a_state_that_knows_more_than_a_look_finds_is_kept_and_told(
    clients: Clients, locks: Locks, account: Account
) -> None:
    stray = {"mode": "managed", "type": "aws_db_instance", "instances": [{"attributes": {"name": "paygo-old-db"}}]}
    storage.write(clients, storage.state_key("paygo-old"), {"resources": [stray]})

    outcome = removed(clients, locks, plan(clients, locks, Wish(named=frozenset({"paygo-old"})), NOW))

    assert outcome.left == ["paygo-old: aws_db_instance: the janitor does not know this kind"]
    assert storage.stacks(clients) == {"paygo-old"}


@pytest.mark.parametrize(
    ("kind", "name", "told"),
    [
        ("aws_sqs_queue", "paygo-old-identity", []),
        ("aws_cloudwatch_log_group", "API-Gateway-Execution-Logs_a1/v", []),
        ("aws_iot_topic_rule", "paygo_old_credit", []),
        ("aws_lambda_event_source_mapping", "arn:aws:lambda:us-east-1:1:function:paygo-old-f:live", []),
        ("aws_lambda_permission", "whatever", []),
        ("aws_sqs_queue", "renamed", ["aws_sqs_queue renamed: it is not named like its stack"]),
    ],
)
def test_names_in_a_state_that_no_listing_finds_are_told(kind: str, name: str, told: list[str]) -> None:
    state = State({"resources": [{"mode": "managed", "type": kind, "instances": [{"attributes": {"name": name}}]}]})

    assert look.not_seen(state, "paygo-old") == told


def test_a_role_of_the_stacks_other_region_is_not_this_ones(clients: Clients, locks: Locks, account: Account) -> None:
    account.stack("paygo-old", Region="eu-west-1")
    storage.forget(clients, "stacks/")

    assert plan(clients, locks, Wish(), NOW).judged == [] or all(
        "role" not in str(task) for one in plan(clients, locks, Wish(), NOW).judged for task in one.tasks
    )


def test_a_dry_run_says_what_why_how_long_and_what_it_costs(clients: Clients, locks: Locks, account: Account) -> None:
    account.stack("paygo-old", ExpiresAt="2026-11-29T00:00:00Z")
    account.stack("paygo-new")
    account.client("cloudwatch").put_metric_alarm(
        AlarmName="paygo-old-dead",
        ComparisonOperator="GreaterThanThreshold",
        EvaluationPeriods=1,
        Threshold=0,
        MetricName="m",
        Namespace="n",
        Period=60,
        Statistic="Sum",
    )

    planned = plan(clients, locks, Wish(), NOW)
    head, old, new = report.table(planned)

    assert head.split() == ["stack", "goes", "why", "resources", "takes", "a", "month"]
    assert old.split()[:3] == ["paygo-old", "yes", "expired"]
    assert old.split()[4] == "6"
    assert old.endswith("$0.10")
    assert new.split()[:3] == ["paygo-new", "no", "it"]
    assert "1 stack with 6 resources would be gone in" in report.summary(planned)[0]
    assert "keeping them costs $0.10 a month" in report.summary(planned)[0]


def test_an_empty_account_is_said_to_be_empty(clients: Clients, locks: Locks) -> None:
    planned = plan(clients, locks, Wish(), NOW)

    assert report.table(planned) == ["The account holds no stack."]
    assert report.summary(planned) == []


def test_the_end_is_told_with_what_is_left_and_why() -> None:
    told = report.ending(Outcome(["paygo-a"], ["queue paygo-b-x: it is guarded"], 75, 2))

    assert told == [
        "paygo-a is gone: a fresh look finds nothing of it.",
        "AWS asked for patience 2 times; those calls were made again.",
        "1 thing left after 1 min 15 s:",
        "  queue paygo-b-x: it is guarded",
    ]
    assert report.ending(Outcome(["paygo-a"], [], 75, 0))[-1] == "Nothing is left after 1 min 15 s."
    assert report.shown([str(number) for number in range(50)])[-1] == "  and 10 more"


def test_progress_says_how_much_is_gone_and_when_it_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    def task(kind: Kind, number: int) -> Task:
        return Task(f"paygo-{number}", kind, Found(str(number), str(number)))

    schedule = Schedule([task(NAMED["REST API"], number) for number in range(4)])
    told: list[str] = []
    say = run._progress(told.append)

    say(schedule, time.time() + 1)
    assert told == []
    say(schedule, time.time() + 6)
    assert told[0].startswith("0 of 4 resources gone after 6 s, all at about ")
    assert told[0].endswith("what is waited for is DeleteRestApi")


def test_what_takes_long_is_told_with_its_limit_and_what_is_nobodys_with_its_name() -> None:
    stacks = [f"paygo-{number}" for number in range(10)]
    api = NAMED["REST API"]
    going = Verdict(goes=True, why="named")
    judged = [Judged(stack, going, [Task(stack, api, Found(stack, stack))]) for stack in stacks]
    strays = [(NAMED["queue"], Found(f"paygo-x-{number}", f"paygo-x-{number}")) for number in range(11)]

    _, limit, nobodys = report.summary(Plan(judged, strays))

    assert limit == "What takes so long is DeleteRestApi, which AWS allows once in 30 s: 4 min 30 s at least."
    assert "queue paygo-x-0, queue paygo-x-1" in nobodys
    assert nobodys.endswith("and 1 more")


@pytest.mark.parametrize(("seconds", "words"), [(8, "8 s"), (272, "4 min 32 s"), (6053, "1 h 41 min")])
def test_durations_are_written_as_people_say_them(seconds: float, words: str) -> None:
    assert report.duration(seconds) == words
