"""What may never be divided: an essay's text, or its prompt; and cuts that keep groups whole."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np

from essay_scoring.core.errors import InputError
from essay_scoring.core.essays import ScoredEssays
from essay_scoring.core.fingerprint import derive_seed
from essay_scoring.core.scale import FloatArray, IntArray
from essay_scoring.core.text import text_hash

Scheme = Literal["stratified_text", "prompt_holdout"]
SCHEMES: tuple[Scheme, ...] = ("stratified_text", "prompt_holdout")

_DRAWS = 200


def groups_of(train: ScoredEssays, scheme: Scheme) -> list[str]:
    """Return the group of each essay: its text hash, or its prompt.

    Prompts that share a text are one group, named by the first of them, so that no text can be on
    both sides of a cut by prompt.
    """
    hashes = [text_hash(text) for text in train.essays.texts]
    return hashes if scheme == "stratified_text" else _linked_prompts(train.prompts, hashes)


def _linked_prompts(prompts: Sequence[str], hashes: Sequence[str]) -> list[str]:
    """Return for each essay the first of the prompts linked to its own by shared texts."""
    leader = {prompt: prompt for prompt in prompts}

    def lead(prompt: str) -> str:
        while leader[prompt] != prompt:
            prompt = leader[prompt]
        return prompt

    first_with: dict[str, str] = {}
    for prompt, digest in zip(prompts, hashes, strict=True):
        one, other = sorted((lead(first_with.setdefault(digest, prompt)), lead(prompt)))
        leader[other] = one
    return [lead(prompt) for prompt in prompts]


def cut_dev(
    train: ScoredEssays, groups: Sequence[str], share: float, seed: int
) -> tuple[IntArray, IntArray]:
    """Return the rows to fit on and the rows of dev, each ascending and neither empty.

    Whole groups go to dev, about `share` of the essays: the best of 200 seeded draws by how far the
    share, and the shares of the score bands, are off. Raises InputError for a single group.
    """
    names, group = np.unique(np.asarray(groups), return_inverse=True)
    if len(names) < 2:
        raise InputError(
            f"dev cannot be cut from {len(names)} group(s)",
            where="training essays",
            mend="use more prompts, or the scheme stratified_text",
        )
    counts = _band_counts(group, train.bands, len(names))
    rng = np.random.default_rng(derive_seed(seed, "dev"))
    draws = (_draw(counts, share, rng) for _ in range(_DRAWS))
    chosen, _ = min(draws, key=lambda draw: draw[1])
    in_dev = np.isin(group, chosen)
    return np.flatnonzero(~in_dev), np.flatnonzero(in_dev)


def _band_counts(group: IntArray, bands: IntArray, n_groups: int) -> FloatArray:
    """Return the number of essays of each group in each band, shape (n_groups, n_bands)."""
    counts = np.zeros((n_groups, int(bands.max()) + 1))
    np.add.at(counts, (group, bands), 1.0)
    return counts


def _draw(counts: FloatArray, share: float, rng: np.random.Generator) -> tuple[IntArray, float]:
    """Return a random set of groups of about `share` of the essays, and how far it is off."""
    order = rng.permutation(len(counts))
    running = counts[order].cumsum(axis=0)
    sizes = running.sum(axis=1)
    # At least one group on either side.
    taken = int(np.abs(sizes[:-1] - share * sizes[-1]).argmin()) + 1
    off_share = abs(sizes[taken - 1] / sizes[-1] - share)
    bands, all_bands = running[taken - 1] / sizes[taken - 1], running[-1] / sizes[-1]
    return order[:taken], float(off_share + np.abs(bands - all_bands).sum() / 2)
