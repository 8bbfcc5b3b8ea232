"""The reports of a search or a grid: a Markdown summary and one page."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from markupsafe import Markup

from essay_scoring.core.errors import MissingExtraError
from essay_scoring.core.files import write_text
from essay_scoring.core.number_text import number
from essay_scoring.records.manifest import VIEWS
from essay_scoring.records.search import (
    RULES,
    Figures,
    GridRecord,
    SearchFolder,
    SearchRecord,
    TrialRow,
)
from essay_scoring.records.search_settings import Choice
from essay_scoring.reports import charts
from essay_scoring.reports.html import FROM_GROUP, rendered
from essay_scoring.reports.search_figures import Draw, ends, history, importance, parallel
from essay_scoring.reports.search_tables import (
    FIGURES,
    SearchTable,
    grid_tables,
    nested_figures,
    search_tables,
)
from essay_scoring.reports.table_cells import markdown_table, plain_table
from essay_scoring.reports.texts import write_texts


def write_search_reports(path: Path) -> list[Path]:
    """Write `reports/optuna_summary.md` of a search that is not sealed yet, and its view."""
    page = _search_page(path)
    return [page.write_summary(path, "optuna_summary.md"), page.write_view(path)]


def write_search_views(path: Path) -> list[Path]:
    """Write `views/report.html` of a search, which no seal covers, from artifacts/ alone."""
    return [_search_page(path).write_view(path)]


def write_grid_reports(path: Path) -> list[Path]:
    """Write `reports/sweep_summary.md` of a grid that is not sealed yet, and its view."""
    page = _grid_page(path)
    return [page.write_summary(path, "sweep_summary.md"), page.write_view(path)]


def write_grid_views(path: Path) -> list[Path]:
    """Write `views/report.html` of a grid, which no seal covers, from artifacts/ alone."""
    return [_grid_page(path).write_view(path)]


def search_summary(path: Path) -> str:
    """Return the answer of a search folder and its first table, for a terminal."""
    folder = SearchFolder(path)
    search = folder.read_search()
    return _for_terminal(search_answer(search), search_tables(search, folder.read_trials())[0])


def grid_summary(path: Path) -> str:
    """Return the answer of a grid folder and its first table, for a terminal."""
    sweep = SearchFolder(path).read_sweep()
    return _for_terminal(grid_answer(sweep), grid_tables(sweep)[0])


def _for_terminal(answer: str, table: SearchTable) -> str:
    return f"{answer}\n\n{plain_table(table.header, table.rows)}"


def search_answer(search: SearchRecord) -> str:
    """Return what a search selected, and what that is worth, in a few sentences."""
    figure, selected = RULES[search.objective][0], search.selected
    if selected is None:
        tolerance = search.settings.guardrails
        return (
            f"No trial kept both tails: each lost more than {tolerance.low_tail_adjacent:g} "
            f"(low) or {tolerance.high_tail_adjacent:g} (high) of the reference's adjacent "
            f"agreement. The reference stays.{_nested_sentence(search, figure)}"
        )
    sentence = (
        f"Trial {selected.slot} was selected: "
        f"{_both(selected.figures, figure)}, on the folds that selected it."
    )
    return sentence + _curse_sentence(search, figure) + _nested_sentence(search, figure)


def grid_answer(sweep: GridRecord) -> str:
    """Return what a grid's best cell came to in a sentence or two."""
    best, figure = sweep.cells[0], RULES[sweep.objective][0]
    if best.state != "complete":
        return "No cell has the figures to be ranked by."
    return (
        f"The best of {len(sweep.cells)} cells has {_both(best.figures, figure)}, "
        f"{sweep.label}.{_curse_sentence(sweep, figure)}"
    )


def _both(figures: Figures, first: str) -> str:
    """Return a rule's first figure and mean QWK in words, once where they are the same."""
    names = dict.fromkeys((first, "mean_qwk"))
    return " and ".join(f"{FIGURES[name]} {number(figures[name])}" for name in names)


