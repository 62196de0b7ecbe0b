"""The order of rows in training: shuffled, in batches of like length, always as many rows per step."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from tunewright.core.chance import array_generator

STEPS_PER_BLOCK = 50
"""Steps whose rows are sorted by length together; larger blocks pad less and shuffle less."""

Order = Callable[[int], list[list[int]]]


def batches(lengths: Sequence[int], step_rows: int, micro_rows: int, seed: int, bucket: bool = True) -> Order:
    """An order of micro-batches for each epoch, always the same for the same epoch.

    Args:
        lengths: tokens of each row.
        step_rows: rows per optimizer step; the last step of an epoch has what is left.
        micro_rows: rows per forward pass; divides ``step_rows``.
        seed: of the run.
        bucket: whether rows of a step are of similar length.

    Returns:
        A function from the epoch (from 0) to its micro-batches, each a list of row indices; every row stands in it once.
    """
    measured = np.asarray(lengths)

    def order(epoch: int) -> list[list[int]]:
        steps = shuffled(measured, step_rows, array_generator(seed, "order", epoch), bucket)
        return [step[start : start + micro_rows].tolist() for step in steps for start in range(0, len(step), micro_rows)]

    return order


def batches_by_tokens(lengths: Sequence[int], step_tokens: int, parts: int, seed: int) -> Order:
    """An order of micro-batches that hold as many tokens each, not as many rows: rows of like length, always in as many micro-batches.

    Args:
        lengths: tokens of each row.
        step_tokens: tokens of an optimizer step at most, padding included; a row that is longer than its part of it stands alone.
        parts: micro-batches of a step.
        seed: of the run.

    Returns:
        As ``batches``; the last step of an epoch may have fewer micro-batches.
    """
    measured = np.asarray(lengths)

    def order(epoch: int) -> list[list[int]]:
        rng = array_generator(seed, "order", epoch)
        rows = rng.permutation(len(measured))  # rows of one length change places; where a micro-batch ends, lengths alone decide
        micro = [rows[batch].tolist() for batch in by_length(measured[rows].tolist(), max(1, step_tokens // parts))]
        steps = [micro[start : start + parts] for start in range(0, len(micro), parts)]
        rest = [steps.pop()] if len(steps[-1]) < parts else []
        return [batch for step in [*(steps[index] for index in rng.permutation(len(steps))), *rest] for batch in step]

    return order


def by_length(lengths: Sequence[int], tokens: int) -> list[list[int]]:
    """Indices of rows of like length, the longest first, in batches of at most ``tokens`` tokens with their padding, or of one row."""
    order = sorted(range(len(lengths)), key=lambda row: -lengths[row])
    found, at = [], 0
    while at < len(order):
        count = max(1, tokens // max(1, lengths[order[at]]))
        found.append(order[at : at + count])
        at += count
    return found


def shuffled(lengths: np.ndarray, step_rows: int, rng: np.random.Generator, bucket: bool) -> list[np.ndarray]:
    """The rows of each step; the short one, when rows do not divide, comes last.

    Args:
        lengths: (rows,), tokens of each.
        step_rows: rows per optimizer step.
        rng: where chance comes from.
        bucket: whether rows of a step are of similar length.
    """
    rows = rng.permutation(len(lengths))
    if not bucket:
        return [rows[start : start + step_rows] for start in range(0, len(rows), step_rows)]
    return _bucketed(rows, lengths, step_rows, rng)


def _bucketed(rows: np.ndarray, lengths: np.ndarray, step_rows: int, rng: np.random.Generator) -> list[np.ndarray]:
    """Steps of like length, in random order; the short one, when rows do not divide, comes last."""
    full = len(rows) // step_rows * step_rows
    rest = rows[full:]
    steps = []
    for start in range(0, full, step_rows * STEPS_PER_BLOCK):
        block = rows[start : min(start + step_rows * STEPS_PER_BLOCK, full)]
        block = block[np.argsort(lengths[block], kind="stable")]
        steps += [block[at : at + step_rows] for at in range(0, len(block), step_rows)]
    shuffled = [steps[index] for index in rng.permutation(len(steps))]
    return [*shuffled, rest] if len(rest) else shuffled
