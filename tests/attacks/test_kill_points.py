"""A command that is killed goes on to the same results, and four at once do not disturb each other.

The tests kill at KILL_POINTS points of each command's work: two, unless that environment variable
asks for more. Commands that take long are killed only then; tests beside their code always do.
"""

from __future__ import annotations

import csv
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from essay_scoring.scoring.score_file import PART_ROWS
from tests.attacks.commands import PROGRAM, SMALL, words
from tests.attacks.killed_commands import Command, Done
from tests.attacks.locked_place import decided_place
from tests.conftest import SMOKE
from tests.scoring.made import TWELVE, new_essays, quick_config, train, write_essays
from tests.studies.made import arm, gates, study_file

ASKED = os.environ.get("KILL_POINTS")
POINTS = int(ASKED or "2")
ONCE = 4
"""The code of what is done once, and was done before."""
ROUNDS = 1 + POINTS // 10
AT_ONCE = 4

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(3600),
    pytest.mark.skipif(sys.platform != "linux", reason="processes are looked for in /proc"),
]

# What TPE proposes depends on what has ended by then, and so on the number of workers.
SEARCH = f"""
name = "small"
config = "{SMOKE}/length.toml"
mode = "flat"
objective = "mean_qwk"
sampler = "random"
trials = 4
[guardrails]
low_tail_adjacent = 0.5
high_tail_adjacent = 0.5
[space."training.weighting"]
kind = "choice"
values = ["none", "sqrt_inv_freq"]
[space."training.weight_cap"]
kind = "float"
low = 1.0
high = 4.0
"""

Made = Callable[[Path], list[str]]
"""Fills a command's folder and returns its command line."""


def imports(home: Path) -> list[str]:
    draw = np.random.default_rng(2)
    true = draw.integers(2, 11, 400) / 2
    raw = np.clip(true + draw.normal(0, 0.7, 400), 1, 5)
    with (home / "theirs.csv").open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["record_id", "prompt", "fold", "y_true", "y_pred_raw"])
        rows = zip(range(400), true.tolist(), raw.round(4).tolist(), strict=True)
        writer.writerows([f"e{n}", f"prompt {n % 8}", n % 4, *scores] for n, *scores in rows)
    told = ["--run-name", "theirs", "--runs-dir", str(home / "runs")]
    return [*PROGRAM, "import-predictions", str(home / "theirs.csv"), *told]


def prepares(home: Path) -> list[str]:
    large = ["--set", "data.corpus.n_essays=300", "--cache-dir", str(home / "cache")]
    return [*PROGRAM, "prepare-dataset", str(SMOKE / "length.toml"), *large]


def scores(home: Path) -> list[str]:
    model = train(quick_config("length", *TWELVE), home, home / "cache")
    file = write_essays(home / "in.csv", new_essays(20 * PART_ROWS))
    told = ["-o", str(home / "out.csv"), "--workers", "2", "--cache-dir", str(home / "cache")]
    return [*PROGRAM, "score", str(model), str(file), *told]


def final_test(home: Path) -> list[str]:
    return decided_place(home).line()


def searches(home: Path) -> list[str]:
    (home / "search.toml").write_text(SEARCH)
    return words("optuna-sweep", home / "search.toml", home, home / "cache", ("--workers", "2"))


def studies(home: Path) -> list[str]:
    file = study_file(
        home,
        arm("a", gates("hard", "easy"), family="length"),
        arm("b", gates("easy"), 'runs_if = { a = ["fail"] }'),
    )
    return words("study", file, home, home / "cache", ("--exit-zero",))


def computes_features(home: Path) -> list[str]:
    few = ("--set", "data.corpus.n_essays=30")
    return words("cv", "ridge", home, home / "cache", (*SMALL, *few))


def fine_tunes(home: Path) -> list[str]:
    few = ("--set", "data.corpus.n_essays=30", "--max-length", "64")
    return words("transformer-finetune", "transformer", home, home / "cache", (*SMALL, *few))


COMMANDS: dict[str, tuple[Made, set[int]]] = {
    "import": (imports, {5}),
    "prepare": (prepares, set()),
    "score": (scores, {5}),
    "final-test": (final_test, {ONCE, 5}),
    "search": (searches, set()),
    "study": (studies, {5}),
    "features": (computes_features, {5}),
    "transformer": (fine_tunes, {5}),
}
"""What makes each command, and with which codes it may leave the work to another process."""
QUICK = ("import", "prepare", "score", "final-test")
KILLED = tuple(COMMANDS) if ASKED else QUICK
STARTED_AT_ONCE = tuple(COMMANDS) if ASKED else (*QUICK, "search")

Begun = tuple[Command, Done, set[int]]


@pytest.fixture(scope="module")
def begun(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Begun]:
    """A command, what it comes to undisturbed, and its codes of those who leave it to others."""
    make, left_to_another = COMMANDS[request.param]
    folder = tmp_path_factory.mktemp("killed")
    home, template = folder / "home", folder / "template"
    home.mkdir()
    command = Command(make(home), home, template)
    home.rename(template)
    try:
        expected = command.undisturbed()
        assert expected.code == 0, expected.said
        yield command, expected, left_to_another
    finally:
        command.close()


@pytest.mark.parametrize("begun", KILLED, indirect=True, scope="module")
@pytest.mark.parametrize("point", range(POINTS))
def test_a_killed_command_goes_on_to_the_same_results(begun: Begun, point: int) -> None:
    command, expected, left_to_another = begun
    killed = command.killed((point + 0.5) / POINTS, group=point % 2 == 0)
    assert set(killed.said) <= set(expected.said)
    again = command.again()
    if killed.standing == expected.standing and ONCE in left_to_another:
        assert again.code in (0, ONCE)
    else:
        assert set(again.said) <= set(expected.said)
        assert again.code == 0
    assert again.standing == expected.standing


@pytest.mark.parametrize("begun", STARTED_AT_ONCE, indirect=True, scope="module")
@pytest.mark.parametrize("number", range(ROUNDS))
def test_four_at_once_come_to_the_same_results(begun: Begun, number: int) -> None:
    command, expected, left_to_another = begun
    whole = command.began + command.worked
    ended = command.at_once(AT_ONCE, whole * number / ROUNDS)
    assert 0 in [done.code for done in ended]
    for done in ended:
        assert done.code in {0, *left_to_another}, done.said
        told = [line for line in done.said if line not in expected.said]
        assert len(told) == (done.code != 0), told
        assert all(line.startswith("error: ") for line in told)
    assert ended[-1].standing == expected.standing
