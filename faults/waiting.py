"""Events that are not ready: however often, they wait; past their deadline they are dead, with the reason."""

from datetime import UTC, datetime, timedelta

from faults.consumers import BookPayments, Case, Household, keep_contact, open_account, register_device
from faults.plan import Plan
from faults.played import LOOK_AGAIN, Played, eventually
from faults.stage import DeployedStack
from paygo.consumer import DEADLINE

TIMES = 50
PUT_BACK = "sqs.SendMessage"
"""With this call a consumer sends the copy that comes later."""


def not_ready(stack: DeployedStack, plan: Plan, *, times: int = TIMES, seconds: float) -> Played:
    """Keep an account closed until a payment for it was not ready so many times, and open it then."""
    consumer, home = BookPayments(), Household()
    function = stack.function(consumer.name)
    case = consumer.payment(stack, home)
    keep_contact(stack, home)
    register_device(stack, home)
    plan.trace(function, case.id, fresh=False)
    consumer.send(stack, [case])
    died_early = False

    def was_often_enough() -> bool:
        nonlocal died_early
        died_early = died_early or _is_dead(stack, consumer, case)
        return died_early or plan.count(function, case.id, PUT_BACK) >= times

    is_reached = eventually(was_often_enough, seconds, LOOK_AGAIN)
    counted = plan.count(function, case.id, PUT_BACK)
    plan.untrace(function, case.id)
    open_account(stack, home)
    problem = "" if is_reached else f"not ready {counted} times only"
    if died_early:
        problem = "dead before its deadline"
    return Played(
        consumer,
        f"not ready {times} times",
        [case],
        note=f"{counted} times, then done",
        problem=lambda: problem,
    )


def past_deadline(stack: DeployedStack) -> Played:
    """Send a copy that began to wait before its deadline: it has to die, and say what it waited for."""
    consumer = BookPayments()
    case = consumer.payment(stack, Household())
    began = datetime.now(UTC) - DEADLINE * stack.delay_scale - timedelta(seconds=1)
    stack.send(
        consumer.queue,
        [case.body],
        type=case.event.type if case.event else "",
        first_seen=began.isoformat(),
        not_ready=str(TIMES),
    )
    return Played(consumer, "not ready past its deadline", [case])


def _is_dead(stack: DeployedStack, consumer: BookPayments, case: Case) -> bool:
    return any(case.id in body for body, _ in stack.letters(consumer.name))
