from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from essay_scoring.core.errors import InputError
from essay_scoring.launch.launch_state import State, graph_rows, read_observation, state_of
from essay_scoring.launch.transport import UnreachableError


def state(*seen: str) -> State:
    """Return the state drawn from what was seen, `all` being added."""
    text = "".join(f"SEEN {line}\n" for line in (*seen, "all"))
    return state_of(read_observation(text, "host"), "host")


SLURM = ("backend slurm", "job canary 1", "job train 2", "scheduler answers")
ARRAY = ("backend slurm", "job canary 1", "job array 2", "job join 3", "scheduler answers")


@pytest.mark.parametrize(
    ("seen", "line"),
    [
        (("code 0", "manifest there"), "complete"),
        (("code 0",), "failed: it ended with code 0 but left no complete run"),
        (("code 2",), "failed: exit code 2, bad input"),
        (("code 3",), "failed: exit code 3"),
        (("code 137",), "failed: exit code 137, killed"),
        (("code 143", "reason terminated"), "cancelled: terminated"),
        (("code 143", "reason time limit of 60 s"), "failed: time limit of 60 s (exit code 143)"),
        (("driver held", "now 107", "heartbeat 100"), "running: last heard 7 s ago"),
        (("driver held",), "running"),
        (("worker held",), "running: its driver was killed, the run goes on without it"),
        ((), "killed: its driver ended without recording an exit code"),
        (("heartbeat 100", "manifest there"), "killed: its driver ended without recording"),
        ((*SLURM, "queue 1 RUNNING None", "queue 2 PENDING Dependency"), "running: job canary"),
        ((*SLURM, "queue 1 PENDING Resources"), "queued: job canary (Resources)"),
        ((*SLURM, "queue 1 PENDING Nodes required for job are DOWN"), "queued: job canary (Nodes"),
        (
            (*SLURM, "queue 1 FAILED NonZeroExitCode", "canary_reason gpu failed: none"),
            "failed: job canary: FAILED, gpu failed: none",
        ),
        ((*SLURM, "queue 1 COMPLETED None", "queue 2 TIMEOUT TimeLimit"), "failed: job train: TIM"),
        (
            (*SLURM, "queue 2 NODE_FAIL None"),
            "failed: job train: NODE_FAIL, its node failed; launch it again to resume",
        ),
        ((*SLURM, "queue 2 OUT_OF_MEMORY None"), "failed: job train: OUT_OF_MEMORY, it took more"),
        (
            (*SLURM, "queue 2 PREEMPTED None", "code 143", "reason terminated"),
            "failed: job train: PREEMPTED, the scheduler gave its place to another job; launch it",
        ),
        ((*SLURM, "queue 2 CANCELLED None"), "cancelled: job train"),
        (
            (*SLURM, "queue 2 PENDING DependencyNeverSatisfied"),
            "failed: job train never starts: one before it failed",
        ),
        ((*SLURM, "queue 1 FROBNICATED None"), "failed: job canary: FROBNICATED"),
        (SLURM, "killed: the scheduler knows it no more, and it recorded no exit code"),
        ((*SLURM, "canary 1"), "failed: job canary: exit code 1"),
        ((*SLURM, "code 0", "manifest there"), "complete"),
        ((*ARRAY, "queue 2 RUNNING None", "part 0 0", "part 1 0"), "running: job array, 2 part(s)"),
        ((*ARRAY, "queue 2 RUNNING None", "queue 2 FAILED None"), "failed: job array: FAILED"),
        ((*ARRAY, "part 0 0", "part 4 137"), "failed: part 4: exit code 137, killed"),
    ],
)
def test_what_is_seen_decides(seen: tuple[str, ...], line: str) -> None:
    assert state(*seen).line().startswith(line)


def test_a_scheduler_that_does_not_answer_is_no_state() -> None:
    with pytest.raises(UnreachableError, match="the scheduler does not answer"):
        state("backend slurm", "job canary 1", "job train 2")


