from __future__ import annotations

import io
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from essay_scoring.core.scale import ScoreScale, ScoreScales
from essay_scoring.scoring.input_table import MOST_CHARACTERS, ColumnNames
from essay_scoring.scoring.model import COLUMNS, TrainedModel
from essay_scoring.scoring.score_stream import _MOST_BYTES, score_lines
from tests.scoring.made import new_essays

ESSAYS = new_essays(8)
GOOD = [
    {"id": number, "prompt": prompt, "text": text}
    for number, (prompt, text) in enumerate(zip(ESSAYS.prompts, ESSAYS.texts, strict=True))
]
BAD = {
    b"": "a blank line",
    b"   \t": "a blank line",
    b"not json": "not valid JSON",
    b"[1, 2]": "not an object",
    b'"text"': "not an object",
    b"\xff\xfe": "not UTF-8 text",
    b'{"text": "A secret.", "x": NaN}': "not valid JSON",
    b'{"text": "A secret.", "x": ' + b"[" * 200 + b"]" * 200 + b"}": "nested more than",
    b'{"text": "A secret.", "x": ' + b"[" * 50_000: "nested more than",
    b'{"prompt": "p"}': "the key 'text' is missing",
    b'{"text": 3}': "the key 'text' is no string",
    b'{"text": " ... "}': "the text is blank",
    b'{"text": "A secret.", "prompt": " "}': "the prompt is blank",
    b'{"text": "A secret.", "prompt": null}': "the key 'prompt' is no string",
    b'{"text": "A secret.", "predicted_raw": 1}': "a key 'predicted_raw'",
    json.dumps({"text": "secret " * MOST_CHARACTERS}).encode(): "more than 200,000",
    b"x" * (2 * _MOST_BYTES + 3): "a line of",
}


@pytest.fixture(scope="module")
def model(length_model: Path) -> TrainedModel:
    return TrainedModel(length_model, Path("absent"))


def answers(model: TrainedModel, data: bytes, **names: Any) -> list[dict[str, Any]]:
    """Return the answers to lines; each must be one line of plain JSON."""
    lines = list(score_lines(model, io.BytesIO(data), ColumnNames(**names)))
    assert not any("\n" in line or not line.isascii() for line in lines)
    return [json.loads(line) for line in lines]


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    chosen=st.lists(
        st.one_of(st.sampled_from(range(len(GOOD))), st.sampled_from([*BAD])), max_size=12
    ),
    end=st.sampled_from([b"\n", b"\r\n"]),
    ended=st.booleans(),
)
def test_every_line_has_one_answer_in_order_and_bad_ones_say_what_is_wrong(
    model: TrainedModel, chosen: list[int | bytes], end: bytes, ended: bool
) -> None:
    lines = [json.dumps(GOOD[c]).encode() if isinstance(c, int) else c for c in chosen]
    data = end.join(lines) + (end if ended and lines else b"")
    # A last line that is empty and not ended is no line.
    lines = lines[:-1] if lines and not ended and not lines[-1] else lines
    scored = model.score(ESSAYS)
    found = answers(model, data)
    assert len(found) == len(lines)
    for number, (what, answer) in enumerate(zip(chosen, found, strict=False), start=1):
        if isinstance(what, int):
            one = scored[what]
            values = [one.band, one.raw, one.low, one.high, *one.flags]
            assert answer == {
                "id": what,
                "prompt": ESSAYS.prompts[what],
                **dict(zip(COLUMNS, values, strict=True)),
            }
        else:
            assert BAD[what] in answer["error"]
            assert answer["line"] == number
            assert answer["mend"]
            assert "secret" not in json.dumps(answer)


def test_keys_may_have_other_names_and_one_prompt_may_be_that_of_all(model: TrainedModel) -> None:
    line = json.dumps({"essay": ESSAYS.texts[0], "prompt": "ignored", "n": [1, None]}).encode()
    [answer] = answers(model, line, text="essay", same_prompt=ESSAYS.prompts[0])
    assert (answer["prompt"], answer["n"]) == ("ignored", [1, None])
    assert answer["predicted_raw"] == model.score(ESSAYS.take([0]))[0].raw
    assert "essay" not in answer
    [missing] = answers(model, line, text="essay", prompt="topic")
    assert missing["prompt_seen"] is False
    [kept] = score_lines(model, io.BytesIO(line), ColumnNames("essay"), keep_text=True)
    assert json.loads(kept)["essay"] == ESSAYS.texts[0]


def test_a_model_of_scales_by_prompt_asks_for_the_prompt(length_model: Path) -> None:
    model = TrainedModel(length_model, Path("absent"))
    scales = ScoreScales(by_prompt={"one": ScoreScale(low=1, high=4, step=1)})
    model.record = model.record.model_copy(update={"scales": scales, "cutpoints": None})
    lines = [{"text": "Good.", "prompt": "one"}, {"text": "Good."}, {"text": "A.", "prompt": "x"}]
    data = b"\n".join(json.dumps(line).encode() for line in lines)
    good, missing, unknown = answers(model, data)
    assert 1 <= good["predicted_band"] <= 4
    assert missing["error"] == "the key 'prompt' is missing"
    assert "no score scale" in unknown["error"]


def test_a_line_is_answered_before_the_next_is_read(length_model: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "essay_scoring.cli.main", "score", str(length_model), "-"]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, cwd=tmp_path) as process:
        assert process.stdin
        assert process.stdout
        for given in (GOOD[0], {"text": 1}, GOOD[1]):
            process.stdin.write(json.dumps(given).encode() + b"\n")
            process.stdin.flush()
            # Would wait for ever if the answer waited for more lines.
            answer = json.loads(process.stdout.readline())
            assert answer.get("id") == given.get("id")
            assert ("error" in answer) == (given["text"] == 1)
        process.stdin.close()
        assert process.stdout.read() == b""
        assert process.stderr
        assert process.stderr.read() == b""
        assert process.wait() == 0
    assert [*tmp_path.iterdir()] == []
