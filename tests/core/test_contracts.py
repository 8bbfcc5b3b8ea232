from __future__ import annotations

from essay_scoring.core.contracts import TrainingExecution, joined_execution


def test_a_blend_records_every_precision_of_its_parts() -> None:
    """A blend with a transformer in fp32 was once recorded by its columns' bf16."""
    parts = [TrainingExecution(precisions=("fp32",)), TrainingExecution(precisions=("bf16",))]
    assert joined_execution(parts).precisions == ("fp32", "bf16")


def test_what_one_part_denies_the_whole_denies() -> None:
    first = TrainingExecution(effective_batch=32, chunked=True, pooled=True)
    other = TrainingExecution(effective_batch=8, chunked=False)
    joined = joined_execution([first, other, TrainingExecution()])
    assert (joined.effective_batch, joined.chunked, joined.pooled) == (8, False, True)
    assert joined.gradient_checkpointing is None
    assert joined_execution([TrainingExecution()]) == TrainingExecution()
