from __future__ import annotations

import json
import threading
from hashlib import sha256
from pathlib import Path

import pytest

from essay_scoring.core.errors import BusyError, EvidenceError
from essay_scoring.core.files import try_lock, write_json, write_text
from essay_scoring.core.record import Record
from essay_scoring.records import ledger as ledgers
from essay_scoring.records.ledger import NOTHING, Ledger
from essay_scoring.records.more_records import LedgerEntry


class Saying(Record):
    said: str
    seen: int | None = None


class SayingEntry(Saying, LedgerEntry):
    """A line of the ledger."""


Book = Ledger[SayingEntry]


def book(folder: Path) -> Book:
    return Ledger(folder / "book.jsonl", SayingEntry)


def filled(folder: Path, n: int = 4) -> Book:
    ledger = book(folder)
    for number in range(n):
        with ledger.held():
            ledger.append(Saying(said=f"thing {number}"))
    return ledger


def lines_of(ledger: Book) -> list[str]:
    return ledger.path.read_text(encoding="utf-8").splitlines()


def test_what_was_said_stays_in_order_and_each_line_holds_the_hash_of_the_one_before(
    tmp_path: Path,
) -> None:
    ledger = filled(tmp_path)
    assert [entry.said for entry in ledger.entries()] == [f"thing {i}" for i in range(4)]
    lines = lines_of(ledger)
    expected = [NOTHING, *(sha256(line.encode()).hexdigest() for line in lines[:-1])]
    assert [json.loads(line)["previous"] for line in lines] == expected
    assert [entry.entry for entry in ledger.entries()] == [1, 2, 3, 4]
    times = [entry.time for entry in ledger.entries()]
    assert times == sorted(times)


def test_reading_a_ledger_that_is_not_there_makes_none(tmp_path: Path) -> None:
    assert book(tmp_path).entries() == []
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("number", [1, 2, 4])
def test_an_edited_line_is_found_wherever_it_lies(tmp_path: Path, number: int) -> None:
    ledger = filled(tmp_path)
    text = ledger.path.read_text(encoding="utf-8")
    write_text(ledger.path, text.replace(f"thing {number - 1}", "another"))
    with pytest.raises(EvidenceError) as caught:
        ledger.entries()
    assert caught.value.line() == (
        f"{ledger.path}: line {number} was edited: this record is only ever appended to. "
        "To mend: restore it, and book.head beside it, from a copy"
    )
    with pytest.raises(EvidenceError, match="was edited"), ledger.held():
        pass


@pytest.mark.parametrize(
    ("number", "said"),
    [(1, "line 1 was removed or moved"), (2, "line 2 was removed"), (4, "line 4 was removed")],
)
def test_a_removed_line_is_found_wherever_it_lay(tmp_path: Path, number: int, said: str) -> None:
    ledger = filled(tmp_path)
    lines = lines_of(ledger)
    write_text(ledger.path, "\n".join(lines[: number - 1] + lines[number:]) + "\n")
    with pytest.raises(EvidenceError, match=said):
        ledger.entries()


def test_a_removed_ledger_is_found(tmp_path: Path) -> None:
    ledger = filled(tmp_path)
    ledger.path.unlink()
    with pytest.raises(EvidenceError, match="line 1 was removed"):
        ledger.entries()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (None, "does not name the last line"),
        ("{", "book.head was edited"),
        ("[1, 2]", "book.head was edited"),
        ('{"entry": 2, "sha256": "0"}', "line 2 was edited"),
    ],
)
def test_the_head_cannot_be_edited_away(tmp_path: Path, text: str | None, said: str) -> None:
    ledger = filled(tmp_path)
    head = tmp_path / "book.head"
    if text is None:
        head.unlink()
    else:
        write_text(head, text)
    with pytest.raises(EvidenceError, match=said):
        ledger.entries()


@pytest.mark.parametrize("line", ["", "nonsense", "[1]", '{"said": "thing 4"}', "\udcff"])
def test_a_line_that_the_ledger_did_not_write_is_found(tmp_path: Path, line: str) -> None:
    ledger = filled(tmp_path)
    before = ledger.path.read_bytes()
    ledger.path.write_bytes(before + line.encode("utf-8", "surrogateescape") + b"\n")
    with pytest.raises(EvidenceError, match="line 5 was edited"):
        ledger.entries()


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"said": 4}, "said: Input should be a valid string"),
        ({"sayd": ""}, "sayd: unknown key"),
        ({"time": None}, "time: Input should be a valid string"),
    ],
)
def test_a_line_of_another_shape_is_found_though_every_hash_fits(
    tmp_path: Path, change: dict[str, object], why: str
) -> None:
    ledger = filled(tmp_path, 1)
    line = json.dumps(json.loads(lines_of(ledger)[0]) | change)
    write_text(ledger.path, line + "\n")
    write_json(tmp_path / "book.head", {"entry": 1, "sha256": sha256(line.encode()).hexdigest()})
    with pytest.raises(EvidenceError) as caught:
        ledger.entries()
    assert caught.value.line() == (
        f"{ledger.path}: line 1 is of another shape ({why}): this record is only ever appended to. "
        "To mend: restore it, and book.head beside it, from a copy"
    )


def test_a_line_is_the_canonical_json_of_all_that_was_said(tmp_path: Path) -> None:
    entry = filled(tmp_path, 1).entries()[0]
    assert lines_of(book(tmp_path)) == [
        f'{{"entry":1,"previous":"{NOTHING}","said":"thing 0","seen":null,"time":"{entry.time}"}}'
    ]


def test_a_process_killed_before_it_wrote_the_head_leaves_a_whole_ledger(tmp_path: Path) -> None:
    ledger = filled(tmp_path, 1)
    head = (tmp_path / "book.head").read_text(encoding="utf-8")
    with ledger.held():
        ledger.append(Saying(said="thing 1"))
    write_text(tmp_path / "book.head", head)
    assert len(ledger.entries()) == 2
    with ledger.held():
        assert ledger.append(Saying(said="thing 2")).entry == 3
    assert len(ledger.entries()) == 3


def test_threads_that_write_at_once_lose_nothing(tmp_path: Path) -> None:
    ledger = book(tmp_path)

    def write(name: str) -> None:
        with ledger.held() as entries:
            ledger.append(Saying(said=name, seen=len(entries)))

    threads = [threading.Thread(target=write, args=(str(i),)) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    entries = ledger.entries()
    assert {entry.said for entry in entries} == {str(i) for i in range(8)}
    assert [entry.seen for entry in entries] == list(range(8))


def test_a_ledger_that_another_process_holds_is_busy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ledgers, "_TRIES", 2)
    ledger = filled(tmp_path, 1)
    with (
        try_lock(tmp_path / "book.lock") as held,
        pytest.raises(BusyError, match="another process is writing it"),
        ledger.held(),
    ):
        assert not held
