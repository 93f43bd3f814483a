"""`python -m operate`: what `make dead-letters`, `make audit`, `make rotate` and `make secret` run."""

import getpass
import json
import sys
import time
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from itertools import islice
from typing import Annotated

import typer
from botocore.exceptions import BotoCoreError, ClientError
from typer.exceptions import TyperException

from deploy import target
from deploy.errors import DeployError, sentence
from operate import pages, rotation
from operate.access import EMBEDDED_PROFILE, find_stack
from operate.answers import Answer, Moved
from operate.errors import OperateError
from operate.routes import PAGE, Routes, Wanted
from paygo_client.errors import ApiUnreachable, PaygoProblem, UnexpectedAnswer

app = typer.Typer(
    help="Look at a stack's dead letters, errors and audit, mend what got stuck, and change secrets.",
    add_completion=False,
    pretty_exceptions_enable=False,
)

INTERRUPTED = 130
_WRONGLY_CALLED = 2
STATES = ("open", "redriven", "discarded")
_FULL_ID = 36

Branch = Annotated[str, typer.Option(envvar="BRANCH", help="the branch whose stack this is")]
Profile = Annotated[str, typer.Option(envvar="PROFILE", help="an AWS profile; the embedded cloud needs none")]
Region = Annotated[str, typer.Option(envvar="REGION", help="an AWS region, instead of the profile's")]
Service = Annotated[str, typer.Option(help="only this service's letters")]
Consumer = Annotated[str, typer.Option(help="only this consumer's: book-payments, or ledger/book-payments")]
Cause = Annotated[str, typer.Option("--reason", help="only letters with exactly this reason")]
All = Annotated[bool, typer.Option("--all", help="every open letter")]
AsJson = Annotated[bool, typer.Option("--json", help="print the answers as JSON, for other programs")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="do not ask")]


@app.command("list")
def list_letters(
    branch: Branch,
    profile: Profile = "",
    region: Region = "",
    service: Service = "",
    consumer: Consumer = "",
    reason: Cause = "",
    state: Annotated[str, typer.Option(help="open, redriven or discarded")] = "open",
    as_json: AsJson = False,
) -> None:
    """List dead letters by consumer and reason: what, why, how old, how often tried."""
    if state not in STATES:
        message = f"A letter is {', '.join(STATES[:-1])} or {STATES[-1]}, not {state}."
        raise OperateError(message)
    letters = list(_routes(branch, profile, region).letters(_wanted(service, consumer, reason), state))
    if as_json:
        _print_json(letters)
    else:
        pages.list_letters(pages.console(), letters, state, datetime.now(UTC))


@app.command()
def show(
    letter_id: Annotated[str, typer.Argument(help="a letter's id, or what the list shows of it")],
    branch: Branch,
    profile: Profile = "",
    region: Region = "",
    body: Annotated[bool, typer.Option("--body", help="the message too, which may hold a person's data")] = False,
    as_json: AsJson = False,
) -> None:
    """Show a letter with its history: each attempt's error, place and log, and who did what with it."""
    routes = _routes(branch, profile, region)
    letter = routes.letter(_full_id(routes, letter_id))
    if as_json:
        _print_json(letter if body else letter.model_copy(update={"body": None}))
    else:
        pages.show_letter(pages.console(), letter, datetime.now(UTC), with_body=body)


@app.command()
def redrive(
    branch: Branch,
    letter_ids: Annotated[list[str] | None, typer.Argument(help="letters; or say which with options")] = None,
    profile: Profile = "",
    region: Region = "",
    service: Service = "",
    consumer: Consumer = "",
    reason: Cause = "",
    everything: All = False,
    rate: Annotated[float, typer.Option(help="letters a second", min=0.1, max=100)] = 10,
    yes: Yes = False,
) -> None:
    """Send letters' messages again: one, some or all, no faster than --rate."""
    wanted = _choice(letter_ids, _wanted(service, consumer, reason), everything=everything)
    routes = _routes(branch, profile, region)
    out = pages.console()
    for place, letter_id in enumerate(letter_ids or ()):
        if place:
            time.sleep(1 / rate)
        after = routes.redrive(_full_id(routes, letter_id))
        again = "" if after.state == "redriven" else ", and died again at once"
        out.print(f"Redriven: {after.letter_id}{again}")
    if wanted is not None and _agreed(routes, wanted, f"Redrive {{}} at {rate:g} a second?", yes=yes):
        _follow(routes.redrive_some(wanted, rate, time.sleep), "redriven")


