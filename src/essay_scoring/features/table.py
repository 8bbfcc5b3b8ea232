"""The columns that a scorer sees: chosen by settings, computed once, served from memory."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from essay_scoring.core.contracts import Columns, FeatureBlock, JsonObject, Matrix, ReadsPromptTexts
from essay_scoring.core.errors import InputError
from essay_scoring.core.essays import Essays
from essay_scoring.core.fingerprint import fingerprint
from essay_scoring.core.progress import Progress
from essay_scoring.features.blocks import build_blocks
from essay_scoring.features.feature_settings import FEATURE_SETS, FeatureSettings
from essay_scoring.features.imported import NAME as IMPORTED
from essay_scoring.features.imported import ImportedBlock
from essay_scoring.features.linguistic import COMPANIONS, HANDCRAFTED
from essay_scoring.features.store import FeatureStore


class FeatureTable:
    """A `ColumnSource` over the store: columns by `sets` less `drop`, in contract order.

    The order is that of FEATURE_SETS. `blocks` replaces those of `build_blocks`. Blocks of which no
    column is left are never asked. Raises InputError for a dropped name that is no column.
    """

    def __init__(
        self,
        settings: FeatureSettings,
        store: FeatureStore,
        encoder_cache: Path,
        progress: Progress,
        blocks: Sequence[FeatureBlock] | None = None,
    ) -> None:
        self._settings, self._store, self._progress = settings, store, progress
        if blocks is None:
            blocks = build_blocks(settings, encoder_cache)
        suppliers = _suppliers(blocks)
        self.names = _chosen(settings, suppliers)
        needed = {id(suppliers[name]) for name in self.names}
        self._blocks = [block for block in blocks if id(block) in needed]
        self._by_id = any(isinstance(block, ImportedBlock) for block in self._blocks)
        self._rows: dict[tuple[str, str, str], int] = {}
        self._values: Matrix = np.zeros((0, len(self.names)), dtype=np.float32)

    @property
    def stored_blocks(self) -> tuple[FeatureBlock, ...]:
        """The blocks that some column comes from, less the tables that nothing is stored of."""
        return tuple(block for block in self._blocks if not isinstance(block, ImportedBlock))

    @property
    def transductive(self) -> bool:
        """Whether a row also depends on the unlabelled essays of its prompt in the same call."""
        return self._settings.standardise_by_prompt

    def identities(self) -> JsonObject:
        """Return, for provenance, each block in use: the fingerprint of its identity, and that."""
        return {
            block.name: {"fingerprint": fingerprint(block.identity), "identity": block.identity}
            for block in self._blocks
        }

    def knows(self, essays: Essays) -> bool:
        """Tell whether the columns of all these essays are in memory."""
        return all(key in self._rows for key in self._keys(essays))

    def forget(self) -> None:
        """Leave no essay and no column in memory; the blocks, with their encoders, stay."""
        self._rows, self._values = {}, self._values[:0]

    def ask(self, prompt_texts: Mapping[str, str]) -> None:
        """Compare essays with what more prompts asked, by their names; forgets their columns."""
        for block in self._blocks:
            if isinstance(block, ReadsPromptTexts):
                block.ask(prompt_texts)
        self.forget()

    def warm(self, essays: Essays) -> None:
        """Compute or load the columns of a whole corpus once, to serve any part of it later."""
        if self.knows(essays):
            return
        keys = self._keys(essays)
        parts: dict[str, Matrix] = {}
        for block in self._blocks:
            columns = self._columns(block, essays)
            parts.update(zip(columns.names, columns.values.T, strict=True))
        first = len(self._values)
        fresh = np.stack([parts[name] for name in self.names], axis=1)
        self._values = np.concatenate([self._values, fresh])
        self._rows.update({key: first + row for row, key in enumerate(keys)})

    def __call__(self, essays: Essays) -> Columns:
        """Return one row per essay; essays not met before are computed through the store.

        With `standardise_by_prompt` every column is then standardised within each prompt of this
        call: transductive, for it uses the other essays of the call, though never a score.
        """
        keys = self._keys(essays)
        unknown = [row for row, key in enumerate(keys) if key not in self._rows]
        if unknown:
            self.warm(essays.take(unknown))
        values = self._values[np.asarray([self._rows[key] for key in keys], dtype=np.int64)]
        if self.transductive:
            values = standardised_by_prompt(values, essays.prompts)
        return Columns(self.names, values)

    def _columns(self, block: FeatureBlock, essays: Essays) -> Columns:
        """Return a block's columns, through the store unless they are a table already."""
        if isinstance(block, ImportedBlock):
            return block.columns(essays)
        return self._store.columns(block, essays, self._progress)

    def _keys(self, essays: Essays) -> list[tuple[str, str, str]]:
        """Return what tells rows apart: text and prompt, and the id where a table is read by it."""
        ids = essays.ids if self._by_id else ("",) * len(essays)
        return list(zip(ids, essays.texts, essays.prompts, strict=True))


