"""Made essays as a table: something to try the API on."""

from __future__ import annotations

import pyarrow

from essay_scoring.core.settings import build_settings
from essay_scoring.data.data_settings import SyntheticCorpus
from essay_scoring.data.synthetic import generate


def synthetic_essays(n_essays: int = 120, n_prompts: int = 8, seed: int = 7) -> pyarrow.Table:
    """Return made essays with the columns id, text, prompt and score (1 to 5 by 0.5).

    Raises InputError for numbers that no corpus can have.
    """
    values = {"n_essays": n_essays, "n_prompts": n_prompts, "seed": seed}
    train = generate(build_settings(SyntheticCorpus, values, "synthetic_essays"), "train")
    essays = train.essays
    columns = {"id": essays.ids, "text": essays.texts, "prompt": essays.prompts}
    return pyarrow.table(
        {name: list(values) for name, values in columns.items()} | {"score": train.scores}
    )
