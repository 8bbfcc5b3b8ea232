"""What artifacts say of a model, as blocks of Markdown that the card and the technical file share.

What no artifact says is asked of the provider in so many words, never made up.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from essay_scoring.core.number_text import number, share
from essay_scoring.records.audit_record import AuditSection
from essay_scoring.records.config import shown_config
from essay_scoring.reports.card_evidence import CardEvidence
from essay_scoring.reports.cv_report import agreement_table
from essay_scoring.reports.html import beside_limit, limit
from essay_scoring.reports.residual_diagnostics import bands_table, prompts_table
from essay_scoring.reports.shortcomings import length_effect, shortcomings
from essay_scoring.reports.study_table import HEADER, summary_row
from essay_scoring.reports.table_cells import markdown_table
from essay_scoring.reports.words import SCHEMES, markdown, score

Blocks = list[str]

GROUPS = ("subgroups", "feature_functioning")
VERDICT_MARKS = {
    "pass": "passed",
    "fail": "**failed**",
    "undecided": "undecided",
    "info": "for information",
}
_RESULTS = {None: "-", "pass": "pass", "fail": "**fail**", "undecided": "undecided"}


def ask(*what: str) -> str:
    """Return lines that ask the provider for what no artifact says."""
    return bullets(f"To be completed by the provider: {one}." for one in what)


def bullets(lines: Any) -> str:
    """Return lines as a list."""
    return "\n".join(f"- {line}" for line in lines)


def pairs(rows: Sequence[tuple[str, object]], header: tuple[str, str] = ("", "")) -> str:
    """Return names and values as a table."""
    return markdown_table(header, [[name, _cell(value)] for name, value in rows])


def identity(e: CardEvidence) -> Blocks:
    """Return which model this is: versions and hashes."""
    git = e.provenance.environment.git if e.provenance else None
    rows: list[tuple[str, object]] = [
        ("model", e.name),
        ("kind", "trained on all training essays" if e.model else "cross-validated run"),
        ("family", e.metrics.family),
        ("figures from run", e.run),
        ("code revision", e.metrics.code_revision),
        ("commit", git.commit if git else None),
        ("tree had changes", git.dirty if git else None),
        ("finished", e.status.finished if e.status else None),
        ("score scale", scale(e)),
    ]
    rows += [(key.replace("_", " "), value) for key, value in _trained(e)]
    return [pairs(rows, ("version", "")), ask("name and contact of the provider")]


def _trained(e: CardEvidence) -> list[tuple[str, object]]:
    """Return what only a trained model has."""
    if e.model is None:
        return []
    kept = ("mapping", "cutpoints", "n_essays", "n_prompts", "cv_manifest_sha256")
    return [(key, getattr(e.model, key)) for key in kept]


def scale(e: CardEvidence) -> str:
    """Return the score scale in words."""
    scales = e.metrics.scales
    if scales.shared is None:
        return f"one for each of {len(scales.by_prompt)} prompts"
    low, high, step = (score(getattr(scales.shared, key)) for key in ("low", "high", "step"))
    return f"{low} to {high} in steps of {step}"


def data(e: CardEvidence) -> Blocks:
    """Return which essays it learnt from and was judged on, with hashes."""
    held, settings = e.metrics.data, e.config.get("data") or {}
    rows: list[tuple[str, object]] = [
        ("corpus", held.kind),
        ("essays", held.n),
        ("prompts", held.n_prompts),
        ("data sha256", held.data_sha256),
        ("splits sha256", held.splits_sha256),
        *_flat(settings.get("preparation"), "preparation"),
        *_flat(settings.get("splits"), "splits"),
    ]
    return [
        pairs(rows, ("data", "")),
        ask(
            "origin of the essays, licence, and the legal basis for using them",
            "who wrote them (ages, countries, first languages) and how they were selected",
            "who scored them, by which rubric, how raters were trained and how far they agree",
            "which groups the corpus lacks, and what that means for the intended use",
        ),
    ]


def design(e: CardEvidence) -> Blocks:
    """Return how it was built and trained: every setting, and the packages."""
    config = {key: value for key, value in shown_config(e.config).items() if key != "data"}
    features = e.provenance.features if e.provenance else {}
    identities = [(f"features {name}", one.fingerprint) for name, one in features.items()]
    mapping = e.metrics.mapping.name
    how = (
        f"Essays are scored by a model of the family `{e.metrics.family}`; raw predictions "
        f"become scores by `{mapping}`. Parts that differ between trainings are drawn from the "
        "seed below, so the same configuration, data and machine give the same model."
    )
    return [
        how,
        pairs([*_flat(config, ""), *identities], ("setting", "")),
        pairs(sorted(e.metrics.versions.items()), ("package", "version")),
        ask("why these design choices were made, and what was tried and given up"),
    ]


def agreement(e: CardEvidence) -> Blocks:
    """Return how far it agrees with raters, over all essays, beside baselines, and by band."""
    summary = e.metrics.summary
    where = SCHEMES.get(e.metrics.run.scheme, f"Under `{e.metrics.run.scheme}`")
    rows = [summary_row(f"baseline: {name}", one) for name, one in e.metrics.baselines.items()]
    rows.append(summary_row("this model", summary))
    how = (
        f"{where}, each essay predicted by a model that never saw its fold. 95% intervals, "
        f"prompts as units; MAE and RMSE in {summary.unit}."
    )
    return [
        how,
        agreement_table(summary),
        markdown_table(HEADER, rows),
        "By true band; residuals are predicted minus true:",
        bands_table(summary),
    ]


def by_prompt(e: CardEvidence) -> Blocks:
    """Return how far it agrees with raters on each prompt, with intervals."""
    return [prompts_table(e.metrics.summary)]


def by_group(e: CardEvidence) -> Blocks:
    """Return the figures of groups of writers, of the audit."""
    found = [one for one in (e.audit.sections if e.audit else ()) if one.name in GROUPS]
    blocks = [block for one in found for block in section(one)]
    if any(one.figures for one in found):
        return blocks
    return [
        *blocks,
        "No artifact holds figures by group of writers.",
        ask("agreement and differences by gender, origin, age, disability and first language"),
    ]


def uncertainty(e: CardEvidence) -> Blocks:
    """Return what a single score's interval is worth."""
    if e.interval is None:
        return ["A run has no prediction intervals: a trained model has them.", *_exact(e)]
    held = e.interval.measured
    measured = (
        f"Measured, each prompt left out in turn: {share(held.estimate)} "
        f"(95% interval {share(held.low)} to {share(held.high)}) of {held.n_essays} "
        f"essays on {held.n_prompts} prompts; asked for: {share(e.interval.coverage)}. On average "
        f"an interval is {share(held.mean_width)} of the scale wide."
    )
    found = f"{markdown(e.interval.finding.rstrip('.'))}. Method: {e.interval.method}."
    rows = [[markdown(one.part), str(one.n_essays), share(one.share)] for one in held.parts]
    parts = [markdown_table(["essays", "n", "covered"], rows)] if rows else []
    return [found, measured, *parts, *_exact(e)]


