"""What an essay's words tell of how far it is from the training essays.

Words are kept as 32-bit checksums, and only those of at least `FEWEST_ESSAYS` essays: neither a
name nor a phrase of a training essay can be read from a saved model.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from essay_scoring.core.essays import Essays
from essay_scoring.core.scale import FloatArray, IntArray
from essay_scoring.core.text import words

WordIds = npt.NDArray[np.uint32]

FEWEST_ESSAYS = 3
N_COMMON = 100
_UNUSUAL = 0.99
_LANGUAGE_MARGIN = 0.5


@dataclass(frozen=True, eq=False)
class WordFlags:
    """Known and commonest words (sorted checksums), and from where on an essay is unusual.

    `most_unknown` is the share of unknown words that 99% of the training essays stay within, their
    own prompt left out of what is known. `fewest_common` is half the share of the commonest words
    that 99% of them reach: a text in another language has next to none of these.
    """

    known: WordIds
    common: WordIds
    most_unknown: float
    fewest_common: float

    def many_unknown(self, found: WordIds) -> bool:
        """Tell whether an essay of these words has more unknown ones than training essays do."""
        return _share(found, self.known, inside=False) > self.most_unknown

    def off_language(self, found: WordIds) -> bool:
        """Tell whether an essay of these words lacks the commonest words of the language."""
        return _share(found, self.common, inside=True) < self.fewest_common


def word_ids(text: str) -> WordIds:
    """Return the checksum of each word of a text, lower case, in order."""
    found = (zlib.crc32(word.lower().encode("utf-8", "replace")) for word in words(text))
    return np.fromiter(found, dtype=np.uint32)


def learn_words(essays: Essays) -> WordFlags:
    """Return what the words of training essays teach; n > 0 essays."""
    texts = [word_ids(text) for text in essays.texts]
    ids, counts, prompts = _counts_by_prompt(texts, essays.prompts)
    everywhere = counts.sum(axis=0)
    # Equally common words are taken in the order of their checksums.
    common = np.sort(ids[np.argsort(-everywhere, kind="stable")[:N_COMMON]])
    unknown, familiar = np.zeros(len(texts)), np.zeros(len(texts))
    for prompt in range(len(counts)):
        elsewhere = ids[everywhere - counts[prompt] >= FEWEST_ESSAYS]
        for row in np.flatnonzero(prompts == prompt):
            unknown[row] = _share(texts[row], elsewhere, inside=False)
            familiar[row] = _share(texts[row], common, inside=True)
    return WordFlags(
        ids[everywhere >= FEWEST_ESSAYS],
        common,
        float(np.quantile(unknown, _UNUSUAL, method="higher")),
        _LANGUAGE_MARGIN * float(np.quantile(familiar, 1 - _UNUSUAL, method="lower")),
    )


def _counts_by_prompt(
    texts: Sequence[WordIds], prompts: Sequence[str]
) -> tuple[WordIds, FloatArray, IntArray]:
    """Return all words (v,), how many essays of each prompt have them (p, v), and prompts (n,)."""
    number_of = np.unique(np.asarray(prompts), return_inverse=True)[1].astype(np.int64)
    distinct = [np.unique(text) for text in texts]
    ids, place = np.unique(np.concatenate(distinct), return_inverse=True)
    owner = np.repeat(number_of, [len(text) for text in distinct])
    shape = int(number_of.max()) + 1, len(ids)
    counts = np.bincount(owner * shape[1] + place, minlength=shape[0] * shape[1])
    return ids, counts.reshape(shape).astype(np.float64), number_of


def _share(found: WordIds, among: WordIds, *, inside: bool) -> float:
    """Return the share of words that are (or are not) among others; of no words, all unknown."""
    if not len(found):
        return 0.0 if inside else 1.0
    return float(np.isin(found, among, invert=not inside).mean())
