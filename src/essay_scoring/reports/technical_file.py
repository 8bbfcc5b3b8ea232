"""TECHNICAL_FILE.md: what artifacts say to each point of technical documentation, and what is open.

Scoring essays in education is a use that Regulation (EU) 2024/1689 counts as high-risk (Article
6(2), Annex III point 3); Article 11 and Annex IV say what its technical documentation holds.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from essay_scoring.core.number_text import share, with_interval
from essay_scoring.reports import card_sections as say
from essay_scoring.reports.card_evidence import CardEvidence
from essay_scoring.reports.words import markdown

Blocks = list[str]

OPENING = (
    "This file puts the evidence that lies in artifacts under the points of Annex IV of Regulation "
    "(EU) 2024/1689. Systems meant to evaluate learning outcomes are listed in its Annex III, "
    "point 3(b), those that decide on admission in 3(a), and those that assess the level of "
    "education a person may reach in 3(c); Article 6 says when a listed use is high-risk. Whether "
    "it is here, and whether this file is enough, is for the provider to judge by the text in "
    "force. A line that begins with “To be completed by the provider” marks what no artifact says."
)


def technical_file(e: CardEvidence) -> str:
    """Return the Markdown of the technical file, in the order of Annex IV."""
    blocks = [f"# Technical file: {markdown(e.name)}", OPENING]
    for title, parts in CHAPTERS.items():
        blocks.append(f"## {title}")
        for name, make in parts:
            blocks += [f"### {name}", *filter(None, make(e))]
    return "\n\n".join(blocks) + "\n"


def _purpose(e: CardEvidence) -> Blocks:
    said = (
        f"It gives an essay a score on the scale {say.scale(e)}, as raters of the corpus would. "
        "What follows from a score is no part of it."
    )
    return [
        said,
        say.ask(
            "the intended purpose (Article 3(12)), the persons it is used on, and who uses it",
            "whether Article 6(3) is claimed, and why",
            "in which form it is supplied, and the instructions for use (Article 13)",
            "the hardware it is meant to run on, and the software it works with",
            "the interface that its users see",
        ),
    ]


def _machine(e: CardEvidence) -> Blocks:
    environment = e.provenance.environment if e.provenance else None
    machine = environment.machine if environment else None
    precisions = (name for fit in e.metrics.fits for name in fit.precisions)
    rows: list[tuple[str, object]] = [
        ("processor", machine and machine.processor),
        ("threads", machine and machine.threads),
        ("system", machine and machine.system),
        ("device", environment and environment.device),
        ("precision", ", ".join(dict.fromkeys(precisions))),
    ]
    return [say.pairs(rows, ("trained on", ""))]


def _oversight(e: CardEvidence) -> Blocks:
    said = ["No artifact says that a person reads an essay before its score counts."]
    if e.interval is not None:
        said.append("Beside each score stands an interval, whose width says how far to trust it.")
    if e.flags is not None:
        said.append(
            f"Essays of fewer than {e.flags.fewest_words} or more than {e.flags.most_words} "
            "words, off the language, with many unknown words or far from the training essays are "
            "flagged, and so is whether their prompt was trained on."
        )
    return [
        say.bullets(said),
        say.ask(
            "who oversees it (Article 14), with which training and authority to overrule it",
            "at which flags and widths a person reads the essay before the score counts",
            "how a person scored can have the score explained and reviewed (Article 86)",
        ),
    ]


def _limits(e: CardEvidence) -> Blocks:
    return [say.bullets(say.limits(e)), *say.wrong(e)]


def _misuse(e: CardEvidence) -> Blocks:
    exact = e.metrics.summary.overall["exact"].estimate
    said = [
        f"Deciding on a person by one score: {share(exact)} of scores are exactly the raters'.",
        "Scoring genres, languages, ages or tasks that the corpus lacks: nothing was measured.",
        "Comparing schools or groups by mean scores: see the figures by group, if there are any.",
    ]
    attacks = [
        one for one in (e.audit.sections if e.audit else ()) if one.name.startswith("adversarial")
    ]
    blocks = [say.bullets(said)]
    for one in attacks:
        blocks += say.section(one)[:1]
    if not attacks:
        blocks += ["Essays written to please the scorer were not tried on it."]
    return [*blocks, say.ask("other misuse to be expected where it is used, and what prevents it")]


def _risks(_: CardEvidence) -> Blocks:
    return [
        say.ask(
            "the risk management system (Article 9): risks to persons, their estimate, measures, "
            "and what risk remains",
            "the assessment of the impact on fundamental rights, where Article 27 asks for it",
        )
    ]


def _metrics(_: CardEvidence) -> Blocks:
    said = (
        "Quadratic weighted kappa counts a disagreement by the square of its size and takes out "
        "what chance would give; it stands beside the mean absolute error because a mapping can "
        "raise one at the cost of the other. The worst prompt, the tails and groups are reported "
        "alone because a mean can hide them. Whole prompts are held out because a scorer that "
        "learnt a topic looks good on its own prompts."
    )
    return [said, say.ask("why these figures and limits are right for the intended purpose")]


def _robustness(e: CardEvidence) -> Blocks:
    manifest = (
        "Every file of the run or model is listed with its sha256 in manifest.json, and a folder "
        "that differs from its manifest is refused."
    )
    return [
        *say.audits(e),
        manifest,
        say.ask("measures against manipulation of data, model and inputs (Article 15(5))"),
    ]


def _logs(e: CardEvidence) -> Blocks:
    sessions = e.status.sessions if e.status else []
    finished = e.status.finished if e.status else None
    training = (
        f"Training: run.log, status.json ({len(sessions)} session(s), finished "
        f"{finished or 'unknown'}) and provenance.json of the folder."
    )
    said = [
        training,
        "Logs and reports hold ids, prompts, scores and features, and no text of an essay.",
    ]
    return [
        say.bullets(said),
        say.ask(
            "which events of use are logged (Article 12), and how long logs are kept (Articles 19 "
            "and 26)"
        ),
    ]


def _changes(e: CardEvidence) -> Blocks:
    return [
        *say.decision(e),
        say.ask(
            "changes since, and whether one is substantial (Article 3(23))",
            "changes that are planned in advance",
        ),
    ]


def _monitoring(e: CardEvidence) -> Blocks:
    overall = e.metrics.summary.overall
    qwk, mae = (
        with_interval(figure.estimate, figure.low, figure.high)
        for figure in (overall["qwk"], overall["mae"])
    )
    held = f"QWK {qwk}, MAE {mae}"
    said = f"To hold later figures against, with their 95% intervals: {held}."
    return [
        said,
        say.ask(
            "the plan for monitoring in use (Article 72): how many essays are scored again by "
            "raters, how often, and which figures stop its use",
            "how serious incidents are reported (Article 73)",
        ),
    ]


def _asked(*what: str) -> Callable[[CardEvidence], Blocks]:
    return lambda _: [say.ask(*what)]


CHAPTERS: dict[str, Sequence[tuple[str, Callable[[CardEvidence], Blocks]]]] = {
    "1. General description (Annex IV point 1)": [
        ("Provider and version", say.identity),
        ("Intended purpose and use", _purpose),
    ],
    "2. Elements and development (Annex IV point 2)": [
        ("Design and training", say.design),
        ("Computing", _machine),
        ("Data and its governance (Article 10)", say.data),
        ("Human oversight (Article 14)", _oversight),
        ("Validation and testing: agreement", say.agreement),
        ("Validation and testing: by prompt", say.by_prompt),
        ("Validation and testing: by group", say.by_group),
        ("Accuracy, robustness and cybersecurity (Article 15)", _robustness),
    ],
    "3. Functioning, monitoring and control (Annex IV point 3)": [
        ("Limits and known faults", _limits),
        ("What one score is worth", say.uncertainty),
        ("What scores rest on", say.explanations),
        ("Foreseeable misuse", _misuse),
        ("Logs (Article 12)", _logs),
    ],
    "4. Why these figures (Annex IV point 4)": [("Figures", _metrics)],
    "5. Risk management (Annex IV point 5, Article 9)": [("Risks", _risks)],
    "6. Changes (Annex IV point 6)": [("Change log", _changes)],
    "7. Standards (Annex IV point 7)": [
        ("Standards", _asked("harmonised standards applied, or what is done in their place"))
    ],
    "8. Declaration (Annex IV point 8)": [
        ("EU declaration of conformity", _asked("a copy of the declaration (Article 47)"))
    ],
    "9. After it is placed on the market (Annex IV point 9, Article 72)": [
        ("Monitoring", _monitoring)
    ],
    "Made from": [("Files", say.sources)],
}
