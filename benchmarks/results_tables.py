"""The tables of docs/results.md, by the names that its template uses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.evidence import CONFIRMED, PARTITIONS, STEPS, ledger
from benchmarks.results_artifacts import (
    HELD_OUT,
    KNOWN,
    RESULTS,
    artifact,
    dealt_gain,
    figure,
    gain,
    reached,
    span,
    study_of,
    traits_record,
)

from essay_scoring.core.number_text import number
from essay_scoring.core.record import Scheme
from essay_scoring.records.study_results import StudyRecord
from essay_scoring.reports.study_table import arms_table
from essay_scoring.reports.table_cells import markdown_table

SHA256 = 64
ARMS = {
    "reference": "XGBoost on handcrafted columns and MiniLM's third layer",
    "catboost": "CatBoost on the same",
    "ridge": "ridge on named columns, no encoder",
    "ridge-surprisal": "the same, with a language model's surprise",
    "ridge-mpnet": "ridge on named columns and MPNet's sixth layer",
    "svr-mpnet": "support vectors on the same",
    "blend-svr": "support vectors, ridge and trees on the same; softened targets",
    "blend-surprisal": "the same blend, with a language model's surprise",
}
"""The arms of the first table, what each is in words."""

SEARCHED = {
    "worst prompt": "worst_prompt_qwk",
    "mean QWK": "mean_qwk",
    "bottom k": "bottom_k_mean",
    "pooled QWK": "pooled_qwk",
    "low tail": "low_tail_adjacent",
    "high tail": "high_tail_adjacent",
    "MAE": "mae",
}


def tables() -> dict[str, str]:
    """Return every table in Markdown."""
    lifts, first, third = map(study_of, ("ellipse", "g1_ellipse", "g3_ellipse_mpnet"))
    alone, beside = study_of("surprisal_ridge"), study_of("surprisal_ellipse")
    return {
        "table_main": main_table(),
        "table_lifts": _joined(
            folded("By how much each differs, and its gates", differences(lifts)),
            folded("All arms, prompts held out", arms(lifts, costs=True)),
            folded("All arms, prompts known", arms(lifts, KNOWN, costs=True)),
        ),
        "table_surprise": _joined(
            folded("Ridge on named columns", arms(alone)),
            folded("Beside the best encoder", arms(beside)),
        ),
        "table_partitions": partitions("partition", PARTITIONS),
        "table_confirmations": partitions("confirmation", CONFIRMED),
        "table_traits": trait_table(),
        "table_g1": _joined(
            folded("Prompts held out", arms(first)), folded("Prompts known", arms(first, KNOWN))
        ),
        "table_g3": _joined(differences(third), folded("All arms", arms(third, costs=True))),
        "table_hybrids": hybrids(),
        "table_methods": methods(),
        "table_shortcut": folded("The table", shortcut()),
        "table_audits": folded("The table", audits()),
        "table_mappings": folded("The table", mappings()),
        "table_searches": folded("The table", searches()),
        "table_companions": folded("The table", companions()),
        "table_curve": curve(),
        "table_made": made(),
    }


def main_table() -> str:
    """Return the arms that matter, one a row."""
    study, tuned = study_of("ellipse"), study_of("g3_ellipse_mpnet")
    reference = study.runs[0]
    length = reference.baselines["length"]
    worst = length.worst_prompt
    rows = [
        [
            "length",
            "counts of words and characters",
            span(length.overall["qwk"]),
            "-",
            number(worst.qwk if worst else None),
            number(length.overall["mae"].estimate),
        ]
    ]
    for arm, what in ARMS.items():
        over = "-" if arm == reference.arm else gain(study, arm)
        rows.append([f"`{arm}`", what, reached(study, arm), over, *_more(study, arm)])
    arm, what = "g3.1-none", "MPNet's sixth layer fine-tuned, text alone"
    rows.append([f"`{arm}`", what, reached(tuned, arm), "see G3", *_more(tuned, arm)])
    header = ("arm", "what it is", "pooled QWK [95%]", "over the reference [95%]")
    return markdown_table((*header, "worst prompt", "MAE"), rows)


def _more(study: StudyRecord, arm: str) -> list[str]:
    return [figure(study, arm, metric) for metric in ("worst_prompt_qwk", "mae")]


def arms(study: StudyRecord, scheme: Scheme = HELD_OUT, *, costs: bool = False) -> str:
    """Return the table of a study's arms under a scheme."""
    table = arms_table(study, scheme, costs=costs)
    return markdown_table(table.header, table.texts)


