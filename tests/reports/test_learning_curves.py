from __future__ import annotations

from essay_scoring.records.fits import Fit
from essay_scoring.reports.charts import learning_curves
from tests.records.made import FIT


def made(curve: dict[str, list[float]], rounds: int | None) -> Fit:
    return Fit.model_validate({**FIT, "curve": curve, "rounds": rounds})


def test_only_losses_are_drawn_as_losses() -> None:
    from matplotlib.figure import Figure

    curve = {"train": [1.0, 0.5], "dev": [1.1, 0.9], "prompt_accuracy": [0.4, 0.1]}
    draw = learning_curves([made(curve, 2), made(curve, 1)])
    assert draw is not None
    axes = Figure().subplots()
    draw(axes)
    named = [str(line.get_label()) for line in axes.get_lines()]
    assert [name for name in named if not name.startswith("_")] == ["train", "dev"]
    # Two losses of two fits, and a mark on each of the rounds kept.
    assert len(named) == 6


def test_a_fit_without_rounds_has_no_curve() -> None:
    # What ridge measures is an error by strength, not by round.
    assert learning_curves([made({"dev_by_alpha": [0.5, 0.4, 0.6]}, None)]) is None
    assert learning_curves([made({}, None)]) is None
