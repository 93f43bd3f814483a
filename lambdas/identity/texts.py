"""The words of the service's e-mails."""

from identity.model import CODE_FOR, Applicant, Code
from paygo.mail import Mail

CODE_SUBJECT = "{code} is your Paygo code"
CODE_TEXT = """\
Hello,

{code} is the code that confirms your e-mail address. It works for {minutes} minutes.

If you did not ask for it, somebody mistyped an address: you need not do anything.

Thank you,
Paygo
"""


def code_mail(message_id: str, applicant: Applicant, code: Code) -> Mail:
    """Return the message that carries a code."""
    return Mail(
        message_id=message_id,
        recipient=applicant.email,
        subject=CODE_SUBJECT.format(code=code.code),
        # Without the name: anybody may name anybody's address, and would have us carry words of their own to it.
        text=CODE_TEXT.format(code=code.code, minutes=int(CODE_FOR.total_seconds() // 60)),
    )
