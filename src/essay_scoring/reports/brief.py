"""What a decision-maker asks of a scorer, answered in plain words from what artifacts say."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from essay_scoring.core.number_text import number
from essay_scoring.records.audit_record import AuditSection, Figure
from essay_scoring.records.finished_run import RunRecord
from essay_scoring.records.study_results import BriefSummary, StudyRecord
from essay_scoring.reports.words import plain, score
from essay_scoring.statistics.agreement import Estimate
from essay_scoring.statistics.predictions import Predictions
from essay_scoring.statistics.summary import Summary

_UNSEEN = {
    "prompt_holdout": "on prompts it never saw",
    "stratified_text": "it never saw, on prompts it knows",
}

AnySummary = Summary | BriefSummary


@dataclass(frozen=True)
class Answer:
    """A question and its answer, both plain text; `verdict` marks how it stands."""

    question: str
    text: str
    verdict: str = ""


@dataclass(frozen=True, eq=False)
class Asked:
    """What there is of a scorer: None, or nothing, where an artifact is not at hand.

    `run` names its folder, for the commands that make what is missing.
    """

    run: str
    summary: AnySummary | None = None
    baselines: Mapping[str, AnySummary] = field(default_factory=dict)
    predictions: Predictions | None = None
    sections: Sequence[AuditSection] = ()
    scheme: str = "prompt_holdout"
    study: StudyRecord | None = None

    @classmethod
    def of_run(
        cls, run: RunRecord, sections: Sequence[AuditSection], study: StudyRecord | None
    ) -> Asked:
        """Return what is asked about a run whose artifacts are at hand."""
        metrics = run.metrics
        return cls(
            metrics.run.folder,
            metrics.summary,
            metrics.baselines,
            run.predictions,
            sections,
            run.scheme,
            study,
        )


def brief(asked: Asked) -> list[Answer]:
    """Return the questions and their answers, the most asked first."""
    answers = [
        Answer("How well does it score?", _how_well(asked)),
        Answer("And beside a second human rater?", _second_rater(asked)),
        Answer("For whom does it fail?", _fails(asked)),
        _use(asked),
        Answer("What was decided, and how sure is that?", _decided(asked)),
        Answer("What do its worst errors look like?", _examples(asked)),
    ]
    return [answer for answer in answers if answer.text]


def _how_well(asked: Asked) -> str:
    """Return agreement in essays of a hundred, and in QWK beside what counting words reaches."""
    if asked.summary is None:
        return ""
    overall = asked.summary.overall
    exact, near, qwk = (overall.get(name) for name in ("exact", "adjacent", "qwk"))
    if qwk is None or qwk.estimate is None:
        return "Its agreement with the raters is not defined."
    counted = _of_length(asked)
    said = (
        "Agreement beyond chance (QWK: 0 is chance, 1 is perfect) is "
        f"{number(qwk.estimate)}{_span(qwk)}{counted}."
    )
    if exact is None or near is None or exact.estimate is None or near.estimate is None:
        return said
    return (
        f"Of 100 essays {_UNSEEN.get(asked.scheme, '')}, {100 * exact.estimate:.0f} get the "
        f"rater's own score and {100 * near.estimate:.0f} that score or one next to it. {said}"
    )


def _of_length(asked: Asked) -> str:
    """Return what a scorer that counts words reaches, where the run has that baseline."""
    length = asked.baselines.get("length")
    reached = length.overall["qwk"].estimate if length else None
    return "" if reached is None else f"; counting words alone reaches {number(reached)}"


def _span(figure: Estimate | Figure) -> str:
    if figure.low is None or figure.high is None:
        return ", without an interval"
    return f", with 95% certainty between {number(figure.low)} and {number(figure.high)}"


def _second_rater(asked: Asked) -> str:
    """Return the machine's agreement beside that of two raters, as the audit measured it."""
    section = _section(asked, "ceilings")
    if section is None:
        return f"Not known before an audit: {_command('audit', asked)}."
    figures = {figure.name: figure for figure in section.figures}
    names = ("human-human QWK", "human-machine QWK", "degradation of QWK")
    if not set(names) <= set(figures):
        return f"{plain(section.finding)} How far people agree on these essays is not known."
    human, machine, loss = (figures[name] for name in names)
    worse = "less" if (loss.estimate or 0) > 0 else "more"
    means = {
        "pass": "within what is accepted",
        "fail": "more than is accepted",
        "undecided": "whether that is too much, these essays cannot tell",
    }.get(loss.result or "", "")
    return (
        f"Two people agree with each other at a QWK of {number(human.estimate)}, a person and the "
        f"scorer at {number(machine.estimate)}: {number(abs(loss.estimate or 0))} {worse}"
        f"{_span(loss)} ({means}; accepted is a loss of {score(loss.limit)})."
    )


