"""The verb ``show``: training rows as the model will see them, with the place where each is cut."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tunewright.core.chance import generator
from tunewright.core.errors import UserError
from tunewright.core.schema import Row
from tunewright.pipeline.ahead import find_base
from tunewright.pipeline.data import rows_of
from tunewright.pipeline.recipe import Recipe
from tunewright.pipeline.resolve import max_tokens
from tunewright.tasks.base import Encoded, Task

LETTERS_OF_CUT = 80
"""Characters shown of a part that is cut away."""
CUT = "\u2702"


@dataclass(frozen=True)
class Shown:
    """Training rows as the model sees them, and how long they may be.

    Args:
        rows: one mapping per row, as ``--json`` prints it.
        max_tokens: tokens of a row that the model sees.
        why: where that number comes from.
        of: how many training rows there are.
    """

    rows: tuple[dict[str, Any], ...]
    max_tokens: int
    why: str
    of: int


def show(recipe: Recipe, where: Path, sample: int) -> Shown:
    """Draw training rows by the recipe's seed and encode them; reads no weights and no row of another split.

    Args:
        recipe: as the user has it.
        where: the recipe's folder.
        sample: how many rows; all of them where there are fewer.

    Raises:
        UserError: the data or the model cannot be read, or ``sample`` is below 1.
    """
    from tunewright.data.prepare import audit
    from tunewright.pipeline.stream import to_prepare

    if sample < 1:
        raise UserError(f"--sample {sample} shows nothing", "A number from 1 on is wanted", "As in: --sample 20")
    base = find_base(recipe, where)
    data = audit(to_prepare(recipe, where), recipe.task, recipe.seed, where)
    rows = rows_of(data.rows("train"))
    limit, why = max_tokens(recipe, base, data.task, rows)
    chosen = sorted(generator(recipe.seed, "show").sample(range(len(rows)), min(sample, len(rows))))
    some = [rows[index] for index in chosen]
    seen, whole = (data.task.encode(some, base.tokenizer, tokens) for tokens in (limit, 10**9))
    told = [
        _row(row, one, other.pieces[0]["input_ids"], base.tokenizer) | _wanted(row, data.task)
        for row, one, other in zip(some, seen, whole, strict=True)
    ]
    return Shown(tuple(told), limit, why, len(rows))


def _wanted(row: Row, task: Task) -> dict[str, Any]:
    """What is wanted of a row, under the name of its role; of a label its number beside it."""
    wanted = task.wanted_of(row)
    if task.gold != "label":
        return {task.gold: wanted}
    ids = {name: number for number, name in enumerate(getattr(task, "labels", None) or ())}
    number = [ids[str(one)] for one in wanted] if isinstance(wanted, list) else ids.get(str(wanted))
    return {"label": wanted, "label_id": number}


def _row(row: Row, encoded: Encoded, whole: Sequence[int], tokenizer: Any) -> dict[str, Any]:
    """What the model sees of a row; ``whole`` are the tokens of the row if nothing had to be cut."""
    seen = [tokenizer.decode(list(piece["input_ids"]), skip_special_tokens=False) for piece in encoded.pieces]
    kept = list(encoded.pieces[0]["input_ids"])
    unknown = sum(token == tokenizer.unk_token_id for token in kept) if tokenizer.unk_token_id is not None else 0
    return {
        "file": row["_file"],
        "row": row["_row"],
        "tokens": encoded.tokens,
        "cut": encoded.cut,
        "unknown": unknown,
        "seen": seen,
        "marked": "".join(_marked(kept, whole, tokenizer)) if len(seen) == 1 else f" [{CUT} next window] ".join(seen),
    }


def _marked(kept: Sequence[int], whole: Sequence[int], tokenizer: Any) -> Iterator[str]:
    """The tokens that are kept, as text, with a word at each place where others were cut away."""
    for taken, ids in _spans(kept, whole):
        text = tokenizer.decode(list(ids), skip_special_tokens=False)
        if taken:
            yield text
        else:
            begins = " ".join(text.split())
            yield f" [{CUT} {len(ids)} tokens cut: {begins[:LETTERS_OF_CUT]}{'...' if len(begins) > LETTERS_OF_CUT else ''}] "


def _spans(kept: Sequence[int], whole: Sequence[int]) -> Iterator[tuple[bool, Sequence[int]]]:
    """``whole`` in spans that are kept or cut: ``kept`` is what is left of it, each text cut at its end."""
    at, start = 0, 0
    taken = True
    for place, token in enumerate(whole):
        same = at < len(kept) and kept[at] == token
        if same != taken:
            if place > start:
                yield taken, whole[start:place]
            start, taken = place, same
        at += same
    if len(whole) > start:
        yield taken, whole[start:]
