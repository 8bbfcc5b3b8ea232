"""What is asked of a launch after it started: status, logs, cancel, and commands of any kind."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Sequence

from essay_scoring.core.errors import InputError
from essay_scoring.launch.invocation import LAUNCHES, entry, python, variable
from essay_scoring.launch.launch_state import Observed, State, read_observation, state_of
from essay_scoring.launch.profile import Profile
from essay_scoring.launch.scripts import host_script
from essay_scoring.launch.transport import (
    Transport,
    UnreachableError,
    exec_script,
    transport_of,
)

POLL_SECONDS = 2.0
PATIENCE_SECONDS = 300.0
_NAME = re.compile(r"[a-z0-9][a-z0-9_.-]{0,199}")
_STEP = re.compile(r"[a-z0-9][a-z0-9_.:-]*(/[0-9]+)?")
_REFUSED = re.compile(r"^REFUSED cancel (.*)$", re.MULTILINE)
_CANCELLED = re.compile(r"^CANCELLED (.*)$", re.MULTILINE)


class Remote:
    """One run on one host."""

    def __init__(self, profile: Profile, run: str, transport: Transport | None = None) -> None:
        self.profile, self.run = profile, require_name(run)
        self.transport = transport or transport_of(profile)

    def state(self) -> State:
        """Return how the run stands; InputError where that cannot be told."""
        return state_of(self.observed(), self.profile.where)

    def observed(self) -> Observed:
        """Return what the host and its scheduler tell of the run."""
        done = self.transport.script(host_script(self.profile, "observe.sh"), self.run)
        return read_observation(done.out, self.profile.where)

    def cancel(self) -> str:
        """End the run and wait until it has ended; InputError where it does not."""
        script = host_script(self.profile, "cancel.sh")
        done = self.transport.script(script, self.run, seconds=180)
        if refused := _REFUSED.search(done.out):
            raise InputError(refused[1], where=self.profile.where)
        if not (cancelled := _CANCELLED.search(done.out)):
            raise InputError("the host did not say whether it has ended", where=self.profile.where)
        return cancelled[1]

    def log(self, start: int = 0, step: str = "") -> bytes | None:
        """Return the driver's log from a byte on; None where there is no log.

        `step` is one of a study's, or a task of it: STEP/TASK.
        """
        if step and not _STEP.fullmatch(step):
            raise InputError(f"{step!r} is no step of a study", mend="name it as `status` does")
        place = f"/steps/{step}" if step else ""
        path = f"{LAUNCHES}/{self.run}{place}/driver.log"
        lines = [
            variable("folder", self.profile.folder),
            variable("log", f"{self.profile.runs}/{path}"),
            'cd -- "$folder" && [[ -f $log ]] || exit 9',
            f'tail -c +{start + 1} -- "$log" | base64',
        ]
        done = self.transport.script("\n".join([*lines, ""]))
        return None if done.code == 9 else _decoded(done.out)

    def follow(
        self,
        write: Callable[[bytes], object],
        *,
        poll: float = POLL_SECONDS,
        patience: float = PATIENCE_SECONDS,
    ) -> State:
        """Hand on the log as it grows and return the state it ends in.

        A connection that is lost is taken up again while `patience` (seconds) lasts; the run does
        not notice. Raises UnreachableError after that.
        """
        start, heard = 0, time.monotonic()
        while True:
            try:
                state, more = self.state(), self.log(start)
            except UnreachableError:
                if time.monotonic() - heard > patience:
                    raise
                time.sleep(poll)
                continue
            heard = time.monotonic()
            if more:
                write(more)
                start += len(more)
            # What was written between the two looks is taken before the end is told.
            elif state.is_over:
                return state
            time.sleep(0 if state.is_over else poll)


def run_there(
    profile: Profile,
    argv: Sequence[str],
    *,
    inside: bool = False,
    transport: Transport | None = None,
) -> int:
    """Run any command in the working folder on the host; return its exit code.

    Every argument arrives byte for byte. `inside` runs it in the container, with the program's
    environment. Its standard input is empty.
    """
    if not argv:
        raise InputError("there is no command to run", mend="name one after --")
    words = [*entry(profile), *python(profile)[:-1], *argv] if inside else list(argv)
    script = exec_script(profile.folder, words, {} if inside else profile.environment)
    return (transport or transport_of(profile)).stream(script)


def require_name(run: str) -> str:
    """Return the name of a run folder; InputError for anything else."""
    name = run.rstrip("/").rsplit("/", 1)[-1]
    if not _NAME.fullmatch(name):
        raise InputError(f"{run!r} is no name of a run", mend="name it as `launch` printed it")
    return name


def _decoded(text: str) -> bytes:
    import base64

    return base64.b64decode("".join(text.split()))
