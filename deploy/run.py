"""Bring a stack up, take it away, and say what is there of it."""

import contextlib
import getpass
import json
import platform
import re
import shutil
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from deploy import (
    account,
    account_report,
    approval,
    capacity,
    comparison,
    leftovers,
    lock,
    needs,
    packages,
    preflight,
    releases,
    rollout,
    smoke,
    stage_secrets,
    storage,
    target,
    terraform,
)
from deploy import stack as names
from deploy.commits import described, git, resolve
from deploy.errors import AlreadyThereError, DeployError, TerraformKilled
from deploy.progress import Progress
from deploy.storage import State
from deploy.target import ROOT, Clients, Target
from deploy.terraform import Folder

_LOOKS = 4


@dataclass(frozen=True)
class Wish:
    """What is asked for on the command line."""

    branch: str
    profile: str | None = None
    region: str | None = None
    stage: str | None = None
    ttl: str | None = None
    architecture: str | None = None
    mail_sender: str | None = None
    alarm_address: str | None = None
    delay_scale: float | None = None
    partner_urls: Mapping[str, str] | None = None
    token_keys: Sequence[str] | None = None
    firewall: bool | None = None
    partner_network: Mapping[str, Any] | None = None
    janitor_applies: bool | None = None
    replace: str | None = None
    compare: bool = False
    """Whether Terraform compares everything though nothing is known to have changed."""
    emergency: str | None = None
    patience: float = 0
    """How many seconds to wait for somebody else's run on the stack to end."""
    roles: str | None = None

    @property
    def stack(self) -> str:
        return names.stack_name(self.branch)


STAGES = {"dev": "development", "development": "development", "staging": "staging", "production": "production"}


def stage(text: str) -> str:
    """Read what a stack is for.

    >>> stage("dev")
    'development'
    """
    try:
        return STAGES[text]
    except KeyError:
        msg = f"STAGE is development, staging or production: not '{text}'."
        raise ValueError(msg) from None


def scale(text: str) -> float:
    """Read what a stack's delays are multiplied by.

    >>> scale("0.01")
    0.01
    """
    try:
        return float(text)
    except ValueError:
        msg = f"DELAY_SCALE is a number, as 0.01: not '{text}'."
        raise ValueError(msg) from None


def roles(text: str) -> str:
    """Read what is to have a role of its own.

    >>> roles("service")
    'service'
    """
    if text not in {"function", "service"}:
        msg = f"ROLES is function or service, what has a role of its own: not '{text}'."
        raise ValueError(msg)
    return text


def keys(text: str) -> list[str]:
    """Read the names of the keys of bearer tokens, the one that signs first.

    >>> keys("2,1")
    ['2', '1']
    """
    names = [name.strip() for name in text.split(",")]
    if not all(re.fullmatch(r"[0-9A-Za-z-]+", name) for name in names) or len(set(names)) < len(names):
        msg = f"TOKEN_KEYS names keys, the one that signs first, as 2,1: not '{text}'."
        raise ValueError(msg)
    return names


def switch(text: str, variable: str) -> bool:
    """Read what is either to be or not.

    >>> switch("yes", "FIREWALL")
    True
    """
    if text not in {"yes", "no"}:
        msg = f"{variable} is yes or no, not '{text}'."
        raise ValueError(msg)
    return text == "yes"


def network(text: str) -> dict[str, Any]:
    """Read which network reaches a partner's, `none` for none.

    >>> network("none")
    {}
    """
    try:
        read = {} if text == "none" else json.loads(text)
    except ValueError:
        read = None
    if not isinstance(read, dict) or read.keys() not in (set(), {"cidr", "partner_cidr", "customer_gateway_ip", "asn"}):
        msg = (
            'PARTNER_NETWORK is none, or JSON as {"cidr": "10.20.0.0/24", "partner_cidr": "192.0.2.0/24", '
            '"customer_gateway_ip": "198.51.100.7", "asn": 65010}.'
        )
        raise ValueError(msg)
    return read


def number(text: str) -> int:
    """Read the number of a release.

    >>> number("12")
    12
    """
    if not re.fullmatch(r"[0-9]+", text):
        msg = f"TO is the number of a release, as `make status` lists them: not '{text}'."
        raise ValueError(msg)
    return int(text)


