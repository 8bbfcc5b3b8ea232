from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import fields
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from essay_scoring.core.contracts import FitReport, Scorer, TrainingExecution
from essay_scoring.core.errors import EvidenceError, NotFiniteError
from essay_scoring.core.essays import Essays, ScoredEssays
from essay_scoring.core.files import read_json, write_json, write_text
from essay_scoring.core.progress import Progress
from essay_scoring.core.scale import FloatArray
from essay_scoring.data.splits import Scheme
from essay_scoring.models.context import Job
from essay_scoring.models.scorer_settings import MeanSettings
from essay_scoring.records.fits import FitRecord
from essay_scoring.records.provenance import Environment
from essay_scoring.records.workspace import Workspace
from essay_scoring.runs.cross_validation import Design, Fitter, Origin, gather
from essay_scoring.runs.mapped_predictions import applied_mapping, inner_pairs, map_run
from essay_scoring.runs.run import open_run
from tests.conftest import smoke_config
from tests.records.made import ENVIRONMENT


class Witness:
    """A scorer that remembers what it was shown, and predicts the mean of what it was fitted on."""

    def __init__(self) -> None:
        self.fitted: ScoredEssays
        self.dev: ScoredEssays
        self.predicted: object = None

    def fit(self, train: ScoredEssays, dev: ScoredEssays) -> FitReport:
        self.fitted, self.dev = train, dev
        return FitReport()

    def predict(self, essays: Essays) -> FloatArray:
        self.predicted = essays
        lengths = np.array([len(text) for text in essays.texts], dtype=np.float64)
        raw: FloatArray = 1 + lengths / lengths.max()
        return raw

    def save(self, folder: Path) -> None:
        write_text(folder / "witness.json", "{}")


@pytest.fixture
def design(space: Workspace, request: pytest.FixtureRequest) -> Design:
    scheme = getattr(request, "param", "prompt_holdout")
    return open_run(smoke_config("mean", f"scheme={scheme}"), space, Progress()).design


def fitter(
    design: Design, build: Callable[[Job], Scorer] = lambda _: Witness(), run: str = "a run"
) -> Fitter:
    """Return a fitter of made scorers."""
    environment = Environment.model_validate(ENVIRONMENT)
    return Fitter(design, build, Origin(run, MeanSettings(), environment, "fp32"))


@pytest.mark.parametrize("design", ["prompt_holdout", "stratified_text"], indirect=True)
def test_fit_dev_and_held_out_share_no_essay_and_no_group(design: Design, tmp_path: Path) -> None:
    group_of = dict(zip(design.train.essays.ids, design.groups, strict=True))
    for fold in design.folds:
        witness = Witness()
        fitter(design, partial(same, witness)).fit(tmp_path / str(fold), [fold])
        assert isinstance(witness.predicted, Essays)
        parts = [witness.fitted.essays.ids, witness.dev.essays.ids, witness.predicted.ids]
        assert sorted(sum(parts, ())) == sorted(design.train.essays.ids)
        groups = [{group_of[essay] for essay in part} for part in parts]
        assert not groups[0] & groups[1]
        assert not groups[2] & (groups[0] | groups[1])


def same(scorer: Witness, _: Job) -> Witness:
    return scorer


def witness(job: Job) -> Witness:
    return Witness()


def refuse(job: Job) -> Witness:
    raise AssertionError("built a scorer for a finished fit")


def test_what_predict_takes_has_no_scores() -> None:
    assert {field.name for field in fields(Essays)} == {"ids", "texts", "prompts"}


def test_a_fold_does_not_depend_on_the_folds_before_it(design: Design) -> None:
    alone = design.training_rows([3])
    for fold in design.folds:
        design.training_rows([fold])
    for first, second in zip(alone, design.training_rows([3]), strict=True):
        np.testing.assert_array_equal(first, second)


def test_a_finished_job_is_read_and_not_done_again(design: Design, tmp_path: Path) -> None:
    first = fitter(design).fit(tmp_path / "fold-0", [0])
    assert fitter(design, refuse).fit(tmp_path / "fold-0", [0]) == first


def edited(folder: Path) -> None:
    """Make a fit's predictions the truth."""
    record = read_json(folder / "job.json")
    write_json(folder / "job.json", record | {"raw": [3.0] * len(record["raw"])})


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (edited, "changed since"),
        (lambda folder: (folder / "model" / "witness.json").write_text("[]"), "changed since"),
        (lambda folder: (folder / "manifest.json").unlink(), "not complete"),
        (lambda folder: (folder / "job.json").unlink(), "added or removed"),
    ],
)
def test_a_fit_that_was_changed_is_refused(
    design: Design, tmp_path: Path, change: Callable[[Path], object], said: str
) -> None:
    fitter(design).fit(tmp_path / "fold-0", [0])
    change(tmp_path / "fold-0")
    with pytest.raises(EvidenceError, match=said):
        fitter(design, refuse).fit(tmp_path / "fold-0", [0])