def test_what_was_recorded_needs_no_scheduler() -> None:
    assert state("backend slurm", "job train 2", "code 0", "manifest there").word == "complete"


def test_half_an_answer_is_none() -> None:
    with pytest.raises(InputError, match="did not say"):
        read_observation("SEEN code 0\nSEEN manifest there\n", "host")
    with pytest.raises(InputError, match="there is no launch of x"):
        read_observation("SEEN absent a launch of x\n", "host")


@given(st.lists(st.text(st.characters(codec="utf-8"), max_size=30), max_size=6))
def test_nothing_in_a_log_makes_a_run_complete(lines: list[str]) -> None:
    # Log text is not among what is seen; whatever else arrives, only a recorded 0 is success.
    text = "".join(f"{line}\n" for line in lines if not line.startswith("SEEN "))
    found = state_of(read_observation(f"{text}SEEN all\n", "host"), "host")
    assert found.word == "killed"


@given(st.integers(1, 255), st.sampled_from(["", "terminated", "time limit of 9 s", "complete"]))
def test_no_exit_code_but_zero_is_success(code: int, reason: str) -> None:
    assert state(f"code {code}", f"reason {reason}", "manifest there").word != "complete"


GRAPH = (
    "backend slurm",
    "step columns - done 3 3",
    "step fits:a:s columns,plans 0-1,4 2 5",
    "step join:a:s fits:a:s job 0 1",
    "step fits:b:s columns,plans 0 0 1",
    "step judge plans,join:a:s job 0 1",
    "job canary 1",
    "job fits:a:s 2",
    "job join:a:s 3",
    "job fits:b:s 4",
    "job judge 5",
    "scheduler answers",
)


def test_a_graph_is_shown_step_by_step() -> None:
    seen = (
        *GRAPH,
        "queue 2 COMPLETED None",
        "queue 2 RUNNING None",
        "queue 2 FAILED NonZeroExitCode",
        "queue 3 PENDING Dependency",
        "task fits:a:s 0 0",
        "task fits:a:s 4 1",
    )
    text = "".join(f"SEEN {line}\n" for line in (*seen, "all"))
    assert graph_rows(read_observation(text, "host")) == [
        ("step", "done", "Slurm", "after"),
        ("columns", "3/3", "done before", ""),
        (
            "fits:a:s",
            "3/5",
            "COMPLETED 1, RUNNING 1, FAILED 1, failed: 4 (job 2)",
            "columns, plans",
        ),
        ("join:a:s", "0/1", "PENDING 1 (job 3)", "fits:a:s"),
        ("fits:b:s", "0/1", "forgotten (job 4)", "columns, plans"),
        ("judge", "0/1", "forgotten (job 5)", "plans, join:a:s"),
    ]


@pytest.mark.parametrize(
    ("seen", "line"),
    [
        (("queue 1 RUNNING None", "queue 2 PENDING Dependency"), "running: job canary"),
        (
            (
                "queue 2 FAILED None",
                "queue 3 PENDING DependencyNeverSatisfied",
                "queue 4 RUNNING x",
            ),
            "running: job fits:b:s; failed: job fits:a:s: FAILED",
        ),
        (
            ("queue 2 FAILED None", "queue 4 PENDING Resources"),
            "queued: job fits:b:s (Resources); failed: job fits:a:s: FAILED",
        ),
        (
            ("queue 2 FAILED None", "queue 3 CANCELLED x", "queue 4 COMPLETED None"),
            "failed: job fits:a:s: FAILED",
        ),
        (("task fits:b:s 0 2",), "failed: job fits:b:s: exit code 2, bad input"),
        ((), "killed: the scheduler knows it no more, and it recorded no exit code"),
        (("code 0", "manifest there"), "complete"),
    ],
)
def test_a_study_goes_on_while_any_of_its_jobs_can(seen: tuple[str, ...], line: str) -> None:
    assert state(*GRAPH, *seen).line() == line