def pipeline(text: str) -> dict[str, Any]:
    """Read which CI deploys, or `none`.

    >>> pipeline('{"deployers": ["arn:aws:iam::123456789012:user/ci"]}')
    {'deployers': ['arn:aws:iam::123456789012:user/ci']}
    """
    if text == "none":
        return {}
    names = {"issuer", "audience", "deployers", "releasers", "released_stacks"}
    try:
        read = json.loads(text)
    except ValueError:
        read = None
    if not isinstance(read, dict) or not set(read) <= names or not {"deployers", "releasers"} & set(read):
        msg = "OIDC is none, or JSON with a CI's issuer, audience, deployers and releasers: docs/first-account.md."
        raise ValueError(msg)
    return read


def budget(text: str) -> float:
    """Read what an account may cost a month, in US dollars; 0 for `none`.

    >>> budget("250")
    250.0
    """
    if text == "none":
        return 0.0
    try:
        return float(text)
    except ValueError:
        msg = f"BUDGET is an amount of US dollars a month, or none: not '{text}'."
        raise ValueError(msg) from None


def addresses(text: str) -> dict[str, str]:
    """Read where third parties are reached, by name.

    >>> addresses('{"bank": "https://bank.example.org"}')
    {'bank': 'https://bank.example.org'}
    """
    try:
        read = json.loads(text)
    except ValueError:
        read = None
    if not isinstance(read, dict) or not all(isinstance(url, str) for url in read.values()):
        msg = 'PARTNER_URLS is JSON that names addresses, as {"bank": "https://bank.example.org"}.'
        raise ValueError(msg)
    return read


def up(wish: Wish) -> dict[str, Any]:
    """Bring a branch's stack up, or up to date, and return its access description."""
    began = time.monotonic()
    names.expiry(datetime.now(UTC), wish.ttl or names.LIFETIME)  # a mistyped TTL is told before anything is made
    home = target.home_folder()
    cloud = target.choose(wish.profile, wish.region)
    print(f"{wish.stack} on {cloud.words}")
    clients = cloud.clients()
    storage.make_state_bucket(clients)
    with lock.held(clients, wish.stack, "deploy", home, _tell, patience=wish.patience):
        _told("lock", "taken", began)
        state = State.load(clients, lock.state_key(wish.stack))
        _refuse_another_branch(wish, state)
        stage = _stage(wish, state)
        if approval.needed(stage, state.output("stage")):
            approval.require(clients, wish.stack, wish.branch, wish.emergency, _tell)
        secrets = stage_secrets.require(clients, stage, _partner_urls(wish, state, stage), wish.profile)
        folder = _folder(wish.stack, cloud, home)
        architecture = wish.architecture or state.output("architecture") or "arm64"
        packages_target = "local" if cloud.embedded else architecture
        needed = _needed(wish, state)
        with _in_parallel() as submit:
            looked = submit(_timed, preflight.check, clients, wish.stack, needed, state)
            built = submit(_timed, packages.build, ROOT, home, packages_target)
            initialised = submit(folder.init)
            compared = submit(_compared, clients, wish.stack, state)
            room, took = looked()
            _tell(f"preflight: {room} ({took:.1f} s)")
            built_here, took = built()
            manifest = packages.of_stage(built_here, stage)
            _tell(f"build: {len(manifest)} packages ({took:.1f} s)")
            wanted = account.Wanted(
                wish.mail_sender,
                wish.token_keys,
                wish.firewall,
                wish.partner_network,
                janitor_applies=wish.janitor_applies,
            )
            janitor = _janitor(home, packages_target, manifest)
            given = account.ensure(clients, home, names.tag_value(_person()), wanted, janitor)
            since = time.monotonic()
            uploaded = storage.upload(clients, home / "build" / packages_target, manifest)
            _told("upload", f"{uploaded} packages", since)
            differs = compared()
            _clear(clients, wish.stack, differs.strays)
            initialised()
        variables = _variables(wish, cloud, state, manifest, given, architecture) | {"secrets": secrets}
        times = home / "terraform" / f"times-{'embedded' if cloud.embedded else 'aws'}.json"
        made, changes, compared_with = _settle(clients, wish, folder, variables, state, differs.missing, times)
        with comparison.kept(clients, wish.stack, compared_with, variables):
            access = _access(cloud, made)
            rollout.go_live(clients, wish.stack, made, _stamp(variables["commit"]), _tell)
            _hand_over(home, wish.stack, access, fresh=changes > 0)
        _tell(_lives(variables["expires_at"]))
    print(f"{wish.stack} is up after {time.monotonic() - began:.1f} s: {access['api_url']}")
    return access


