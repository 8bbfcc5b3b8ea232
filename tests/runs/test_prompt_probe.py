from __future__ import annotations

from pathlib import Path

import pytest

from essay_scoring.core.files import read_json
from essay_scoring.core.progress import Progress
from essay_scoring.records.workspace import Workspace
from essay_scoring.reports.run_reports import write_run_reports
from essay_scoring.runs.cv import run_cv
from essay_scoring.runs.prompt_probe import is_probed
from essay_scoring.runs.run import open_run
from tests.conftest import smoke_config
from tests.features.tiny_encoders import encoder_settings, make_encoder

SMALL = ("baselines=[]", "data.corpus.n_prompts=6")
ADVERSARIAL = 'scorer.invariance={method="adversarial", hidden=0}'


@pytest.fixture(scope="module")
def probed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run under an adversary, an ensemble of two seeds, on a tiny encoder."""
    folder = tmp_path_factory.mktemp("probed")
    space = Workspace(folder / "runs", folder / "cache", folder)
    encoder = encoder_settings(make_encoder(folder / "encoder"))
    tiny = (f"scorer.model_name={encoder.name}", f"scorer.sha256={encoder.sha256}")
    more = (*tiny, "scorer.max_length=32", "training.ensemble=2")
    config = smoke_config("transformer", *SMALL, ADVERSARIAL, *more)
    return run_cv(
        open_run(config, space, Progress()), report=write_run_reports, resume="again"
    ).folder


def test_a_run_under_an_adversary_says_what_its_representations_tell(probed: Path) -> None:
    record = read_json(probed / "artifacts" / "prompt_probe.json")
    assert set(record) == {"schema", "training_sample", "held_out", "training"}
    jobs = [read_json(path) for path in probed.glob("models/fold-*/job.json")]
    for where in ("held_out", "training"):
        assert set(record[where]) == {"learnt", "frozen", "tfidf"}
        sizes = {found["n"] for found in record[where].values()}
        assert len(sizes) == 1
        for found in record[where].values():
            assert 0 <= found["low"] <= found["accuracy"] <= found["high"] <= 1
            assert 0 < found["majority"] < 1
    # Every essay is held out once; what it is probed among are the prompts of its own fold.
    assert record["held_out"]["learnt"]["n"] == sum(len(job["ids"]) for job in jobs) == 60
    assert record["held_out"]["learnt"]["classes"] == 3
    # Prompts of made essays share no topic word: words must tell them apart.
    assert record["held_out"]["tfidf"]["low"] > record["held_out"]["tfidf"]["majority"]


def test_the_report_shows_the_probe_with_its_intervals(probed: Path) -> None:
    record = read_json(probed / "artifacts" / "prompt_probe.json")
    report = (probed / "views" / "cv_report.md").read_text(encoding="utf-8")
    section = report.split("## Prompt probe")[1].split("\n## ")[0]
    assert section.count("| prompts held out |") == section.count("| prompts trained on |") == 3
    found = record["held_out"]["learnt"]
    shown = f"{found['accuracy']:.3f} [{found['low']:.3f}, {found['high']:.3f}]"
    majority = f"{found['majority']:.3f}"
    assert (
        f"| prompts held out | learnt representation | {shown} | {majority} | 3 | 60 |" in section
    )


def test_a_probe_is_made_under_a_method_or_where_asked_for() -> None:
    asked = "evaluation.prompt_probe=true"
    assert is_probed(smoke_config("transformer", ADVERSARIAL))
    assert is_probed(smoke_config("transformer", 'scorer.invariance={method="group_dro"}'))
    assert not is_probed(smoke_config("transformer"))
    assert is_probed(smoke_config("transformer", asked))
    # A family that forms no representation has nothing to probe.
    assert not is_probed(smoke_config("ridge", asked))