@app.command()
def discard(
    branch: Branch,
    letter_ids: Annotated[list[str] | None, typer.Argument(help="letters; or say which with options")] = None,
    profile: Profile = "",
    region: Region = "",
    why: Annotated[str, typer.Option("--reason", help="why; it stays in the letters' history")] = "",
    service: Service = "",
    consumer: Consumer = "",
    cause: Annotated[str, typer.Option("--died-of", help="only letters with exactly this reason")] = "",
    everything: All = False,
    yes: Yes = False,
) -> None:
    """Close letters without sending them, with a reason."""
    if not why.strip():
        message = "Say why: --reason '...'. It stays in the letter's history."
        raise OperateError(message)
    wanted = _choice(letter_ids, _wanted(service, consumer, cause), everything=everything)
    routes = _routes(branch, profile, region)
    for letter_id in letter_ids or ():
        pages.console().print(f"Discarded: {routes.discard(_full_id(routes, letter_id), why).letter_id}")
    if wanted is not None and _agreed(routes, wanted, "Discard {}?", yes=yes):
        _follow(routes.discard_some(wanted, why), "discarded")


@app.command()
def errors(branch: Branch, profile: Profile = "", region: Region = "", as_json: AsJson = False) -> None:
    """List the errors of all functions by service, type and place: how often, since when, where the log is."""
    reports = list(_routes(branch, profile, region).reports())
    if as_json:
        _print_json(reports)
    else:
        pages.list_reports(pages.console(), reports, datetime.now(UTC))


@app.command()
def audit(
    branch: Branch,
    profile: Profile = "",
    region: Region = "",
    day: Annotated[str, typer.Option(help="a day in UTC, as 2026-11-21; today unless a household is named")] = "",
    household: Annotated[str, typer.Option(help="a household's id: all its days, or the one of --day")] = "",
    act: Annotated[str, typer.Option(help="only this act, as signed-in; docs/audit.md lists them")] = "",
    limit: Annotated[int, typer.Option(help="so many of the newest", min=1)] = 100,
    as_json: AsJson = False,
) -> None:
    """List who did what, when and from where, newest first."""
    named = {"day": day, "household_id": household, "act": act}
    wanted = {name: value for name, value in named.items() if value}
    events = list(islice(_routes(branch, profile, region).audit(wanted, min(limit, PAGE)), limit))
    if as_json:
        _print_json(events)
    else:
        pages.list_audit(pages.console(), events)


@app.command()
def rotate(
    secret: Annotated[
        str, typer.Argument(envvar="SECRET", help="as partners/mobile-money, outbound/crm, operations/webhook")
    ],
    branch: Branch,
    step: Annotated[
        str, typer.Argument(envvar="STEP", help="next, finish what a signing key's next began, or api-key")
    ] = "next",
    profile: Profile = "",
    region: Region = "",
) -> None:
    """Change a secret without locking anybody out; its value is never shown."""
    access = find_stack(branch, profile or None, region or None)
    print(rotation.rotate(access.client, access.stack, secret, step, _ask))


@app.command()
def secret(
    name: Annotated[str, typer.Argument(envvar="SECRET", help="as outbound/crm, operations/webhook")],
    stage: Annotated[str, typer.Option(envvar="STAGE", help="staging or production")],
    profile: Profile = "",
    region: Region = "",
) -> None:
    """Put a secret where the deploys of staging or production look for it; its value is never shown."""
    clients = target.choose(profile or None, region or None, user=EMBEDDED_PROFILE).clients()
    print(rotation.put(clients, stage, name, _ask))


