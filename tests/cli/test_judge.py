"""A plan registered, a candidate run after it, a verdict: all by command."""

from __future__ import annotations

from pathlib import Path

import pytest

from essay_scoring.cli.main import run
from essay_scoring.core.files import read_json, write_text
from tests.conftest import SMOKE

PLAN = """
name = "trial"
question = "Is the candidate better?"
scheme = "prompt_holdout"
rule = "point"
min_prompt_n = 5
allow_dirty = true
reference = {{ scorer = {{ family = "length" }} }}
[[checks]]
metric = "mean_qwk"
kind = "{kind}"
delta_at_least = {margin}
{rules}
"""


def written(folder: Path, kind: str, margin: float, rules: str = "") -> str:
    path = folder / "plan.toml"
    write_text(path, PLAN.format(kind=kind, margin=margin, rules=rules))
    return str(path)


class Shell:
    """Commands with runs and caches in a folder of their own."""

    def __init__(self, folder: Path) -> None:
        self.runs = folder / "runs"
        self._where = ["--runs-dir", str(self.runs)]
        self._cache = ["--cache-dir", str(folder / "cache")]

    def cv(self, name: str, *overrides: str) -> str:
        """Run a smoke config and return its folder."""
        small = ["baselines=[]", "evaluation.replicates=100", "data.corpus.n_prompts=8"]
        given = [f"name={name}", *small, *overrides]
        options = [part for value in given for part in ("--set", value)]
        assert run(["cv", str(SMOKE / "length.toml"), *options, *self._where, *self._cache]) == 0
        [folder] = self.runs.glob(f"{name}-*")
        return str(folder)

    def __call__(self, *arguments: str) -> int:
        return run([*arguments, *self._where])


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("judge")


@pytest.fixture(scope="module")
def shell(home: Path) -> Shell:
    return Shell(home)


@pytest.fixture(scope="module")
def reference(shell: Shell) -> str:
    return shell.cv("reference")


@pytest.mark.parametrize(
    ("kind", "margin", "decision", "code"),
    [
        ("guardrail", -1.0, "pass, decision proceed", 0),
        ("superiority", 1.0, "fail, decision defer", 3),
    ],
)
def test_the_exit_code_of_judge_is_the_decision(
    shell: Shell,
    reference: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    kind: str,
    margin: float,
    decision: str,
    code: int,
) -> None:
    plan = written(tmp_path, kind, margin)
    assert shell("register", plan, "--reference", reference, "--no-results-seen") == 0
    assert "registered 20" in capsys.readouterr().out
    candidates = [shell.cv(f"{kind}-{seed}", f"seed={seed}") for seed in (1, 2)]
    capsys.readouterr()
    given = [part for folder in candidates for part in ("--candidate", folder)]
    out = tmp_path / "out" / "judgement.json"
    assert shell("judge", plan, "--reference", reference, *given, "--out", str(out)) == code
    said = capsys.readouterr().out
    assert decision in said
    assert "registered 20" in said
    record = read_json(out)
    [gate] = record["gates"]
    assert gate["candidate_runs"] == [Path(folder).name for folder in candidates]
    assert record["registered"]["plan"] == "trial"
    assert gate["verdict"] == decision.split(",", maxsplit=1)[0]


def test_undecided_and_invalid_evidence_exit_4(
    shell: Shell, reference: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = PLAN.format(kind="superiority", margin=0.0, rules="").replace('"point"', '"interval"')
    plans = [str(tmp_path / f"{name}.toml") for name in ("undecided", "invalid")]
    for plan, rules in zip(plans, ("", "[evidence]\ndetached = true"), strict=True):
        write_text(Path(plan), text + rules)
        assert shell("register", plan, "--reference", reference, "--no-results-seen") == 0
    candidate = shell.cv("undecided", "training.weighting=sqrt_inv_freq")
    given = ["--reference", reference, "--candidate", candidate]
    assert shell("judge", plans[0], *given) == 4
    assert "inconclusive, decision inconclusive" in capsys.readouterr().out
    for told in ("misses 1 evidence rule(s) of 'trial': detached (not recorded", "refused since"):
        assert shell("judge", plans[1], *given) == 4
        assert told in capsys.readouterr().err


def test_a_plan_that_was_not_registered_judges_nothing(
    shell: Shell, reference: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plan = written(tmp_path, "guardrail", -0.123)
    given = ["--reference", reference, "--candidate", reference]
    assert shell("judge", plan, *given) == 4
    assert "edited since it was registered" in capsys.readouterr().err


def test_a_comparison_without_a_register_says_so(
    reference: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plan, out = written(tmp_path, "guardrail", -1.0), tmp_path / "out.json"
    assert run(["compare-cv-runs", reference, reference, "--plan", plan, "--out", str(out)]) == 0
    assert "Not a registered judgement" in capsys.readouterr().out
    record = read_json(out)
    assert record["registered"] is None
    assert [record["reference"]] == record["candidates"] == [Path(reference).name]


def test_several_candidates_end_as_the_best_of_them(
    shell: Shell, reference: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    worse = shell.cv("worse", "scorer.family=mean")
    also = shell.cv("also", "scorer.family=mean", "seed=7")
    plan, report = written(tmp_path, "guardrail", -0.05), tmp_path / "report"
    given = ["--plan", plan, "--report", str(report)]
    assert run(["compare-cv-runs", reference, worse, also, *given]) == 3
    assert run(["compare-cv-runs", reference, worse, reference, *given]) == 0
    said = capsys.readouterr().out
    assert "Holm" in said
    assert f"{Path(worse).name}, gate trial: fail" in said
    assert {path.name for path in report.iterdir()} == {"comparison.md", "comparison.html"}
    assert run(["compare-cv-runs", reference, worse, worse, *given]) == 2
    assert "there twice" in capsys.readouterr().err


def test_tables_are_written_of_what_was_judged_and_compared(
    shell: Shell, reference: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plan = written(tmp_path, "guardrail", -0.9)
    assert shell("register", plan, "--reference", reference, "--no-results-seen") == 0
    candidate = shell.cv("tabled", "seed=11")
    judged, compared = tmp_path / "judged.json", tmp_path / "compared.json"
    both = ["--reference", reference, "--candidate", candidate]
    assert shell("judge", plan, *both, "--out", str(judged)) == 0
    compare = ["compare-cv-runs", reference, candidate, "--plan", plan, "--out", str(compared)]
    assert run(compare) == 0
    for source in (judged, compared):
        out = tmp_path / source.stem
        assert run(["tables", str(source), "--out", str(out)]) == 0
        names = {path.name for path in out.iterdir()}
        assert {"checks.csv", "checks.tex", "deltas-prompt_holdout.csv"} <= names
    assert run(["tables", candidate, "--out", str(tmp_path / "none")]) == 2
    assert "this is a run, not the folder of a study" in capsys.readouterr().err
