"""Essays that are the same, or nearly the same, text.

Near-duplicates are pairs whose sets of five-word shingles have a Jaccard index of at least 0.8.
MinHash (Broder 1997) with locality-sensitive banding finds candidates; the exact index decides.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b

import numpy as np
import numpy.typing as npt

from essay_scoring.core.text import normalise_text, text_hash, words

SHINGLE_WORDS = 5
THRESHOLD = 0.8

# 16 bands of 4 rows find a pair of index 0.8 with probability 1 - (1 - 0.8^4)^16 > 0.999.
_BANDS, _ROWS = 16, 4
_HASH_SEED = 1

Shingles = npt.NDArray[np.uint64]


@dataclass(frozen=True)
class NearPair:
    """Two positions in a list of texts, first < second, and the Jaccard index of their shingles."""

    first: int
    second: int
    jaccard: float


def exact_groups(texts: Sequence[str]) -> list[list[int]]:
    """Return the positions of texts with the same text hash, one list for each hash seen twice."""
    groups: dict[str, list[int]] = defaultdict(list)
    for position, text in enumerate(texts):
        groups[text_hash(text)].append(position)
    return [positions for positions in groups.values() if len(positions) > 1]


def near_pairs(texts: Sequence[str]) -> list[NearPair]:
    """Return the near-duplicates among texts, sorted; texts of one hash count as their first."""
    repeats = {position for group in exact_groups(texts) for position in group[1:]}
    kept = [position for position in range(len(texts)) if position not in repeats]
    sets = _shingle_sets([texts[position] for position in kept])
    pairs = []
    for first, second in sorted(_candidates(sets)):
        index = _jaccard(sets[first], sets[second])
        if index >= THRESHOLD:
            pairs.append(NearPair(kept[first], kept[second], index))
    return pairs


def _shingle_sets(texts: Sequence[str]) -> list[Shingles]:
    """Return the sorted distinct shingle hashes of each text; short texts are one shingle."""
    codes: dict[str, int] = {}
    powers = np.array([_word_code(f"power {k}", {}) | 1 for k in range(SHINGLE_WORDS)], np.uint64)
    sets = []
    for text in texts:
        found = [_word_code(word, codes) for word in words(normalise_text(text).casefold())]
        found += [0] * (SHINGLE_WORDS - len(found))
        windows = np.lib.stride_tricks.sliding_window_view(
            np.array(found, dtype=np.uint64), SHINGLE_WORDS
        )
        # Unsigned sums and products wrap around, which is what a hash wants.
        sets.append(np.unique((windows * powers).sum(axis=1, dtype=np.uint64)))
    return sets


def _word_code(word: str, codes: dict[str, int]) -> int:
    """Return a 64-bit hash of a word that is the same in every process."""
    code = codes.get(word)
    if code is None:
        digest = blake2b(word.encode("utf-8", "surrogatepass"), digest_size=8).digest()
        code = codes[word] = int.from_bytes(digest, "big")
    return code


def _candidates(sets: Sequence[Shingles]) -> set[tuple[int, int]]:
    """Return pairs of positions that agree in at least one band of their MinHash signatures."""
    from datasketch import MinHash, MinHashLSH

    lsh = MinHashLSH(num_perm=_BANDS * _ROWS, params=(_BANDS, _ROWS))
    signatures = MinHash.generator(
        (shingles.tolist() for shingles in sets),
        num_perm=_BANDS * _ROWS,
        seed=_HASH_SEED,
        hashfunc=int,
        scheme="affine64",
    )
    pairs: set[tuple[int, int]] = set()
    for position, signature in enumerate(signatures):
        pairs.update((earlier, position) for earlier in lsh.query(signature))
        lsh.insert(position, signature, check_duplication=False)
    return pairs


def _jaccard(first: Shingles, second: Shingles) -> float:
    shared = len(np.intersect1d(first, second, assume_unique=True))
    return shared / (len(first) + len(second) - shared)