def differences(study: StudyRecord) -> str:
    """Return a row for each other arm: by how much it differs, and what its gates said."""
    [compared] = [part for part in study.comparisons if part.scheme == HELD_OUT]
    rows = []
    for one in compared.arms:
        said = [f"`{gate.plan}`: {gate.verdict}" for gate in study.gates if gate.arm == one.arm]
        deltas = [one.deltas[name] for name in ("pooled_qwk", "bottom_k_mean", "mae")]
        told = (span(delta, sign=True) for delta in deltas)
        rows.append([str(one.arm), *told, ", ".join(said) or "-"])
    names = ("pooled QWK", "bottom k", "MAE")
    header = ("arm", *(f"{name}, difference [95%]" for name in names), "gates")
    return markdown_table(header, rows)


def partitions(name: str, numbers: Sequence[int]) -> str:
    """Return the arms of a study on further partitions of the prompts, and their mean gains."""
    studies = {number: study_of(f"ellipse_{name}_{number}") for number in numbers}
    roles = {run.arm: run.role for run in studies[numbers[0]].runs}
    arms, judged = list(roles), [arm for arm, role in roles.items() if role == "candidate"]
    rows = [
        [str(number), *(reached(study, arm) for arm in arms), *(gain(study, arm) for arm in judged)]
        for number, study in studies.items()
    ]
    means = [dealt_gain(name, arm) for arm in judged]
    rows.append([f"mean of {len(numbers)}", *("-" for _ in arms), *means])
    told = [f"`{arm}` [95%]" for arm in arms]
    more = [f"`{arm}` over `{arms[0]}` [95%]" for arm in judged]
    return markdown_table(("partition", *told, *more), rows)


def trait_table() -> str:
    """Return every trait's QWK by arm, and what surprise adds to it."""
    record = traits_record()
    names = list(dict.fromkeys(row.arm for row in record.rows))
    rows = []
    for trait in dict.fromkeys(row.trait for row in record.rows):
        of = {row.arm: row for row in record.rows if row.trait == trait}
        adds = of["blend-surprisal"].delta
        told = "-" if adds is None else span(adds, sign=True)
        rows.append([trait or "mean", *(span(of[arm].qwk) for arm in names), told])
    header = ("trait", *(f"`{arm}` [95%]" for arm in names), "surprise adds [95%]")
    return markdown_table(header, rows)


def methods() -> str:
    """Return by how much each method of invariance differs from fine-tuning without one."""
    found = artifact("hybrids")["methods"]
    rows = [[f"`{arm}`", *_both(deltas)] for arm, deltas in found.items()]
    return markdown_table(("arm", "pooled QWK [95%]", "MAE [95%]"), rows)


def hybrids() -> str:
    """Return what a fine-tuned arm brings as one more member of a frozen one."""
    rows = [
        [
            f"`{row['tuned']}`",
            f"`{row['frozen']}`",
            number(row["pooled_qwk"]),
            *(span(row[over]["pooled_qwk"], sign=True) for over in ("over_tuned", "over_frozen")),
            span(row["tuned_over_frozen"]["pooled_qwk"], sign=True),
        ]
        for row in artifact("hybrids")["rows"]
    ]
    header = ("fine-tuned", "frozen", "both, pooled QWK", "over fine-tuned [95%]")
    return markdown_table((*header, "over frozen [95%]", "fine-tuned over frozen [95%]"), rows)


def _both(deltas: Mapping[str, Any]) -> list[str]:
    return [span(deltas[name], sign=True) for name in ("pooled_qwk", "mae")]


