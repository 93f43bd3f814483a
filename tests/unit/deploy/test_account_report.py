"""What an account has, and what only a person can do."""

from dataclasses import replace

from deploy.account import Account
from deploy.account_report import Facts, has, to_do

BOUNDARY = "arn:aws:iam::123456789012:policy/paygo-stack-boundary-eu-west-1"
BARE = Account(
    "paygo@example.org", {"permissions_boundary": BOUNDARY}, "arn:aws:sns:eu-west-1:123456789012:paygo-inbox"
)
WHOLE = replace(
    BARE,
    alarm_address="ops@example.org",
    budget=250.0,
    deploy_roles={"deployer": "arn:aws:iam::123456789012:role/paygo-deployer-eu-west-1"},
)
DONE = Facts(sender_is_verified=True, mails_to_anybody=True, subscription_is_confirmed=True)


def test_what_is_there_is_said() -> None:
    said = "\n".join(has(WHOLE))

    for word in (BOUNDARY, "paygo@example.org", "ops@example.org", "250 US dollars", "paygo-deployer-eu-west-1"):
        assert word in said


def test_what_was_not_asked_for_is_said_to_be_missing() -> None:
    said = "\n".join(has(BARE))

    assert "mailed to nobody" in said
    assert "budget: none" in said
    assert "no role for a CI" in said


def test_an_account_that_has_all_leaves_nothing_to_do() -> None:
    assert list(to_do(WHOLE, DONE)) == []


def test_what_only_a_person_can_do_is_said_in_its_order() -> None:
    new = Facts(sender_is_verified=False, mails_to_anybody=False, subscription_is_confirmed=False)

    verify, sandbox, confirm = to_do(WHOLE, new)

    assert "SES mailed to paygo@example.org" in verify
    assert "production access" in sandbox
    assert "SNS mailed to ops@example.org" in confirm


def test_what_nobody_asked_for_is_offered() -> None:
    address, budget = to_do(BARE, DONE)

    assert "ALARM_ADDRESS=" in address
    assert "BUDGET=" in budget
