"""What a fine-tuning run is asked before it starts: is it one, is there a GPU, does it compute."""

from __future__ import annotations

from typing import TYPE_CHECKING

from essay_scoring.core.errors import InputError
from essay_scoring.core.progress import Progress
from essay_scoring.features.precision import device_in_use
from essay_scoring.models.context import Job
from essay_scoring.models.scorer_settings import TransformerSettings
from essay_scoring.records.config import RunConfig
from essay_scoring.records.workspace import Workspace
from essay_scoring.runs.run import open_run

if TYPE_CHECKING:
    from essay_scoring.models.transformer.smoke_step import SmokeStepReport


def require_transformer(config: RunConfig) -> TransformerSettings:
    """Return the scorer's settings; raise InputError for a config of another family."""
    if not isinstance(config.scorer, TransformerSettings):
        raise InputError(
            f"the config trains the family {config.scorer.family!r}, not a transformer",
            where="scorer.family",
            mend="name a transformer's config, or use cv",
        )
    return config.scorer


def require_gpu() -> None:
    """Raise InputError unless torch sees a GPU; it is asked before anything is fetched or made."""
    if device_in_use() == "cpu":
        raise InputError(
            "a GPU is required and this process sees none",
            where="--require-gpu",
            mend="run where there is one, or with --no-require-gpu",
        )


def run_smoke_step(config: RunConfig, workspace: Workspace, progress: Progress) -> SmokeStepReport:
    """Take one training step of a config's model on the first fold's first batch, here and now.

    Prepares the data if it is not; makes no run folder. Raises NotFiniteError if the loss, a
    gradient, a weight or an output is not a finite number in this precision on this machine.
    """
    from essay_scoring.models.transformer.scorer import TransformerScorer

    settings, run = require_transformer(config), open_run(config, workspace, progress)
    fold = run.design.folds[0]
    fit, dev = run.design.training_rows([fold])
    train = run.prepared.train
    scorer = TransformerScorer(settings, config.training, run.context(Job(f"fold-{fold}")))
    return scorer.canary(train.take(fit), train.take(dev))
