"""`python -m deploy`: what `make deploy` and `make destroy` run."""

import json
import sys
from typing import Annotated

import typer

from deploy import approval, command, run
from deploy.account import Wanted
from deploy.errors import DeployError
from deploy.packages import BuildError

app = typer.Typer(
    help="Bring a branch's stack up on a cloud, and take it away.", no_args_is_help=True, pretty_exceptions_enable=False
)

Branch = Annotated[str, typer.Option(envvar="BRANCH", help="the branch whose stack this is")]
Profile = Annotated[str, typer.Option(envvar="PROFILE", help="an AWS profile; without one, the embedded cloud")]
Region = Annotated[str, typer.Option(envvar="REGION", help="an AWS region, instead of the profile's")]
Patience = Annotated[float, typer.Option(envvar="PATIENCE", help="seconds to wait for another run on the stack to end")]


@app.command()
def up(
    branch: Branch,
    profile: Profile = "",
    region: Region = "",
    stage: Annotated[str, typer.Option(envvar="STAGE", help="dev(elopment), or as before, staging, production")] = "",
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
    compare: Annotated[str, typer.Option(envvar="COMPARE", help="yes: Terraform looks at all that is there")] = "",
    roles: Annotated[str, typer.Option(envvar="ROLES", help="function or service: what has a role of its own")] = "",
    partner_network: Annotated[str, typer.Option(envvar="PARTNER_NETWORK", help="of the account: docs/deploy.md")] = "",
    emergency: Annotated[str, typer.Option(envvar="EMERGENCY", help="why production cannot wait for an approval")] = "",
    patience: Patience = 0,
) -> None:
    """Bring a stack up, or up to date."""
    run.up(
        run.Wish(
            branch=branch,
            profile=profile or None,
            region=region or None,
            stage=run.stage(stage) if stage else None,
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
            compare=run.switch(compare, "COMPARE") if compare else False,
            emergency=emergency or None,
            patience=patience,
            roles=run.roles(roles) if roles else None,
        )
    )


@app.command()
def destroy(branch: Branch, profile: Profile = "", region: Region = "", patience: Patience = 0) -> None:
    """Take a stack away and show that nothing is left."""
    run.destroy(run.Wish(branch, profile or None, region or None, patience=patience))


@app.command()
def rollback(
    branch: Branch,
    profile: Profile = "",
    region: Region = "",
    service: Annotated[str, typer.Option(envvar="SERVICE", help="the service to roll back; without one, all")] = "",
    to: Annotated[str, typer.Option(envvar="TO", help="the release to go to; without one, the one before")] = "",
) -> None:
    """Point functions at an earlier release's versions."""
    wish = run.Wish(branch, profile or None, region or None)
    run.roll_back(wish, service or None, run.number(to) if to else None)


@app.command()
def status(branch: Branch, profile: Profile = "", region: Region = "") -> None:
    """Say what is there of a stack."""
    run.status(run.Wish(branch, profile or None, region or None))


@app.command()
def unlock(branch: Branch, profile: Profile = "", region: Region = "") -> None:
    """Free a stack whose deploy died on another machine."""
    run.unlock(run.Wish(branch, profile or None, region or None))


@app.command()
def capacity(
    profile: Profile = "",
    region: Region = "",
    stage: Annotated[str, typer.Option(envvar="STAGE", help="of which stage's stacks")] = "",
    roles: Annotated[str, typer.Option(envvar="ROLES", help="function or service: what has a role of its own")] = "",
) -> None:
    """Say how many stacks an account holds, and which quota decides."""
    run.show_capacity(
        run.Wish(
            "",
            profile or None,
            region or None,
            stage=run.stage(stage) if stage else None,
            roles=run.roles(roles) if roles else None,
        )
    )


@app.command()
def approve(
    branch: Branch,
    profile: Profile = "",
    region: Region = "",
    commit: Annotated[str, typer.Option(envvar="COMMIT", help="by any name git knows it; HEAD unless it is said")] = "",
    stage: Annotated[str, typer.Option(envvar="STAGE", help="production")] = approval.STAGE,
) -> None:
    """Approve a commit for production, which somebody else then deploys."""
    if stage != approval.STAGE:
        msg = f"Only {approval.STAGE} needs an approval: deploy to {stage} as it is."
        raise ValueError(msg)
    run.approve(run.Wish(branch, profile or None, region or None), commit or "HEAD")


@app.command()
def account(
    profile: Profile = "",
    region: Region = "",
    mail_sender: Annotated[str, typer.Option(envvar="MAIL_SENDER", help="the address e-mails come from")] = "",
    alarm_address: Annotated[str, typer.Option(envvar="ALARM_ADDRESS", help="who hears of it, or none")] = "",
    oidc: Annotated[str, typer.Option(envvar="OIDC", help="the CI that deploys: docs/first-account.md; or none")] = "",
    budget: Annotated[str, typer.Option(envvar="BUDGET", help="US dollars a month, or none")] = "",
) -> None:
    """Set up what an account has once, or set it right, and say what is left to do by hand."""
    wanted = Wanted(
        mail_sender=mail_sender or None,
        alarm_address=("" if alarm_address == "none" else alarm_address) if alarm_address else None,
        oidc=run.pipeline(oidc) if oidc else None,
        budget=run.budget(budget) if budget else None,
    )
    run.settle_account(run.Wish("account", profile or None, region or None), wanted)


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
    return command.run(app, "Stopped. The same command again goes on from here.", DeployError, BuildError, ValueError)


if __name__ == "__main__":
    sys.exit(main())
