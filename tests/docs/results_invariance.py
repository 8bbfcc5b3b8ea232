"""The section of docs/results.md on invariance methods where a shortcut is planted."""

from __future__ import annotations

from essay_scoring.core.number_text import number
from essay_scoring.reports.table_cells import markdown_table
from tests.docs.quoted import interval
from tests.docs.results_pieces import Quoted, Row, artifact, clauses, one

INVARIANCE = """
on {n} made essays of {prompts} prompts. At shortcut {dials[0]:g} a prompt's

mislead on others; at {dials[1]:g} they say nothing. Every arm fine-tunes MiniLM cut at layer
{layer} and differs

the mean of {folds} folds.

With the shortcut the adversary gains {gain[estimate]:+.3f} (95%: {gain[low]:+.3f} to
{gain[high]:+.3f}), more than the seeds of either arm differ; the same classifier without reversal
loses {control:.3f}, so

the gain is {linear[gain][estimate]:+.3f} with a spread between seeds of {linear[sd]:.3f}.

GroupDRO gains {dro[estimate]:+.3f}, more than its seeds differ,

The adversary gains {anyway:+.3f} even there,
"""


def arm_of(arm: str, shortcut: float = 1.0) -> Row:
    """Return an arm's summary."""
    return one(artifact("invariance")["arms"], arm=arm, shortcut=shortcut)


def invariance() -> Quoted:
    arms = artifact("invariance")["arms"]
    [n] = {row["n"] for row in artifact("invariance")["rows"]}
    made = artifact("invariance")["made"]
    cells = [
        [
            f"{arm['shortcut']:g}",
            arm["arm"],
            f"{number(arm['mean'])} ± {number(arm['sd'])}",
            interval(arm["gain"], sign=True) if "gain" in arm else "-",
            str(arm["n_seeds"]),
        ]
        for arm in arms
    ]
    header = ("shortcut", "method", "r, mean ± SD", "gain over none [95%]", "seeds")
    said = clauses(
        INVARIANCE,
        n=n,
        prompts=made["prompts"],
        layer=made["layer"],
        folds=made["folds"],
        dials=list(dict.fromkeys(arm["shortcut"] for arm in arms)),
        gain=arm_of("adversarial")["gain"],
        control=-arm_of("prompt_head")["gain"]["estimate"],
        linear=arm_of("adversarial_linear"),
        dro=arm_of("group_dro")["gain"],
        anyway=arm_of("adversarial", 0.0)["gain"]["estimate"],
    )
    return [markdown_table(header, cells), *said], set()