def wrong(e: CardEvidence) -> Blocks:
    """Return what is wrong with it, in sentences."""
    effect = None
    if e.study is not None and e.study.decided_run == e.run:
        effect = length_effect(e.study)
    found = shortcomings(e.metrics.summary, effect)
    return [bullets(f"{one.title}: {markdown(one.finding)}" for one in found)]


def audits(e: CardEvidence) -> Blocks:
    """Return every audit but those by group: verdict, finding, figures."""
    if e.audit is None:
        return [
            "The run was not audited.",
            ask("subgroups, length, calibration, leakage and adversarial essays: `audit` a run"),
        ]
    rest = (one for one in e.audit.sections if one.name not in GROUPS)
    return [block for one in rest for block in section(one)]


def explanations(e: CardEvidence) -> Blocks:
    """Return what its scores rest on."""
    if e.explain is None:
        return ["What its scores rest on was not looked into.", ask("`explain` the run")]
    said = (f"{markdown(one.title)}: {markdown(one.finding)}" for one in e.explain.sections)
    return [bullets(said)]


def decision(e: CardEvidence) -> Blocks:
    """Return how it was decided for."""
    if e.study is None:
        return ["No study was named.", ask("how this model was chosen over others")]
    study, mine = e.study, e.study.decided_run == e.run
    plans = [f"- `{plan.name}`: {markdown(plan.power)}" for plan in study.plans]
    return [
        f"Study `{study.name}` of {study.date}: **{study.outcome}**. "
        f"{markdown(study.reason)} "
        + ("It decided for this run." if mine else f"It decided for `{study.decided_run}`."),
        "\n".join(plans),
        bullets(
            f"{'met' if box.met else 'not met'}: {markdown(box.item)}" for box in study.checklist
        ),
    ]


