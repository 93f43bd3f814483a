"""The words, and how money and time are written in them."""

from datetime import UTC, datetime

from notifications.model import Contact, CreditedPayment
from paygo.mail import Mail
from paygo.money import Money, minor_digits

PAYMENT_SUBJECT = "We received your payment of {amount}"
PAYMENT_TEXT = """\
Hello {given_name},

we received your payment of {amount}. Your device works until {credit_until}.

Payment: {payment_id}

Thank you,
Paygo
"""


def payment_mail(message_id: str, contact: Contact, payment: CreditedPayment) -> Mail:
    """Return what a household is told about its payment."""
    amount = written_money(payment.amount)
    return Mail(
        message_id=message_id,
        recipient=contact.email,
        subject=PAYMENT_SUBJECT.format(amount=amount),
        text=PAYMENT_TEXT.format(
            given_name=contact.given_name,
            amount=amount,
            credit_until=written_time(payment.credit_until),
            payment_id=payment.payment_id,
        ),
    )


def written_money(money: Money) -> str:
    """Return the amount in major units: KES 250.00.

    Examples
    --------
    >>> written_money(Money(amount=-123456, currency="KES"))
    'KES -1,234.56'
    """
    digits = minor_digits(money.currency)
    major, minor = divmod(abs(money.amount), 10**digits)
    sign = "-" if money.amount < 0 else ""
    fraction = f".{minor:0{digits}}" if digits else ""
    return f"{money.currency} {sign}{major:,}{fraction}"


def written_time(time: datetime) -> str:
    """Return the time in UTC, to the minute: 26 November 2026, 10:05 UTC."""
    utc = time.astimezone(UTC)
    return f"{utc.day} {_MONTHS[utc.month - 1]} {utc.year}, {utc:%H:%M} UTC"


# strftime's own month names follow the locale.
_MONTHS = (
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
)
