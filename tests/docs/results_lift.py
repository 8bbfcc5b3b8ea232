"""The sections of docs/results.md on everything tried, on fine-tuning, and on the locked test."""

from __future__ import annotations

from typing import Any

from essay_scoring.core.number_text import number, probability
from essay_scoring.records.config import load_run_config
from essay_scoring.reports.table_cells import markdown_table
from tests.conftest import ROOT
from tests.docs.quoted import interval
from tests.docs.results_pieces import (
    Quoted,
    Row,
    arms,
    artifact,
    check,
    clauses,
    compared,
    one,
    power,
    record_of,
    span,
)

DIFFERS = {
    "blend-svr": "MPNet layer 6; support vectors on named and on all columns, ridge, trees; "
    "softened targets",
    "blend-mpnet": "MPNet layer 6; ridge on named and on all columns, trees",
    "blend-svr-layers": "`blend-svr` on the mean of MPNet layers 4 to 8",
    "blend-svr-stacked": "`blend-svr`, its weights found on dev",
    "catboost": "CatBoost for XGBoost",
    "companions": "eight length-robust columns more",
    "layer-mix": "the mean of MiniLM layers 2 to 4",
    "transductive": "columns standardised within each prompt",
    "seed-ensemble": "ten seeds averaged",
    "traits": "targets softened by the analytic scores",
    "mpnet": "MPNet layer 6 for MiniLM layer 3",
    "ridge": "ridge on handcrafted columns and companions, no encoder",
    "ridge-mpnet": "ridge on all columns, MPNet layer 6",
    "svr-mpnet": "support vectors on all columns, MPNet layer 6",
    "blend": "`blend-mpnet` on MiniLM",
    "g3.1-none": "fine-tuned MiniLM, LoRA on two layers",
    "g3.2-adversarial": "the same with a prompt adversary",
    "g3.3-group-dro": "the same with GroupDRO",
    "prompt-head": "the control of the adversary: no reversal",
}
"""What each arm differs from the reference in, in words."""

FIGURES = {
    "pooled_qwk": "pooled QWK, difference [95%]",
    "bottom_k_mean": "bottom k, difference [95%]",
}

DECIDED = "blend-svr"

LIFT = """
study configs/studies/ellipse.toml --results docs/results/ellipse.study.json

[docs/decisions/{record}](decisions/{record})

`lift` asks that pooled QWK be better by more than chance and neither tail be worse by more than
{room:.2f};

With {n:,} essays on {all_prompts} prompts `lift` passes two equal scorers {lift[0]:.1f}% of the
time (n = {lift[1]:.0f}, 95% interval {lift[2]:.1f}% to {lift[3]:.1f}%) and detects {lift[4]:+.3f}
in pooled QWK with 80% power.

pooled QWK {best[candidate]:.3f}, mean of {seeds} seeds, {best[estimate]:+.3f} over the reference
(95%: {best_span}, {n:,} essays); MAE {mae[candidate]:.3f} for {mae[reference]:.3f}. The 0.75 that
was hoped for was not reached.

MPNet read in its middle is worth {mpnet[estimate]:+.3f} by itself, support vectors in place of
trees {svr_gain:+.3f} more, the blend another {blend_gain:+.3f}; softened targets are worth
{traits[estimate]:+.3f} ({traits_span}) to the reference's trees alone.

weights found on dev ({stacked[estimate]:+.3f}) and five layers in place of one
({layers[estimate]:+.3f}) are no better than `blend-svr` plain, with one seed each.

ten seeds averaged are worth {ensemble[estimate]:+.3f} ({ensemble_span}), standardising within
prompts costs {transductive:.3f}.

the fine-tuned encoders lie {best_g3:.3f} to {worst_g3:.3f} below it

On prompts that were trained on (`stratified_text`) it gains {seen[estimate]:+.3f} ({seen_span}).

{n_candidates} candidates were compared, so one may pass by luck. After Holm's correction
`blend-svr` still differs over prompts (sign flips over {n_prompts} prompts, p = {p_prompts}) and
over folds (corrected resampled t, p = {p_folds})
"""


def lift() -> Quoted:
    study = artifact("ellipse.study")
    tables = [arms(study, "prompt_holdout", costs=True), arms(study, "stratified_text", costs=True)]
    said = clauses(LIFT, **lift_figures(study))
    return [*tables, deltas_table(study), *said], {"all-mpnet-base-v2", "`g3_local`", "G3"}


def lift_figures(study: Row) -> dict[str, Any]:
    """Return the figures of the section by the names that its clauses give them."""
    best, seen = pooled(study, DECIDED), pooled(study, DECIDED, "stratified_text")
    traits, tests = pooled(study, "traits"), compared(study, DECIDED)
    g3 = [pooled(study, arm)["estimate"] for arm in DIFFERS if arm.startswith(("g3", "prompt-"))]
    return {
        "record": record_of(study),
        "room": -check(study, DECIDED, "lift", "low_tail_adjacent")["threshold"],
        "lift": power(study, "lift"),
        "best": best,
        "best_span": span(best),
        "seeds": arms(study, "prompt_holdout").count(f"candidate: {DECIDED}, seed "),
        "n": study["data"]["n"],
        "all_prompts": study["data"]["n_prompts"],
        "mae": figure(study, DECIDED, "mae"),
        "mpnet": pooled(study, "mpnet"),
        "svr_gain": pooled(study, "svr-mpnet")["estimate"] - pooled(study, "mpnet")["estimate"],
        "blend_gain": best["estimate"] - pooled(study, "svr-mpnet")["estimate"],
        "traits": traits,
        "traits_span": span(traits),
        "stacked": pooled(study, "blend-svr-stacked"),
        "layers": pooled(study, "blend-svr-layers"),
        "ensemble": pooled(study, "seed-ensemble"),
        "ensemble_span": span(pooled(study, "seed-ensemble")),
        "transductive": -pooled(study, "transductive")["estimate"],
        "worst_g3": -min(g3),
        "best_g3": -max(g3),
        "seen": seen,
        "seen_span": span(seen),
        "n_candidates": len(DIFFERS),
        "n_prompts": tests["prompt_test"]["n_prompts"],
        "p_prompts": probability(tests["holm"]["prompt_test"]),
        "p_folds": probability(tests["holm"]["fold_test"]),
    }


