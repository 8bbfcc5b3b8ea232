from __future__ import annotations

import mmap
from pathlib import Path

import pytest

from essay_scoring.core.machine import allocator, cores


def test_there_is_a_core() -> None:
    assert cores() >= 1


@pytest.mark.skipif(not Path("/proc/self/maps").exists(), reason="no /proc on this system")
def test_an_allocator_is_known_by_the_library_that_is_loaded(tmp_path: Path) -> None:
    before = allocator()
    library = tmp_path / "libmimalloc.so.2"
    library.write_bytes(b"\0" * mmap.PAGESIZE)
    with library.open("rb") as stream:
        loaded = mmap.mmap(stream.fileno(), 0, prot=mmap.PROT_READ)
    assert before != "unknown"
    assert allocator() == ("mimalloc" if before == "system" else before)
    loaded.close()
    assert allocator() == before
