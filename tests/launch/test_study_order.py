"""A study as it is sent to a host, and the graph that it becomes there."""

from __future__ import annotations

import base64
import gzip
import subprocess
from pathlib import Path

import pytest

from essay_scoring.core.errors import InputError
from essay_scoring.core.files import write_text
from essay_scoring.judging.study_plan import load_study
from essay_scoring.launch import scripts
from essay_scoring.launch.checks import asked_of
from essay_scoring.launch.launching import dry_run, search_order_of, study_order_of
from essay_scoring.launch.preflight import GraphFacts, Preflight
from essay_scoring.launch.profile import Profile
from essay_scoring.launch.receipt import encoded, receipts_of
from essay_scoring.launch.scripts import Order
from essay_scoring.launch.study_order import graph_lines, ranges, sent_search
from essay_scoring.records.kinds import kind_of
from essay_scoring.records.more_records import Checks, Receipt
from essay_scoring.records.search_settings import load_search
from essay_scoring.records.study_results import StudyStep
from tests.conftest import ROOT, SMOKE
from tests.launch.test_scripts import shellcheck
from tests.studies.made import arm, gates, study_file

STUDIES, SEARCHES = ROOT / "configs" / "studies", ROOT / "configs" / "search"
LOCAL = Profile.model_validate({"backend": "local", "folder": "/x"})
SLURM = Profile.model_validate({"backend": "slurm", "folder": "/x", "slurm": {}})
STEPS = [
    StudyStep(name="columns", after=(), tasks=("a", "b"), is_done=True),
    StudyStep(
        name="fits:a:s",
        after=("columns",),
        tasks=("r-1/f0", "r-1/f1", "r-2/f0", "r-2/f1"),
        missing=(0, 1, 3),
        is_done=False,
        runs=("r-1", "r-2"),
    ),
    StudyStep(name="join:a:s", after=("fits:a:s",), is_done=False, runs=("r-1", "r-2")),
    StudyStep(name="join:b:s", after=("columns",), is_done=True, runs=("r-3",)),
]


def order(name: str = "quickstart", *overrides: str) -> Order:
    return study_order_of(load_study(STUDIES / f"{name}.toml", overrides), overrides, SLURM)


@pytest.mark.parametrize("name", [path.stem for path in STUDIES.glob("*.toml")])
def test_a_study_that_was_sent_reads_as_the_one_here(name: str, tmp_path: Path) -> None:
    sent = order(name).graph
    assert sent is not None
    script = scripts.submit_script(order(name), asked_of(SLURM))
    writer = script[script.index("write_study() {") : script.index("write_driver() {")]
    write_text(tmp_path / "write.sh", f'{writer}\nwrite_study "$1"\n')
    subprocess.run(["bash", str(tmp_path / "write.sh"), str(tmp_path / "study")], check=True)
    there = load_study(tmp_path / "study" / sent.path)
    assert there.sha256 == sent.sha256


@pytest.mark.parametrize("name", [path.stem for path in SEARCHES.glob("*.toml")])
def test_a_search_that_was_sent_reads_as_the_one_here(name: str, tmp_path: Path) -> None:
    search = load_search(SEARCHES / f"{name}.toml")
    sent = sent_search(search, (), 3)
    assert (sent.sha256, sent.command, sent.group) == (search.sha256, "optuna-sweep", "searches")
    for file, text in sent.texts.items():
        write_text(tmp_path / file, text)
    assert load_search(tmp_path / sent.path).sha256 == search.sha256
    assert load_search(SEARCHES / f"{name}.toml", ["seed=7"]).sha256 != search.sha256
    with pytest.raises(InputError, match="backend 'local' has no scheduler"):
        search_order_of(search, (), LOCAL, 3)


def test_a_file_outside_of_the_studys_tree_is_refused(tmp_path: Path) -> None:
    path = study_file(tmp_path, arm("short", gates("hard")))
    write_text(path, path.read_text("utf-8").replace(f"{SMOKE}/mean", "/nowhere/mean"))
    with pytest.raises(InputError, match="no such file"):
        load_study(path)
    assert kind_of(path) == "study"
    assert kind_of(SMOKE / "mean.toml") == "config"


def test_only_slurm_takes_a_graph() -> None:
    with pytest.raises(InputError, match="backend 'local' has no scheduler"):
        study_order_of(load_study(STUDIES / "quickstart.toml"), (), LOCAL)


def test_the_graph_holds_what_is_left() -> None:
    assert graph_lines(STEPS).splitlines() == [
        "columns - done 2 2",
        "fits:a:s columns 0-1,3 1 4",
        "join:a:s fits:a:s job 0 1",
        "join:b:s columns done 1 1",
    ]
    trials = StudyStep(
        name="trials", after=("columns",), tasks=("a",), missing=(0,), may_fail=True, is_done=False
    )
    end = StudyStep(name="end", after=("trials",), is_done=False)
    assert graph_lines([trials, end]).splitlines()[1] == "end trials? job 0 1"
    assert [ranges([]), ranges([4]), ranges([1, 2, 4])] == ["", "4", "1-2,4"]


def test_every_unfinished_run_of_a_study_gets_a_receipt_of_its_own() -> None:
    facts = GraphFacts(
        run="made-1",
        commit="c",
        data_sha256="a" * 64,
        splits_sha256="b" * 64,
        complete=False,
        folders="r-1 r-2 r-3 studies/made-1",
        configs={"r-1": "1" * 64, "r-2": "2" * 64, "r-3": "3" * 64},
        steps=STEPS,
        earlier={"r-1": None, "r-2": {"run": "r-2"}, "r-3": None, "studies/made-1": None},
    )
    checks = Checks(started="t", finished="t", checks={"folder": "x"})
    held = Preflight(facts, None, checks)
    receipts = receipts_of(order(), held, {"plan": "d" * 64})
    assert set(receipts) == {"r-1", "r-2", "studies/made-1"}
    for folder, receipt in receipts.items():
        assert receipt.run == folder.removeprefix("studies/")
    assert receipts["r-2"].parts == ["f0", "f1"]
    assert receipts["r-2"].config_sha256 == "2" * 64
    assert receipts["r-2"].earlier == [{"run": "r-2"}]
    lines = gzip.decompress(base64.b64decode(encoded(receipts))).decode("ascii").splitlines()
    told = {
        name: Receipt.model_validate_json(base64.b64decode(text))
        for name, text in (line.split() for line in lines)
    }
    assert told == receipts


def test_a_study_is_given_no_flag_that_is_not_asked_for() -> None:
    flags = order("quickstart", "evaluation.replicates=100").flags()
    assert {"--step", "--part", "--exit-zero", "--set", "--runs-dir"} <= set(flags["study"])


def test_a_dry_run_of_a_study_holds_its_files_and_passes_shellcheck(tmp_path: Path) -> None:
    said = dry_run(order())
    assert (STUDIES / "quickstart.toml").read_text("utf-8").strip() in said
    for name, text in {
        "preflight": scripts.preflight_script(order(), asked_of(SLURM)),
        "submit": scripts.submit_script(order(), asked_of(SLURM)),
    }.items():
        assert text in said
        write_text(tmp_path / f"{name}.sh", text)
    shellcheck("--exclude=SC2034,SC2317", *tmp_path.glob("*.sh"))
