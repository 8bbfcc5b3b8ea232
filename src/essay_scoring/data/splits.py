"""Folds, drawn once and kept in `splits.json`: who is held out, under two schemes.

`stratified_text` keeps equal texts together, `prompt_holdout` whole prompts. Both are drawn by
scikit-learn's StratifiedGroupKFold on the score bands. It deals large groups out first, so that
there is next to no chance in folds of prompts: further partitions of the prompts are drawn apart.
"""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import numpy as np

from essay_scoring.core.errors import InputError
from essay_scoring.core.essays import ScoredEssays
from essay_scoring.core.files import read_json, write_json
from essay_scoring.core.fingerprint import derive_seed, fingerprint
from essay_scoring.core.scale import IntArray
from essay_scoring.data import cells
from essay_scoring.data.data_settings import SplitSettings
from essay_scoring.data.duplicates import exact_groups
from essay_scoring.data.grouping import SCHEMES, Scheme, cut_dev, groups_of
from essay_scoring.data.prepared import SPLITS, PreparedData
from essay_scoring.data.rows import shown
from essay_scoring.data.tables import read_table

__all__ = [
    "SCHEMES",
    "Fold",
    "Scheme",
    "Splits",
    "cut_dev",
    "draw_splits",
    "groups_of",
    "make_splits",
    "read_splits",
    "write_splits",
]

SPLITS_VERSION = 1
_UNEVEN = 2.0
_LISTED = 4


@dataclass(frozen=True)
class Fold:
    """The essays one fold holds out; `val_groups` lists their prompts (prompt_holdout only)."""

    number: int
    held_out_ids: tuple[str, ...]
    val_groups: tuple[str, ...] = ()


@dataclass(frozen=True)
class Splits:
    """Both sets of folds over the training essays of one `data_sha256`; folds number from 0."""

    data_sha256: str
    by_scheme: Mapping[Scheme, tuple[Fold, ...]]

    def folds(self, scheme: Scheme) -> tuple[Fold, ...]:
        """Return the folds of a scheme, in the order of their numbers."""
        return self.by_scheme[scheme]

    def sizes(self, scheme: Scheme) -> list[int]:
        """Return how many essays each fold of a scheme holds out."""
        return [len(fold.held_out_ids) for fold in self.folds(scheme)]

    def notes(self, train: ScoredEssays) -> list[str]:
        """Return what is uneven about the folds of prompts: a fold of most essays, linked prompts.

        Whole prompts are held out, so a prompt with many essays makes a large fold.
        """
        sizes, told = self.sizes("prompt_holdout"), []
        fold = self.folds("prompt_holdout")[sizes.index(max(sizes))]
        if max(sizes) > _UNEVEN * len(train) / len(sizes):
            counts = Counter(train.prompts)
            prompt = max(fold.val_groups, key=lambda name: counts[name])
            told.append(
                f"fold {fold.number} of prompt_holdout holds out {max(sizes)} of {len(train)} "
                f"essays (the prompt {prompt[:40]!r} has {counts[prompt]}): its scorer learns from "
                f"{len(train) - max(sizes)}, and figures rest on it most"
            )
        linked = set(train.prompts) - set(groups_of(train, "prompt_holdout"))
        if linked:
            told.append(f"{len(linked)} prompts are held out with others that share a text of "
                        f"theirs: {_shared_texts(train)}")  # fmt: skip
        return told

    @property
    def sha256(self) -> str:
        """The hash of who is held out where, and of which data; layout of the file is no matter."""
        return fingerprint({"data_sha256": self.data_sha256, "folds": _folds_content(self)})


def make_splits(
    train: ScoredEssays,
    settings: SplitSettings,
    data_sha256: str,
    where: str = "training essays",
) -> Splits:
    """Return folds of both schemes; InputError for too few prompts or texts, or an empty fold.

    `where` names the file and column of the prompts in such an error.
    """
    _check_enough_prompts(train, settings.n_splits, where)
    by_scheme = {scheme: _draw(train, scheme, settings) for scheme in SCHEMES}
    return Splits(data_sha256, by_scheme)


