"""What operators are told: ids and logs, never a body. Mail and chats are no place for a person's data."""

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from urllib.parse import quote

from pydantic import AwareDatetime, BaseModel, ConfigDict

from operations.model import Attempt, ErrorReport, Letter, Notice, SeenError

LISTED = 10
"""How many letters a notice lists: enough to begin with."""

READ = 500
"""How many letters are read for a notice: a flood of them must not keep anybody from being told of it."""

HOW_TO_MEND = """\
What to do: docs/alarms.md. To look, and then to redrive or discard:
  make dead-letters BRANCH=<the branch of {stack}>
"""


class Alarm(BaseModel):
    """What CloudWatch says of an alarm that changed, as far as we read it."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    AlarmName: str
    NewStateValue: str
    OldStateValue: str | None = None
    StateChangeTime: AwareDatetime | None = None
    AlarmDescription: str | None = None

    @property
    def is_news(self) -> bool:
        """Tell whether operators want to know: not that an alarm was made and nothing is wrong."""
        return (self.OldStateValue, self.NewStateValue) != ("INSUFFICIENT_DATA", "OK")


def alarm_notice(notice_id: str, alarm: Alarm, stack: str, region: str, letters: Sequence[Letter] | None) -> Notice:
    """Return what operators are told of an alarm.

    Parameters
    ----------
    letters
        The open ones of the queue that it watches, `READ` at most; `None` when they could not be read.
    """
    count = "" if not letters else f": {len(letters)}{_plus(letters)} dead letter{'s' if len(letters) > 1 else ''}"
    lines = [f"{alarm.AlarmName} is {alarm.NewStateValue}{_since(alarm.StateChangeTime)}."]
    if alarm.AlarmDescription:
        lines += ["", alarm.AlarmDescription]
    if alarm.NewStateValue != "OK":
        lines += ["", *_letter_lines(letters, region), "", HOW_TO_MEND.format(stack=stack)]
    return Notice(
        notice_id=notice_id,
        subject=f"[{stack}] {alarm.NewStateValue} {alarm.AlarmName.removeprefix(f'{stack}-')}{count}",
        text="\n".join(lines).rstrip() + "\n",
    )


def error_notice(notice_id: str, report: ErrorReport, stack: str, region: str) -> Notice:
    """Return what operators are told of an error."""
    seen = report.latest
    lines = [
        f"{report.type} at {report.place}, in {stack}-{seen.service}-{seen.function}.",
        "",
        f"first seen      {written(report.first_seen)}",
        f"last seen       {written(report.last_seen)}",
        f"how often       {report.count}",
        f"correlation id  {seen.correlation_id or 'not known'}",
        f"log             {error_link(seen, region)}",
        "",
        f"You are told of this error again in an hour at the earliest. Report {report.group}; all reports:",
        f"  make dead-letters BRANCH=<the branch of {stack}> DO=errors",
    ]
    return Notice(
        notice_id=notice_id,
        subject=f"[{stack}] ERROR {report.service}: {report.type} at {report.place}",
        text="\n".join(lines) + "\n",
    )


def other_notice(notice_id: str, stack: str) -> Notice:
    """Return what operators are told of a message that nothing here knows: that it came, and where to find it."""
    return Notice(
        notice_id=notice_id,
        subject=f"[{stack}] a message of an unknown kind",
        text=f"The alarms' topic of {stack} carried message {notice_id}, neither an alarm nor an error report.\n",
    )


def written(time: datetime) -> str:
    """Return the time as people read it: 2026-11-21 10:05:00 UTC."""
    return f"{time.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def attempt_link(attempt: Attempt, region: str) -> str | None:
    """Return where the attempt's log can be read."""
    return log_link(region, attempt.log_group, attempt.log_stream, attempt.at) if attempt.log_group else None


def error_link(error: SeenError, region: str) -> str:
    """Return where the error's log can be read."""
    return log_link(region, error.log_group, error.log_stream, error.at)


def log_link(region: str, group: str, stream: str | None, at: datetime | None) -> str:
    """Return the address of a log in CloudWatch's console, which encodes the parts of its own address twice."""
    link = f"https://{region}.console.aws.amazon.com/cloudwatch/home?region={region}#logsV2:log-groups/log-group/"
    link += _twice(group)
    if stream:
        link += f"/log-events/{_twice(stream)}"
    if at:
        around = int(at.timestamp() * 1000)
        link += f"$3Fstart$3D{around - 60_000}$26end$3D{around + 60_000}"
    return link


def _twice(text: str) -> str:
    return quote(quote(text, safe=""), safe="").replace("%", "$")


def _since(time: datetime | None) -> str:
    return f" since {written(time)}" if time else ""


def _letter_lines(letters: Sequence[Letter] | None, region: str) -> list[str]:
    if letters is None:
        return ["The letters could not be read: operations itself may be failing."]
    if not letters:
        return ["None is archived: it is not a dead-letter queue, or operations itself fails to archive."]
    reasons = Counter(letter.reason for letter in letters)
    lines = ["Why:", *(f"  {count} x {reason}" for reason, count in reasons.most_common(LISTED)), "", "Letters:"]
    for letter in letters[:LISTED]:
        what = f"{letter.event_type or 'message'} {letter.event_id or ''}".strip()
        lines.append(f"  {letter.letter_id}  {what}  first seen {written(letter.first_seen)}")
        link = attempt_link(letter.last_attempt, region) if letter.last_attempt else None
        if link:
            lines.append(f"    log: {link}")
    if len(letters) > LISTED:
        lines.append(f"  and {len(letters) - LISTED}{_plus(letters)} more")
    return lines


def _plus(letters: Sequence[Letter]) -> str:
    return "+" if len(letters) >= READ else ""