def shortcut() -> str:
    """Return the gains of every method with a planted shortcut and without."""
    rows = [
        [
            f"{arm['shortcut']:g}",
            arm["arm"],
            f"{number(arm['mean'])} ± {number(arm['sd'])}",
            span(arm["gain"], sign=True) if "gain" in arm else "-",
            str(arm["n_seeds"]),
        ]
        for arm in artifact("invariance")["arms"]
    ]
    header = ("shortcut", "method", "r, mean ± SD", "gain over none [95%]", "seeds")
    return markdown_table(header, rows)


def audits() -> str:
    """Return a line for each section of the reference's audit and explanation."""
    both = (artifact(f"reference.{name}") for name in ("audit", "explain"))
    sections = [section for audit in both for section in audit["sections"]]
    rows = [[section[key] for key in ("title", "verdict", "finding")] for section in sections]
    return markdown_table(("section", "verdict", "finding"), rows)


def mappings() -> str:
    """Return runs under each mapping, and by how much it differs from cut-points."""
    rows = []
    for row in artifact("mappings")["rows"]:
        name = Path(row["config"]).stem.removeprefix("ellipse_").replace("_", "-")
        over = row["over_cutpoints"]
        rows.append(
            [
                f"`{name}`",
                str(row["partition"]),
                f"`{row['setting']}`",
                span(row["pooled_qwk"]),
                number(row["mae"]["estimate"]),
                *(_both(over) if over else ("-", "-")),
            ]
        )
    header = ("config", "partition", "setting", "pooled QWK [95%]", "MAE")
    over_cuts = ("pooled QWK over cut-points [95%]", "MAE over cut-points [95%]")
    return markdown_table((*header, *over_cuts), rows)


def searches() -> str:
    """Return what searches found, as it looks, less its luck, and nested."""
    rows = [
        [row["search"], row["what"], *(number(row[key]) for key in SEARCHED.values())]
        for row in artifact("searches")["rows"]
    ]
    return markdown_table(("search", "row", *SEARCHED), rows)


def companions() -> str:
    """Return what each companion adds to the handcrafted columns."""
    rows = [
        [row["companion"], number(row["candidate"]), span(row, sign=True), str(row["n"])]
        for row in artifact("companions")["rows"]
    ]
    header = ("companion", "mean QWK with it", "difference [95%]", "n")
    return markdown_table(header, rows)


def curve() -> str:
    """Return what is lost with fewer training essays or prompts."""
    rows = []
    for row in artifact("learning_curve")["rows"]:
        whole = row["share"] == 1
        share = "all" if whole else f"{row['share']:.0%} of the {row['share_of']}"
        name = Path(row["config"]).stem.removeprefix("ellipse_").replace("_", "-")
        size = [f"{row['essays']:,.0f}", f"{row['prompts']:.0f}"]
        lost = "-" if whole else span(row["delta"], sign=True)
        rows.append([f"`{name}`", share, *size, number(row["pooled_qwk"]), lost])
    header = ("config", "learns from", "essays", "prompts", "pooled QWK")
    return markdown_table((*header, "against all [95%]"), rows)


def made() -> str:
    """Return which code made each artifact, when, where and in what time."""
    known = ledger()
    rows = []
    for step in STEPS:
        for name in step.artifacts:
            if name.endswith(".json") and (RESULTS / name).is_file():
                of = known.get(name, {"code_revision": "an earlier one"})
                rows.append([f"[{name}](results/{name})", *_made_by(of)])
    header = ("artifact", "code", "date", "machine", "seconds", "of the processor")
    return markdown_table(header, rows)


def _made_by(of: Mapping[str, Any]) -> list[str]:
    code = of["code_revision"]
    costs = (of.get(key) for key in ("seconds", "processor_seconds"))
    cost = ("-" if value is None else f"{value:,}" for value in costs)
    told = (of.get(key) or "-" for key in ("date", "machine"))
    return [code[:12] if len(code) == SHA256 else code, *told, *cost]


def folded(title: str, table: str) -> str:
    """Return a table that opens at a click."""
    return f"<details><summary>{title}</summary>\n\n{table}\n\n</details>"


def _joined(*parts: str) -> str:
    return "\n\n".join(parts)
