"""What an account has, and what only a person can do about the rest."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from deploy.account import Account
from deploy.target import Clients


@dataclass(frozen=True)
class Facts:
    """How far what needs a person has got."""

    sender_is_verified: bool
    mails_to_anybody: bool
    """False while SES keeps the account in its sandbox."""
    subscription_is_confirmed: bool


def look(clients: Clients, account: Account) -> Facts:
    """Ask AWS how far it is."""
    ses = clients("sesv2")
    return Facts(
        sender_is_verified=bool(
            ses.get_email_identity(EmailIdentity=account.mail_sender).get("VerifiedForSendingStatus")
        ),
        mails_to_anybody=bool(_or_nothing(ses.get_account).get("ProductionAccessEnabled")),
        subscription_is_confirmed=_is_confirmed(clients("sns"), account),
    )


def has(account: Account) -> Iterator[str]:
    """Say what is there, a line each."""
    yield "state and artefact buckets: private, encrypted, versioned, over TLS only"
    yield f"stacks' roles are bounded by {account.for_stacks.get('permissions_boundary')}"
    yield f"e-mails come from {account.mail_sender}"
    yield f"inbox {account.inbox}, mailed to {account.alarm_address or 'nobody'}"
    yield f"budget: {f'{account.budget:g} US dollars a month' if account.budget else 'none'}"
    yield from (f"a {kind} of the CI assumes {arn}" for kind, arn in sorted(account.deploy_roles.items()))
    if not account.deploy_roles:
        yield "no role for a CI"


def to_do(account: Account, facts: Facts) -> Iterator[str]:
    """Say what is left to do by hand, in the order of its doing."""
    if not facts.sender_is_verified:
        yield f"follow the link that SES mailed to {account.mail_sender}, or no mail leaves"
    if not facts.mails_to_anybody:
        yield "ask SES for production access in its console: until then mail reaches verified addresses only"
    if not account.alarm_address:
        yield "say who hears of the account: make account ALARM_ADDRESS=..."
    elif not facts.subscription_is_confirmed:
        yield f"follow the link that SNS mailed to {account.alarm_address}, or nobody hears of the account"
    if not account.budget:
        yield "say what it may cost in a month: make account BUDGET=<US dollars>"


def _is_confirmed(sns: Any, account: Account) -> bool:
    pages = sns.get_paginator("list_subscriptions_by_topic").paginate(TopicArn=account.inbox)
    return any(
        one["Endpoint"] == account.alarm_address and one["SubscriptionArn"].startswith("arn:")
        for page in pages
        for one in page.get("Subscriptions", [])
    )


def _or_nothing(ask: Any) -> dict[str, Any]:
    try:
        answer: dict[str, Any] = ask()
    except ClientError:
        return {}
    return answer