def standardised_by_prompt(values: Matrix, prompts: Sequence[str]) -> Matrix:
    """Return (x - mean) / population deviation within each prompt, shape as given.

    A column without spread within a prompt becomes 0; NaN stays NaN and enters no mean.
    """
    out = np.empty_like(values)
    groups = np.unique(np.asarray(prompts, dtype=object), return_inverse=True)[1]
    for group in range(groups.max(initial=-1) + 1):
        rows = groups == group
        part = values[rows].astype(np.float64)
        known = ~np.isnan(part)
        count = np.maximum(known.sum(axis=0), 1)
        centred = part - np.where(known, part, 0.0).sum(axis=0) / count
        deviation = np.sqrt((np.where(known, centred, 0.0) ** 2).sum(axis=0) / count)
        # Rounding alone leaves a constant column with a deviation of about 1e-16 of its size.
        flat = deviation <= 1e-7 * np.where(known, np.abs(part), 0.0).max(axis=0)
        scaled = np.where(flat, 0.0, centred / np.where(flat, 1.0, deviation))
        out[rows] = np.where(known, scaled, np.nan)
    return out


def _suppliers(blocks: Sequence[FeatureBlock]) -> dict[str, FeatureBlock]:
    """Return which block supplies each column."""
    suppliers: dict[str, FeatureBlock] = {}
    for block in blocks:
        for name in block.column_names:
            if name in suppliers:
                both = f"both {suppliers[name].name} and {block.name} supply {name}"
                if isinstance(block, ImportedBlock):
                    raise InputError(both, where="features.imported", mend="give a table a prefix")
                raise ValueError(both)
            suppliers[name] = block
    return suppliers


def _chosen(settings: FeatureSettings, suppliers: dict[str, FeatureBlock]) -> tuple[str, ...]:
    """Return the names of the sets, in order, less the dropped ones."""
    sets = {name: _set_of(name, block) for name, block in suppliers.items()}
    place = {name: at for at, name in enumerate((*HANDCRAFTED, *COMPANIONS))}
    ours = place.keys() & {name for name, of_set in sets.items() if of_set != IMPORTED}
    ordered = sorted(sets, key=lambda name: place[name] if name in ours else len(place))
    wanted = [group for group in FEATURE_SETS if group in settings.sets]
    offered = [name for group in wanted for name in ordered if sets[name] == group]
    for name in settings.drop:
        if name not in offered:
            near = difflib.get_close_matches(name, offered, n=3)
            hint = f"did you mean {', '.join(near)}?" if near else "leave it out"
            raise InputError(
                f"features.drop names {name!r}, which is no column of {', '.join(settings.sets)}",
                mend=hint,
            )
    chosen = tuple(name for name in offered if name not in settings.drop)
    if not chosen:
        raise InputError(
            "no feature column is left", mend="widen features.sets or narrow features.drop"
        )
    return chosen


def _set_of(column: str, block: FeatureBlock) -> str:
    """Return the set of a column: some of the linguistic ones stand beside the contract's."""
    ours = block.feature_set != IMPORTED
    return "companions" if ours and column in COMPANIONS else block.feature_set
