from collections.abc import Iterator, Mapping, Sequence

from operations.model import (
    Attempt,
    Contended,
    Entry,
    ErrorReport,
    Filter,
    Kind,
    Letter,
    LetterPage,
    Notice,
    NoticeRefused,
    NotRedrivable,
    Queue,
    ReportPage,
    State,
    What,
)


class FakeLetters:
    def __init__(self) -> None:
        self.letters: dict[str, Letter] = {}
        self.bodies: dict[str, str] = {}
        self.entries: dict[str, list[Entry]] = {}
        self.before_writing: list[Letter | None] = []
        """What somebody else writes just before the next writes; nothing where it is None."""

    def find(self, letter_id: str) -> Letter | None:
        return self.letters.get(letter_id)

    def body(self, letter: Letter) -> str | None:
        return self.bodies.get(letter.letter_id)

    def history(self, letter_id: str) -> Sequence[Entry]:
        return tuple(self.entries.get(letter_id, ()))

    def knows(self, letter_id: str, message_id: str) -> bool:
        archived = (entry for entry in self.entries.get(letter_id, ()) if entry.what is What.ARCHIVED)
        return any(entry.message_id == message_id for entry in archived)

    def keep(self, letter: Letter, body: str, entry: Entry) -> None:
        self._interfere()
        if letter.letter_id in self.letters:
            raise Contended
        self.letters[letter.letter_id] = letter
        self.bodies[letter.letter_id] = body
        self.note(letter.letter_id, entry)

    def change(self, before: Letter, after: Letter, entry: Entry, *, body: str | None = None) -> None:
        self._interfere()
        if self.letters[after.letter_id].version != before.version:
            raise Contended
        if entry.what is What.ARCHIVED and entry.message_id and self.knows(after.letter_id, entry.message_id):
            raise Contended
        self.letters[after.letter_id] = after
        if body is not None:
            self.bodies[after.letter_id] = body
        self.note(after.letter_id, entry)

    def note(self, letter_id: str, entry: Entry) -> None:
        self.entries.setdefault(letter_id, []).append(entry)

    def page(self, state: State, within: Filter, *, limit: int, cursor: str | None) -> LetterPage:
        wanted = Filter(service=within.service, consumer=within.consumer if within.service else None)
        found = sorted(
            (letter for letter in self.letters.values() if letter.state is state and wanted.takes(letter)), key=_order
        )
        behind = [letter for letter in found if cursor is None or repr(_order(letter)) > cursor]
        more = len(behind) > limit
        return LetterPage(letters=tuple(behind[:limit]), next_cursor=repr(_order(behind[limit - 1])) if more else None)

    def open_in(self, queue: Queue) -> Iterator[Letter]:
        return (letter for letter in self.all_open() if letter.queue == queue)

    def all_open(self) -> Iterator[Letter]:
        return iter(sorted((it for it in self.letters.values() if it.state is State.OPEN), key=_order))

    def _interfere(self) -> None:
        other = self.before_writing.pop(0) if self.before_writing else None
        if other is not None:
            self.letters[other.letter_id] = other


def _order(letter: Letter) -> tuple[str, str, str]:
    return letter.consumer, letter.dead_at.isoformat(), letter.letter_id


class FakeAttempts:
    def __init__(self) -> None:
        self.rows: dict[tuple[str, str], list[Attempt]] = {}

    def of(self, queue: str, key: str) -> Sequence[Attempt]:
        return tuple(self.rows.get((queue, key), ()))


class FakeSender:
    def __init__(self) -> None:
        self.sent: list[tuple[str, str, int]] = []

    def send(self, letter: Letter, body: str, *, delay_seconds: int) -> str:
        if letter.queue.kind is Kind.OTHER:
            raise NotRedrivable
        self.sent.append((letter.letter_id, body, delay_seconds))
        return f"sent-{len(self.sent)}"


class FakeGauge:
    def __init__(self) -> None:
        self.shown: list[dict[str, int]] = []

    def show(self, counts: Mapping[str, int]) -> None:
        self.shown.append(dict(counts))


class FakeReports:
    def __init__(self) -> None:
        self.reports: dict[str, ErrorReport] = {}
        self.contended = 0
        """How many of the next writes are overtaken."""

    def find(self, group: str) -> ErrorReport | None:
        return self.reports.get(group)

    def write(self, before: ErrorReport | None, after: ErrorReport) -> None:
        if self.contended:
            self.contended -= 1
            raise Contended
        known = self.reports.get(after.group)
        if (known and known.version) != (before and before.version):
            raise Contended
        self.reports[after.group] = after

    def page(self, *, limit: int, cursor: str | None) -> ReportPage:
        groups = [group for group in sorted(self.reports) if cursor is None or group > cursor]
        return ReportPage(
            reports=tuple(self.reports[group] for group in groups[:limit]),
            next_cursor=groups[limit - 1] if len(groups) > limit else None,
        )


class FakeNotices:
    def __init__(self) -> None:
        self.published: list[ErrorReport] = []
        self.broken = False

    def publish(self, report: ErrorReport) -> None:
        if self.broken:
            raise ConnectionError
        self.published.append(report)


class FakeChannel:
    def __init__(self, *, refuses: bool = False) -> None:
        self.told: list[Notice] = []
        self.refuses = refuses

    def tell(self, notice: Notice) -> None:
        if self.refuses:
            message = "not today"
            raise NoticeRefused(message)
        self.told.append(notice)