def _hand_over(home: Path, stack: str, access: Mapping[str, Any], *, fresh: bool) -> None:
    """See that the stack answers, and write down how it is reached."""
    since = time.monotonic()
    _told("smoke test", smoke.check(access["api_url"], fresh=fresh), since)
    since = time.monotonic()
    _write(home, stack, access)
    _told("outputs", _access_file(home, stack).name, since)


def destroy(wish: Wish) -> None:
    """Take a branch's stack away and show that nothing of it is left."""
    began = time.monotonic()
    home = target.home_folder()
    if not wish.profile and not target.embedded_cloud_runs():
        _forget_here(home, wish.stack)
        print(f"The embedded cloud does not run, so there is no {wish.stack}.")
        return
    cloud = target.choose(wish.profile, wish.region)
    print(f"{wish.stack} on {cloud.words}")
    clients = cloud.clients()
    storage.make_state_bucket(clients)
    with lock.held(clients, wish.stack, "destroy", home, _tell, patience=wish.patience):
        state = State.load(clients, lock.state_key(wish.stack))
        _refuse_another_branch(wish, state)
        _refuse_protected(clients, wish.stack, state)
        folder = _folder(wish.stack, cloud, home)
        with _in_parallel() as submit:
            initialised = submit((lambda: None) if state.is_empty else folder.init)
            _remove_devices(clients, wish.stack)
            initialised()
        comparison.forget(clients, wish.stack)
        failure = None if state.is_empty else _destroy_by_terraform(folder, wish, cloud, state)
        left = _remove_rest(clients, wish.stack)
        if left:
            told = "\n".join([f"{len(left)} resources of {wish.stack} could not be removed:", *left])
            raise DeployError(f"{told}\n{failure}" if failure else told)
        storage.forget(clients, lock.folder_key(wish.stack), kept=lock.lock_key(wish.stack))
    _forget_here(home, wish.stack)
    kinds = ", ".join(leftovers.counted(0, kind.words) for kind in leftovers.KINDS)
    print(f"Nothing of {wish.stack} is left, by a fresh look: {kinds}.")
    print(f"{wish.stack} is gone after {time.monotonic() - began:.1f} s")


def roll_back(wish: Wish, service: str | None, to: int | None) -> None:
    """Point a service of a branch's stack, or all of them, at an earlier release's versions."""
    began = time.monotonic()
    if not wish.profile and not target.embedded_cloud_runs():
        msg = f"The embedded cloud does not run, so there is no {wish.stack} to roll back."
        raise DeployError(msg)
    cloud = target.choose(wish.profile, wish.region)
    print(f"{wish.stack} on {cloud.words}")
    clients = cloud.clients()
    storage.make_state_bucket(clients)
    with lock.held(clients, wish.stack, "rollback", target.home_folder(), _tell):
        state = State.load(clients, lock.state_key(wish.stack))
        _refuse_another_branch(wish, state)
        goal, made = rollout.roll_back(
            clients, wish.stack, _stamp(""), service=service, to=to, stage=state.output("stage")
        )
    what = service or "everything"
    if made is None:
        print(f"Nothing to do: {what} is at release {goal.number}'s versions.")
        return
    for line in releases.moves_in_words(made, goal, wish.stack):
        _tell(line)
    print(
        f"{wish.stack} is at release {made.number} after {time.monotonic() - began:.1f} s, with {what} as in release "
        f"{goal.number}. Tables, routes and permissions stay as they are: docs/roll-back.md."
    )


