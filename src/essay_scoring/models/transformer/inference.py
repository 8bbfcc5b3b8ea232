"""What a network says of essays, without learning from them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from essay_scoring.core.contracts import Matrix
from essay_scoring.features.chunking import TokenisedEssay, batches_by_length
from essay_scoring.features.precision import Arithmetic
from essay_scoring.models.transformer.finite import Place
from essay_scoring.models.transformer.network import EssayNetwork, Output
from essay_scoring.models.transformer.thread_pool import INLINE, InOrder, ThreadPool


@dataclass(frozen=True, eq=False)
class Readings:
    """Values (n, heads) and representations (n, width) of essays, in the order they were given."""

    values: Matrix
    representations: Matrix


@dataclass(frozen=True)
class Inference:
    """How essays are read: at most `most_tokens` tokens in one forward pass, for whom, by whom."""

    most_tokens: int
    place: Place
    pool: ThreadPool = INLINE

    def read(
        self, network: EssayNetwork, essays: Sequence[TokenisedEssay], prompts: Sequence[str]
    ) -> Readings:
        """Return what the network says of n > 0 essays; longest first, so that little is padded.

        The same essays in the same order give the same bytes; other company moves them by rounding.
        Raises NotFiniteError naming the prompts of essays whose values are not finite.
        """
        tokens = [essay.tokens for essay in essays]
        network.eval()

        def read(part: list[int], _: InOrder) -> Output:
            with torch.no_grad(), self.place.arithmetic.autocast():
                output: Output = network([essays[i] for i in part])
            return output

        parts = batches_by_length(tokens, self.most_tokens)
        outputs = list(self.pool.each(read, parts))
        back = np.argsort([position for part in parts for position in part])
        readings = Readings(
            torch.cat([output.values for output in outputs]).float().cpu().numpy()[back],
            torch.cat([output.representations for output in outputs]).float().cpu().numpy()[back],
        )
        sums = readings.values.sum(axis=1) + readings.representations.sum(axis=1)
        if bad := np.flatnonzero(~np.isfinite(sums)).tolist():
            bad = not_finite_alone(network, essays, bad, self.place.arithmetic)
            what = f"what the network says of {len(bad)} of {len(essays)} essays is"
            raise self.place.stop(what, [prompts[i] for i in bad], [tokens[i] for i in bad])
        return readings


def not_finite_alone(
    network: EssayNetwork, essays: Sequence[TokenisedEssay], bad: list[int], how: Arithmetic
) -> list[int]:
    """Return which of the `bad` positions are to blame: read alone, they are not finite either.

    In company one essay's NaN spreads to others, as zero times NaN. All of `bad` are returned where
    none is to blame by itself.
    """
    guilty = []
    for position in bad:
        with torch.no_grad(), how.autocast():
            output = network([essays[position]])
        if not bool(
            torch.isfinite(output.values).all() & torch.isfinite(output.representations).all()
        ):
            guilty.append(position)
    return guilty or bad
