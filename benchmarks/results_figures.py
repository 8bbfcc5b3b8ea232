"""The figures that docs/results.md quotes in its sentences, by the names that its template uses."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from benchmarks.evidence import CONFIRMED, MAPPED
from benchmarks.results_artifacts import (
    KNOWN,
    artifact,
    dealt,
    dealt_gain,
    delta_of,
    figure,
    fine_tuned,
    gain,
    reached,
    record_of,
    run_of,
    span,
    study_of,
    traits_record,
    verdict,
)

from essay_scoring.core.number_text import number, with_interval
from essay_scoring.statistics.comparison import Delta

Figures = dict[str, str]
LITTLE = ("catboost", "companions", "seed-ensemble", "traits", "transductive")
"""Arms that change one thing of the reference and keep its encoder."""


def figures() -> Figures:
    """Return every figure in digits; SystemExit for a name that two sections give."""
    out: Figures = {}
    for section in SECTIONS:
        more = section()
        if twice := out.keys() & more.keys():
            raise SystemExit(f"two sections give {', '.join(sorted(twice))}")
        out |= more
    return out


def corpus() -> Figures:
    """Return what the essays are, and when and where they were scored."""
    study, counts = study_of("ellipse"), artifact("ellipse.prepared")["counts"]["train"]
    [compared] = [part for part in study.comparisons if part.scheme == "prompt_holdout"]
    first = compared.arms[0]
    at = study.machine
    return {
        "kept": f"{counts['after_window']:,}",
        "read": f"{counts['read']:,}",
        "prompts": str(study.data.n_prompts),
        "large": f"{delta_of(study, 'blend-svr', 'bottom_k_mean').prompts:.0f}",
        "least": str(first.min_prompt_n),
        "bottom_k": str(first.bottom_k),
        "date": study.date,
        "machine": f"{at.threads} cores of an {at.processor} ({at.instruction_set})",
    }


def lifts() -> Figures:
    """Return what lifts agreement over the reference."""
    study = study_of("ellipse")
    unsure = [arm for arm in LITTLE if verdict(delta_of(study, arm)) == "not told apart"]
    return {
        "reference": reached(study, "reference"),
        "reference_mae": figure(study, "reference", "mae"),
        "reference_worst": figure(study, "reference", "worst_prompt_qwk"),
        "length": span(run_of(study, "reference").baselines["length"].overall["qwk"]),
        "blend_svr": reached(study, "blend-svr"),
        "blend_svr_gain": gain(study, "blend-svr"),
        "blend_svr_mae": figure(study, "blend-svr", "mae"),
        "blend_svr_worst": figure(study, "blend-svr", "worst_prompt_qwk"),
        "mpnet_gain": gain(study, "mpnet"),
        "svr_gain": gain(study, "svr-mpnet"),
        "n_undecided": str(len(unsure)),
        "undecided": ", ".join(f"`{arm}`" for arm in unsure) or "none",
        "seen_gain": span(delta_of(study, "blend-svr", scheme=KNOWN), sign=True),
        "ellipse_record": record_of(study),
        "ellipse_outcome": study.outcome,
        "ellipse_decided": study.decided_arm,
    }


def surprise() -> Figures:
    """Return what a language model's surprise is worth on folds on which nothing was chosen."""
    alone, beside = study_of("surprisal_ridge"), study_of("surprisal_ellipse")
    return {
        "named": number(delta_of(alone, "ridge-named-surprisal").reference),
        "named_surprisal": number(delta_of(alone, "ridge-named-surprisal").candidate),
        "named_gain": gain(alone, "ridge-named-surprisal"),
        "named_outcome": alone.outcome,
        "named_record": record_of(alone),
        "beside_gain": gain(beside, "blend-surprisal"),
        "beside_verdict": verdict(delta_of(beside, "blend-surprisal")),
        "beside_outcome": beside.outcome,
        "beside_record": record_of(beside),
        "again_gain": dealt_gain("partition", "blend-surprisal"),
        "again_n": str(artifact("ellipse_partitions")["partitions"]),
        "two_gain": gain(beside, "blend-two-encoders"),
    }


def confirmed() -> Figures:
    """Return what the best arm reaches on partitions drawn after it was fixed."""
    arm = "blend-surprisal"
    best = dealt("confirmation", arm)["candidate"]
    gates = [
        next(gate for gate in study_of(f"ellipse_confirmation_{n}").gates if gate.arm == arm)
        for n in CONFIRMED
    ]
    return {
        "confirmed_n": str(artifact("ellipse_confirmations")["partitions"]),
        "confirmed": number(best["pooled_qwk"]),
        "confirmed_mae": number(best["mae"]),
        "confirmed_worst": number(best["worst_prompt_qwk"]),
        "confirmed_gain": dealt_gain("confirmation", arm),
        "confirmed_over_reference": dealt_gain("confirmation", arm, "reference"),
        "confirmed_outcomes": ", ".join(gate.verdict for gate in gates),
        "answers_gain": dealt_gain("confirmation", "blend-answers", arm),
    }


def traits() -> Figures:
    """Return the mean over six traits."""
    six = {row.arm: row.qwk for row in traits_record().rows if row.trait is None}
    return {
        "traits_mean": span(six["blend-surprisal"]),
        "traits_alone": span(six["blend-surprisal-alone"]),
    }


