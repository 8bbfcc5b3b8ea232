"""The sections of docs/results.md, each made again from the artifacts beside the page."""

from __future__ import annotations

from collections.abc import Callable

from essay_scoring.core.number_text import number
from essay_scoring.core.scale import HIGH_TAIL, LOW_TAIL
from essay_scoring.features.linguistic import HANDCRAFTED
from essay_scoring.records.config import load_run_config
from essay_scoring.reports.table_cells import markdown_table
from tests.conftest import ROOT
from tests.docs.quoted import interval
from tests.docs.results_invariance import invariance
from tests.docs.results_lift import first_round, g3, lift, locked
from tests.docs.results_pieces import Quoted, Row, artifact, clauses, compared, one, span
from tests.docs.results_studies import g1

INTRO = """
Measured on {date} on two cores of an {processor}, with the {left:,} ELLIPSE training essays ({n}
prompts, {large} of them with at least {least} essays) that are left of the {read:,} in

{encoder.name} read at layer {encoder.layers[0]}.

`bottom k` ({bottom_k}) count prompts with at least {least} essays; the tails

raters scored at most {low:.1f} and at least {high:.1f}.
"""


def intro() -> Quoted:
    study, counts = artifact("g1_ellipse.study"), artifact("ellipse.prepared")["counts"]["train"]
    tests = compared(study, "catboost")
    assert tests["n_folds"] == 5
    assert study["machine"]["threads"] == 2
    said = clauses(
        INTRO,
        date=study["date"],
        processor=study["machine"]["processor"],
        left=counts["after_window"],
        read=counts["read"],
        n=study["data"]["n_prompts"],
        large=tests["prompt_test"]["n_prompts"],
        least=tests["min_prompt_n"],
        bottom_k=tests["bottom_k"],
        encoder=load_run_config(ROOT / "configs/ellipse_reference.toml").features.encoder,
        low=1 + 4 * LOW_TAIL,
        high=1 + 4 * HIGH_TAIL,
    )
    return said, {"95%", "all-mpnet-base-v2"}


def reference() -> Quoted:
    audits = [artifact(f"reference.{name}") for name in ("audit", "explain")]
    assert audits[0]["run"] == audits[1]["run"]
    sections = [section for audit in audits for section in audit["sections"]]
    header = ("section", "verdict", "finding")
    rows = [[section[key] for key in ("title", "verdict", "finding")] for section in sections]
    limits = one(sections, name="limits")["figures"]
    said = clauses(
        "under `prompt_holdout` ({run[n]:,} essays, {run[n_prompts]} prompts); every figure\n\n"
        "QWK stays below the {limit:.2f} that operational use asks for",
        run=audits[0]["run"],
        limit=one(limits, name="QWK, at least")["limit"],
    )
    return [markdown_table(header, rows), *said], set()


MAPPINGS = """
Cut-points raise mean QWK by {raised:.3f} and MAE by an eighth

changes mean QWK by {flattered:+.3f}: on these essays the leave-one-fold-out fit is not flattered.

which helped elsewhere, costs {cost:.3f} here.
"""
NOTES = {
    "training.mapping=qwk_cutpoints_lfo": " (the reference)",
    "features.standardise_by_prompt=true": " (transductive)",
}


def mapping(setting: str) -> Row:
    return one(artifact("mappings")["rows"], setting=setting)


def mean_qwk(setting: str) -> float:
    return float(mapping(setting)["mean_qwk"]["mean"])


def mappings() -> Quoted:
    rows = [
        [
            f"`{row['setting']}`{NOTES.get(row['setting'], '')}",
            f"{number(row['mean_qwk']['mean'])} ± {number(row['mean_qwk']['std'])}",
            interval(row["pooled_qwk"]),
            number(row["mae"]["estimate"]),
        ]
        for row in artifact("mappings")["rows"]
    ]
    fitted = mean_qwk("training.mapping=qwk_cutpoints_lfo")
    said = clauses(
        MAPPINGS,
        raised=fitted - mean_qwk("training.mapping=round_half_band"),
        flattered=mean_qwk("training.mapping=qwk_cutpoints_inner") - fitted,
        cost=fitted - mean_qwk("features.standardise_by_prompt=true"),
    )
    return [markdown_table(("setting", "mean QWK", "pooled QWK [95%]", "MAE"), rows), *said], set()


