"""Figures of a run as inline SVG that follows the page's colours; the same run, the same bytes.

Matplotlib draws in stand-in colours, which are then replaced by the page's CSS variables, so that
one drawing serves light, dark and print. Text stays text.
"""

from __future__ import annotations

import html
import io
import re
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from essay_scoring.core.errors import MissingExtraError
from essay_scoring.core.scale import FloatArray
from essay_scoring.records.fits import Fit
from essay_scoring.statistics.agreement import common_values
from essay_scoring.statistics.predictions import Predictions
from essay_scoring.statistics.summary import Summary

INK, QUIET, GRID, ACCENT, SECOND = "#010101", "#020202", "#030303", "#040404", "#050505"
_VARIABLES = {INK: "ink", QUIET: "quiet", GRID: "grid", ACCENT: "accent", SECOND: "second"}

_STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "essay-scoring",
    "svg.image_inline": True,
    "font.family": "sans-serif",
    "font.size": 9.0,
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.edgecolor": QUIET,
    "axes.linewidth": 0.8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": GRID,
    "grid.linewidth": 0.6,
    "xtick.color": QUIET,
    "ytick.color": QUIET,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "legend.frameon": False,
    "figure.facecolor": "none",
    "axes.facecolor": "none",
}
MAX_DOTS = 800
MAX_ROUNDS_DRAWN = 150
N_LENGTH_GROUPS = 10


def drawn(
    draw: Callable[[Any], None],
    name: str,
    description: str,
    size: tuple[float, float] = (4.4, 3.0),
) -> str:
    """Return an SVG element drawn by `draw(axes)`, labelled for readers who cannot see it.

    `size` is in inches. Raises MissingExtraError without matplotlib.
    """
    try:
        import matplotlib as mpl
        from matplotlib.figure import Figure
    except ImportError:
        raise MissingExtraError("matplotlib", "figures") from None
    buffer = io.StringIO()
    with mpl.rc_context(_STYLE):
        figure = Figure(figsize=size, layout="constrained")
        draw(figure.add_subplot())
        figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None})
    return _inline(buffer.getvalue(), name, description)


def calibration(summary: Summary) -> Callable[[Any], None]:
    """Return a drawing of the mean true score against each predicted band."""
    bands = [row for row in summary.predicted_bands if row.n]
    predicted = [row.mean_final for row in bands if row.mean_final is not None]
    true = [row.mean_true for row in bands if row.mean_true is not None]

    def draw(axes: Any) -> None:
        ends = [min(predicted + true), max(predicted + true)]
        axes.plot(ends, ends, color=QUIET, linestyle=(0, (4, 3)), linewidth=1, label="as predicted")
        axes.plot(predicted, true, color=ACCENT, label="mean true score")
        most = max(row.n for row in bands)
        areas = [8 + 90 * row.n / most for row in bands]
        axes.scatter(predicted, true, s=areas, color=ACCENT, linewidths=0)
        axes.margins(0.1)
        axes.set_xlabel(f"predicted, {summary.unit}")
        axes.set_ylabel("true")
        axes.legend(loc="upper left", fontsize=8)

    return draw


def residuals_by_length(
    predictions: Predictions, words: FloatArray
) -> Callable[[Any], None] | None:
    """Return a drawing of prediction minus true score against words; None without word counts."""
    true, _, raw = common_values(predictions)
    off = raw - true
    known = np.flatnonzero(np.isfinite(words))
    if len(known) < N_LENGTH_GROUPS:
        return None
    by_length = known[np.argsort(words[known], kind="stable")]
    dots = by_length[:: max(1, -(-len(by_length) // MAX_DOTS))]
    groups = np.array_split(by_length, N_LENGTH_GROUPS)
    centres = [float(np.median(words[group])) for group in groups]

    def draw(axes: Any) -> None:
        axes.axhline(0, color=QUIET, linewidth=1)
        axes.scatter(words[dots], off[dots], s=5, color=QUIET, alpha=0.35, linewidths=0)
        edges = [np.quantile(off[group], [0.1, 0.9]) for group in groups]
        low, high = (np.array([edge[side] for edge in edges]) for side in (0, 1))
        axes.vlines(centres, low, high, color=ACCENT, linewidth=2, alpha=0.5)
        means = [float(off[group].mean()) for group in groups]
        axes.plot(centres, means, color=ACCENT, marker="o", markersize=4)
        axes.set_xlabel("words in the essay")
        axes.set_ylabel("prediction minus true score")

    return draw


def learning_curves(fits: Sequence[Fit]) -> Callable[[Any], None] | None:
    """Return a drawing of the losses of each fold's fit by round; None if no fit has rounds.

    What else a fit measured by round, as an invariance method does, is no loss and stays out.
    """
    colours = {"train": QUIET, "dev": ACCENT}
    curves = [(fit, name) for fit in fits for name in colours if name in fit.curve]
    if not any(len(fit.curve[name]) > 1 for fit, name in curves):
        return None

    def draw(axes: Any) -> None:
        labelled: set[str] = set()
        for fit, name in curves:
            at, kept = _thinned(np.asarray(fit.curve[name], dtype=np.float64))
            label = None if name in labelled else name
            labelled.add(name)
            axes.plot(at, kept, color=colours[name], linewidth=1, label=label)
        for fit in fits:
            _mark_kept(axes, fit)
        axes.set_xlabel("round")
        axes.set_ylabel("loss")
        axes.legend(fontsize=8)

    return draw


def _mark_kept(axes: Any, fit: Fit) -> None:
    """Mark on the `dev` curve the round that a fit kept."""
    dev, kept = fit.curve.get("dev", []), fit.rounds
    if kept is not None and 0 < kept <= len(dev):
        axes.plot([kept], [dev[kept - 1]], color=ACCENT, marker="o", markersize=4)


def _thinned(values: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return rounds (from 1) and values, few enough to draw."""
    picked = np.linspace(0, len(values) - 1, min(len(values), MAX_ROUNDS_DRAWN))
    at = np.unique(picked.astype(np.int64))
    return (at + 1).astype(np.float64), values[at]


def _inline(svg: str, name: str, description: str) -> str:
    """Return the svg element alone, themed, its ids made unique by `name`."""
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<(metadata|style)\b.*?</\1>", "", svg, flags=re.DOTALL)
    svg = re.sub(r'\b(id="|url\(#|href="#)', rf"\g<1>{name}-", svg).replace("xlink:href", "href")
    svg = re.sub(r" font-family: [^;\"]*;", "", svg)
    for colour, variable in _VARIABLES.items():
        svg = svg.replace(colour, f"var(--{variable})")
    view_box = re.search(r'viewBox="[^"]*"', svg)
    said = f"<title>{html.escape(name)}</title><desc>{html.escape(description)}</desc>"
    opening = f'<svg role="img" {view_box[0] if view_box else ""}>{said}'
    return re.sub("<svg[^>]*>", lambda _: opening, svg, count=1)
