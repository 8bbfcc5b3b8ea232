"""From a corpus to a folder of prepared data that is whole or absent.

A folder is built beside its final place and renamed, so one that is there is complete. Its name
covers the settings and the bytes of the source files; the same name is the same data.
"""

from __future__ import annotations

import csv
import io
import logging
import secrets
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from essay_scoring.core.errors import InputError
from essay_scoring.core.essays import Essays
from essay_scoring.core.files import wait_lock, write_json, write_text
from essay_scoring.core.fingerprint import file_sha256, fingerprint
from essay_scoring.core.progress import Progress
from essay_scoring.core.spreadsheets import harmless_cell
from essay_scoring.core.text import name_key, text_hash, without_controls, word_count
from essay_scoring.data.corpora import Loaded, load, source_files
from essay_scoring.data.data_settings import (
    DataSettings,
    Preparation,
    SyntheticCorpus,
    TableCorpus,
)
from essay_scoring.data.integrity import integrity_report
from essay_scoring.data.prepared import (
    LOCKED,
    MANIFEST,
    PREPARED_VERSION,
    SPLITS,
    TRAIN,
    PreparedData,
    essays_sha256,
    load_prepared,
    scored_sha256,
    write_essays,
    write_train,
)
from essay_scoring.data.rows import shown
from essay_scoring.data.settling import REPEATED, notes_on, settle_prompts, settle_repeats
from essay_scoring.data.splits import SCHEMES, make_splits, write_splits
from essay_scoring.data.synthetic import GENERATOR_VERSION

__all__ = ["PreparedData", "load_prepared", "prepare"]

REPORT = "reports/dataset_integrity_report.md"
DROPPED = "rows_dropped.csv"
EXCLUDED, SHORT, LONG = "excluded_prompt", "too_short", "too_long"
REASONS = (EXCLUDED, SHORT, LONG, REPEATED)

_LOGGER = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class _Kept:
    """Which rows of one part stay, and why the others do not: `reasons` has "" for those kept."""

    essays: Essays
    reasons: tuple[str, ...]
    counts_repeats: bool = False

    @property
    def rows(self) -> list[int]:
        return [row for row, reason in enumerate(self.reasons) if not reason]

    def steps(self) -> dict[str, int]:
        """Return the counts at every step."""
        excluded = self.reasons.count(EXCLUDED)
        repeated = self.reasons.count(REPEATED)
        steps = {
            "read": len(self.reasons),
            "after_exclusions": len(self.reasons) - excluded,
            "after_window": len(self.rows) + repeated,
        }
        return steps | ({"after_repeats": len(self.rows)} if self.counts_repeats else {})

    def dropped(self) -> dict[str, int]:
        """Return the number dropped for each reason."""
        reasons = REASONS if self.counts_repeats else REASONS[:-1]
        return {reason: self.reasons.count(reason) for reason in reasons}

    def without(self, rows: set[int]) -> _Kept:
        """Return what stays without the repeated texts of these rows."""
        reasons = (REPEATED if at in rows else reason for at, reason in enumerate(self.reasons))
        return _Kept(self.essays, tuple(reasons), counts_repeats=True)


def prepare(
    settings: DataSettings,
    folder: Path,
    out_root: Path,
    progress: Progress,
    tell: Callable[[str], None] = _LOGGER.warning,
) -> PreparedData:
    """Return the prepared data of a corpus, building `<out_root>/<kind>-<fingerprint>` if need be.

    A complete folder is used again after its checksums are checked; a damaged one is built anew
    with a warning. `tell` gets the notes on the data when they are built. Raises InputError for
    input that cannot be used.
    """
    sources = source_files(settings.corpus, folder)
    identity = _identity(settings, sources)
    name = f"{settings.corpus.kind}-{fingerprint(identity)[:12]}"
    target = out_root / name
    found = _complete(target)
    if found is not None:
        return found
    with wait_lock(out_root / f".{name}.lock"):
        # Another process may have built it while this one waited.
        found = _complete(target)
        if found is None:
            _build(settings, folder, identity, target, progress)
            found = load_prepared(target)
            for note in found.manifest["notes"]:
                tell(note)
    return found


