"""The reports of a search or a grid: a Markdown summary and one page."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from markupsafe import Markup

from essay_scoring.core.errors import MissingExtraError
from essay_scoring.core.files import read_json, write_text
from essay_scoring.reports import charts as figures
from essay_scoring.reports.html import environment
from essay_scoring.reports.search_figures import Draw, ends, history, importance, parallel
from essay_scoring.reports.search_tables import FIGURES, Table, grid_tables, search_tables
from essay_scoring.reports.table_cells import markdown_table, number, plain_table

Row = dict[str, Any]

_FIRST_FIGURE = {
    "worst_prompt_qwk_then_mean_qwk": "worst_prompt_qwk",
    "bottom_k_mean": "bottom_k_mean",
    "shrunken_worst": "shrunken_worst_qwk",
    "mean_qwk": "mean_qwk",
}


def write_search_reports(folder: Path) -> list[Path]:
    """Write `optuna_summary.md` and `report.html` under reports/ from artifacts/ alone."""
    search = read_json(folder / "artifacts" / "search.json")
    trials = read_json(folder / "artifacts" / "optuna_trials.json")
    tables, answer = search_tables(search, trials), search_answer(search)
    caveats = _caveats(search)
    page = _page(search["name"], answer, caveats, tables, _drawings(search, trials["parts"]["all"]))
    summary = _markdown(search["name"], answer, caveats, tables)
    return _write(folder, {"optuna_summary.md": summary, "report.html": page})


def write_grid_reports(folder: Path) -> list[Path]:
    """Write `sweep_summary.md` and `report.html` under reports/ from artifacts/ alone."""
    sweep = read_json(folder / "artifacts" / "sweep.json")
    tables, answer = grid_tables(sweep), grid_answer(sweep)
    page = _page(sweep["name"], answer, [], tables, {"missing": None, "made": {}})
    return _write(
        folder,
        {"sweep_summary.md": _markdown(sweep["name"], answer, [], tables), "report.html": page},
    )


def search_summary(folder: Path) -> str:
    """Return the answer of a search folder and its first table, for a terminal."""
    search = read_json(folder / "artifacts" / "search.json")
    trials = read_json(folder / "artifacts" / "optuna_trials.json")
    return _for_terminal(search_answer(search), search_tables(search, trials)[0])


def grid_summary(folder: Path) -> str:
    """Return the answer of a grid folder and its first table, for a terminal."""
    sweep = read_json(folder / "artifacts" / "sweep.json")
    return _for_terminal(grid_answer(sweep), grid_tables(sweep)[0])


def _for_terminal(answer: str, table: Table) -> str:
    return f"{answer}\n\n{plain_table(table.header, table.rows)}"


def search_answer(search: Row) -> str:
    """Return what a search found in a few sentences."""
    figure = _FIRST_FIGURE[search["objective"]]
    if search["selected"] is None:
        tolerance = search["settings"]["guardrails"]
        return (
            f"No trial kept both tails: each lost more than {tolerance['low_tail_adjacent']:g} "
            f"(low) or {tolerance['high_tail_adjacent']:g} (high) of the reference's adjacent "
            f"agreement. The reference stays.{_nested_sentence(search, figure)}"
        )
    sentence = (
        f"Trial {search['selected']['slot']} was selected: "
        f"{_both(search['selected']['figures'], figure)}, on the folds that selected it."
    )
    return sentence + _curse_sentence(search, figure) + _nested_sentence(search, figure)


def grid_answer(sweep: Row) -> str:
    """Return what a grid found in a sentence or two."""
    best = sweep["cells"][0]
    if best["state"] != "complete":
        return "No cell has the figures to be ranked by."
    figure = _FIRST_FIGURE[sweep["objective"]]
    return (
        f"The best of {len(sweep['cells'])} cells has {_both(best['figures'], figure)}, "
        f"{sweep['label']}.{_curse_sentence(sweep, figure)}"
    )


def _both(figures: Row, first: str) -> str:
    """Return a rule's first figure and mean QWK in words, once where they are the same."""
    names = dict.fromkeys((first, "mean_qwk"))
    return " and ".join(f"{FIGURES[name]} {number(figures[name])}" for name in names)


def _curse_sentence(record: Row, figure: str) -> str:
    curse = record["winners_curse"]
    if curse is None or curse["drop"][figure] is None:
        return ""
    return (
        f" Of that {FIGURES[figure]}, {number(curse['drop'][figure])} is expected to be the luck "
        f"of the best of {curse['candidates']}, which leaves {number(curse['expected'][figure])}; "
        f"{curse['reselected']:.0%} of resamples select the same one."
    )


def _nested_sentence(search: Row, figure: str) -> str:
    if search["nested"] is None:
        return f" These figures are {search['label']}." if search["selected"] else ""
    deltas = search["nested"]["against_reference"]["deltas"]
    ours, theirs = (
        {delta["metric"]: delta[arm] for delta in deltas} for arm in ("candidate", "reference")
    )
    return (
        " Searching and selecting like this, judged on folds that took no part in it, gives "
        f"{_both(ours, figure)} (the reference: {_both(theirs, figure)})."
    )


def _caveats(search: Row) -> list[str]:
    """Return what a reader must know before believing the figures."""
    said = [f"Objective {search['objective']}, scheme {search['scheme']}: {search['label']}."]
    if search["allow_tail_regression"]:
        said.append("The tails were allowed to get worse (--allow-tail-regression).")
    if search["trials_beyond_cap"]:
        reason = search["trials_beyond_cap"]
        said.append(f"More than {search['cap']} trials were asked for, because: {reason}.")
    if search["few"]:
        said.append("Fewer than 30 trials: a try-out, not a search.")
    return said


def _markdown(name: str, answer: str, caveats: list[str], tables: list[Table]) -> str:
    parts = [f"# {name}", answer, *caveats]
    for table in tables:
        parts += [f"## {table.caption}", table.note, markdown_table(table.header, table.rows)]
    return "\n\n".join(parts) + "\n"


def _page(name: str, answer: str, caveats: list[str], tables: list[Table], drawings: Row) -> str:
    template = environment().get_template("search.html.jinja")
    return template.render(
        name=name, answer=answer, caveats=caveats, tables=tables, drawings=drawings
    )


def _drawings(search: Row, trials: list[Row]) -> Row:
    """Return captions and drawings of those figures that there is anything to draw for."""
    figure = _FIRST_FIGURE[search["objective"]]
    reference = search["reference"]["figures"][figure]
    wanted: dict[str, tuple[Draw | None, str]] = {
        "History": (
            history(trials, figure, reference),
            f"{FIGURES[figure]} by trial; the line is the best so far, dashed is the reference",
        ),
        "Importance": (importance(search["importances"]), "what sets the better trials apart"),
        "Parallel coordinates": (
            parallel(trials),
            f"one line a trial, the best in colour: {ends(trials)}",
        ),
    }
    try:
        made = {
            caption: (Markup(figures.drawn(draw, f"f{at}", said)), said)  # noqa: S704
            for at, (caption, (draw, said)) in enumerate(wanted.items())
            if draw is not None
        }
    except MissingExtraError as error:
        return {"missing": f"figures need: {error.mend}", "made": {}}
    return {"missing": None, "made": made}


def _write(folder: Path, reports: dict[str, str]) -> list[Path]:
    paths = [folder / "reports" / name for name in reports]
    for path, text in zip(paths, reports.values(), strict=True):
        write_text(path, text)
    return paths
