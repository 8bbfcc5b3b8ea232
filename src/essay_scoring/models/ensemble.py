"""Seed ensembles: the mean of the raw predictions of scorers that differ in their seed alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from essay_scoring.core.contracts import FitReport, Scorer, joined_execution
from essay_scoring.core.essays import Essays, ScoredEssays
from essay_scoring.core.scale import FloatArray
from essay_scoring.models.card import read_card, write_card


class EnsembleScorer:
    """Fits every member on the same essays and averages what they predict."""

    def __init__(self, members: Sequence[Scorer]) -> None:
        if not members:
            raise ValueError("an ensemble needs a member")
        self.members = tuple(members)

    def fit(self, train: ScoredEssays, dev: ScoredEssays) -> FitReport:
        """Fit all members; return the report of the first, which has the base seed."""
        reports = [member.fit(train, dev) for member in self.members]
        execution = joined_execution([report.execution for report in reports])
        return replace(reports[0], execution=execution)

    def predict(self, essays: Essays) -> FloatArray:
        """Return the mean of the members' raw predictions, shape (n,)."""
        return mean_of([member.predict(essays) for member in self.members])

    def save(self, folder: Path) -> None:
        """Write each member into `member-0`, ..., then a card that counts them."""
        for number, member in enumerate(self.members):
            member.save(member_folder(folder, number))
        write_ensemble_card(folder, len(self.members))


def write_ensemble_card(folder: Path, members: int) -> None:
    """Write the card of an ensemble whose members lie in its folder already."""
    first = read_card(member_folder(folder, 0))
    count = {"members": members, "files": {}, "facts": {}}
    write_card(folder, first.model_copy(update=count))


def mean_of(raw: Sequence[FloatArray]) -> FloatArray:
    """Return the mean of the members' raw predictions, (n,) each, shape (n,)."""
    mean: FloatArray = np.mean(raw, axis=0)
    return mean


def member_folder(folder: Path, number: int) -> Path:
    """Return where a member of a saved ensemble lies."""
    return folder / f"member-{number}"