def _identity(settings: DataSettings, sources: Sequence[Path]) -> dict[str, Any]:
    """Return all that decides what is prepared: settings, code version, bytes of the sources."""
    synthetic = settings.corpus.kind == "synthetic"
    return {
        "schema_version": PREPARED_VERSION,
        "generator_version": GENERATOR_VERSION if synthetic else None,
        "settings": settings.model_dump(mode="json"),
        "sources": [{"name": path.name, "sha256": file_sha256(path)} for path in sources],
    }


def _complete(target: Path) -> PreparedData | None:
    if not target.exists():
        return None
    try:
        return load_prepared(target)
    except InputError as error:
        _LOGGER.warning("%s; the folder is built again", error.what)
        return None


def _build(
    settings: DataSettings, folder: Path, identity: dict[str, Any], target: Path, progress: Progress
) -> None:
    """Build the folder beside its place, then give it its name."""
    for stale in target.parent.glob(f".{target.name}.*.partial"):
        shutil.rmtree(stale, ignore_errors=True)
    partial = target.with_name(f".{target.name}.{secrets.token_hex(6)}.partial")
    partial.mkdir()
    try:
        _fill(partial, settings, load(settings.corpus, folder), identity, progress)
        if target.exists():
            target.rename(partial.with_suffix(".old.partial"))
        partial.rename(target)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
        shutil.rmtree(partial.with_suffix(".old.partial"), ignore_errors=True)


def _fill(
    place: Path,
    settings: DataSettings,
    loaded: Loaded,
    identity: dict[str, Any],
    progress: Progress,
) -> None:
    """Write every file of a prepared folder, the manifest last."""
    with progress.stage("prepare", 4, "steps") as advance:
        preparation, where = settings.preparation, _prompt_column(settings, identity)
        rows = _Kept(loaded.train.essays, _reasons(loaded.train.essays, preparation)).rows
        loaded = settle_prompts(loaded, rows, preparation, where)
        kept = {
            part: _Kept(essays, _reasons(essays, preparation))
            for part, essays in (("train", loaded.train.essays), ("locked", loaded.locked))
        }
        everyone, repeated = settle_repeats(loaded.train, kept["train"].rows, preparation)
        if preparation.repeats != "keep":
            kept["train"] = kept["train"].without(repeated)
            kept["locked"] = kept["locked"].without(set())
        train = everyone.take(kept["train"].rows)
        locked = loaded.locked.take(kept["locked"].rows)
        if not len(train):
            raise _none_left(settings.preparation)
        _check_apart(loaded, train.essays, locked, identity)
        advance(1)
        write_train(place / TRAIN, train)
        write_essays(place / LOCKED, locked)
        write_text(place / DROPPED, _dropped_csv(kept))
        advance(1)
        manifest = identity | {
            "fingerprint": fingerprint(identity),
            "data_sha256": scored_sha256(train),
            "locked_sha256": essays_sha256(locked),
            "encodings": loaded.encodings,
            "counts": {part: rows.steps() for part, rows in kept.items()},
            "dropped": {part: rows.dropped() for part, rows in kept.items()},
            "absent_prompts": _absent(settings.preparation, loaded),
            "prompt_names": loaded.prompt_names,
        }
        if loaded.prompt_texts:
            manifest["prompt_texts"] = loaded.prompt_texts
        splits = make_splits(train, settings.splits, manifest["data_sha256"], where)
        manifest["folds"] = {scheme: splits.sizes(scheme) for scheme in SCHEMES}
        manifest["notes"] = [
            *_labels(settings),
            *notes_on(loaded, train, preparation),
            *splits.notes(train),
        ]
        write_splits(place / SPLITS, splits, settings.splits, manifest, locked.ids)
        advance(1)
        report = integrity_report(train, locked, splits, manifest)
        write_text(place / REPORT, without_controls(report))
        written = (TRAIN, LOCKED, DROPPED, SPLITS, REPORT)
        files = {name: file_sha256(place / name) for name in written}
        write_json(place / MANIFEST, manifest | {"files": files})
        advance(1)