def _check_enough_prompts(train: ScoredEssays, n_splits: int, where: str) -> None:
    prompts = dict.fromkeys(train.prompts)
    if len(prompts) == 1:
        raise InputError(
            "all essays answer one prompt, so no prompt can be held out",
            where=where,
            mend="add essays on other prompts, or check the prompt column and the exclusions",
        )
    if len(prompts) < n_splits:
        raise InputError(
            f"{len(prompts)} prompts cannot fill {n_splits} folds",
            where=where,
            mend=f"set data.splits.n_splits to at most {len(prompts)}, or add prompts",
        )


def _draw(train: ScoredEssays, scheme: Scheme, settings: SplitSettings) -> tuple[Fold, ...]:
    groups = groups_of(train, scheme)
    n_groups = len(set(groups))
    if n_groups < settings.n_splits and scheme == "prompt_holdout":
        raise InputError(
            f"{n_groups} groups cannot fill {settings.n_splits} folds; prompts that share a text "
            f"are held out together: {_shared_texts(train)}",
            where=scheme,
            mend="set data.preparation.repeats to 'drop' (no essay with such a text) or 'first' "
            "(one of them; of init it is --repeats), remove those essays, or lower "
            "data.splits.n_splits",
        )
    if n_groups < settings.n_splits:
        raise InputError(
            f"{n_groups} texts cannot fill {settings.n_splits} folds",
            where=scheme,
            mend="lower data.splits.n_splits, or add essays",
        )
    folds = []
    for number, rows in enumerate(_held_out_rows(train.bands, groups, scheme, settings)):
        if not len(rows):
            raise InputError(
                f"fold {number} of {settings.n_splits} came out empty",
                where=scheme,
                mend="lower data.splits.n_splits, or choose another data.splits.seed",
            )
        folds.append(_fold(number, rows, train, scheme))
    return tuple(folds)


def _shared_texts(train: ScoredEssays) -> str:
    """Return which essays have one text under several prompts, the first few."""
    groups = [
        (rows, sorted({train.prompts[row] for row in rows}))
        for rows in exact_groups(train.essays.texts)
    ]
    said = [
        f"essays {_some([shown(train.essays.ids[row]) for row in rows])} under the prompts "
        f"{_some([repr(name[:40]) for name in prompts])}"
        for rows, prompts in groups
        if len(prompts) > 1
    ]
    return _some(said, "; ")


def _some(names: Sequence[str], separator: str = ", ") -> str:
    more = [f"{len(names) - _LISTED} more"] if len(names) > _LISTED else []
    return separator.join([*names[:_LISTED], *more])


def _held_out_rows(
    bands: IntArray, groups: Sequence[str], scheme: Scheme, settings: SplitSettings
) -> list[IntArray]:
    """Return the rows each fold holds out."""
    if scheme == "prompt_holdout" and settings.partition:
        return _partitioned(groups, settings)
    from sklearn.model_selection import StratifiedGroupKFold

    seed = settings.seed
    if settings.partition:
        seed = derive_seed(seed, "partition", settings.partition) % 2**32
    drawer = StratifiedGroupKFold(settings.n_splits, shuffle=True, random_state=seed)
    with warnings.catch_warnings():
        # A band with fewer essays than folds cannot be in each; the report shows the bands.
        warnings.filterwarnings("ignore", message="The least populated class", category=UserWarning)
        try:
            return [held_out for _, held_out in drawer.split(bands, bands, groups)]
        except ValueError:
            raise InputError(
                f"no score band has as many as {settings.n_splits} essays",
                where=scheme,
                mend="lower data.splits.n_splits, or add essays",
            ) from None


