"""MODEL_CARD.md and TECHNICAL_FILE.md of a model or a run, from artifacts alone.

The card follows Mitchell et al. (2019), "Model Cards for Model Reporting", section 4.
"""

from __future__ import annotations

from pathlib import Path

from essay_scoring.reports import card_sections as say
from essay_scoring.reports.brief import Asked, brief
from essay_scoring.reports.card_evidence import CardEvidence
from essay_scoring.reports.markdown_page import markdown_page
from essay_scoring.reports.technical_file import technical_file
from essay_scoring.reports.texts import write_texts
from essay_scoring.reports.words import markdown


def write_cards(evidence: CardEvidence, folder: Path) -> list[Path]:
    """Write MODEL_CARD and TECHNICAL_FILE into a folder, as .md and as .html; return the paths."""
    texts = {"MODEL_CARD": model_card(evidence), "TECHNICAL_FILE": technical_file(evidence)}
    pages = {f"{name}.html": markdown_page(text) for name, text in texts.items()}
    return write_texts(folder, {f"{name}.md": text for name, text in texts.items()} | pages)


def model_card(e: CardEvidence) -> str:
    """Return the Markdown of a model's card."""
    parts = {
        "In short": in_short(e),
        "Model": say.identity(e),
        "Intended use": use(e),
        "How well it agrees with raters": say.agreement(e),
        "By prompt": say.by_prompt(e),
        "By group of writers": say.by_group(e),
        "What is wrong with it": say.wrong(e),
        "What one score is worth": say.uncertainty(e),
        "Audits": say.audits(e),
        "What its scores rest on": say.explanations(e),
        "Data": say.data(e),
        "Training": say.design(e),
        "How it was decided for": say.decision(e),
        "Made from": say.sources(e),
    }
    blocks = [f"# Model card: {markdown(e.name)}"]
    for title, found in parts.items():
        blocks += [f"## {title}", *filter(None, found)]
    return "\n\n".join(blocks) + "\n"


def in_short(e: CardEvidence) -> list[str]:
    """Return what a decision-maker asks, with its answers."""
    answers = brief(Asked.of_run(e.record, e.audit.sections if e.audit else (), e.study))
    return [say.bullets(f"**{one.question}** {markdown(one.text)}" for one in answers)]


def use(e: CardEvidence) -> list[str]:
    """Return what the evidence covers, and so what it does not."""
    return [
        say.bullets(say.limits(e)),
        say.ask(
            "the purpose it is intended for, by whom, and for which decisions",
            "uses that are ruled out",
        ),
    ]
