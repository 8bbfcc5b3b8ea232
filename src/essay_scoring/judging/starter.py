"""`init`: a folder of configs, a gate and a study, written for a table as it was understood."""

from __future__ import annotations

import json
import os.path
import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from essay_scoring.core.errors import InputError
from essay_scoring.core.files import write_text
from essay_scoring.core.installing import install_line
from essay_scoring.core.progress import Progress
from essay_scoring.core.scale import ScoreScale, ScoreScales
from essay_scoring.core.settings import build_settings
from essay_scoring.core.spreadsheets import csv_line, harmless_cell
from essay_scoring.data.data_settings import DataSettings, Preparation, TableCorpus
from essay_scoring.data.preparation import prepare
from essay_scoring.data.survey import TableSurvey
from essay_scoring.judging.study_plan import load_study
from essay_scoring.records.config import read_extended_toml
from essay_scoring.records.workspace import Workspace
from essay_scoring.runs.run import Run, open_run
from essay_scoring.statistics.intervals import FEWEST_PROMPTS

STUDY, FOLDS = "study.toml", "folds.csv"
_SHAPES = ("preset:asap/data",)
"""Corpora whose scales are known where their columns are met."""

_SHORTEST, _LONGEST, _FEW = 20, 1500, 0.05
_SLICES = (30, 20, 10, 5)
_MOST_FOLDS, _MOST_WORST = 5, 5
_PARTITION = (
    "# partition = 1 # whole prompts dealt to folds anew, at random; another seed alone deals them "
    "out alike"
)
_TOLD = {
    "weight": " # an essay's weight in training",
    "prompt_text": " # what the prompts asked; essays are compared with it",
}


@dataclass(frozen=True)
class Ability:
    """Which optional parts of the program are installed here."""

    language: bool
    encoder: bool
    boosted: bool


@dataclass(frozen=True)
class Models:
    """The presets of a study's two arms, as far as what is installed can run them.

    `sets` are the feature sets where they are not the preset's; None leaves them.
    """

    reference: str
    candidate: str
    sets: tuple[str, ...] | None
    without: tuple[str, ...]


def models_for(ability: Ability) -> Models:
    """Return what this installation can compare; `without` names the extras that it lacks."""
    has = {
        "language": ability.language,
        "transformer": ability.encoder,
        "boosted": ability.boosted,
    }
    without = tuple(extra for extra, there in has.items() if not there)
    sets = (*(["handcrafted"] if ability.language else []),
            *(["embeddings"] if ability.encoder else []))  # fmt: skip
    if not sets:
        return Models("preset:mean", "preset:length", None, without)
    arms = ("reference", "catboost") if ability.boosted else ("ridge", "svr")
    whole = ability.language and ability.encoder
    return Models(f"preset:{arms[0]}", f"preset:{arms[1]}", None if whole else sets, without)


