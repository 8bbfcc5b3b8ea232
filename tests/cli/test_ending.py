"""A command's process ends at once: what others registered is done, and its code stands."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

MAIN = """
import atexit, sys, threading, time
from essay_scoring.cli.ending import end_with

class Heavy:
    def __del__(self):
        print("taken down", flush=True)

held = Heavy()

def main():
    atexit.register(print, "tidied up")
    threading.Thread(target=lambda: (time.sleep(0.2), print("thread done"))).start()
    print("worked")
    sys.exit(%s)

end_with(main)
"""


@pytest.mark.parametrize("code", [0, 3, 143])
def test_threads_and_tidying_come_first_and_nothing_is_taken_down(code: int) -> None:
    command = [sys.executable, "-c", MAIN % code]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == code
    assert done.stdout.split("\n") == ["worked", "thread done", "tidied up", ""]


def test_without_a_code_the_process_ends_as_python_does() -> None:
    command = [sys.executable, "-c", MAIN % "'a message'"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stdout.endswith("taken down\n")
    assert done.stderr == "a message\n"


def test_output_that_cannot_be_written_is_an_error() -> None:
    """A table piped to a full disk must not seem whole."""
    command = [sys.executable, "-c", MAIN % 0]
    with Path("/dev/full").open("w", encoding="utf-8") as full:
        env = os.environ | {"PYTHONUNBUFFERED": ""}
        done = subprocess.run(command, stdout=full, env=env, check=False)
    assert done.returncode == 120


def test_without_a_place_for_output_it_ends_without_a_word() -> None:
    program = "import sys\nsys.stdout = None\n" + MAIN % 3
    command = [sys.executable, "-c", program.replace("end_with(main)", "end_with(lambda: exit(3))")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (3, "")


@pytest.mark.parametrize("words", ["--version", "cv nowhere.toml"])
def test_a_command_whose_output_is_closed_ends_as_it_would(words: str) -> None:
    program = f"{sys.executable} -m essay_scoring.cli.main {words}"
    ends = [
        subprocess.run(["bash", "-c", program + how], stderr=subprocess.PIPE, check=False)
        for how in (" >/dev/null", " >&-")
    ]
    assert ends[0].returncode == ends[1].returncode
    assert ends[0].stderr == ends[1].stderr