def _partitioned(groups: Sequence[str], settings: SplitSettings) -> list[IntArray]:
    """Return the rows each fold holds out: groups in random order, each to the smallest fold."""
    rng = np.random.default_rng(derive_seed(settings.seed, "partition", settings.partition))
    names, group = np.unique(np.asarray(groups, dtype=object), return_inverse=True)
    sizes, held = np.bincount(group), np.zeros(settings.n_splits, dtype=np.int64)
    fold_of = np.empty(len(names), dtype=np.int64)
    for at in rng.permutation(len(names)):
        fold_of[at] = held.argmin()
        held[fold_of[at]] += sizes[at]
    return [np.flatnonzero(fold_of[group] == number) for number in range(settings.n_splits)]


def write_splits(
    path: Path,
    splits: Splits,
    settings: SplitSettings,
    manifest: Mapping[str, Any],
    locked_ids: Sequence[str],
) -> None:
    """Write `splits.json`: the folds, how they were drawn, and the data's facts of its manifest."""
    content = {
        "schema_version": SPLITS_VERSION,
        "data_sha256": splits.data_sha256,
        "locked_sha256": manifest["locked_sha256"],
        "sources": manifest["sources"],
        "exclude_prompts": manifest["settings"]["preparation"]["exclude_prompts"],
        "word_window": [
            manifest["settings"]["preparation"]["min_words"],
            manifest["settings"]["preparation"]["max_words"],
        ],
        "counts": manifest["counts"],
        "locked_ids": list(locked_ids),
        "n_splits": settings.n_splits,
        "seed": settings.seed,
        "partition": settings.partition,
        "splits_sha256": splits.sha256,
        **_folds_content(splits),
    }
    write_json(path, content)


def draw_splits(prepared: PreparedData, settings: SplitSettings, path: Path) -> Splits:
    """Return folds drawn anew from prepared data, written to a file of their own."""
    splits = make_splits(prepared.train, settings, prepared.data_sha256)
    write_splits(path, splits, settings, prepared.manifest, prepared.locked_ids)
    return splits


def _folds_content(splits: Splits) -> dict[str, list[dict[str, Any]]]:
    return {
        scheme: [
            {
                "fold": fold.number,
                "held_out_ids": list(fold.held_out_ids),
                "val_groups": list(fold.val_groups),
            }
            for fold in splits.folds(scheme)
        ]
        for scheme in SCHEMES
    }


def read_splits(path: Path, prepared: PreparedData, scheme: Scheme = "prompt_holdout") -> Splits:
    """Return the folds of a splits file; InputError unless they fit the prepared data.

    They fit when the data hash and the locked ids are the same, the folds of each scheme hold out
    every training essay once, and no group is divided. A table (any that `data.rows` reads) with
    the columns id and fold holds those of `scheme`.
    """
    if path.suffix != ".json":
        return _table_splits(path, prepared, scheme)
    content = read_json(path)
    splits = _parse(content, path)
    if splits.data_sha256 != prepared.data_sha256:
        _refuse(path, "the folds were drawn for other data (data_sha256 differs)")
    if content.get("locked_ids") != list(prepared.locked_ids):
        _refuse(path, "the locked test is another one (locked_ids differ)")
    for scheme in SCHEMES:
        _check_folds(splits.folds(scheme), scheme, prepared.train, path)
    if content.get("splits_sha256") != splits.sha256:
        _refuse(path, "the folds were changed after they were drawn (splits_sha256 differs)")
    return splits


