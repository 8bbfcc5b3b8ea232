"""Runs commands on mangled files, one after the other, and says how each ended.

`python -m tests.mangled.drive HOME SEED ROUNDS FIRST` announces each trial on a line before it
starts, so that whoever started it knows what crashed; then what was wrong with it, if anything.
"""

from __future__ import annotations

import contextlib
import io
import json
import logging
import random
import re
import resource
import shutil
import signal
import sys
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from essay_scoring.cli import main as program
from essay_scoring.core.errors import EssayScoringError
from essay_scoring.features.encoders import EncoderFolder
from essay_scoring.features.frozen_encoder import FrozenEncoder
from essay_scoring.models.registry import load_scorer
from essay_scoring.records.manifest import MANIFEST, write_manifest
from tests.features.tiny_encoders import encoder_settings
from tests.mangled.mutations import mutated
from tests.models.made import context, made_essays

MOST_SECONDS = 10.0
"""Processor time of a command; on a busy machine the clock says little."""

_HANG_SECONDS, _MOST_BYTES = 90, 12 << 30
_CHATTER = re.compile(r"^(warning: .*|Usage: .*|Try .*|Hint: .*|[\w :,-]+: \d+/\d+ \w+.*|)$")
_PLACES = "--runs-dir runs --cache-dir cache --data-dir ."
_RUN_READERS = (
    "report run",
    "status run",
    "compare-cv-runs other run --plan plan.toml",
    "judge plan.toml --reference other --candidate run --runs-dir runs",
    "card run --runs-dir runs -o out",
    "export rsmtool run -o out/x.csv",
    f"audit run --attack-essays 1 --out out {_PLACES}",
    f"cv length.toml {_PLACES}",
)
READERS: dict[str, tuple[str, ...]] = {
    "length.toml": ("validate length.toml", f"cv length.toml --part 99 {_PLACES}"),
    "base.toml": ("validate length.toml",),
    "run/config.json": ("validate run/config.json",),
    "study.toml": (f"study study.toml --set no.such=1 {_PLACES}",),
    "search.toml": ("optuna-sweep search.toml --set no.such=1",),
    "plan.toml": ("compare-cv-runs other run --plan plan.toml",),
    "profile.toml": ("remote status x-1 --profile profile.toml",),
    "scale.toml": (
        "import-predictions predictions.tsv --run-name x --scale scale.toml --runs-dir out",
    ),
    "predictions.tsv": (
        "import-predictions predictions.tsv --run-name x --scale 1:5:1 --runs-dir out",
    ),
    "predictions.parquet": (
        "import-predictions predictions.parquet --run-name x --scale 1:5:1 --runs-dir out",
    ),
    "corpus.csv": ("prepare-dataset corpus_csv.toml --cache-dir out --data-dir .",),
    "corpus.parquet": ("prepare-dataset corpus_parquet.toml --cache-dir out --data-dir .",),
    "corpus_csv.toml": ("prepare-dataset corpus_csv.toml --cache-dir out --data-dir .",),
    "essays.csv": ("score model essays.csv -o out/x.csv",),
    "runs/plan_register.jsonl": (
        "judge plan.toml --reference other --candidate run --runs-dir runs",
        "register plan.toml --reference other --runs-dir runs",
    ),
    "runs/plan_register.head": (
        "judge plan.toml --reference other --candidate run --runs-dir runs",
    ),
    **{
        f"run/{name}": _RUN_READERS
        for name in (
            "artifacts/cv_metrics.json",
            "artifacts/residuals_cv_val_oof.jsonl",
            "artifacts/residuals_cv_val_oof.csv",
            "config.json",
            "manifest.json",
            "models/fold-0/job.json",
            "models/fold-0/manifest.json",
            "models/fold-0/model/model.safetensors",
            "models/fold-0/model/scorer.json",
            "progress.json",
            "provenance.json",
            "status.json",
        )
    },
    **{
        f"prepared/{name}": (f"cv mean.toml --part 99 {_PLACES}",)
        for name in ("prepared.json", "splits.json", "train.parquet", "locked.parquet")
    },
    **{
        f"model/{name}": (
            "score model essays.csv -o out/x.csv",
            "card model --runs-dir runs -o out",
        )
        for name in (
            "config.json",
            "flags.json",
            "flags.safetensors",
            "interval.json",
            "manifest.json",
            "model.json",
            "provenance.json",
            "scorer/model/model.safetensors",
            "scorer/model/scorer.json",
        )
    },
    **{
        f"decision/{name}": (
            "report decision",
            "tables decision --out out",
            f"study study.toml {_PLACES}",
            f"final-test run --decision decision {_PLACES}",
        )
        for name in ("study.json", "config.json", "status.json")
    },
    **{
        f"found/{name}": ("report found", f"optuna-sweep search.toml {_PLACES}")
        for name in ("artifacts/search.json", "artifacts/optuna_trials.json", "journal.log")
    },
    **{
        f"scorers/{name}": (f"load {name.split('/')[0]}",)
        for name in (
            "xgboost/model.json",
            "xgboost/scorer.json",
            "catboost/model.cbm",
            "svr/model.skops",
            "svr/scorer.json",
            "ridge/model.safetensors",
        )
    },
    **{
        f"encoder/{name}": ("encode",)
        for name in (
            "config.json",
            "tokenizer.json",
            "tokenizer_config.json",
            "model.safetensors",
        )
    },
    "audits/audit.json": ("card run --runs-dir runs --audit audits -o out",),
}


