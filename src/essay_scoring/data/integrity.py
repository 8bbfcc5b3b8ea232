"""The dataset integrity report: what was read, what stayed, and what looks odd. No essay text."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from essay_scoring.core.essays import Essays, ScoredEssays
from essay_scoring.core.scale import IntArray
from essay_scoring.core.text import word_count
from essay_scoring.data.duplicates import THRESHOLD, exact_groups, near_pairs
from essay_scoring.data.splits import SCHEMES, Scheme, Splits
from essay_scoring.statistics.metrics import qwk

_LISTED = 200
_LARGE_PROMPT = 30
_QUANTILES = (0, 5, 25, 50, 75, 95, 100)


def integrity_report(
    train: ScoredEssays, locked: Essays, splits: Splits, manifest: Mapping[str, Any]
) -> str:
    """Return the report as Markdown; `manifest` is what `prepared.json` tells of the data."""
    sections = (
        ["# Dataset integrity", "", f"Data sha256: `{splits.data_sha256}`"],
        _steps(manifest),
        _scores(train),
        _prompts(train, locked),
        _lengths(train, locked),
        _exact_duplicates(train),
        _near_duplicates(train, locked, splits),
        _subgroups(train),
    )
    return "\n\n".join("\n".join(lines).strip() for lines in sections) + "\n"


def _steps(manifest: Mapping[str, Any]) -> list[str]:
    lines = ["## Counts at every step", "", *_by_part(manifest["counts"])]
    lines += ["Dropped, by reason (`rows_dropped.csv` lists the ids):", ""]
    lines += _by_part(manifest["dropped"])
    lines += [f"- {part} was read as {name}" for part, name in manifest["encodings"].items()]
    lines += [
        f"- **the excluded prompt {_cell(name)} is not in the data**: check its spelling"
        for name in manifest["absent_prompts"]
    ]
    lines += ["", "Essays held out by each fold:", ""]
    lines += [
        f"- {scheme}: {', '.join(map(str, sizes))}" for scheme, sizes in manifest["folds"].items()
    ]
    lines += ["", *(f"- **Note**: {_cell(note)}" for note in manifest["notes"])]
    return lines


def _by_part(counts: Mapping[str, Mapping[str, int]]) -> list[str]:
    names = list(next(iter(counts.values())))
    rows = [[part, *(of_part[name] for name in names)] for part, of_part in counts.items()]
    return _table(["part", *(name.replace("_", " ") for name in names)], rows)


def _scores(train: ScoredEssays) -> list[str]:
    lines = ["## Scores of the training essays"]
    for scale, rows in train.scales.for_prompts(train.prompts).items():
        counts = np.bincount(scale.index(train.scores[rows]), minlength=scale.n_labels)
        lines += ["", f"Scale {scale.low:g} to {scale.high:g} by {scale.step:g}:", ""]
        shares = 100 * counts / counts.sum()
        lines += _table(
            ["score", "n", "%"],
            [
                [f"{label:g}", int(count), f"{share:.1f}"]
                for label, count, share in zip(scale.labels, counts, shares, strict=True)
            ],
        )
        lines += _second_rater(train, rows)
    return lines


def _second_rater(train: ScoredEssays, rows: IntArray) -> list[str]:
    """Return a line on the agreement of both raters on the essays at `rows` that have two."""
    if train.second_scores is None:
        return []
    both = rows[~np.isnan(train.second_scores[rows])]
    if not len(both):
        return ["", "No essay has a second rater."]
    scale = train.scales.of(train.prompts[both[0]])
    first, second = scale.index(train.scores[both]), scale.index(train.second_scores[both])
    agreement = qwk(first, second, scale.n_labels)
    shown_agreement = "undefined" if agreement is None else f"{agreement:.3f}"
    return ["", f"Two raters scored {len(both)} of these essays: QWK {shown_agreement}."]


def _prompts(train: ScoredEssays, locked: Essays) -> list[str]:
    in_train, in_locked = Counter(train.prompts), Counter(locked.prompts)
    prompts = np.asarray(train.prompts, dtype=object)
    rows = []
    for prompt, n in in_train.most_common():
        scores = train.scores[prompts == prompt]
        rows.append([prompt, n, in_locked[prompt], f"{scores.mean():.2f}", f"{scores.std():.2f}"])
    rows += [[p, 0, n, "", ""] for p, n in in_locked.most_common() if p not in in_train]
    large = sum(n >= _LARGE_PROMPT for n in in_train.values())
    lines = [
        "## Prompts",
        "",
        f"{len(in_train)} prompts in train, {large} with n >= {_LARGE_PROMPT}.",
        "",
    ]
    return lines + _table(["prompt", "train", "locked", "mean score", "sd"], rows)


def _lengths(train: ScoredEssays, locked: Essays) -> list[str]:
    rows = []
    for part, texts in (("train", train.essays.texts), ("locked", locked.texts)):
        if texts:
            counts = np.percentile([word_count(text) for text in texts], _QUANTILES)
            rows.append([part, *(f"{count:.0f}" for count in counts)])
    header = ["part", *(f"{quantile}%" for quantile in _QUANTILES)]
    return ["## Length in words, quantiles", "", *_table(header, rows)]


def _exact_duplicates(train: ScoredEssays) -> list[str]:
    """Return the training essays that share a text; each group is in one fold of either scheme."""
    groups = exact_groups(train.essays.texts)
    lines = [
        "## Duplicates",
        "",
        f"Training texts that occur more than once: {len(groups)}.",
        "They are kept, and held out together under either scheme. No locked text is in train.",
        "",
    ]
    ids = train.essays.ids
    return lines + [f"- {', '.join(_cell(ids[row]) for row in rows)}" for rows in groups[:_LISTED]]


def _near_duplicates(train: ScoredEssays, locked: Essays, splits: Splits) -> list[str]:
    """Return the pairs of near-duplicates, and how many lie across folds or train and locked."""
    ids = train.essays.ids + locked.ids
    pairs = near_pairs(train.essays.texts + locked.texts)
    places = {scheme: _places(ids, splits, scheme) for scheme in SCHEMES}
    shared = {
        scheme: [f"{place[pair.first]}/{place[pair.second]}" for pair in pairs]
        for scheme, place in places.items()
    }
    crossing = sum(pair.first < len(train) <= pair.second for pair in pairs)
    lines = [
        f"Near-duplicates (Jaccard index of five-word shingles >= {THRESHOLD}):",
        "",
        f"- pairs in all: {len(pairs)}",
        f"- across train and locked: {crossing}",
    ]
    for scheme, place in places.items():
        across = sum(place[pair.first] != place[pair.second] for pair in pairs) - crossing
        lines.append(f"- across folds of {scheme}: {across}")
    rows = [
        [
            ids[pair.first],
            ids[pair.second],
            f"{pair.jaccard:.3f}",
            *(shared[s][at] for s in SCHEMES),
        ]
        for at, pair in enumerate(pairs[:_LISTED])
    ]
    header = ["first", "second", "Jaccard", *(f"folds of {scheme}" for scheme in SCHEMES)]
    return [*lines, "", *_table(header, rows)] if pairs else lines


def _places(ids: Sequence[str], splits: Splits, scheme: Scheme) -> list[str]:
    """Return the fold that holds each essay out, "locked" for a locked one."""
    fold_of = {i: str(fold.number) for fold in splits.folds(scheme) for i in fold.held_out_ids}
    return [fold_of.get(essay_id, "locked") for essay_id in ids]


def _subgroups(train: ScoredEssays) -> list[str]:
    lines = ["## Writer groups of the training essays"]
    if not train.writers:
        return [*lines, "", "The corpus has no writer columns."]
    for column, labels in train.writers.items():
        values = np.asarray(labels, dtype=object)
        rows = [
            [label or "(unknown)", n, f"{train.scores[values == label].mean():.2f}"]
            for label, n in Counter(labels).most_common()
        ]
        lines += ["", f"{_cell(column)}:", "", *_table(["group", "n", "mean score"], rows)]
    return lines


def _table(header: Sequence[str], rows: Iterable[Sequence[object]]) -> list[str]:
    """Return a Markdown table and a blank line; cells cannot break out of it."""
    lines = [header, ["---"] * len(header), *rows]
    return ["| " + " | ".join(_cell(cell) for cell in line) + " |" for line in lines] + [""]


def _cell(value: object) -> str:
    """Return a value as one line that Markdown shows as it is."""
    text = " ".join(str(value).split())
    return re.sub(r"([\\`*_\[\]<>|#])", r"\\\1", text)