def status(wish: Wish) -> None:
    """Say what is there of a branch's stack."""
    if not wish.profile and not target.embedded_cloud_runs():
        print(f"The embedded cloud does not run, so there is no {wish.stack}.")
        return
    cloud = target.choose(wish.profile, wish.region)
    clients = cloud.clients()
    storage.make_state_bucket(clients)
    state = State.load(clients, lock.state_key(wish.stack))
    found = leftovers.sweep(clients, wish.stack, storage.stacks(clients), State({}))
    print(f"{wish.stack} on {cloud.words}")
    for label, tag in (("branch", "Branch"), ("commit", "Commit"), ("created", "CreatedAt"), ("expires", "ExpiresAt")):
        print(f"  {label:<8} {state.tag(tag) or '-'}")
    holder = storage.read(clients, lock.lock_key(wish.stack))
    print(f"  {'in use':<8} {'by {who} on {host}, a {doing}'.format(**holder) if holder else 'no'}")
    print("  " + (leftovers.counted_each(one.kind.words for one in found) or "nothing is there"))
    for release in reversed(rollout.Record(clients, wish.stack).history):
        print(f"  release  {releases.summary(release)}")


def unlock(wish: Wish) -> None:
    """Free a stack whose deploy died where this machine cannot see it."""
    clients = target.choose(wish.profile, wish.region).clients()
    storage.make_state_bucket(clients)
    print(f"{wish.stack} is free." if lock.unlock(clients, wish.stack) else f"{wish.stack} was not locked.")


def show_capacity(wish: Wish) -> None:
    """Say how many stacks an account holds, and which quota decides."""
    cloud = target.choose(wish.profile, wish.region)
    clients = cloud.clients()
    storage.make_state_bucket(clients)
    kind = needs.kind(wish.stage or "development", wish.roles or "function")
    try:
        rows = capacity.capacity(clients, needs.recorded()[kind])
    except KeyError:
        raise DeployError(_no_such_kind(kind)) from None
    print(f"{cloud.words}, stacks of {kind}")
    for line in capacity.table(rows):
        _tell(line)
    print(capacity.binding(rows))


def approve(wish: Wish, commit: str) -> None:
    """Write down that the caller approves a commit for the branch's stack of production."""
    whole = resolve(commit)
    cloud = target.choose(wish.profile, wish.region, user="operator")
    clients = cloud.clients()
    one = approval.record(clients, wish.stack, whole)
    hours = approval.HOLDS.total_seconds() / 3600
    print(f"{one.who} approves {described(whole)} for {wish.stack} on {cloud.words}.")
    print(
        f"For {hours:.0f} hours somebody else may deploy it: make deploy BRANCH='{wish.branch}' STAGE={approval.STAGE}"
    )


def settle_account(wish: Wish, wanted: account.Wanted) -> None:
    """Set the account up, or right, and say what it has and what is left to do by hand."""
    began = time.monotonic()
    cloud = target.choose(wish.profile, wish.region)
    clients = cloud.clients()
    print(f"The account of {cloud.words}")
    home, packages_target = target.home_folder(), "local" if cloud.embedded else "arm64"
    janitor = _janitor(home, packages_target, packages.build(ROOT, home, packages_target))
    settled = account.settle(clients, home, names.tag_value(_person()), wanted, janitor)
    for line in account_report.has(settled):
        _tell(line)
    left = list(account_report.to_do(settled, account_report.look(clients, settled)))
    print("By hand:" if left else "Nothing is left to do by hand.")
    for number, line in enumerate(left, 1):
        _tell(f"{number}. {line}")
    print(f"The account is set up after {time.monotonic() - began:.1f} s")


def validate() -> None:
    """Check what Terraform is told, for a stack and for an account, without a cloud."""
    home = target.home_folder()
    folders = (ROOT / "terraform", ROOT / "terraform" / "account")
    faults = [fault for folder in folders for fault in terraform.validate(folder, home)]
    if faults:
        raise DeployError("\n".join(faults))


