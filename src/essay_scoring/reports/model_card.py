"""MODEL_CARD.md and TECHNICAL_FILE.md of a model or a run, from artifacts alone.

The card follows Mitchell et al. (2019), "Model Cards for Model Reporting", section 4.
"""

from __future__ import annotations

from pathlib import Path

from essay_scoring.reports import card_sections as say
from essay_scoring.reports.card_evidence import CardEvidence
from essay_scoring.reports.technical_file import technical_file
from essay_scoring.reports.texts import write_texts
from essay_scoring.reports.words import markdown


def write_cards(evidence: CardEvidence, folder: Path) -> list[Path]:
    """Write MODEL_CARD.md and TECHNICAL_FILE.md into a folder; return their paths."""
    texts = {
        "MODEL_CARD.md": model_card(evidence),
        "TECHNICAL_FILE.md": technical_file(evidence),
    }
    return write_texts(folder, texts)


def model_card(e: CardEvidence) -> str:
    """Return the Markdown of a model's card."""
    parts = {
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


def use(e: CardEvidence) -> list[str]:
    """Return what the evidence covers, and so what it does not."""
    return [
        say.bullets(say.limits(e)),
        say.ask(
            "the purpose it is intended for, by whom, and for which decisions",
            "uses that are ruled out",
        ),
    ]
