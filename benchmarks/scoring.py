"""How fast new essays are scored with a trained model, and in how much memory.

    python benchmarks/scoring.py --corpus ellipse --essays 200
    python benchmarks/scoring.py --models transformer --workers 2
    python benchmarks/scoring.py --models length --essays 10000 --memory

Models are trained in a temporary folder, on made essays. A rate is counted from the first part that
is done on, when workers have loaded the model. `CPU` is what the workers' own processor time would
allow on idle cores: the figure to compare on a machine that does other work too.
"""

from __future__ import annotations

import argparse
import csv
import resource
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from record import record

from essay_scoring.core.essays import Essays
from essay_scoring.core.progress import Progress, ProgressEvent
from essay_scoring.data.corpora import data_folder, load_train
from essay_scoring.data.data_settings import EllipseCorpus, SyntheticCorpus
from essay_scoring.records.config import RunConfig
from essay_scoring.records.workspace import Workspace
from essay_scoring.scoring.score_file import ScoreRequest, score_file
from essay_scoring.scoring.train_model import TrainingOrder, train_model

CORPUS = {"kind": "synthetic", "n_essays": 60, "n_locked": 0, "n_prompts": 5, "seed": 3}
MODELS: dict[str, dict[str, object]] = {
    "length": {"scorer": {"family": "length"}},
    "columns": {
        "scorer": {"family": "xgboost", "min_child_weight": 2},
        "features": {"sets": ["handcrafted", "embeddings"]},
    },
    "transformer": {
        "scorer": {"family": "transformer", "layer": 4, "reading": "mix", "epochs": 1},
    },
}


def main() -> None:
    args = arguments()
    with tempfile.TemporaryDirectory() as name:
        home = Path(name)
        essays = essays_of(args.corpus, args.essays)
        for model in args.models:
            folder = trained(model, home, args.cache)
            request = written(home, folder, essays)
            if args.memory:
                few = written(home / "few", folder, essays.take(range(len(essays) // 10)))
                print(f"{model}: {memory(few, args)} with a tenth of the essays")
            print(f"{model}: {rate(model, request, args)}", flush=True)
            print(f"{model}: {memory_in_use()}", flush=True)


def trained(model: str, home: Path, cache: Path) -> Path:
    """Return the folder of a trained model."""
    record = {
        "name": model,
        "data": {"corpus": CORPUS},
        "baselines": [],
        "evaluation": {"replicates": 100},
        **MODELS[model],
    }
    order = TrainingOrder(RunConfig.model_validate(record), home / "models")
    space = Workspace(home / "runs", cache, home)
    return train_model(order, space, Progress(), report=lambda _: None, resume="")


def essays_of(corpus: str, n: int) -> Essays:
    """Return n essays, those of the corpus over and over."""
    made = SyntheticCorpus(n_essays=min(max(n, 20), 500), seed=91)
    every = load_train(EllipseCorpus() if corpus == "ellipse" else made, data_folder()).essays
    return every.take([row % len(every) for row in range(n)])


def written(home: Path, model: Path, essays: Essays) -> ScoreRequest:
    """Return a request to score essays, written as a table."""
    home.mkdir(exist_ok=True)
    file = home / "essays.csv"
    with file.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow(["prompt", "text"])
        writer.writerows(zip(essays.prompts, essays.texts, strict=True))
    return ScoreRequest(model, file, home / "scored.csv")


def rate(model: str, request: ScoreRequest, args: argparse.Namespace) -> str:
    """Score a table; say how many essays a second that was."""
    moments: list[tuple[int, float]] = []

    def note(event: ProgressEvent) -> None:
        if event.done:
            moments.append((event.done, time.perf_counter()))

    start, before = time.perf_counter(), cpu_of_workers()
    n = score_file(request, args.cache, Progress(note), workers=args.workers)
    seconds, used = time.perf_counter() - start, cpu_of_workers() - before
    (first, began), (last, ended) = moments[0], moments[-1]
    steady = (last - first) / max(ended - began, 1e-9)
    record(model, rate=round(steady, 2), essays=n, seconds=round(seconds, 2))
    return (
        f"{n} essays in {seconds:.1f} s with loading, then {steady:.1f} essays/s; "
        f"CPU {1000 * used / n:.0f} ms an essay with loading, {args.workers * n / used:.1f} "
        "essays/s"
    )


def memory(request: ScoreRequest, args: argparse.Namespace) -> str:
    """Score a table; say how much memory this process and the largest worker have had so far."""
    score_file(request, args.cache, Progress(), workers=args.workers)
    return memory_in_use()


def memory_in_use() -> str:
    """Return the peak memory of this process so far, which trained the model too."""
    return f"at most {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB so far"


def cpu_of_workers() -> float:
    """Return the seconds of processor time of all workers that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def arguments(given: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    every = list(MODELS)
    parser.add_argument("--corpus", choices=["synthetic", "ellipse"], default="synthetic")
    parser.add_argument("--essays", type=int, default=200)
    parser.add_argument("--models", nargs="+", choices=every, default=["columns", "transformer"])
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--cache", type=Path, default=Path("cache"))
    parser.add_argument("--memory", action="store_true")
    return parser.parse_args(given)


if __name__ == "__main__":
    main()