def test_a_fit_of_something_else_is_refused(design: Design, tmp_path: Path) -> None:
    fitter(design).fit(tmp_path / "fold-0", [0])
    with pytest.raises(EvidenceError, match="made from other data, settings"):
        fitter(design, refuse).fit(tmp_path / "fold-0", [1])
    with pytest.raises(EvidenceError, match="made from other data, settings"):
        fitter(design, refuse, run="another run").fit(tmp_path / "fold-0", [0])


def test_numbers_that_are_not_finite_leave_no_fit(design: Design, tmp_path: Path) -> None:
    class Broken(Witness):
        def predict(self, essays: Essays) -> FloatArray:
            return super().predict(essays) * np.inf

    with pytest.raises(NotFiniteError):
        fitter(design, lambda _: Broken()).fit(tmp_path / "fold-0", [0])
    assert not (tmp_path / "fold-0").exists()


def test_an_unfinished_job_is_done_from_the_start(design: Design, tmp_path: Path) -> None:
    write_text(tmp_path / ".fold-0" / "model" / "half.json", "{")
    fitter(design).fit(tmp_path / "fold-0", [0])
    assert [path.name for path in (tmp_path / "fold-0" / "model").iterdir()] == ["witness.json"]
    assert not (tmp_path / ".fold-0").exists()


def cutpoints(design: Design, raw: FloatArray, inner: list[FitRecord]) -> dict[int, list[float]]:
    mapped = map_run("qwk_cutpoints_inner", design, raw, inner)
    return applied_mapping(mapped.name, mapped.fitted).cutpoints


def test_inner_cut_points_never_see_the_outer_fold(design: Design, tmp_path: Path) -> None:
    """Changing the outer fold's labels must leave its own cut-points as they were."""
    jobs = [fitter(design).fit(tmp_path / f"{fold}", [fold]) for fold in design.folds]
    inner = [
        fitter(design).fit(tmp_path / f"{pair[0]}-{pair[1]}", pair)
        for pair in inner_pairs(design.folds)
    ]
    raw = gather(design, jobs)
    before = cutpoints(design, raw, inner)
    train = design.train
    scores = train.scores.copy()
    outer = design.held_out_rows([2])
    scores[outer] = 6 - scores[outer]
    changed = Design(
        ScoredEssays(train.essays, scores, train.scales),
        design.scheme,
        design.fold_of,
        design.groups,
        design.dev_share,
        design.seed,
    )
    after = cutpoints(changed, raw, inner)
    assert after[2] == before[2]
    assert after[0] != before[0]


def test_inner_pairs_leave_out_two_folds_each_once() -> None:
    assert inner_pairs([0, 1, 2]) == [(0, 1), (0, 2), (1, 2)]


@pytest.mark.parametrize("scheme", ["prompt_holdout", "stratified_text"])
def test_dev_is_about_the_share_that_was_asked_for(space: Workspace, scheme: Scheme) -> None:
    config = smoke_config(
        "mean", f"scheme={scheme}", "data.corpus.n_essays=400", "data.corpus.n_prompts=20"
    )
    design = open_run(config, space, Progress()).design
    for fold in design.folds:
        fit, dev = design.training_rows([fold])
        assert 0.08 < len(dev) / (len(fit) + len(dev)) < 0.25


def test_a_fit_records_the_precision_of_networks_and_of_frozen_columns() -> None:
    environment = Environment.model_validate(ENVIRONMENT)
    reads, plain = (Origin("a", MeanSettings(), environment, one) for one in ("bf16", None))
    network = TrainingExecution(precisions=("fp32",))
    assert reads.precisions(network) == ("fp32", "bf16")
    assert reads.precisions(TrainingExecution()) == ("bf16",)
    assert plain.precisions(TrainingExecution()) == ("fp32",)


def test_prompts_without_a_text_are_told_of_where_others_have_one(
    space: Workspace, caplog: pytest.LogCaptureFixture
) -> None:
    run = open_run(smoke_config("mean"), space, Progress())
    names = sorted(set(run.prepared.train.prompts))
    assert caplog.text == ""
    for texts, told in ((names, False), (names[:-1], True)):
        words = ", ".join(f"{json.dumps(name.upper())} = 'Why?'" for name in texts)
        caplog.clear()
        config = smoke_config("mean", f"features.prompt_texts={{ {words} }}")
        assert config.features.prompt_texts.keys() == {name.upper() for name in texts}
        open_run(config, space, Progress())
        assert (f"1 of {len(names)} prompts have no text" in caplog.text) == told
        assert (names[-1] in caplog.text) == told