def limits(e: CardEvidence) -> list[str]:
    """Return the limits of use that follow from what it was judged on."""
    preparation = (e.config.get("data") or {}).get("preparation") or {}
    held, summary = e.metrics.data, e.metrics.summary
    said = [f"Judged on {held.n} essays of {held.n_prompts} prompts of one corpus, no other."]
    if e.metrics.run.scheme != "prompt_holdout":
        said.append("Judged on prompts that training saw: of new prompts nothing is known.")
    if preparation.get("min_words") is not None and preparation.get("max_words") is not None:
        said.append(
            f"Essays of fewer than {preparation['min_words']} or more than "
            f"{preparation['max_words']} words were left out of training and judging."
        )
    least, small = summary.settings.min_prompt_n, summary.small_prompts
    if small:
        said.append(f"{len(small)} prompts have fewer than {least} essays: too few to judge alone.")
    if e.metrics.transductive:
        said.append("It needs all essays of a prompt at once (transductive).")
    return said


def section(one: AuditSection) -> Blocks:
    """Return one section of an audit."""
    head = f"**{markdown(one.title)}**: {VERDICT_MARKS.get(one.verdict, one.verdict)}."
    blocks = [f"{head} {markdown(one.finding)}"]
    rows = [
        [
            markdown(str(row.name)),
            markdown(row.group) if row.group else "all essays",
            beside_limit(row),
            str(row.n),
            limit(row),
            _RESULTS[row.result],
        ]
        for row in one.figures
    ]
    if rows:
        head_row = ("figure", "group", "estimate [95%]", "n", "limit", "result")
        blocks.append(markdown_table(head_row, rows))
    return blocks


def sources(e: CardEvidence) -> Blocks:
    """Return the files that all this was made from."""
    return [pairs([(markdown(name), sha) for name, sha in e.sources], ("file", "sha256"))]


def _exact(e: CardEvidence) -> Blocks:
    exact, mae = (e.metrics.summary.overall[key] for key in ("exact", "mae"))
    said = (
        f"{share(exact.estimate)} of scores are exactly the raters'; the mean absolute error is "
        f"{number(mae.estimate)} {e.metrics.summary.unit}."
    )
    return [said]


def _flat(value: object, name: str) -> list[tuple[str, object]]:
    """Return settings as dotted names and values."""
    if isinstance(value, Mapping):
        inner = ((f"{name}.{key}" if name else str(key), one) for key, one in value.items())
        return [row for key, one in inner for row in _flat(one, key)]
    return [] if value is None else [(name, value)]


def _cell(value: object) -> str:
    """Return a value in words that no name in it can leave."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list | tuple):
        return ", ".join(map(_cell, value)) or "none"
    if isinstance(value, float):
        return f"{value:g}"
    return markdown("unknown" if value is None else str(value))