def _table_splits(path: Path, prepared: PreparedData, scheme: Scheme) -> Splits:
    """Return the folds of a table for one scheme, and those drawn for the other."""
    table, train = read_table(path), prepared.train
    ids = cells.id_cells(table, "id")
    numbers = cells.number_cells(table, "fold", required=True)
    table.check()
    fold_of = dict(zip(ids, numbers.tolist(), strict=True))
    missing = [essay for essay in train.essays.ids if essay not in fold_of]
    if missing:
        raise InputError(
            f"{len(missing)} of {len(train)} essays have no fold, the first is {shown(missing[0])}",
            where=str(path),
            mend="give a row with id and fold to every essay",
        )
    members: dict[float, list[int]] = {}
    for row, essay in enumerate(train.essays.ids):
        members.setdefault(fold_of[essay], []).append(row)
    folds = tuple(_fold(n, members[at], train, scheme) for n, at in enumerate(sorted(members)))
    try:
        _check_folds(folds, scheme, train, path)
    except InputError as error:
        raise InputError(
            error.what,
            where=error.where,
            mend="put all essays of a prompt, and equal texts, into one fold; for folds that divide"
            " prompts take --scheme stratified_text",
        ) from None
    drawn = read_splits(prepared.folder / SPLITS, prepared).by_scheme
    return Splits(prepared.data_sha256, {**drawn, scheme: folds})


def _fold(number: int, rows: Sequence[int] | IntArray, train: ScoredEssays, scheme: Scheme) -> Fold:
    prompts = tuple(dict.fromkeys(train.prompts[row] for row in rows))
    named = tuple(sorted(prompts)) if scheme == "prompt_holdout" else ()
    return Fold(number, tuple(train.essays.ids[row] for row in rows), named)


def _parse(content: Any, path: Path) -> Splits:
    version = content.get("schema_version") if isinstance(content, dict) else None
    if version != SPLITS_VERSION:
        _refuse(path, f"the schema version is {version!r}, not {SPLITS_VERSION}")
    try:
        by_scheme = {
            scheme: tuple(
                Fold(
                    int(fold["fold"]),
                    tuple(map(str, fold["held_out_ids"])),
                    tuple(map(str, fold["val_groups"])),
                )
                for fold in content[scheme]
            )
            for scheme in SCHEMES
        }
        return Splits(str(content["data_sha256"]), by_scheme)
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        _refuse(path, f"the folds cannot be read ({type(error).__name__})")


def _check_folds(folds: Sequence[Fold], scheme: Scheme, train: ScoredEssays, path: Path) -> None:
    """Refuse folds that are not a partition of the essays, or divide a group."""
    if [fold.number for fold in folds] != list(range(len(folds))) or len(folds) < 2:
        _refuse(path, f"{scheme}: the folds are not numbered 0, 1, ...")
    counts = Counter(essay_id for fold in folds for essay_id in fold.held_out_ids)
    if not all(fold.held_out_ids for fold in folds):
        _refuse(path, f"{scheme}: a fold is empty")
    odd = [essay_id for essay_id in train.essays.ids if counts.pop(essay_id, 0) != 1] + list(counts)
    if odd:
        _refuse(path, f"{scheme}: the folds do not hold out essay {shown(odd[0])} exactly once")
    fold_of = {essay_id: fold.number for fold in folds for essay_id in fold.held_out_ids}
    numbers = [fold_of[essay_id] for essay_id in train.essays.ids]
    places: dict[str, int] = {}
    for essay_id, group, number in zip(
        train.essays.ids, groups_of(train, scheme), numbers, strict=True
    ):
        if places.setdefault(group, number) != number:
            what = "prompt" if scheme == "prompt_holdout" else "text"
            _refuse(path, f"{scheme}: the {what} of essay {shown(essay_id)} is in two folds")
    if scheme == "prompt_holdout":
        _check_named_prompts(folds, dict(zip(train.essays.ids, train.prompts, strict=True)), path)


def _check_named_prompts(folds: Sequence[Fold], prompt_of: Mapping[str, str], path: Path) -> None:
    for fold in folds:
        if set(fold.val_groups) != {prompt_of[essay_id] for essay_id in fold.held_out_ids}:
            _refuse(path, f"prompt_holdout: val_groups of fold {fold.number} are not its prompts")


def _refuse(path: Path, what: str) -> NoReturn:
    raise InputError(what, where=str(path), mend="draw the folds again with make-splits") from None