def order() -> Figures:
    """Return what G1 and G3 came to."""
    first, third = study_of("g1_ellipse"), study_of("g3_ellipse_mpnet")
    checks = [check for gate in first.gates if gate.plan == "g1" for check in gate.checks]
    worst = next(check for check in checks if check.metric == "worst_prompt_qwk")
    tuned = fine_tuned(third)
    best = max(tuned, key=lambda arm: delta_of(third, arm).candidate or -1.0)
    return {
        "g1_asked": number(worst.threshold, sign=True),
        "g1_worst": with_interval(worst.delta, worst.low, worst.high, sign=True),
        "g1_outcome": first.outcome,
        "g1_record": record_of(first),
        "tuned": reached(third, "g3.1-none"),
        "frozen_text": reached(third, "frozen-text"),
        "best_tuned": best,
        "best_tuned_gain": gain(third, best),
        "g3_outcome": third.outcome,
        "g3_record": record_of(third),
        "g3_essays": f"{third.data.n * 4 // 5:,}",
    }


def together() -> Figures:
    """Return what fine-tuned arms come to beside frozen ones, and methods beside none."""
    found = artifact("hybrids")
    of = {(row["tuned"], row["frozen"]): row for row in found["rows"]}
    plain = found["plain"]
    alone, blend = of[plain, "frozen-text"], of[plain, "blend-surprisal"]
    methods = map(_delta, found["methods"].values())
    helped = sum(delta.low is not None and delta.low > 0 for delta in methods)
    return {
        "tuned_frozen": span(_delta(alone["tuned_over_frozen"]), sign=True),
        "tuned_frozen_verdict": verdict(_delta(alone["tuned_over_frozen"])),
        "hybrid": number(blend["pooled_qwk"]),
        "hybrid_gain": span(_delta(blend["over_frozen"]), sign=True),
        "hybrid_verdict": verdict(_delta(blend["over_frozen"])),
        "n_helped": str(helped) if helped else "none",
    }


def _delta(deltas: dict[str, Any]) -> Delta:
    return Delta.model_validate(deltas["pooled_qwk"])


def others() -> Figures:
    """Return what the remaining artifacts say."""
    planted = {
        (arm["arm"], arm["shortcut"]): arm.get("gain") for arm in _rows("invariance", "arms")
    }
    locked = artifact("locked")
    mean = {setting: row["mean_qwk"]["mean"] for setting, row in mapped().items()}
    fitted = mean["training.mapping=qwk_cutpoints_lfo"]
    [fresh] = (partition for partition in MAPPED if partition)
    shrunk = mapped("blend_surprisal", fresh)["training.mapping=qwk_cutpoints_shrunk"]
    usual = mapped("blend_surprisal")["training.mapping=qwk_cutpoints_shrunk"]
    worst = {(row["search"], row["what"]): row["worst_prompt_qwk"] for row in _rows("searches")}
    [nested] = [
        row["nested"] for row in _rows("searches", "searches") if row["search"] == "xgb-ellipse"
    ]
    return {
        "planted": span(planted["adversarial", 1.0], sign=True),
        "planted_control": span(planted["prompt_head", 1.0], sign=True),
        "planted_none": span(planted["adversarial", 0.0], sign=True),
        "locked": span(locked["summary"]["overall"]["qwk"]),
        "locked_n": str(locked["summary"]["n"]),
        "locked_prompts": str(locked["n_prompts"]),
        "locked_mae": number(locked["summary"]["overall"]["mae"]["estimate"]),
        "mapping_raised": number(fitted - mean["training.mapping=round_half_band"], sign=True),
        "shrunk_qwk": span(shrunk["over_cutpoints"]["pooled_qwk"], sign=True),
        "shrunk_mae": span(shrunk["over_cutpoints"]["mae"], sign=True),
        "shrunk_usual": number(usual["pooled_qwk"]["estimate"]),
        "shrunk_usual_mae": number(usual["mae"]["estimate"]),
        "mapping_inner": number(mean["training.mapping=qwk_cutpoints_inner"] - fitted, sign=True),
        "search_looks": number(worst["xgb-ellipse-flat", "best, as it looks"]),
        "search_less": number(worst["xgb-ellipse-flat", "best, less its luck"]),
        "search_nested": span(nested["pooled_qwk"], sign=True),
        "quarter": number(_point("essays", 0.25)["pooled_qwk"]),
        "quarter_n": f"{_point('essays', 0.25)['essays']:.0f}",
        "quarter_prompts": span(_point("prompts", 0.25)["delta"], sign=True),
        "half_essays": span(_point("essays", 0.5)["delta"], sign=True),
        "half_prompts": span(_point("prompts", 0.5)["delta"], sign=True),
        "companions_alone": number(_rows("companions")[0]["reference"]),
    }


def mapped(config: str = "reference", partition: int = 0) -> dict[str, dict[str, Any]]:
    """Return a config's rows under each mapping, on one partition of the prompts."""
    return {
        row["setting"]: row
        for row in _rows("mappings")
        if config in row["config"] and row["partition"] == partition
    }


def _point(kind: str, share: float) -> dict[str, Any]:
    """Return the best arm trained on a share of the essays, or of the prompts."""
    [row] = [
        row
        for row in _rows("learning_curve")
        if (row["share_of"], row["share"]) == (kind, share) and "blend_surprisal" in row["config"]
    ]
    return row


def _rows(name: str, key: str = "rows") -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = artifact(name)[key]
    return found


SECTIONS: tuple[Callable[[], Figures], ...] = (
    corpus,
    lifts,
    surprise,
    confirmed,
    traits,
    order,
    together,
    others,
)
