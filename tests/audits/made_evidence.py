"""Evidence with known properties."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from essay_scoring.audits.audit_evidence import Evidence
from essay_scoring.audits.resamples import Resamples
from essay_scoring.core.scale import FloatArray, ScoreScales
from essay_scoring.records.audit_record import AuditSection, Figure
from essay_scoring.statistics.predictions import Predictions
from tests.statistics.made import HALVES


def made_evidence(
    n: int = 1200,
    *,
    seed: int = 0,
    n_prompts: int = 12,
    bias: float = 0.0,
    noise: float = 0.4,
    machine: FloatArray | None = None,
    writers: Mapping[str, tuple[str, ...]] | None = None,
) -> Evidence:
    """Return essays whose ability, length and group ("a", "b", a few "c") are independent.

    The machine gives members of "b" `bias` points more; `machine` replaces its raw scores.
    """
    rng = np.random.default_rng(seed)
    ability, length = rng.normal(size=n), rng.normal(size=n)
    groups = np.where(rng.random(n) < 0.5, "a", "b")
    groups[:10] = "c"
    raw = 3 + 0.8 * ability + noise * rng.normal(size=n) + bias * (groups == "b")
    prompt = rng.integers(0, n_prompts, n)
    return evidence_of(
        3 + 0.8 * ability,
        raw if machine is None else machine,
        prompts=[f"p{number:02d}" for number in prompt],
        words=400 + 100 * length,
        writers={"group": tuple(map(str, groups))} if writers is None else writers,
    )


def evidence_of(
    true: FloatArray,
    raw: FloatArray,
    *,
    prompts: Sequence[str],
    words: FloatArray | None = None,
    writers: Mapping[str, tuple[str, ...]] | None = None,
    second: FloatArray | None = None,
    scales: ScoreScales = HALVES,
) -> Evidence:
    """Return evidence of these scores, rounded to the scale; prompts make up three folds."""
    n, names = len(true), sorted(set(prompts))
    folds = np.array([names.index(prompt) % 3 for prompt in prompts], dtype=np.int64)
    human, final = scales.round(true, prompts), scales.round(raw, prompts)
    ids = tuple(f"e{row:05d}" for row in range(n))
    p = Predictions(ids, tuple(prompts), folds, human, np.asarray(raw, float), final, scales)
    counted = np.full(n, 300.0) if words is None else words
    return Evidence(p, Resamples.of(p, 1), counted, writers or {}, second)


def figure(section: AuditSection, name: str, group: str = "") -> Figure:
    """Return one figure of a section."""
    [found] = [f for f in section.figures if (f.name, f.group) == (name, group)]
    return found
