"""The sections of docs/results.md that are about studies."""

from __future__ import annotations

import math

from tests.docs.results_pieces import (
    Quoted,
    Row,
    arms,
    artifact,
    check,
    clauses,
    compared,
    power,
    record_of,
    span,
)

G1 = """
study configs/studies/g1_ellipse.toml --results docs/results/g1_ellipse.study.json

[docs/decisions/{record}](decisions/{record})

the worst prompt rose by {worst[delta]:.4f} where {worst[threshold]:.3f} is asked for, with a 95%
interval from {worst_span}. Four of the five

says **{verdict}** of the same two runs (bottom-five mean {bottom[delta]:+.3f}, interval
{bottom_span}):

compare-cv-runs runs/{reference} runs/{candidate}

--out docs/results/g1_interval.json

under `stratified_text` from a mean QWK of {kernel[0]:.3f} to {kernel[1]:.3f}; no other arm's moved
by more than {others:.3f}, but the worst prompt of the arm `both` went from {both[0]:.3f} to
{both[1]:.3f}

the gate passes two equally good scorers {g1[0]:.0f}% of the time (95%: {g1[2]:.0f} to {g1[3]:.0f},
{g1[1]:.0f} pairs), and `stratified_stability` {stability[0]:.0f}%; a candidate must truly gain
{g1[4]:.2f} on its worst prompt to pass `g1` four times in five.

the difference in mean QWK is {folds[estimate]:+.3f} (corrected resampled t, {folds_span}, p =
{folds[p]:.2f}), over prompts {prompts[estimate]:+.3f} (sign flips over {prompts[n_prompts]}
prompts, p = {prompts[p]:.2f}).

at {n_prompts} prompts, a worst-prompt difference of {worst[threshold]:.2f} is
"""


def g1() -> Quoted:
    study, judged = artifact("g1_ellipse.study"), artifact("g1_interval")
    [candidate], [gate] = judged["candidates"], judged["gates"]
    bottom = check(judged, candidate, "prompt_holdout_interval", "bottom_k_mean")
    worst = check(study, "catboost", "g1", "worst_prompt_qwk")
    tests = compared(study, "catboost")
    said = clauses(
        G1,
        record=record_of(study),
        worst=worst,
        worst_span=span(worst),
        verdict=gate["verdict"],
        bottom=bottom,
        bottom_span=span(bottom),
        reference=judged["reference"],
        candidate=candidate,
        g1=power(study, "g1"),
        stability=power(study, "stratified_stability"),
        folds=tests["fold_test"],
        folds_span=span(tests["fold_test"]),
        prompts=tests["prompt_test"],
        n_prompts=study["data"]["n_prompts"],
        **about_the_kernel(),
    )
    tables = [arms(study, scheme) for scheme in ("prompt_holdout", "stratified_text")]
    return [*tables, *said], {"bf16"}


def about_the_kernel() -> Row:
    """Return how far another attention kernel moved mean QWK, and one arm's worst prompt."""
    runs = artifact("g1_ellipse.study")["runs"]
    after = {(run["arm"], run["scheme"]): run["summary"] for run in runs}
    before = {(row["arm"], row["scheme"]): row for row in artifact("attention_kernel")["rows"]}
    assert before.keys() == after.keys()
    mean = {key: after[key]["mean_over_folds"]["qwk"]["mean"] for key in after}
    moved, both = ("catboost", "stratified_text"), ("both", "prompt_holdout")
    others = [abs(mean[key] - before[key]["mean_qwk"]) for key in mean if key != moved]
    return {
        "kernel": [before[moved]["mean_qwk"], mean[moved]],
        "others": math.ceil(1000 * max(others)) / 1000,
        "both": [before[both]["worst_prompt"], after[both]["worst_prompt"]["qwk"]],
    }