def _fails(asked: Asked) -> str:
    """Return the worst prompt, the ends of the scale, and groups of writers."""
    said = []
    summary = asked.summary
    if summary is not None and summary.worst_prompt is not None:
        worst = summary.worst_prompt
        said.append(
            f"Worst on the prompt “{plain(worst.prompt)}” (QWK {number(worst.qwk)}, {worst.n} "
            "essays)."
        )
    if asked.predictions is not None:
        said.append(_ends(asked.predictions))
    groups = _section(asked, "subgroups")
    said.append(_groups(groups) if groups else "Groups of writers were not looked at.")
    return " ".join(filter(None, said))


def _groups(section: AuditSection) -> str:
    """Return which groups of writers get other scores than from the raters, and how surely."""
    judged = [figure for figure in section.figures if figure.limit is not None]
    if not judged:
        return f"Groups of writers: {plain(section.finding)}"
    every = dict.fromkeys(figure.group for figure in judged)
    by = {
        result: {figure.group for figure in judged if figure.result == result}
        for result in ("fail", "undecided")
    }
    certain, open_ = len(by["fail"]), len(by["undecided"] - by["fail"])
    widest = max(judged, key=lambda figure: abs(figure.estimate or 0))
    way = "more" if (widest.estimate or 0) > 0 else "less"
    return (
        f"Of {len(every)} groups of writers, {certain} certainly get other scores than from the "
        f"raters, and of {open_} these essays cannot tell; the widest gap is "
        f"{plain(widest.group)}, who get {number(abs(widest.estimate or 0), digits=2)} standard "
        f"deviations {way}."
    )


def _ends(predictions: Predictions) -> str:
    """Return by how much the weakest and the strongest essays are scored off, on average."""
    low, high = predictions.scales.tails(predictions.true, predictions.prompts)
    off = predictions.final - predictions.true
    told = []
    for rows, who in ((low, "weak"), (high, "strong")):
        if rows.any() and predictions.scales.shared is not None:
            mean = float(off[rows].mean())
            way = "too high" if mean > 0 else "too low"
            told.append(f"{who} essays are scored {number(abs(mean), digits=2)} points {way}")
    said = " and ".join(told)
    return f"On average {said}." if said else ""


def _use(asked: Asked) -> Answer:
    """Return whether to use it, as far as the audit's verdicts and the study go."""
    question = "Should it be used?"
    judged = [one for one in asked.sections if one.verdict != "info"]
    if not judged:
        return Answer(
            question, f"That is open: it was not audited ({_command('audit', asked)}).", "undecided"
        )
    by = {
        verdict: [plain(one.title) for one in judged if one.verdict == verdict]
        for verdict in ("fail", "undecided")
    }
    if by["fail"]:
        return Answer(
            question,
            "Not to decide about a person without one who reads the essay. It fails "
            f"{len(by['fail'])} of {len(judged)} checks of its audit: {', '.join(by['fail'])}."
            + (f" Undecided: {', '.join(by['undecided'])}." if by["undecided"] else ""),
            "fail",
        )
    if by["undecided"]:
        return Answer(
            question,
            "Not yet on its own: it fails no check of its audit, but these essays cannot tell "
            f"whether it keeps {len(by['undecided'])} of {len(judged)}: "
            f"{', '.join(by['undecided'])}.",
            "undecided",
        )
    return Answer(
        question,
        f"It keeps all {len(judged)} limits of its audit. That says nothing of other writers or "
        "other kinds of prompts.",
        "pass",
    )


def _decided(asked: Asked) -> str:
    """Return the outcome of the study, with how sure each gate's verdict is."""
    study = asked.study
    if study is None:
        return (
            "No study that decided for it is at hand: what it was compared with is not known here."
        )
    sure = []
    for gate in study.gates:
        inside = sum(check.within_noise for check in gate.checks)
        if gate.family is not None:
            sure.append(f"{plain(gate.arm)}: {gate.family.line()}")
        elif gate.checks:
            sure.append(
                f"{plain(gate.arm)}: {inside} of {len(gate.checks)} thresholds lie inside the noise"
            )
    certain = f" How sure: {'; '.join(sure[:MOST_GATES])}." if sure else ""
    more = f" {len(sure) - MOST_GATES} more gates below." if len(sure) > MOST_GATES else ""
    return f"{plain(study.reason)}{certain}{more}"


MOST_GATES = 3


def _examples(asked: Asked) -> str:
    """Return by id the essay scored furthest too high, and the one furthest too low."""
    p = asked.predictions
    if p is None:
        return ""
    off = p.scales.to_training(p.final, p.prompts) - p.scales.to_training(p.true, p.prompts)
    told = []
    for side, way in ((1.0, "too high"), (-1.0, "too low")):
        at = int(np.argmax(side * off))
        if side * off[at] > 0:
            told.append(
                f"Essay {plain(p.ids[at])} (prompt “{plain(p.prompts[at])}”) was scored {way}: the "
                f"raters gave {score(float(p.true[at]))}, the scorer {score(float(p.final[at]))}."
            )
    return " ".join(told)


def _section(asked: Asked, name: str) -> AuditSection | None:
    return next((one for one in asked.sections if one.name == name), None)


def _command(command: str, asked: Asked) -> str:
    return f"essay-scoring {command} RUNS/{asked.run}"
