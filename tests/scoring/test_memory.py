from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pyarrow
import pytest
from pyarrow import parquet

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
    request = ScoreRequest(model, file, file.with_name(f"scored{file.suffix}"))
    workers = [0.0]
    def look(_):
        workers.extend(peak(child.pid) for child in multiprocessing.active_children())
    score_file(request, file.parent, Progress(look), workers=1)
    print(json.dumps([peak(os.getpid()), max(workers)]))
"""


def megabytes(model: Path, folder: Path, n: int, suffix: str) -> list[float]:
    """Return the peak memory of scoring n essays: of the command, and of its worker."""
    few = new_essays(200)
    essays = Essays(
        tuple(f"e{row}" for row in range(n)),
        tuple(f"{few.texts[row % 200] * 3} {row}" for row in range(n)),
        tuple(few.prompts[row % 200] for row in range(n)),
    )
    file = folder / f"{n}{suffix}"
    if suffix == ".csv":
        write_essays(file, essays)
    else:
        columns = {"text": list(essays.texts), "prompt": list(essays.prompts)}
        parquet.write_table(pyarrow.table(columns), file, compression="none")
    script = folder / "score.py"
    script.write_text(CODE, "utf-8")
    command = [sys.executable, str(script), str(model), str(file)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    found: list[float] = json.loads(done.stdout)
    return found


@pytest.mark.slow
@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_memory_does_not_grow_with_the_table(
    suffix: str, length_model: Path, tmp_path: Path
) -> None:
    few, many = (megabytes(length_model, tmp_path, n, suffix) for n in (2_000, 20_000))
    size = (tmp_path / f"20000{suffix}").stat().st_size / 1e6
    assert size > 90
    # The files differ by more than 80 MB; the peaks by what the allocator happens to hold.
    assert many[0] - few[0] < 30
    assert many[1] - few[1] < 30
