"""A stack that is what it should be is left to itself, and what somebody has taken from it by hand is made again."""

from tests.conftest import REPOSITORY, Clients
from tests.integration.test_events import STACK
from tests.integration.test_releases import commit, deploy

__all__ = ["commit"]


def alarms(deployer: Clients) -> dict[str, float]:
    listed = deployer("cloudwatch").describe_alarms(AlarmNamePrefix=f"{STACK}-", MaxRecords=100)["MetricAlarms"]
    return {alarm["AlarmName"]: alarm.get("Threshold", 0.0) for alarm in listed}


def test_a_deploy_asks_terraform_nothing_unless_something_is_gone(commit: str, deployer: Clients) -> None:
    deploy(REPOSITORY, commit)  # from here on all is as this folder says
    before = alarms(deployer)
    gone = min(before)

    assert "plan: nothing to change: compared" in deploy(REPOSITORY, commit)

    deployer("cloudwatch").delete_alarms(AlarmNames=[gone])
    said = deploy(REPOSITORY, commit)

    assert f"gone, though the state knows of it: alarm {gone}\n" in said
    assert "apply: 1 changes" in said
    assert alarms(deployer) == before
    assert "plan: nothing to change: compared" in deploy(REPOSITORY, commit)