def _curse_sentence(record: SearchRecord | GridRecord, figure: str) -> str:
    curse = record.winners_curse
    if curse is None or curse.drop[figure] is None:
        return ""
    return (
        f" Of that {FIGURES[figure]}, {number(curse.drop[figure])} is expected to be the luck "
        f"of the best of {curse.candidates}, which leaves {number(curse.expected[figure])}; "
        f"{curse.reselected:.0%} of resamples select the same one."
    )


def _nested_sentence(search: SearchRecord, figure: str) -> str:
    if search.nested is None:
        return f" These figures are {search.label}." if search.selected else ""
    ours, theirs = (nested_figures(search.nested, arm) for arm in ("candidate", "reference"))
    return (
        " Searching and selecting like this, judged on folds that took no part in it, gives "
        f"{_both(ours, figure)} (the reference: {_both(theirs, figure)})."
    )


def _caveats(search: SearchRecord) -> list[str]:
    """Return what a reader must know before believing the figures."""
    lines = [f"Objective {search.objective}, scheme {search.scheme}: {search.label}."]
    if search.allow_tail_regression:
        lines.append("The tails were allowed to get worse (--allow-tail-regression).")
    if search.trials_beyond_cap:
        reason = search.trials_beyond_cap
        lines.append(f"More than {search.cap} trials were asked for, because: {reason}.")
    if search.few:
        lines.append("Fewer than 30 trials: a try-out, not a search.")
    return lines


@dataclass(frozen=True)
class _Drawings:
    """Drawings and their captions by title, or what is missing to draw them."""

    missing: str | None = None
    made: Mapping[str, tuple[Markup, str]] = field(default_factory=dict)


@dataclass(frozen=True)
class _Page:
    """What both reports hold."""

    name: str
    answer: str
    caveats: list[str]
    tables: list[SearchTable]
    drawings: _Drawings

    def write_summary(self, path: Path, name: str) -> Path:
        """Write the Markdown summary by this name, and return its path."""
        return write_texts(path / "reports", {name: self._markdown()})[0]

    def write_view(self, path: Path) -> Path:
        """Write the page, and return its path."""
        page = rendered("search.html.jinja", home=FROM_GROUP, **vars(self))
        write_text(path / VIEWS / "report.html", page)
        return path / VIEWS / "report.html"

    def _markdown(self) -> str:
        parts = [f"# {self.name}", self.answer, *self.caveats]
        for table in self.tables:
            parts += [f"## {table.caption}", table.note, markdown_table(table.header, table.rows)]
        return "\n\n".join(parts) + "\n"


def _search_page(path: Path) -> _Page:
    folder = SearchFolder(path)
    search, trials = folder.read_search(), folder.read_trials()
    drawings = _drawings(search, trials.parts["all"])
    tables, caveats = search_tables(search, trials), _caveats(search)
    return _Page(search.name, search_answer(search), caveats, tables, drawings)


def _grid_page(path: Path) -> _Page:
    sweep = SearchFolder(path).read_sweep()
    return _Page(sweep.name, grid_answer(sweep), [], grid_tables(sweep), _Drawings())


def _drawings(search: SearchRecord, trials: list[TrialRow]) -> _Drawings:
    """Return captions and drawings of those figures that there is anything to draw for."""
    figure = RULES[search.objective][0]
    space = search.settings.space
    declared = {p: tuple(one.values) for p, one in space.items() if isinstance(one, Choice)}
    wanted: dict[str, tuple[Draw | None, str]] = {
        "History": (
            history(trials, figure, search.reference.figures[figure]),
            f"{FIGURES[figure]} by trial; the line is the best so far, dashed is the reference",
        ),
        "Importance": (importance(search.importances), "what sets the better trials apart"),
        "Parallel coordinates": (
            parallel(trials, declared),
            f"one line a trial, the best in colour: {ends(trials, declared)}",
        ),
    }
    try:
        made = {
            title: (Markup(charts.drawn(draw, f"f{at}", caption)), caption)  # noqa: S704
            for at, (title, (draw, caption)) in enumerate(wanted.items())
            if draw is not None
        }
    except MissingExtraError as error:
        return _Drawings(f"figures need: {error.install}")
    return _Drawings(made=made)