def access(wish: Wish) -> dict[str, Any]:
    """Read the access description of a stack that is up."""
    path = _access_file(target.home_folder(), wish.stack)
    try:
        described: dict[str, Any] = json.loads(path.read_bytes())
    except FileNotFoundError:
        msg = f"{wish.stack} was not deployed from here: make deploy BRANCH='{wish.branch}'"
        raise DeployError(msg) from None
    return described


def _folder(stack: str, cloud: Target, home: Path) -> Folder:
    return Folder(
        ROOT / "terraform", lock.working_folder(home, stack), home, terraform.backend(cloud, lock.state_key(stack))
    )


def _janitor(home: Path, packages_target: str, manifest: Mapping[str, Mapping[str, str]]) -> account.Package:
    entry = manifest[packages.JANITOR]
    return account.Package(home / "build" / packages_target / entry["file"], entry["key"])


def _settle(
    clients: Clients,
    wish: Wish,
    folder: Folder,
    variables: Mapping[str, Any],
    state: State,
    missing: Sequence[str],
    times: Path,
) -> tuple[State, int, comparison.Comparison]:
    """Make the stack what it should be; return its state, how much changed, and what says that it is that."""
    inputs = comparison.digest(variables)
    known = comparison.known(clients, wish.stack, inputs, state, datetime.now(UTC))
    if missing:
        _tell(f"gone, though the state knows of it: {leftovers.listed(missing)}")
    # Outside development, what somebody has changed by hand does not stay a day.
    if known and not missing and not wish.compare and not wish.replace and variables["stage"] == "development":
        ago = lock.age(known.at, datetime.now(UTC))
        _tell(f"{comparison.UNASKED}: compared {ago} ago, and all that is listed is there (COMPARE=yes compares again)")
        return state, 0, known
    comparison.forget(clients, wish.stack)
    changes = _apply(clients, wish.stack, folder, variables, state, wish.replace, times)
    made = State.load(clients, lock.state_key(wish.stack))
    return made, changes, comparison.Comparison.just_made(inputs, made)


def _apply(
    clients: Clients,
    stack: str,
    folder: Folder,
    variables: Mapping[str, Any],
    state: State,
    replace: str | None = None,
    times: Path | None = None,
) -> int:
    """Let Terraform make the stack what it should be, past what a lost answer left behind; return how much changed."""
    try:
        return _follow(folder.create if state.is_empty else partial(folder.update, replace=replace), variables, times)
    except AlreadyThereError:
        # An answer that got lost makes Terraform ask again for what it has made, and not know that it did. What is no
        # resource of its own, as a statement of a function's policy, is in nobody's way: the next one has another name.
        _clear(clients, stack, _compared(clients, stack, State.load(clients, lock.state_key(stack))).strays)
        return _follow(folder.update, variables, times) + 1  # at least what was there already


def _follow(
    apply: Callable[[Mapping[str, Any], Progress], None], variables: Mapping[str, Any], times: Path | None
) -> int:
    with Progress("Terraform", times=times) as progress:
        apply(variables, progress)
    _tell(f"apply: {progress.changes} changes ({progress.seconds_applying:.1f} s)")
    return progress.changes


def _compared(clients: Clients, stack: str, state: State) -> leftovers.Difference:
    return leftovers.compare(clients, stack, storage.stacks(clients), state)


def _clear(clients: Clients, stack: str, strays: list[leftovers.Leftover]) -> None:
    """Remove what a killed run left, unless people's data may be in it."""
    if not strays:
        return
    data = leftovers.holding_data(clients, strays)
    if data:
        msg = (
            f"{', '.join(data)}: Terraform's state of {stack} does not know of it, and it may hold people's data, "
            "so it is not removed. Look at it, then remove or import it; `make destroy` removes it too."
        )
        raise DeployError(msg)
    failures = leftovers.remove(clients, strays)
    if failures:
        raise DeployError("\n".join(["What an earlier run left could not be removed:", *failures]))
    _tell("removed what an earlier run left: " + leftovers.counted_each(one.kind.words for one in strays))


def _remove_devices(clients: Clients, stack: str) -> None:
    found = leftovers.sweep(clients, stack, storage.stacks(clients), State({}), leftovers.MADE_BY_DEVICES)
    if found:
        leftovers.remove(clients, found)
        things = sum(one.kind.words == "thing" for one in found)
        _tell(f"{things} devices and their certificates removed")