def deltas_table(study: Row) -> str:
    """Return a row for each candidate: what differs, by how much, and what its gates said."""
    rows = []
    for arm, differs in DIFFERS.items():
        gates = [gate for gate in study["gates"] if gate["arm"] == arm]
        said = ", ".join(f"`{gate['plan']}`: {gate['verdict']}" for gate in gates)
        spans = [interval(figure(study, arm, name), sign=True) for name in FIGURES]
        rows.append([arm, differs, *spans, said])
    header = ("arm", "what differs from the reference", *FIGURES.values(), "gates")
    return markdown_table(header, rows)


def figure(study: Row, arm: str, name: str, scheme: str = "prompt_holdout") -> Row:
    """Return the difference of an arm's figure from the reference's."""
    return one(compared(study, arm, scheme)["deltas"], metric=name)


def pooled(study: Row, arm: str, scheme: str = "prompt_holdout") -> Row:
    return figure(study, arm, "pooled_qwk", scheme)


G3 = """
study configs/studies/g3_ellipse_local.toml --results docs/results/g3_ellipse_local.study.json

[docs/decisions/{record}](decisions/{record})

MiniLM cut at layer {scorer.layer},

Against the reference all three fail `g3_local`: the mean of the worst five prompts falls by
{plain[estimate]:.3f} (95%: {plain[high]:.3f} to {plain[low]:.3f}) without invariance, by
{adversarial[estimate]:.3f} with the adversary and by {dro[estimate]:.3f} with GroupDRO.

A head that starts at a ridge moves mean QWK from {before[0]:.3f} to {after[0]:.3f} without
({moved[0]}) and from {before[1]:.3f} to {after[1]:.3f} with the adversary ({moved[1]})

The adversary leaves the prompt almost as easy to name: {probe[1]:.3f} for {probe[0]:.3f}, GroupDRO
{probe[2]:.3f}
"""


def g3() -> Quoted:
    study, record = artifact("g3_ellipse_local.study"), artifact("g3_local")
    rows = record["rows"]
    starts = {(row["arm"], row["lp_ft"]): row for row in rows}
    arms_of = ("g3.1-none", "g3.2-adversarial", "g3.3-group-dro")
    plain, adversarial, dro = (_fall(study, arm) for arm in arms_of)
    said = clauses(
        G3,
        record=record_of(study),
        scorer=load_run_config(ROOT / "configs/ellipse_transformer.toml").scorer,
        plain=plain,
        adversarial=adversarial,
        dro=dro,
        before=[starts[arm, "random"]["mean_qwk"] for arm in arms_of[:2]],
        after=[starts[arm, "ridge"]["mean_qwk"] for arm in arms_of[:2]],
        moved=[interval(row, sign=True) for row in record["lp_ft"]],
        probe=[starts[arm, "ridge"]["probe"]["learnt"] for arm in arms_of],
    )
    return [arms(study, "prompt_holdout"), g3_table(rows), *said], {"G1"}


def _fall(study: Row, arm: str) -> Row:
    """Return by how much the worst five prompts fall: a loss above zero, its ends turned too."""
    found = figure(study, arm, "bottom_k_mean")
    return {key: -found[key] for key in ("estimate", "low", "high")}


def g3_table(rows: list[Row]) -> str:
    """Return a row for each fine-tuned run, also those of another start."""
    header = ("arm", "head starts", "mean QWK", "bottom k", "MAE", "probe", "minutes of fitting")
    cells = [
        [
            row["arm"],
            row["lp_ft"],
            f"{number(row['mean_qwk'])} ± {number(row['mean_qwk_std'])}",
            number(row["bottom_k_mean"]),
            number(row["mae"]),
            f"{number(row['probe']['learnt'])} ({number(row['probe']['frozen'])})",
            f"{row['fit_minutes']:.1f}",
        ]
        for row in rows
    ]
    return markdown_table(header, cells)


FIRST = """
study configs/studies/lift_ellipse.toml --results docs/results/lift_ellipse.study.json

[docs/decisions/{record}](decisions/{record})

blend-mpnet passed `lift` there with {best[delta]:+.3f} ({best_span})
"""


def first_round() -> Quoted:
    study = artifact("lift_ellipse.study")
    best = check(study, "blend-mpnet", "lift", "pooled_qwk")
    said = clauses(FIRST, record=record_of(study), best=best, best_span=span(best))
    return [arms(study, "prompt_holdout"), *said], set()


LOCKED = """
final-test runs/{run} --decision runs/studies/{study}

for `blend-svr` (seed {seed}),

pooled QWK {qwk[estimate]:.3f} (95%: {qwk[low]:.3f} to {qwk[high]:.3f}) on {n} essays of {prompts}
prompts; MAE {mae:.3f}.
"""


def locked() -> Quoted:
    found = artifact("locked")
    overall = found["summary"]["overall"]
    said = clauses(
        LOCKED,
        run=found["decided_run"],
        study=found["study"],
        seed=one(artifact("ellipse.study")["runs"], run=found["decided_run"])["seed"],
        qwk=overall["qwk"],
        n=found["summary"]["n"],
        prompts=found["n_prompts"],
        mae=overall["mae"]["estimate"],
    )
    return said, set()