SEARCHES = """
optuna-sweep configs/search/xgb_ellipse_flat.toml --workers 2

optuna-sweep configs/search/xgb_ellipse.toml --workers 2

The published grid of {cells} cells, {trials} trials of trees around the reference

reported by what {trials} trials on the other folds selected

a worst prompt of {looks:.3f}, {gain:+.3f} over the reference `b28c376a73`. Of that, {luck:.3f} is
the luck of the best of {of}; the grid's best, {grid[0]:.3f}, falls to {grid[1]:.3f}, below the
reference. {again:.0%} of resamples would have selected the same trial.

pooled QWK {pooled[estimate]:+.3f} over the reference (95%: {pooled_span}, {pooled[n]:,} essays),
bottom five {bottom[estimate]:+.3f} ({bottom_span}), worst prompt {worst[estimate]:+.3f}
({worst_span}).

falls to a mean QWK of {other[mean_qwk]:.3f}, {loss:.3f} below the reference ({other_span}).

estimate of the flat search ({lucky:.3f}) lies {under:.3f} under what nesting found ({inside:.3f}),
where the apparent figure lies {over:.3f} over it.
"""
FIGURES = {
    "worst prompt": "worst_prompt_qwk",
    "mean QWK": "mean_qwk",
    "bottom k": "bottom_k_mean",
    "pooled QWK": "pooled_qwk",
    "low tail": "low_tail_adjacent",
    "high tail": "high_tail_adjacent",
    "MAE": "mae",
}
GRID, FLAT, NESTED = "reference-grid-b69c226b7fc2", "xgb-ellipse-flat", "xgb-ellipse"
LOOKS, LESS_LUCK = "best, as it looks", "best, less its luck"


def found(search: str, what: str) -> Row:
    return one(artifact("searches")["rows"], search=search, what=what)


def searches_table() -> str:
    """Return the table of searches, with the reference that they share once."""
    rows = artifact("searches")["rows"]
    before, *more = [row for row in rows if row["what"] == "reference"]
    assert all(row[key] == before[key] for row in more for key in FIGURES.values())
    told = [before, *(row for row in rows if row["what"] != "reference")]
    cells = [
        [row["search"], row["what"], *(number(row[key]) for key in FIGURES.values())]
        for row in told
    ]
    return markdown_table(("search", "row", *FIGURES), cells)


def searches() -> Quoted:
    flat, nested = (one(artifact("searches")["searches"], search=x) for x in (FLAT, NESTED))
    assert flat["trials"] == nested["trials"]
    names = {"pooled": "pooled_qwk", "bottom": "bottom_k_mean", "worst": "worst_prompt_qwk"}
    deltas = {name: nested["nested"][metric] for name, metric in names.items()}
    rows = (found(*at) for at in ((FLAT, LOOKS), (FLAT, LESS_LUCK), (NESTED, "nested")))
    looks, lucky, inside = (row["worst_prompt_qwk"] for row in rows)
    [other] = flat["other_scheme"]
    said = clauses(
        SEARCHES,
        **deltas,
        **{f"{name}_span": span(delta) for name, delta in deltas.items()},
        cells=found(GRID, LOOKS)["candidates"],
        trials=flat["trials"],
        looks=looks,
        gain=looks - found(FLAT, "reference")["worst_prompt_qwk"],
        luck=looks - lucky,
        of=found(FLAT, LOOKS)["candidates"],
        grid=[found(GRID, what)["worst_prompt_qwk"] for what in (LOOKS, LESS_LUCK)],
        again=flat["reselected"],
        other=other,
        other_span=span(other),
        loss=-other["delta"],
        lucky=lucky,
        inside=inside,
        under=inside - lucky,
        over=looks - inside,
    )
    return [searches_table(), *said], set()


def companions() -> Quoted:
    rows = artifact("companions")["rows"]
    [alone] = {row["reference"] for row in rows}
    cells = [
        [row["companion"], number(row["candidate"]), interval(row, sign=True), str(row["n"])]
        for row in rows
    ]
    said = clauses(
        "on the {columns} handcrafted columns alone reach {alone:.3f}; each companion added to",
        columns=len(HANDCRAFTED),
        alone=alone,
    )
    header = ("companion", "mean QWK with it", "difference [95%]", "n")
    return [markdown_table(header, cells), *said], set()


SECTIONS: dict[str, Callable[[], Quoted]] = {
    "Results": intro,
    "What lifts agreement on unseen prompts": lift,
    "G1: CatBoost against the reference": g1,
    "G3: fine-tuned encoders, with and without prompt invariance": g3,
    "What prompt invariance is worth where a shortcut is planted": invariance,
    "The locked test": locked,
    "What is wrong with the reference": reference,
    "What a mapping is worth": mappings,
    "What a search is worth": searches,
    "What the length-robust columns add": companions,
    "The first round": first_round,
}
"""What makes each section again, by its heading."""
