"""What Python callers pass, checked: texts, prompts, scores and scales."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
from pydantic import ValidationError

from essay_scoring.core.errors import ArgumentError
from essay_scoring.core.scale import FloatArray, ScoreScale, ScoreScales

Scale: TypeAlias = ScoreScale | ScoreScales | Sequence[float] | Mapping[str, Sequence[float]]
"""(low, high, step), step 1 where it is left out, or a dict of these by prompt."""

Labels: TypeAlias = Sequence[object] | npt.NDArray[Any]
"""One name for each essay: a list, an array or a column of a table."""


def scales_from(scale: Scale, where: str) -> ScoreScales:
    """Return score scales; raise ArgumentError for what is none."""
    if isinstance(scale, ScoreScales):
        return scale
    if isinstance(scale, Mapping):
        each = {str(prompt): _scale(one, where) for prompt, one in scale.items()}
        if not each:
            raise _no_scale(scale, where)
        return ScoreScales(by_prompt=each)
    return ScoreScales(shared=_scale(scale, where))


def _scale(scale: object, where: str) -> ScoreScale:
    if isinstance(scale, ScoreScale):
        return scale
    if not isinstance(scale, Sequence | np.ndarray) or isinstance(scale, str):
        raise _no_scale(scale, where)
    if len(scale) not in (2, 3):
        raise _no_scale(scale, where)
    try:
        return ScoreScale(**dict(zip(("low", "high", "step"), scale, strict=False)))
    except ValidationError as error:
        message = error.errors(include_url=False, include_input=False)[0]["msg"]
        raise _no_scale(scale, where, message.removeprefix("Value error, ")) from None


def _no_scale(scale: object, where: str, why: str = "") -> ArgumentError:
    return ArgumentError(
        f"{scale!r} is no score scale{why and f': {why}'}",
        where=f"{where}, scale",
        mend="give (low, high, step), for example (1, 6, 1), or a dict of these by prompt",
    )


def numbers_from(values: npt.ArrayLike, what: str, where: str) -> FloatArray:
    """Return finite numbers, shape (n,); raise ArgumentError naming the first that is none."""
    try:
        numbers = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError):
        raise ArgumentError(
            "some are not numbers", where=f"{where}, {what}", mend="give one number an essay"
        ) from None
    if numbers.ndim != 1:
        raise ArgumentError(
            f"shape {numbers.shape} is not one number an essay",
            where=f"{where}, {what}",
            mend="give shape (n,)",
        )
    bad = np.flatnonzero(~np.isfinite(numbers))
    if len(bad):
        raise ArgumentError(
            f"{len(bad)} of {len(numbers)} are NaN or infinite, the first at position {bad[0]}",
            where=f"{where}, {what}",
            mend="leave those essays out, or give their scores",
        )
    return numbers


def weights_from(values: npt.ArrayLike | None, n: int, where: str) -> FloatArray | None:
    """Return how much each of n essays counts, shape (n,), 0 for not at all; None where alike.

    One number is given to all. Raises ArgumentError for other shapes, numbers below 0, and fewer
    than two above it.
    """
    if values is None:
        return None
    given = np.asarray(values)
    weights = numbers_from(np.full(n, given) if given.ndim == 0 else given, "sample_weight", where)
    require_length(len(weights), n, "weights", where)
    if (weights < 0).any() or (weights > 0).sum() < min(2, n):
        below = int((weights < 0).sum())
        raise ArgumentError(
            f"{below} weights are below zero" if below else "all weights but one, or all, are zero",
            where=f"{where}, sample_weight",
            mend="give two essays or more a weight above zero, and none one below",
        )
    return weights


def labels_from(values: Labels | None, n: int, what: str, where: str) -> tuple[str, ...]:
    """Return one label for each of n essays, "" where None; ArgumentError for other lengths."""
    if values is None:
        return ("",) * n
    labels = tuple(map(str, values)) if not isinstance(values, str) else (values,)
    require_length(len(labels), n, what, where)
    return labels


def require_length(length: int, n: int, what: str, where: str) -> None:
    """Raise ArgumentError unless there is one for each of n essays."""
    if length != n:
        raise ArgumentError(
            f"{length} {what} for {n} essays", where=where, mend="give one for each essay"
        )


def require_scales(prompts: Sequence[str], scales: ScoreScales, where: str) -> None:
    """Raise ArgumentError for a prompt without a score scale."""
    for name in dict.fromkeys(prompts):
        if scales.shared is None and name not in scales.by_prompt:
            raise ArgumentError(
                f"prompt {name[:40]!r} has no score scale",
                where=f"{where}, scale",
                mend="give every essay its prompt, and every prompt its (low, high, step)",
            )


def require_held(
    scores: FloatArray, prompts: Sequence[str], scales: ScoreScales, what: str, where: str
) -> None:
    """Raise ArgumentError for scores beyond the ends of their scale, and prompts without one."""
    require_scales(prompts, scales, where)
    for scale, rows in scales.for_prompts(prompts).items():
        off = rows[(scores[rows] < scale.low) | (scores[rows] > scale.high)]
        if len(off):
            raise ArgumentError(
                f"{len(off)} of {len(rows)} are off the scale {scale.span}, the first is "
                f"{scores[off[0]]:g}",
                where=f"{where}, {what}",
                mend="give the scale that the scores are on",
            )


def texts_from(values: object, where: str) -> npt.NDArray[np.object_] | None:
    """Return texts (n, 1), or texts and prompts (n, 2); None for what holds no text at all.

    Raises ArgumentError where some are texts and others are not; no message quotes one.
    """
    kind = getattr(getattr(values, "dtype", None), "kind", "O")
    if kind in "biufc" or hasattr(values, "toarray"):
        return None
    try:
        table = np.asarray(values, dtype=object)
    except ValueError:
        return None
    table = table.reshape(-1, 1) if table.ndim == 1 else table
    if not any(isinstance(cell, str) for cell in table.flat):
        return None
    if table.ndim != 2 or table.shape[1] > 2:
        raise ArgumentError(
            f"there are texts among {'x'.join(map(str, table.shape))} cells",
            where=f"{where}, X",
            mend="give texts (n,), texts and prompts (n, 2), or columns of numbers alone (n, p)",
        )
    for row, cells in enumerate(table):
        if not all(isinstance(cell, str) for cell in cells):
            raise ArgumentError(
                f"position {row} holds no text",
                where=f"{where}, X",
                mend="give every essay as text, '' for an empty one",
            )
    return table
