"""`python -m deploy`: what `make deploy` and `make destroy` run."""

import json
import os
import signal
import sys
from types import FrameType
from typing import Annotated

import typer
from botocore.exceptions import BotoCoreError, ClientError

from deploy import run
from deploy.errors import DeployError, Interrupted, sentence
from deploy.packages import BuildError

app = typer.Typer(
    help="Bring a branch's stack up on a cloud, and take it away.", no_args_is_help=True, pretty_exceptions_enable=False
)

_INTERRUPTED = 130

Branch = Annotated[str, typer.Option(envvar="BRANCH", help="the branch whose stack this is")]
Profile = Annotated[str, typer.Option(envvar="PROFILE", help="an AWS profile; without one, the embedded cloud")]
Region = Annotated[str, typer.Option(envvar="REGION", help="an AWS region, instead of the profile's")]


@app.command()
def up(
    branch: Branch,
    profile: Profile = "",
    region: Region = "",
    stage: Annotated[str, typer.Option(envvar="STAGE", help="development (or as before), staging, production")] = "",
    ttl: Annotated[str, typer.Option(envvar="TTL", help="how long the stack may live: 8h, 7d, never")] = "",
    architecture: Annotated[str, typer.Option(envvar="ARCHITECTURE", help="arm64 (or as before), x86_64")] = "",
    mail_sender: Annotated[str, typer.Option(envvar="MAIL_SENDER", help="the address e-mails come from")] = "",
    alarm_address: Annotated[str, typer.Option(envvar="ALARM_ADDRESS", help="the address alarms are mailed to")] = "",
    delay_scale: Annotated[str, typer.Option(envvar="DELAY_SCALE", help="what delays are multiplied by, as 0.01")] = "",
    partner_urls: Annotated[str, typer.Option(envvar="PARTNER_URLS", help='as {"bank": "https://..."}')] = "",
    token_keys: Annotated[str, typer.Option(envvar="TOKEN_KEYS", help="of the account, as 2,1: the first signs")] = "",
    firewall: Annotated[str, typer.Option(envvar="FIREWALL", help="yes or no: of the account, or as before")] = "",
    janitor_applies: Annotated[
        str,
        typer.Option(envvar="JANITOR_APPLIES", help="yes or no: does the account's janitor remove"),
    ] = "",
    replace: Annotated[str, typer.Option(envvar="REPLACE", help="a resource to make anew, by its address")] = "",
    partner_network: Annotated[str, typer.Option(envvar="PARTNER_NETWORK", help="of the account: docs/deploy.md")] = "",
) -> None:
    """Bring a stack up, or up to date."""
    run.up(
        run.Wish(
            branch=branch,
            profile=profile or None,
            region=region or None,
            stage=stage or None,
            ttl=ttl or None,
            architecture=architecture or None,
            mail_sender=mail_sender or None,
            alarm_address=alarm_address or None,
            delay_scale=run.scale(delay_scale) if delay_scale else None,
            partner_urls=run.addresses(partner_urls) if partner_urls else None,
            token_keys=run.keys(token_keys) if token_keys else None,
            firewall=run.switch(firewall, "FIREWALL") if firewall else None,
            janitor_applies=run.switch(janitor_applies, "JANITOR_APPLIES") if janitor_applies else None,
            partner_network=run.network(partner_network) if partner_network else None,
            replace=replace or None,
        )
    )


@app.command()
def destroy(branch: Branch, profile: Profile = "", region: Region = "") -> None:
    """Take a stack away and show that nothing is left."""
    run.destroy(run.Wish(branch, profile or None, region or None))


@app.command()
def status(branch: Branch, profile: Profile = "", region: Region = "") -> None:
    """Say what is there of a stack."""
    run.status(run.Wish(branch, profile or None, region or None))


@app.command()
def unlock(branch: Branch, profile: Profile = "", region: Region = "") -> None:
    """Free a stack whose deploy died on another machine."""
    run.unlock(run.Wish(branch, profile or None, region or None))


@app.command()
def access(branch: Branch) -> None:
    """Print the access description of a stack that is up."""
    print(json.dumps(run.access(run.Wish(branch)), indent=2))


@app.command()
def validate() -> None:
    """Check what Terraform is told, without a cloud."""
    run.validate()


def main() -> int:
    """Run a command; whatever goes wrong is told in a sentence."""
    for name in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(name, _stop)
    try:
        app()
    except Interrupted:
        return _fail("Stopped. The next deploy or destroy of this branch goes on from here.", _INTERRUPTED)
    except (DeployError, BuildError, ValueError) as failure:
        return _fail(str(failure), 1)
    except (BotoCoreError, ClientError) as failure:
        return _fail(sentence(failure), 1)
    return 0


def _stop(_number: int, _frame: FrameType | None) -> None:
    """Stop in good order at the first Ctrl-C, at once at the second."""
    for name in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(name, lambda _number, _frame: os._exit(_INTERRUPTED))
    print("  Stopping; Ctrl-C again to end at once.", flush=True)
    raise Interrupted


def _fail(text: str, status: int) -> int:
    sys.stdout.flush()
    print(f"paygo: {text}", file=sys.stderr)
    return status


if __name__ == "__main__":
    sys.exit(main())