@dataclass(frozen=True)
class Starter:
    """What is written: the folder, the name of its runs, the table, and the models compared.

    `preparation` says what is done about repeated texts and prompts that are named nearly alike;
    `folds_file` is a table of folds beside that of the essays.
    """

    folder: Path
    name: str
    survey: TableSurvey
    models: Models
    preparation: Preparation = field(default_factory=Preparation)
    folds_file: Path | None = None

    @property
    def study(self) -> Path:
        """The study that is written."""
        return self.folder / STUDY

    @property
    def n_prompts(self) -> int:
        """How many prompts there are."""
        return len(self.survey.counts)

    @property
    def folds(self) -> Mapping[str, str] | None:
        """The fold of each essay by its column; None without one, or where it divides prompts."""
        return None if self.folds_file else _own_folds(self.survey)

    def settings(self) -> DataSettings:
        """Return the corpus, window and folds of the table."""
        path = Path(os.path.relpath(self.survey.table.path, self.folder)).as_posix()
        corpus = with_known_scales(self.survey).model_copy(update={"path": path})
        words, n = self.survey.words, len(self.survey.words)
        shortest = _SHORTEST if sum(w < _SHORTEST for w in words) <= _FEW * n else 1
        longest = _LONGEST
        if sum(w > _LONGEST for w in words) > _FEW / 5 * n:
            longest = -(-words[-1] // 100) * 100
        values = {
            "corpus": corpus,
            "preparation": {
                **self.preparation.model_dump(exclude_defaults=True),
                "min_words": shortest,
                "max_words": longest,
            },
            "splits": {"n_splits": min(_MOST_FOLDS, self.n_prompts)},
        }
        return build_settings(DataSettings, values, str(self.survey.table.path))

    def notes(self) -> list[str]:
        """Return what must be known before a figure of this table is read."""
        told = []
        if self.n_prompts < FEWEST_PROMPTS:
            told.append(
                f"with {self.n_prompts} prompts no interval can be had (that takes "
                f"{FEWEST_PROMPTS}), so no gate of intervals can pass or fail: the study will end "
                "inconclusive, and its figures describe these prompts alone"
            )
        if self.survey.folds and self.folds is None and self.folds_file is None:
            told.append(
                f"the folds of column '{self.survey.folds}' divide prompts, so others are drawn"
            )
        if self.survey.unlike:
            told.append(
                f"column '{self.survey.unlike}' has several texts of one prompt, so essays are "
                "compared with the prompts' names; --column prompt_text="
                f"{self.survey.unlike} names the rows"
            )
        if self.models.without:
            names = [
                n.removeprefix("preset:") for n in (self.models.reference, self.models.candidate)
            ]
            told.append(
                f"not installed here: {', '.join(self.models.without)}; the study compares "
                f"{' and '.join(names)} on what is. For the reference with embeddings, handcrafted "
                f"columns and trees: {install_line(*self.models.without)}, then init again"
            )
        return told


def with_known_scales(survey: TableSurvey) -> TableCorpus:
    """Return the corpus, with the scales of a public corpus where all its columns are there."""
    corpus = survey.corpus
    for preset in _SHAPES:
        values = read_extended_toml(Path(preset))["data"]["corpus"]
        known = TableCorpus.model_validate(values)
        columns, own = known.columns, corpus.columns
        same = (columns.text, columns.prompt, columns.score) == (own.text, own.prompt, own.score)
        if same and all(_holds(known.scales, name, ends) for name, ends in survey.ranges.items()):
            return corpus.model_copy(update={"scales": known.scales})
    return corpus


def _holds(scales: ScoreScales, prompt: str, ends: tuple[float, float]) -> bool:
    scale = scales.by_prompt.get(prompt)
    return scale is not None and scale.low <= ends[0] and ends[1] <= scale.high


def _own_folds(survey: TableSurvey) -> dict[str, str] | None:
    """Return the fold of each essay, None where there is none or a prompt is in two."""
    columns = survey.corpus.columns
    if survey.folds is None or columns.rater is not None:
        return None
    table = survey.table
    folds = [cell.strip() for cell in table.column(survey.folds)]
    prompts = map(table.file.name, table.column(str(columns.prompt)))
    place: dict[str, str] = {}
    if any(
        place.setdefault(prompt, fold) != fold for prompt, fold in zip(prompts, folds, strict=True)
    ):
        return None
    ids = map(table.file.name, table.column(columns.id)) if columns.id else (
        str(row.number) for row in table.rows
    )  # fmt: skip
    return dict(zip(ids, folds, strict=True)) if len(set(folds)) > 1 else None


def write_starter(starter: Starter, space: Workspace, progress: Progress) -> Run:
    """Write the folder, and return its reference's run on the data, read, checked and split.

    Raises InputError for a folder that holds something, and for whatever is wrong with the table;
    then nothing is left of the folder.
    """
    folder = require_new(starter.folder)
    try:
        for name, text in _files(starter).items():
            write_text(folder / name, text)
        study = load_study(starter.study)
        config = study.config(study.settings.reference, study.schemes[0])
        # What is noted on the data is in their manifest, for the caller to tell once.
        prepare(config.data, space.data, space.prepared, progress, tell=lambda _: None)
        return open_run(config, space, progress)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise


def require_new(folder: Path) -> Path:
    """Return a folder that is not there or empty; InputError for one that holds something."""
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise InputError(
            "is there already, and holds something",
            where=str(folder),
            mend="name another folder with --out, or remove it",
        )
    return folder


def _files(starter: Starter) -> dict[str, str]:
    """Return the text of every file of the folder by its name."""
    settings = starter.settings()
    files = {
        "data.toml": _data(settings, starter),
        "reference.toml": _reference(settings, starter),
        "candidate.toml": _candidate(starter),
        "gate.toml": _gate(starter),
        STUDY: _study(starter),
    }
    if starter.folds is not None:
        rows = [("id", "fold"), *((harmless_cell(i), fold) for i, fold in starter.folds.items())]
        files[FOLDS] = "".join(map(csv_line, rows))
    return files


def _data(settings: DataSettings, starter: Starter) -> str:
    corpus = settings.corpus
    if not isinstance(corpus, TableCorpus):
        raise TypeError(corpus.kind)
    read = starter.survey.table.file.layout
    apart = f", its cells apart by {read.separator!r}" if read.separator else ""
    plain = TableCorpus.model_fields
    known = corpus.scales != starter.survey.corpus.scales
    form = {key: getattr(corpus, key) for key in ("encoding", "separator", "decimal", "quoting")}
    lines = [
        f"# What `essay-scoring init` understood of {starter.survey.table.path.name}. Correct what",
        "# is wrong here: all files of this folder take it from this one.",
        "[data.corpus]",
        'kind = "table"',
        f"path = {_text(corpus.path)} # beside this file, or below --data-dir",
        f"# The file was read as {read.encoding}{apart}; encoding, separator, decimal and quoting",
        "# would settle it otherwise.",
        *(f"{key} = {_text(value)}" for key, value in form.items() if value != plain[key].default),
    ]
    if corpus.raters == "mean":
        lines.append('raters = "mean" # learn the mean of the raters; "first" learns the first one')
    if corpus.labels:
        lines.append(f"labels = {_texts(corpus.labels)} # in ascending order")
    lines += ["", "[data.corpus.columns]"]
    for key, value in corpus.columns.model_dump(exclude_defaults=True).items():
        told = _TOLD.get(key, "")
        lines.append(f"{key} = {_texts(value) if isinstance(value, tuple) else _text(value)}{told}")
    lines += ["", *_scale_lines(corpus, known=known), "", *_window(settings)]
    return "\n".join(lines) + "\n"


def _scale_lines(corpus: TableCorpus, *, known: bool) -> list[str]:
    if corpus.labels:
        return ["# The labels are the scores 1 to n."]
    told = "# From the lowest to the highest score that is there: widen it where nobody got an end."
    if known:
        told = "# The scales of the public corpus that has these columns."
    if corpus.scales.shared is not None:
        return [told, "[data.corpus.scales]", f"shared = {_inline(corpus.scales.shared)}"]
    each = (f"{_text(name)} = {_inline(s)}" for name, s in corpus.scales.by_prompt.items())
    return [told, "[data.corpus.scales.by_prompt]", *each]


def _window(settings: DataSettings) -> list[str]:
    preparation, plain = settings.preparation, Preparation()
    return [
        "[data.preparation]",
        f"min_words = {preparation.min_words} # essays outside this window are left out",
        f"max_words = {preparation.max_words}",
        *(
            f"{key} = {_text(getattr(preparation, key))}"
            for key in ("similar_prompts", "repeats")
            if getattr(preparation, key) != getattr(plain, key)
        ),
        "",
        "[data.splits]",
        f"n_splits = {settings.splits.n_splits} # no more than there are prompts",
        "seed = 42",
        _PARTITION,
    ]


def _reference(settings: DataSettings, starter: Starter) -> str:
    models = starter.models
    lines = [
        "# What a candidate is compared with. `essay-scoring validate` prints it in full.",
        f'extends = ["data.toml", "{models.reference}"]',
        f'name = "{starter.name}-reference"',
    ]
    if own := starter.folds_file or (starter.folder / FOLDS if starter.folds else None):
        path = own.as_posix()
        lines.append(f"splits_path = {_text(path)} # folds of its own, from where you start")
    if models.sets is not None:
        lines += ["", "[features]", f"sets = {_texts(models.sets)} # what is installed here"]
        if "handcrafted" not in models.sets:
            lines.append("drop = []")
    corpus = settings.corpus
    if isinstance(corpus, TableCorpus) and corpus.scales.shared is None:
        told = "# Cut-points are places on one scale; here each prompt has its own."
        lines += ["", told, "[training]", 'mapping = "round_half_band"']
    lines += [
        "",
        "[evaluation]",
        f"min_prompt_n = {_slice(starter)}",
        f"bottom_k = {_worst(starter)}",
    ]
    return "\n".join(lines) + "\n"


def _candidate(starter: Starter) -> str:
    family = starter.models.candidate.removeprefix("preset:")
    return (
        "# The candidate differs from the reference in one thing: the family of its scorer.\n"
        f'extends = "reference.toml"\nname = "{starter.name}-{family}"\n\n'
        f'[scorer]\nfamily = "{family}"\n'
    )


def _gate(starter: Starter) -> str:
    return (
        "# Written before the candidate runs: what it must show. The checks of the preset: better\n"
        "# by more than chance on the prompts served worst, and no worse on the mean.\n"
        f'extends = "preset:gates/own"\nname = "{starter.name}"\n'
        f"min_prompt_n = {_slice(starter)} # a prompt of fewer essays is no slice\n"
        f"bottom_k = {_worst(starter)} # of how many of the worst prompts the mean is taken\n"
    )


def _study(starter: Starter) -> str:
    family = starter.models.candidate.removeprefix("preset:")
    question = f"Does {family} agree better with raters than the reference on unseen prompts?"
    return f"""# A question, a reference, a candidate and the gate that decides between them.
name = "{starter.name}"
question = "{question}"
power_simulations = 200 # pairs of scorers that say beforehand what the gate can tell apart

[reference]
name = "{starter.name}-reference"
config = "reference.toml"

[[candidates]]
name = "{starter.name}-{family}"
config = "candidate.toml"
gates = ["gate.toml"]
"""


def _slice(starter: Starter) -> int:
    """Return how many essays make a prompt a slice: what enough prompts for an interval have."""
    counts = starter.survey.counts.values()
    wanted = min(starter.n_prompts, max(FEWEST_PROMPTS, -(-starter.n_prompts // 2)))
    enough = (n for n in _SLICES if sum(count >= n for count in counts) >= wanted)
    return next(enough, 2)


def _worst(starter: Starter) -> int:
    """Return of how many of the worst prompts the mean is taken: three of eight, five at most."""
    return max(1, min(_MOST_WORST, round(starter.n_prompts * 3 / 8)))


def starter_name(text: str) -> str:
    """Return a name for runs and a folder, made of the name of a file."""
    plain = re.sub(r"[^a-z0-9_-]+", "-", text.lower()).strip("-_")
    return plain[:32] or "essays"


def _text(value: str) -> str:
    return json.dumps(value, ensure_ascii=False)


def _texts(values: tuple[str, ...]) -> str:
    return json.dumps(list(values), ensure_ascii=False)


def _inline(scale: ScoreScale) -> str:
    return f"{{ low = {scale.low:g}, high = {scale.high:g}, step = {scale.step:g} }}"