def _destroy_by_terraform(folder: Folder, wish: Wish, cloud: Target, state: State) -> str | None:
    """Let Terraform remove what it knows; what it fails at is left to the sweep."""
    try:
        with Progress("Terraform") as progress:
            keys = {name: f"artefacts/{name}" for name in (*packages.LAYERS, *packages.services(ROOT))}
            manifest = {name: {"key": key} for name, key in keys.items()}
            folder.destroy(_variables(wish, cloud, state, manifest, account.UNKNOWN, "arm64"), progress)
    except TerraformKilled:
        raise
    except DeployError as error:
        return str(error)
    _tell(f"{progress.changes} resources removed by Terraform ({progress.seconds:.1f} s)")
    return None


def _remove_rest(clients: Clients, stack: str) -> list[str]:
    """Remove whatever a fresh look finds, until one finds nothing; return what stays all the same."""
    failures: list[str] = []
    for look in range(_LOOKS):
        found = leftovers.sweep(clients, stack, storage.stacks(clients), State({}))
        if not found:
            return []
        if look == _LOOKS - 1:
            break
        _tell(f"{len(found)} resources were not in the state; removing them")
        failures = leftovers.remove(clients, found)
        time.sleep(look)
    return failures or [str(one) for one in found]


def _needed(wish: Wish, state: State) -> needs.Needs:
    """Say what the stack will have of what an account has so many of; nothing is known of a stage that is none."""
    kind = needs.kind(_stage(wish, state), _roles(wish, state))
    return needs.recorded().get(kind, {})


def _no_such_kind(kind: str) -> str:
    return (
        f"There are no stacks of {kind}: STAGE is development, staging or production, and ROLES=service for the first."
    )


def _refuse_another_branch(wish: Wish, state: State) -> None:
    branch = state.tag("Branch")
    if branch is not None and branch != names.tag_value(wish.branch):
        msg = f"{wish.stack} belongs to the branch {branch}: rename one of the two branches."
        raise DeployError(msg)


def _refuse_protected(clients: Clients, stack: str, state: State) -> None:
    if _is_protected(clients, stack, state):
        msg = f"{stack} is protected against deletion: deploy it with STAGE=development first if it really has to go."
        raise DeployError(msg)


def _is_protected(clients: Clients, stack: str, state: State) -> bool:
    if not state.is_empty:
        return any(table.get("deletion_protection_enabled") for table in state.known("aws_dynamodb_table"))
    # A state can be lost, and what it knew of be there all the same: then each is asked itself.
    kinds = [kind for kind in leftovers.KINDS if kind.protected]
    found = leftovers.sweep(clients, stack, storage.stacks(clients), state, kinds)
    return any(one.kind.protected and one.kind.protected(clients, one.found) for one in found)


def _variables(
    wish: Wish,
    cloud: Target,
    state: State,
    manifest: Mapping[str, Mapping[str, str]],
    given: account.Account,
    architecture: str,
) -> dict[str, Any]:
    now = datetime.now(UTC)
    stage = _stage(wish, state)
    return {
        "stack": wish.stack,
        "branch": names.tag_value(wish.branch),
        "commit": _commit(),
        "owner": state.tag("Owner") or names.tag_value(_person()),
        "created_at": state.tag("CreatedAt") or names.timestamp(now),
        "expires_at": _expiry(wish, state, stage, now),
        "stage": stage,
        "region": cloud.region,
        "artefact_bucket": storage.artefact_bucket(cloud),
        "artefacts": {name: entry["key"] for name, entry in manifest.items() if name != packages.JANITOR},
        "architecture": _own_architecture() if cloud.embedded else architecture,
        "mail_sender": given.mail_sender,
        "alarm_address": wish.alarm_address or state.output("alarm_address") or given.mail_sender,
        "delay_scale": _kept(wish.delay_scale, state.output("delay_scale"), 1, fits=stage == "development"),
        "roles": _roles(wish, state),
        "partner_urls": _partner_urls(wish, state, stage),
        "secrets": state.output("secrets") or {},
        "embedded": {"endpoint_url": cloud.endpoint_url} if cloud.embedded else None,
        **given.for_stacks,
    }


