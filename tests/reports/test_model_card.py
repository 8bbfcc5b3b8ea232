"""Model cards and technical files: what artifacts say, what they do not, and nothing else."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from essay_scoring.cli.main import run as command
from essay_scoring.core.errors import EvidenceError, InputError
from essay_scoring.core.files import read_json, write_json
from essay_scoring.core.number_text import with_interval
from essay_scoring.reports.card_evidence import CardEvidence, CardSources, read_evidence
from essay_scoring.reports.model_card import model_card, write_cards
from essay_scoring.reports.technical_file import technical_file
from tests.reports.made_card import audit_of, finished_run, study_of, trained_model

ASK = "To be completed by the provider: "


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> CardEvidence:
    """A run with nothing beside it."""
    runs = tmp_path_factory.mktemp("bare")
    return read_evidence(finished_run(runs), CardSources(runs))


@pytest.fixture(scope="module")
def full(tmp_path_factory: pytest.TempPathFactory) -> CardEvidence:
    """A trained model whose run was audited and decided for."""
    runs = tmp_path_factory.mktemp("full")
    model = trained_model(runs.parent / "models", finished_run(runs))
    audit_of(runs)
    return read_evidence(model, CardSources(runs, study=study_of(runs)))


def test_the_technical_file_follows_annex_iv(bare: CardEvidence) -> None:
    text = technical_file(bare)
    points = [int(one) for one in re.findall(r"^## .*\(Annex IV point (\d)", text, re.MULTILINE)]
    assert points == list(range(1, 10))
    for article in ("Article 10", "Article 12", "Article 14", "Article 15", "Article 72"):
        assert f"({article}" in text
    assert "Annex III, point 3(b)" in text


def test_what_no_artifact_says_is_asked_and_never_made_up(bare: CardEvidence) -> None:
    card, file = model_card(bare), technical_file(bare)
    for what in ("name and contact", "the purpose it is intended for", "origin of the essays"):
        assert f"{ASK}{what}" in card
    for what in ("the risk management system", "a copy of the declaration", "the plan for monitor"):
        assert f"{ASK}{what}" in file
    assert "No artifact holds figures by group of writers." in card
    assert f"{ASK}agreement and differences by gender" in card
    assert "A run has no prediction intervals" in card
    assert "Essays written to please the scorer were not tried on it." in file
    assert "The run was not audited." in file


def test_figures_stand_with_intervals_by_prompt_and_by_group(full: CardEvidence) -> None:
    card = model_card(full)
    summary = full.metrics.summary
    for figure in summary.overall.values():
        assert with_interval(figure.estimate, figure.low, figure.high) in card
    for row in summary.prompts:
        assert with_interval(row.qwk, row.low, row.high) in card
    assert "0.123 [-0.020, 0.300] | 40 | ≤ 0.150 | **fail**" in card
    assert ASK + "agreement and differences" not in card
    assert "(no name)" not in card


def test_a_model_tells_its_intervals_flags_and_decision(full: CardEvidence) -> None:
    card, file = model_card(full), technical_file(full)
    assert "left out in turn: 91.2% (95% interval 85.0% to 97.0%) of 900 essays" in card
    assert "asked for: 90.0%. On average an interval is 25.0% of the scale wide" in card
    assert "| raters' score: low tail | 61 | 88.5% |" in card
    assert "fewer than 210 or more than 990 words" in file
    assert "It decided for this run." in file
    assert "**Adversarial essays**: **failed**." in file
    assert "were not tried on it" not in file


@pytest.mark.parametrize("write", [model_card, technical_file])
def test_hostile_names_stay_names(full: CardEvidence, bare: CardEvidence, write: object) -> None:
    assert callable(write)
    for evidence in (full, bare):
        text = write(evidence)
        assert not re.search(r"<(script|img|b)\b", text)
        assert "\u202e" not in text
        blocks = re.findall(r"(?:^\|.*\n)+", text, re.MULTILINE)
        assert len(blocks) > 5
        for block in blocks:
            bars = {len(re.findall(r"(?<!\\)\|", line)) for line in block.splitlines()}
            assert len(bars) == 1


def test_the_same_evidence_gives_the_same_bytes(full: CardEvidence, tmp_path: Path) -> None:
    one, other = (write_cards(full, tmp_path / name) for name in ("one", "other"))
    assert [path.name for path in one] == [
        "MODEL_CARD.md",
        "TECHNICAL_FILE.md",
        "MODEL_CARD.html",
        "TECHNICAL_FILE.html",
    ]
    assert [path.read_bytes() for path in one] == [path.read_bytes() for path in other]


def test_every_source_is_named_with_its_hash_and_no_folder_of_the_machine(
    full: CardEvidence, tmp_path_factory: pytest.TempPathFactory
) -> None:
    card = model_card(full)
    assert len(full.sources) == 5
    for name, sha256 in full.sources:
        assert sha256 in card
        assert name.count("/") <= 2
    assert str(tmp_path_factory.getbasetemp()) not in card


def test_a_folder_that_was_edited_is_refused(tmp_path: Path) -> None:
    run = finished_run(tmp_path)
    metrics = read_json(run / "artifacts" / "cv_metrics.json")
    metrics["summary"]["overall"]["qwk"]["estimate"] = 0.99
    write_json(run / "artifacts" / "cv_metrics.json", metrics)
    with pytest.raises(EvidenceError, match="changed since"):
        read_evidence(run, CardSources(tmp_path))


def test_a_model_without_its_run_is_refused(tmp_path: Path) -> None:
    run = finished_run(tmp_path / "runs")
    model = trained_model(tmp_path, run)
    with pytest.raises(InputError, match="--runs-dir"):
        read_evidence(model, CardSources(tmp_path / "elsewhere"))
    manifest = run / "manifest.json"
    manifest.write_text(manifest.read_text(encoding="utf-8") + "\n", encoding="utf-8")
    with pytest.raises(EvidenceError, match="its manifest differs"):
        read_evidence(model, CardSources(tmp_path / "runs"))


def test_evidence_on_another_run_is_refused(tmp_path: Path) -> None:
    run = finished_run(tmp_path)
    audit_of(tmp_path, "r-2")
    with pytest.raises(InputError, match="is about the run 'r-2'"):
        read_evidence(run, CardSources(tmp_path))
    study = read_json(study_of(tmp_path))
    write_json(tmp_path / "other.json", study | {"runs": []})
    with pytest.raises(InputError, match="no study with the run 'r-1'"):
        read_evidence(run, CardSources(tmp_path / "none", study=tmp_path / "other.json"))


def test_the_command_writes_beside_and_never_into_the_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = finished_run(tmp_path)
    assert command(["card", str(run), "--runs-dir", str(tmp_path)]) == 0
    assert (tmp_path / "cards" / "r-1" / "TECHNICAL_FILE.md").is_file()
    assert command(["card", str(run), "--runs-dir", str(tmp_path), "-o", str(run / "x")]) == 2
    assert "lies inside the finished run" in capsys.readouterr().err
    assert command(["card", str(tmp_path / "absent")]) == 4
