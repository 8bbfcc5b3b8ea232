"""`index.html` of a runs folder: all that lies in it and the models, with links to their pages."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from essay_scoring.core.files import write_text
from essay_scoring.core.number_text import MISSING, number, with_interval
from essay_scoring.records.listed import Listed, ListedKind
from essay_scoring.records.manifest import VIEWS, is_complete
from essay_scoring.reports.html import rendered
from essay_scoring.reports.words import size_on_disk
from essay_scoring.runs.folder_listing import listing, of_kind, places

INDEX = "index.html"
_PAGES = {
    "audits": (("audit", "audit.html"), ("explanation", "explain.html")),
    "cards": (("card", "MODEL_CARD.html"), ("technical file", "TECHNICAL_FILE.html")),
}


@dataclass(frozen=True)
class _Row:
    """A row: what it is called, its own page if it has one, cells, and further pages by name."""

    name: str
    page: str | None
    cells: tuple[str, ...]
    more: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class _Section:
    """The entries of one kind: their title, and the columns that only this kind has."""

    kind: ListedKind
    title: str
    columns: tuple[tuple[str, Callable[[Listed], str | None]], ...]

    @property
    def header(self) -> tuple[str, ...]:
        """The titles of all columns."""
        return ("date", "state", *(title for title, _ in self.columns), "size", "tags", "note")

    def row(self, entry: Listed, runs: Path) -> _Row:
        """Return an entry's row, with the pages that there are."""
        own = (cell(entry) or MISSING for _, cell in self.columns)
        last = (size_on_disk(entry.bytes), ", ".join(entry.tags), entry.note)
        has_page = entry.state == "complete" and self.kind not in ("model", "final-test")
        page = f"{entry.folder}/{VIEWS}/report.html" if has_page else None
        return _Row(
            entry.name, page, (minute(entry), standing(entry), *own, *last), _more(entry, runs)
        )


def standing(entry: Listed) -> str:
    """Return how the work in a folder stands, with how far it came or what went wrong."""
    return f"{entry.state}: {told}" if (told := entry.problem or entry.stage) else entry.state


def minute(entry: Listed) -> str:
    """Return when work in a folder ended or was last heard of, a dash where it does not say."""
    return entry.date[:16].replace("T", " ") if entry.date else MISSING


def qwk(entry: Listed) -> str:
    """Return an entry's pooled QWK with its interval, a dash where it has none."""
    figure = entry.qwk
    if figure is None or figure.estimate is None:
        return MISSING
    return with_interval(figure.estimate, figure.low, figure.high)


def mae(entry: Listed) -> str:
    """Return an entry's mean absolute error, a dash where it has none."""
    return number(None if entry.mae is None else entry.mae.estimate)


_METHOD = ("family", lambda entry: entry.method)
_SCHEME = ("scheme", lambda entry: entry.scheme)
_ESSAYS = ("essays", lambda entry: entry.n and str(entry.n))
_OUTCOME = ("outcome", lambda entry: entry.outcome)
_QUESTION = ("question", lambda entry: entry.about)
_QWK, _MAE = ("QWK [95%]", qwk), ("MAE", mae)

_SECTIONS = (
    _Section(
        "study",
        "Studies",
        (_QUESTION, _OUTCOME, ("decided for", lambda entry: entry.method), _QWK),
    ),
    _Section("traits", "Studies of several traits", (_QUESTION, _OUTCOME)),
    _Section(
        "run",
        "Runs",
        (_METHOD, _SCHEME, _ESSAYS, _QWK, _MAE, ("audit", lambda e: e.audit or "not audited")),
    ),
    _Section(
        "final-test", "Final tests", (("test", lambda entry: entry.about), _ESSAYS, _QWK, _MAE)
    ),
    _Section(
        "search", "Searches", (("objective", lambda entry: entry.about), _SCHEME, _OUTCOME, _QWK)
    ),
    _Section("model", "Models", (_METHOD, _ESSAYS, ("trained", lambda entry: entry.about), _QWK)),
)


def listed_again(runs: Path, models: Path | None = None) -> None:
    """Write the index of a runs folder anew where it is one; nothing where it is not."""
    if is_runs_folder(runs) or ((runs / INDEX).is_file() and not is_complete(runs)):
        write_index(runs, models)


def is_runs_folder(folder: Path) -> bool:
    """Tell whether a folder holds finished runs or studies, and is none itself."""
    return not is_complete(folder) and any(is_complete(place.path) for place in places(folder))


def write_index(runs: Path, models: Path | None = None) -> Path:
    """Write index.html of a runs folder; return its path.

    It lists what the folders say of themselves, without verifying each: their own pages do.
    """
    write_text(runs / INDEX, index_page(runs, models))
    return runs / INDEX


def index_page(runs: Path, models: Path | None = None) -> str:
    """Return the page that lists all that lies in a runs folder and a models folder."""
    entries = listing(runs, models)
    sections = [
        (
            section.title,
            section.header,
            [section.row(entry, runs) for entry in of_kind(entries, section.kind)],
        )
        for section in _SECTIONS
    ]
    return rendered("index.html.jinja", sections=sections)


def _more(entry: Listed, runs: Path) -> tuple[tuple[str, str], ...]:
    """Return the further pages that there are of an entry, by name."""
    pages = [
        (name, f"{group}/{entry.name}/{file}")
        for group, named in _PAGES.items()
        for name, file in named
    ]
    if entry.kind == "study":
        pages.insert(0, ("decision", f"{entry.folder}/decision.md"))
    return tuple((name, page) for name, page in pages if (runs / page).is_file())