def main() -> int:
    """Run a command; whatever goes wrong is told in a sentence."""
    try:
        if app(standalone_mode=False) == INTERRUPTED:
            raise typer.Abort
    except TyperException as failure:
        return _fail(_usage(failure), _WRONGLY_CALLED)
    except (KeyboardInterrupt, typer.Abort):
        return _fail("Stopped. What was done is done; the other letters are as they were.", INTERRUPTED)
    except (OperateError, DeployError, PaygoProblem, ApiUnreachable, UnexpectedAnswer) as failure:
        return _fail(str(failure), 1)
    except (BotoCoreError, ClientError) as failure:
        return _fail(sentence(failure), 1)
    return 0


def _ask(what: str) -> str:
    """Read what nobody should see: from a person without showing it, else from what was piped in."""
    if sys.stdin.isatty():
        return getpass.getpass(f"{what}: ")
    return sys.stdin.readline().rstrip("\r\n")


def _routes(branch: str, profile: str, region: str) -> Routes:
    return Routes(find_stack(branch, profile or None, region or None))


def _wanted(service: str, consumer: str, reason: str) -> Wanted:
    before, slash, after = consumer.partition("/")
    if slash:
        if service not in {"", before}:
            message = f"{consumer} is not of the service {service}."
            raise OperateError(message)
        service, consumer = before, after
    named = {"service": service, "consumer": consumer, "reason": reason}
    return {name: value for name, value in named.items() if value}


def _choice(letter_ids: list[str] | None, wanted: Wanted, *, everything: bool) -> Wanted | None:
    """Return which letters are meant, or nothing when they are named one by one."""
    if letter_ids:
        if wanted or everything:
            message = "Name letters, or say which with options, not both."
            raise OperateError(message)
        return None
    if not wanted and not everything:
        message = "Which letters? Name one, say --service, --consumer or a reason, or --all."
        raise OperateError(message)
    if wanted and everything:
        message = "--all means every open letter: leave it out, or leave out the rest."
        raise OperateError(message)
    return wanted


def _agreed(routes: Routes, wanted: Wanted, question: str, *, yes: bool) -> bool:
    # A program that calls this has decided; a person is shown how many they mean.
    if yes or not sys.stdin.isatty():
        return True
    count = sum(1 for _ in routes.letters(wanted))
    if count == 0:
        print("No open letters are meant.")
        return False
    return typer.confirm(question.format(f"{count} letter{'s' if count > 1 else ''}"))


def _follow(moves: Iterable[Moved], done: str) -> None:
    out = pages.console()
    count, skipped = 0, 0
    for moved in moves:
        count += len(moved.letter_ids)
        skipped += len(moved.skipped)
        if moved.next_cursor is not None:
            out.print(f"  {count} {done}")
        for letter_id in moved.skipped:
            out.print(f"  not {done}: {letter_id}; look at it with show")
    out.print(f"{count} {done}" + (f", {skipped} not" if skipped else ""))


def _full_id(routes: Routes, letter_id: str) -> str:
    if len(letter_id) == _FULL_ID:
        return letter_id
    for state in STATES:
        found = {one.letter_id for one in routes.letters({}, state) if one.letter_id.startswith(letter_id.lower())}
        if len(found) == 1:
            return found.pop()
        if found:
            message = f"{len(found)} letters begin with {letter_id}: name more of it."
            raise OperateError(message)
    message = f"No letter begins with {letter_id}."
    raise OperateError(message)


def _print_json(answer: Answer | Sequence[Answer]) -> None:
    several = [answer] if isinstance(answer, Answer) else answer
    found = [one.model_dump(mode="json") for one in several]
    print(json.dumps(found[0] if isinstance(answer, Answer) else found, indent=2))


def _usage(failure: TyperException) -> str:
    told = failure.format_message() if hasattr(failure, "format_message") else str(failure)
    return f"{told.rstrip('.')}. `python -m operate --help` lists what can be said."


def _fail(text: str, status: int) -> int:
    sys.stdout.flush()
    print(f"paygo: {' '.join(text.split())}", file=sys.stderr)
    return status


if __name__ == "__main__":
    sys.exit(main())
