"""Reading one essay at a time: its raw prediction, and how the scorer sees it.

An essay is read in no company and on one thread. Matrix products round differently with the shape
of a batch and the number of threads, and a score must be the same bytes in any file.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from essay_scoring.core.contracts import Matrix, Scorer
from essay_scoring.core.essays import Essays
from essay_scoring.models.baselines import length_columns
from essay_scoring.models.blend import BlendScorer
from essay_scoring.models.context import ScorerContext
from essay_scoring.models.ensemble import EnsembleScorer
from essay_scoring.models.family import fitted
from essay_scoring.models.registry import load_scorer
from essay_scoring.models.scorer_settings import TransformerSettings
from essay_scoring.models.transformer.scorer import TransformerScorer
from essay_scoring.scoring.fresh_transformer import FreshTransformer


class Reader:
    """A fitted scorer, and the vectors by which it tells essays apart.

    They are its feature columns; what the head of its (first) network reads; or counts of words,
    characters and sentences for a scorer that reads neither.
    """

    def __init__(self, scorer: Scorer, context: ScorerContext) -> None:
        self._scorer, self._context = scorer, context
        self._seen: list[Any] = []
        members: Any = scorer.members if isinstance(scorer, EnsembleScorer) else (scorer,)
        self._first: Any = members[0]
        self._is_network = isinstance(self._first.settings, TransformerSettings)
        if self._is_network:
            fitted(self._first.network).register_forward_hook(self._note)

    def read(self, essay: Essays) -> tuple[float, Matrix]:
        """Return the raw prediction, own scale, and the vector (1, p) of a single essay."""
        self._seen.clear()
        raw = float(self._scorer.predict(essay)[0])
        if self._is_network:
            [seen] = self._seen
            return raw, seen.representations.float().cpu().numpy()
        return raw, self.vectors(essay)

    def vectors(self, essays: Essays) -> Matrix:
        """Return the vectors of essays, shape (n, p)."""
        if self._is_network:
            representations: Matrix = self._first.representations(essays)
            return representations
        if self._first.settings.reads_columns:
            return self._context.columns(essays).values
        return length_columns(essays).values

    def _note(self, _network: Any, _inputs: Any, output: Any) -> None:
        self._seen.append(output)


def load_fresh(folder: Path, context: ScorerContext) -> Scorer:
    """Return the scorer saved in a folder; it keeps nothing of the essays that it reads."""
    scorer: Scorer = _fresh(load_scorer(folder, context))
    return scorer


def _fresh(scorer: Any) -> Any:
    """Return a scorer whose transformers, however deep inside it, keep no tokens."""
    if isinstance(scorer, EnsembleScorer):
        return EnsembleScorer([_fresh(member) for member in scorer.members])
    if isinstance(scorer, BlendScorer):
        scorer.parts = tuple(map(_fresh, scorer.parts))
    if isinstance(scorer, TransformerScorer):
        return FreshTransformer.of(scorer)
    return scorer


@contextlib.contextmanager
def on_one_thread(*, with_torch: bool) -> Iterator[None]:
    """Compute on one thread meanwhile, in torch too where it will be needed."""
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    torch = _torch() if with_torch else None
    before = torch.get_num_threads() if torch else 0
    try:
        if torch:
            torch.set_num_threads(1)
        with threadpool_limits(limits=1):
            yield
    finally:
        if torch:
            torch.set_num_threads(before)


def _torch() -> Any:
    """Return torch, or None where it is not installed: whoever needs it says so."""
    try:
        import torch
    except ModuleNotFoundError:
        return None
    return torch
