"""`index.html` of a runs folder: every run, study and search in it, with links to its pages."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from essay_scoring.core.errors import InputError
from essay_scoring.core.files import read_json, write_text
from essay_scoring.core.number_text import number, with_interval
from essay_scoring.records.manifest import VIEWS, is_complete
from essay_scoring.reports.html import rendered

INDEX = "index.html"
_PAGES = {
    "audits": (("audit", "audit.html"), ("explanation", "explain.html")),
    "cards": (("card", "MODEL_CARD.html"), ("technical file", "TECHNICAL_FILE.html")),
}
_SEARCHES = ("artifacts/search.json", "artifacts/sweep.json")


@dataclass(frozen=True)
class Listed:
    """A row: what it is called, its own page, cells, and further pages by name."""

    name: str
    page: str
    cells: tuple[str, ...]
    more: tuple[tuple[str, str], ...] = ()


def listed_again(runs: Path) -> None:
    """Write the index of a runs folder anew where it is one; nothing where it is not."""
    if is_runs_folder(runs):
        write_index(runs)


def is_runs_folder(folder: Path) -> bool:
    """Tell whether a folder holds finished runs or studies, and is none itself."""
    return not is_complete(folder) and any(map(is_complete, _folders(folder, "", "studies/")))


def write_index(runs: Path) -> Path:
    """Write index.html of a runs folder; return its path.

    It lists what the folders say of themselves, without verifying each: their own pages do.
    """
    write_text(runs / INDEX, index_page(runs))
    return runs / INDEX


def index_page(runs: Path) -> str:
    """Return the page that lists all finished runs, studies and searches of a folder."""
    return rendered(
        "index.html.jinja",
        studies=_latest(map(_study, _finished(runs, "studies/"))),
        runs=_latest(_run(runs, folder) for folder in _finished(runs, "")),
        searches=_latest(map(_search, _finished(runs, "searches/"))),
    )


def _folders(runs: Path, *groups: str) -> Iterator[Path]:
    """Yield the folders of each group of a runs folder in order of name."""
    for group in groups:
        yield from sorted(path for path in (runs / group).glob("[!.]*") if path.is_dir())


def _finished(runs: Path, group: str) -> list[Path]:
    return [folder for folder in _folders(runs, group) if is_complete(folder)]


def _latest(rows: Iterator[Listed | None] | map[Listed | None]) -> list[Listed]:
    """Return the rows there are, by date where they have one and by name."""
    return sorted(filter(None, rows), key=lambda row: (row.cells[0], row.name), reverse=True)


def _told(path: Path) -> dict[str, Any]:
    """Return a JSON file, empty where it is not there or is none."""
    try:
        told = read_json(path) if path.is_file() else {}
    except InputError:
        return {}
    return told if isinstance(told, dict) else {}


def _study(folder: Path) -> Listed | None:
    told = _told(folder / "study.json")
    if not told:
        return None
    keys = ("date", "question", "outcome", "decided_arm")
    return Listed(
        folder.name,
        f"studies/{folder.name}/{VIEWS}/report.html",
        tuple(str(told.get(key, "")) for key in keys),
        (("decision", f"studies/{folder.name}/decision.md"),),
    )


def _run(runs: Path, folder: Path) -> Listed | None:
    told = _told(folder / "artifacts" / "cv_metrics.json")
    if not told:
        return None
    overall = told.get("summary", {}).get("overall", {})
    qwk, mae = overall.get("qwk", {}), overall.get("mae", {})
    finished = str(_told(folder / "status.json").get("finished") or "")
    cells = (
        finished[:16].replace("T", " "),
        str(told.get("family", "")),
        str(told.get("run", {}).get("scheme", "")),
        str(told.get("data", {}).get("n", "")),
        with_interval(qwk.get("estimate"), qwk.get("low"), qwk.get("high")),
        number(mae.get("estimate")),
        _audited(runs / "audits" / folder.name / "audit.json"),
    )
    more = tuple(
        (name, f"{group}/{folder.name}/{file}")
        for group, pages in _PAGES.items()
        for name, file in pages
        if (runs / group / folder.name / file).is_file()
    )
    return Listed(folder.name, f"{folder.name}/{VIEWS}/report.html", cells, more)


def _audited(path: Path) -> str:
    """Return how many sections of an audit ended how."""
    verdicts = Counter(str(one.get("verdict")) for one in _told(path).get("sections", ()))
    counted = [(verdicts[name], name) for name in ("fail", "undecided", "pass") if verdicts[name]]
    return ", ".join(f"{n} {name}" for n, name in counted) or "not audited"


def _search(folder: Path) -> Listed | None:
    told = next(filter(None, (_told(folder / name) for name in _SEARCHES)), None)
    if told is None:
        return None
    cells = (str(told.get("objective", "")), str(told.get("scheme", "")))
    return Listed(folder.name, f"searches/{folder.name}/{VIEWS}/report.html", cells)