def _prompt_column(settings: DataSettings, identity: dict[str, Any]) -> str:
    """Return the place of the training prompts, for errors."""
    corpus = settings.corpus
    if isinstance(corpus, SyntheticCorpus):
        return "data.corpus.n_prompts"
    column = corpus.columns.prompt if isinstance(corpus, TableCorpus) else "prompt"
    return f"{identity['sources'][0]['name']}, column '{column}'"


def _labels(settings: DataSettings) -> list[str]:
    """Return which score each named label is."""
    corpus = settings.corpus
    if not isinstance(corpus, TableCorpus) or not corpus.labels or corpus.scales.shared is None:
        return []
    pairs = zip(corpus.labels, corpus.scales.shared.labels, strict=True)
    return [f"scores are labels: {', '.join(f'{name} = {score:g}' for name, score in pairs)}"]


def _reasons(essays: Essays, preparation: Preparation) -> tuple[str, ...]:
    """Return for each essay why it is dropped, "" for one that stays."""
    excluded = set(map(name_key, preparation.exclude_prompts))
    key_of = {prompt: name_key(prompt) for prompt in set(essays.prompts)}
    return tuple(
        EXCLUDED if key_of[prompt] in excluded else _window_reason(text, preparation)
        for prompt, text in zip(essays.prompts, essays.texts, strict=True)
    )


def _window_reason(text: str, preparation: Preparation) -> str:
    count = word_count(text)
    if count < preparation.min_words:
        return SHORT
    return LONG if count > preparation.max_words else ""


def _none_left(preparation: Preparation) -> InputError:
    return InputError(
        f"no training essay is left after the exclusions and the window of {preparation.min_words}"
        f" to {preparation.max_words} words",
        where="data.preparation",
        mend="widen the window or exclude fewer prompts",
    )


def _check_apart(loaded: Loaded, train: Essays, locked: Essays, identity: dict[str, Any]) -> None:
    """Refuse an id in both parts, and a text that is both trained on and locked."""
    sources = identity["sources"]
    file = sources[1]["name"] if len(sources) > 1 else "locked test"
    row_of = {essay_id: row for row, essay_id in enumerate(loaded.locked.ids, start=1)}
    for essay_id in loaded.train.essays.ids:
        if essay_id in row_of:
            raise InputError(
                f"the id {shown(essay_id)} is in train and in the locked test",
                where=f"{file}, row {row_of[essay_id]}",
                mend="give the essays ids of their own, or remove one of them",
            )
    trained = {text_hash(text): i for i, text in zip(train.ids, train.texts, strict=True)}
    for essay_id, text in zip(locked.ids, locked.texts, strict=True):
        twin = trained.get(text_hash(text))
        if twin is not None:
            raise InputError(
                f"the locked essay {shown(essay_id)} has the same text as the training essay"
                f" {shown(twin)}",
                where=f"{file}, row {row_of[essay_id]}",
                mend="remove one of the two, so that the locked test stays unseen",
            )


def _absent(preparation: Preparation, loaded: Loaded) -> list[str]:
    """Return the excluded prompts that nobody answers, with a warning for each."""
    there = set(map(name_key, {*loaded.train.prompts, *loaded.locked.prompts}))
    absent = [name for name in preparation.exclude_prompts if name_key(name) not in there]
    for name in absent:
        _LOGGER.warning("the excluded prompt %r is not in the data; check its spelling", name)
    return absent


def _dropped_csv(kept: dict[str, _Kept]) -> str:
    """Return `rows_dropped.csv`: id, reason and part of every essay that was dropped."""
    out = io.StringIO(newline="")
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["id", "reason", "part"])
    for part, rows in kept.items():
        pairs = zip(rows.essays.ids, rows.reasons, strict=True)
        writer.writerows([harmless_cell(name), reason, part] for name, reason in pairs if reason)
    return out.getvalue()
