"""A batch of queue or topic calls is allowed by the action of the single call: there is no action for batches.

AWS: https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonsqs.html,
https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonsns.html
"""

from typing import Any

from ministack.core import iam_actions

BATCHES = {
    "sqs:ChangeMessageVisibilityBatch": "sqs:ChangeMessageVisibility",
    "sqs:DeleteMessageBatch": "sqs:DeleteMessage",
    "sqs:SendMessageBatch": "sqs:SendMessage",
    "sns:PublishBatch": "sns:Publish",
}


def install() -> None:
    """Judge a batch by the action of its single call."""
    original = iam_actions.extract_iam_action

    def action(*request: Any, **more: Any) -> str | None:
        found: str | None = original(*request, **more)
        return found if found is None else BATCHES.get(found, found)

    iam_actions.extract_iam_action = action