@dataclass(frozen=True)
class Trial:
    """One file mangled in one way, and the command that reads it."""

    file: str
    command: str
    sealed: bool
    number: int

    def line(self) -> str:
        """Return it in words."""
        how = "sealed again" if self.sealed else "as it is"
        return f"{self.number}: {self.file} ({how}): {self.command}"


def trials(rounds: int) -> Iterator[Trial]:
    """Yield every trial, each file in turn, sealed again every other time."""
    number = 0
    for turn in range(rounds):
        for file, commands in READERS.items():
            kinds = (False, True) if "/" in file else (False,)
            for at, sealed in enumerate(kinds):
                yield Trial(file, commands[(turn + at) % len(commands)], sealed, number)
                number += 1


def attempt(home: Path, trial: Trial, seed: int) -> str | None:
    """Return what is wrong with how the command ended, None if it ended as it should."""
    rng = random.Random(f"{seed} {trial.number}")
    shutil.rmtree("work", ignore_errors=True)
    shutil.copytree(home, "work", symlinks=True)
    with contextlib.chdir("work"):
        Path("out").mkdir()
        path = Path(trial.file)
        before = path.read_bytes()
        path.write_bytes(mutated(trial.file, before, rng))
        if trial.sealed:
            _seal_again(path)
        return _ended(trial.command)


def _seal_again(path: Path) -> None:
    """Seal every folder around a file anew; of prepared data write the checksums anew."""
    from essay_scoring.core.fingerprint import file_sha256

    record = path.parent / "prepared.json"
    if record.is_file() and path != record:
        value = json.loads(record.read_text())
        value["files"][path.name] = file_sha256(path)
        record.write_text(json.dumps(value))
    card = path.parent / "scorer.json"
    if card.is_file() and path != card:
        value = json.loads(card.read_text())
        value["files"][path.name] = file_sha256(path)
        card.write_text(json.dumps(value))
    for folder in path.parents:
        if (folder / MANIFEST).is_file() and path != folder / MANIFEST:
            write_manifest(folder)


def _ended(command: str) -> str | None:
    out, said = io.StringIO(), io.StringIO()
    began, code = time.process_time(), -1
    signal.alarm(_HANG_SECONDS)
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(said):
            words = command.split()
            code = _NO_COMMANDS.get(words[0], program.run)(words)
    except BaseException:  # noqa: BLE001 - whatever comes out of it is what is looked for
        return f"raised\n{traceback.format_exc()}"
    finally:
        signal.alarm(0)
    seconds = time.process_time() - began
    lines = [line for line in said.getvalue().splitlines() if not _CHATTER.match(line)]
    if code not in (0, 2, 3, 4, 5):
        return f"exit code {code}: " + "\n".join(lines[-30:])
    if len(lines) > 1 or (code == 2 and len(lines) != 1):
        return f"{len(lines)} lines: {lines[:5]}"
    if any(len(line) > 1500 for line in lines):
        return f"a line of {max(map(len, lines))} characters: {lines[0][:200]}"
    if odd := {m for m in said.getvalue() if not m.isprintable() and m != "\n"}:
        return f"characters {odd!r}"
    return f"{seconds:.0f} s" if seconds > MOST_SECONDS else None


def _load(words: Sequence[str]) -> int:
    """Load a scorer and let it predict, as commands that read runs of its family do."""
    scorer = load_scorer(Path("scorers", words[1]), context())
    scorer.predict(made_essays(10, seed=2).essays)
    return 0


def _encode(_words: Sequence[str]) -> int:
    """Read texts with an encoder whose weights are pinned as they lie there."""
    folder = Path("encoder").resolve()
    settings = encoder_settings(EncoderFolder(folder, "", ""))
    FrozenEncoder(settings, Path("cache")).means(made_essays(3).essays.texts)
    return 0


def _in_one_line(work: Callable[[Sequence[str]], int]) -> Callable[[Sequence[str]], int]:
    """Let an error of the program end work as it ends a command."""

    def ended(words: Sequence[str]) -> int:
        try:
            return work(words)
        except EssayScoringError as error:
            sys.stderr.write(f"error: {error.line()}\n")
            return 2

    return ended


_NO_COMMANDS = {"load": _in_one_line(_load), "encode": _in_one_line(_encode)}
"""What commands do somewhere in their middle, which here is started by itself."""


def _hangs(_number: int, _frame: object) -> None:
    raise TimeoutError("it hangs")


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def main() -> None:
    home, seed, rounds, first = Path(sys.argv[1]).resolve(), *map(int, sys.argv[2:5])
    resource.setrlimit(resource.RLIMIT_AS, (_MOST_BYTES, _MOST_BYTES))
    signal.signal(signal.SIGALRM, _hangs)
    logging.getLogger("essay_scoring").addHandler(logging.NullHandler())
    for trial in trials(rounds):
        if trial.number >= first:
            _say(f"trial {trial.line()}")
            if wrong := attempt(home, trial, seed):
                _say(f"WRONG {wrong}")


if __name__ == "__main__":
    main()
