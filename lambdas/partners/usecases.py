"""Taking a question now and answering it later."""

from datetime import datetime
from typing import Protocol

from partners.model import Answer, Outcome, callback_path, outcome_for


class Answers(Protocol):
    """Where answers wait until they are due."""

    def put(self, answer: Answer) -> None:
        """Keep the answer until it is due."""


class Asker(Protocol):
    """Whoever asked the bureau."""

    def tell(self, path: str, answer: Answer, now: datetime) -> None:
        """Deliver the answer; raise `CallbackFailed` when it is not taken."""


def take_question(answers: Answers, api_url: str, *, reference: str, family_name: str, callback_url: str) -> None:
    """Take the question; raise `ForeignCallback` when the answer would leave the stack."""
    callback_path(callback_url, api_url)
    answers.put(Answer(reference=reference, outcome=outcome_for(family_name), callback_url=callback_url))


def deliver(asker: Asker, api_url: str, answer: Answer, now: datetime) -> Outcome:
    """Deliver an answer that is due and return its outcome."""
    asker.tell(callback_path(answer.callback_url, api_url), answer, now)
    return answer.outcome
