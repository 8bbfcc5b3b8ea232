from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from essay_scoring.core.essays import Essays
from tests.conftest import ROOT
from tests.scoring.made import new_essays, write_essays

CODE = """
import json, multiprocessing, os, re, sys
from pathlib import Path
from essay_scoring.core.progress import Progress
from essay_scoring.scoring.score_file import ScoreRequest, score_file

def peak(pid):
    # Not ru_maxrss, which starts at what the process that started this one had.
    return int(re.search(r"VmHWM:\\s+(\\d+)", Path(f"/proc/{pid}/status").read_text())[1]) / 1024

if __name__ == "__main__":
    model, file = map(Path, sys.argv[1:])
    request = ScoreRequest(model, file, file.with_suffix(".scored.csv"))
    workers = [0.0]
    def look(_):
        workers.extend(peak(child.pid) for child in multiprocessing.active_children())
    score_file(request, file.parent, Progress(look), workers=1)
    print(json.dumps([peak(os.getpid()), max(workers)]))
"""


def megabytes(model: Path, folder: Path, n: int) -> list[float]:
    """Return the peak memory of scoring n essays: of the command, and of its worker."""
    few = new_essays(200)
    essays = Essays(
        tuple(f"e{row}" for row in range(n)),
        tuple(f"{few.texts[row % 200]} {row}" for row in range(n)),
        tuple(few.prompts[row % 200] for row in range(n)),
    )
    file = write_essays(folder / f"{n}.csv", essays)
    script = folder / "score.py"
    script.write_text(CODE, "utf-8")
    command = [sys.executable, str(script), str(model), str(file)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    found: list[float] = json.loads(done.stdout)
    return found


@pytest.mark.slow
def test_memory_does_not_grow_with_the_table(length_model: Path, tmp_path: Path) -> None:
    few, many = (megabytes(length_model, tmp_path, n) for n in (2_000, 20_000))
    size = (tmp_path / "20000.csv").stat().st_size / 1e6
    assert size > 30
    # The files differ by more than 30 MB; the peaks by what the allocator happens to hold.
    assert many[0] - few[0] < 15
    assert many[1] - few[1] < 15