def _lives(until: str) -> str:
    """Say how long a stack lives.

    >>> _lives("never")
    'it stays until somebody destroys it'
    """
    return "it stays until somebody destroys it" if until == names.FOREVER else f"it may be removed after {until}"


def _expiry(wish: Wish, state: State, stage: str, now: datetime) -> str:
    """Keep the end that a stack's life has, unless another is asked for, it is over, or the stage is another."""
    before = state.tag("ExpiresAt")
    lasts = before == names.FOREVER or (before or "") > names.timestamp(now)
    if before and lasts and not wish.ttl and stage == (state.output("stage") or stage):
        return before
    return names.expiry(now, wish.ttl or (names.LIFETIME if stage == "development" else names.FOREVER))


def _stage(wish: Wish, state: State) -> str:
    # A staging stack that is deployed again without its stage said must not lose its protection.
    return wish.stage or state.output("stage") or "development"


def _roles(wish: Wish, state: State) -> str:
    kept = _kept(wish.roles, state.output("roles"), "function", fits=_stage(wish, state) == "development")
    return str(kept)


def _partner_urls(wish: Wish, state: State, stage: str) -> Mapping[str, str]:
    urls: Mapping[str, str] = _kept(wish.partner_urls, state.output("partner_urls"), {}, fits=stage != "development")
    return urls


def _kept(wished: Any, before: Any, otherwise: Any, *, fits: bool) -> Any:
    """Take what is asked for, else what the stack has, unless its stage now has no use for that."""
    if wished is not None:
        return wished
    return before if fits and before is not None else otherwise


def _access(cloud: Target, state: State) -> dict[str, Any]:
    described = state.output("access")
    if not described:
        msg = "The stack's state describes no access to it: run the deploy again."
        raise DeployError(msg)
    mqtt = {"ca_file": None, **described.get("mqtt", {}), **(cloud.mqtt or {})}
    return {**described, "mqtt": mqtt, "endpoint_url": cloud.endpoint_url}


def _access_file(home: Path, stack: str) -> Path:
    return home / "stacks" / f"{stack}.json"


def _write(home: Path, stack: str, described: Mapping[str, Any]) -> None:
    path = _access_file(home, stack)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(".new")
    temporary.write_text(json.dumps(described, indent=2) + "\n")
    temporary.replace(path)


def _forget_here(home: Path, stack: str) -> None:
    access = _access_file(home, stack)
    for path in access.parent.glob(f"{access.stem}.*"):  # the demo leaves a session's credentials beside it
        path.unlink()
    shutil.rmtree(lock.working_folder(home, stack), ignore_errors=True)


def _stamp(commit: str) -> releases.Stamp:
    return releases.Stamp(names.timestamp(datetime.now(UTC)), names.tag_value(_person()), commit)


def _commit() -> str:
    head = git("rev-parse", "--short=12", "HEAD")
    changed = git("status", "--porcelain", "--untracked-files=no")
    return f"{head or 'none'}{'-changed' if changed else ''}"


def _person() -> str:
    with contextlib.suppress(OSError, KeyError):
        return git("config", "user.email") or getpass.getuser()
    return "unknown"


def _own_architecture() -> str:
    return "arm64" if platform.machine() in {"arm64", "aarch64"} else "x86_64"


@contextlib.contextmanager
def _in_parallel() -> Iterator[Callable[..., Callable[[], Any]]]:
    """Start things at once: what is given back waits for the result."""
    with ThreadPoolExecutor(max_workers=4) as pool:
        yield lambda function, *arguments: pool.submit(function, *arguments).result


def _timed[**Given, Result](
    function: Callable[Given, Result], *arguments: Given.args, **named: Given.kwargs
) -> tuple[Result, float]:
    began = time.monotonic()
    return function(*arguments, **named), time.monotonic() - began


def _told(phase: str, what: str, since: float) -> None:
    _tell(f"{phase}: {what} ({time.monotonic() - since:.1f} s)")


def _tell(text: str) -> None:
    print(f"  {text}", flush=True)
