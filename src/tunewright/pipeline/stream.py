"""A recipe that streams: its first rows are prepared as any table, those behind them are read, audited and encoded as the run trains."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tunewright.core.errors import BadConfig, Problem, UserError
from tunewright.core.log import say
from tunewright.core.schema import SPLITS, Row
from tunewright.data.settings import DataSettings, StreamSettings
from tunewright.pipeline.data import truncation
from tunewright.pipeline.recipe import Recipe

if TYPE_CHECKING:
    import numpy as np

    from tunewright.data.audit.base import Looked
    from tunewright.data.audit.on_the_fly import HeldOut, Memory
    from tunewright.data.dataset import Dataset
    from tunewright.data.streams.blocks import BlockAudit
    from tunewright.data.streams.feed import Step
    from tunewright.data.streams.ledger import Ledger
    from tunewright.data.streams.stream import RowStream
    from tunewright.pipeline.plan import Plan
    from tunewright.pipeline.resolve import Reasons
    from tunewright.tasks.base import Encoded, Task

FOLDER = "stream"
"""Of a run: what became of the rows of its stream."""
NEAR_ROWS = 20_000
"""Validation and test rows, together, up to which each block is compared with the words of all of them."""
LOOKS = 10
"""How often the validation rows are looked at, where the recipe does not say it and a pass over the source is longer."""


def to_prepare(recipe: Recipe, where: Path) -> DataSettings:
    """The ``data`` section with which a dataset is prepared: of a recipe that streams, with its first rows in the place of its source.

    Raises:
        UserError: the source cannot be streamed, or no row of it can be read.
    """
    settings = recipe.data
    if not isinstance(settings.streaming, StreamSettings):
        return settings
    from tunewright.data.source import name_of, prepared_folder
    from tunewright.data.streams.stream import open_stream

    if folder := prepared_folder(settings.source, where):
        raise UserError(
            f"{folder} is a prepared dataset, so that data.streaming would change nothing",
            "",
            "Leave it out, or name the source that it was made from",
        )
    _whole_table_rules_only_tell(recipe, where)
    rows = open_stream(settings.source, where)
    first = rows.as_table(rows.first(settings.streaming.first_rows))
    say(f"Preparing the first {first.rows.num_rows:,} rows of the stream")
    source: Any = {**settings.source, "train": first} if isinstance(settings.source, Mapping) else first
    train = settings.source["train"] if isinstance(settings.source, Mapping) else settings.source
    return settings.model_copy(update={"source": source, "name": settings.name or name_of(train, where), "streaming": False})


def _whole_table_rules_only_tell(recipe: Recipe, where: Path) -> None:
    """Refuse a rule that drops or mends rows and looks at the first ones alone: behind them, the others would be trained on."""
    from tunewright.data.audit.apply import chosen, serves
    from tunewright.data.audit.on_the_fly import REMEMBERING

    rules = chosen(recipe.data.rules, recipe.data.policy, where)
    for name, policy in rules.policy.items():
        if not serves(rules.rules[name], recipe.task, recipe.task.roles()):
            continue
        if policy in {"drop", "fix"} and rules.rules[name].streams == "first" and name not in REMEMBERING:
            own = '; a rule of your own that judges each row by itself says so: streams: ClassVar = "row"' if ":" in name else ""
            raise UserError(
                f"data.policy.{name}: {policy} cannot be kept by a stream: this rule needs the whole table, and sees the first rows alone",
                "",
                f"Leave it at keep, or leave data.streaming out{own}",
            )


def with_steps(recipe: Recipe, reasons: Reasons, where: Path, dataset: Any) -> tuple[Recipe, Reasons, int | None]:
    """The steps of a run that streams, decided before its first one: there is no telling how many rows the audit will leave.

    Args:
        recipe: with every other ``auto`` decided.
        reasons: so far.
        where: the recipe's folder.
        dataset: of the first rows.

    Returns:
        The recipe, the reasons, and the training rows of a pass over the source where they had to be counted.

    Raises:
        BadConfig: the length of the source cannot be found out, and ``train.max_steps`` is not given.
    """
    train = recipe.train
    if not isinstance(recipe.data.streaming, StreamSettings):
        return recipe, reasons, None
    changes: dict[str, Any] = {}
    told = dict(reasons)
    rows = None
    if train.max_steps is None:
        rows = _epoch_rows(recipe, where, dataset)
        changes["max_steps"] = max(1, math.ceil(train.epochs * rows / train.batch_size))
        told["train.max_steps"] = f"auto: {train.epochs:g} epochs of about {rows:,} rows"
    steps: int = changes.get("max_steps") or train.max_steps or 1
    if train.evaluate_every is None:
        often = math.ceil(steps / LOOKS)
        changes["evaluate_every"] = min(often, max(1, rows // train.batch_size)) if rows else often
        told["train.evaluate_every"] = "auto: at the end of each epoch, and ten times in a run at least"
    return recipe.model_copy(update={"train": train.model_copy(update=changes)}), told, rows


def _epoch_rows(recipe: Recipe, where: Path, dataset: Any) -> int:
    """Training rows of a pass: those that were prepared, and of those behind them the share that the audit left of the first ones."""
    from tunewright.data.streams.stream import open_stream

    streaming = recipe.data.streaming
    assert isinstance(streaming, StreamSettings)
    say("Counting the rows of the stream (not needed where train.max_steps is given)")
    rows = open_stream(recipe.data.source, where).length()
    if rows is None:
        problem = "the length of this source is not known, so that epochs cannot be counted: say how many steps to train"
        raise BadConfig([Problem("train.max_steps", problem)])
    splits = dataset.summary()["splits"]
    first = min(streaming.first_rows, rows)
    made = sum(splits[name]["rows"] for name in _made(recipe.data))
    share = min(1.0, splits["train"]["rows"] / max(first - made, 1))
    return int(splits["train"]["rows"] + round((rows - first) * share))


def _made(settings: DataSettings) -> list[str]:
    """The splits that are made from the first rows."""
    return [name for name in SPLITS[1:] if not (isinstance(settings.source, Mapping) and name in settings.source)]


def steps_of(folder: Path, plan: Plan, position: Mapping[str, Any] | None) -> Iterator[Step]:
    """The steps of a run that streams, from a position on; what is found on the way goes into ``folder``."""
    from tunewright.data.streams.feed import Feed, Shuffle
    from tunewright.data.streams.ledger import Ledger
    from tunewright.data.streams.stream import Mark, open_stream
    from tunewright.pipeline.plan import micro_rows

    recipe, settings = plan.recipe, plan.recipe.data
    streaming, train = settings.streaming, recipe.train
    assert isinstance(streaming, StreamSettings) and isinstance(recipe.model.max_tokens, int)
    rows, ledger = open_stream(settings.source, plan.where), Ledger(folder)
    memory, facts = _beginning(plan, rows, ledger)
    audit = _audit(plan, memory)
    for known, conflicting in ledger.remembered():
        memory.remember(known, conflicting)
    feed = Feed(
        first=plan.train[1].pieces,
        rows=rows,
        behind=Mark(**facts["behind"]),
        audit=audit,
        ledger=ledger,
        shuffle=Shuffle(streaming.buffer_rows, train.batch_size, micro_rows(train), train.bucket, recipe.seed),
        encode=Encoder(recipe.task, plan.base.tokenizer, recipe.model.max_tokens),
        cuts=Cuts(recipe.task, plan.base.tokenizer, recipe.model.max_tokens),
        epoch_rows=facts["epoch_rows"],
        workers=streaming.workers,
    )
    yield from feed.steps(position)


@dataclass(frozen=True)
class Encoder:
    """Rows -> model inputs; can be handed to another process."""

    task: Task
    tokenizer: Any
    max_tokens: int

    def __call__(self, rows: Sequence[Row]) -> list[Encoded]:
        return self.task.encode(rows, self.tokenizer, self.max_tokens) if rows else []


@dataclass(frozen=True)
class Cuts:
    """Rows and what was encoded of them -> what was cut, as ``data.json`` tells it of a split."""

    task: Task
    tokenizer: Any
    max_tokens: int

    def __call__(self, rows: Sequence[Row], encoded: Sequence[Encoded]) -> dict[str, Any]:
        found: dict[str, Any] = truncation(self.task, self.tokenizer, {"train": (rows, encoded)}, self.max_tokens, "")["splits"]["train"]
        return found


def with_stream(facts: Mapping[str, Any], run: Path, plan: Plan, epochs: float) -> dict[str, Any]:
    """``data.json`` with what was streamed so far.

    Args:
        facts: of the prepared rows.
        run: its folder.
        plan: of the run.
        epochs: passes over the source.
    """
    from tunewright.data.streams.ledger import Ledger, added
    from tunewright.data.streams.stream import open_stream

    settings, streaming = plan.recipe.data, plan.recipe.data.streaming
    assert isinstance(streaming, StreamSettings)
    ledger = Ledger(run / FOLDER)
    streamed = ledger.facts()
    files = open_stream(settings.source, plan.where).files
    train, rows = facts["splits"]["train"], facts["rows"]
    truncated = facts["truncation"]
    looked = ledger.beginning()["rules"]
    return {
        **facts,
        "rows": added(rows, streamed["rows"]),
        "splits": {**facts["splits"], "train": added(train, {"rows": streamed["rows"]["kept"], "labels": streamed["labels"]})},
        "truncation": {
            **truncated,
            "splits": {**truncated["splits"], "train": added(truncated["splits"]["train"], streamed["cuts"])},
        },
        "findings": [*facts["findings"], *streamed["findings"], _told(streamed, train["rows"], looked["first"], epochs)],
        "stream": {
            **streaming.model_dump(),
            "files": [{"name": file.name, "bytes": file.bytes} for file in files],
            "prepared": {"train": train["rows"], "read": rows["read"]},
            "blocks": streamed["blocks"],
            "rows": streamed["rows"],
            "epochs": round(epochs, 4),
            "rules": looked,
        },
    }


def _told(streamed: Mapping[str, Any], prepared: int, first_alone: Sequence[str], epochs: float) -> dict[str, Any]:
    """What the report says of a stream."""
    rows = streamed["rows"]
    removed = ", ".join(f"{count:,} {rule}" for rule, count in sorted(rows["by_rule"].items()))
    alone = f"; these rules need a whole table and looked at the first rows alone: {', '.join(first_alone)}" if first_alone else ""
    return {
        "rule": "streamed",
        "severity": "info",
        "message": f"trained on {prepared:,} prepared rows and on a stream behind them, of which {rows['read']:,} rows were read, "
        f"{rows['kept']:,} kept and {rows['quarantined']:,} quarantined{f' ({removed})' if removed else ''}; the baselines learn from the "
        f"prepared rows alone{alone}.",
        "remedy": "Leave data.streaming out to have every rule look at every row",
        "recipe": "",
        "action": "keep",
        "rows": 0,
        "shown": [],
    }


def finish(run: Path) -> None:
    """Let go of what only a run that goes on needs of its stream."""
    from tunewright.data.streams.ledger import Ledger

    Ledger(run / FOLDER).finish()


def _audit(plan: Plan, memory: Memory) -> BlockAudit:
    from tunewright.data.audit.apply import chosen
    from tunewright.data.streams.blocks import BlockAudit
    from tunewright.pipeline.services import services_for

    settings, dataset = plan.recipe.data, plan.dataset
    rules = chosen(settings.rules, settings.policy, plan.where)
    services = services_for(plan.recipe, plan.where)
    return BlockAudit(rules, dataset.task, dataset.manifest["columns"], memory, bool(_made(settings)), services)


def _beginning(plan: Plan, rows: RowStream, ledger: Ledger) -> tuple[Memory, dict[str, Any]]:
    """What is remembered of the first rows, and what the ledger says of them.

    The test split of the dataset stays closed while a run trains: rows that were made into a split are those of the first rows that are
    neither in train nor in the quarantine.

    Raises:
        UserError: the first rows are not those with which the run was begun.
    """
    import numpy as np

    from tunewright.data.audit.apply import chosen
    from tunewright.data.audit.on_the_fly import HeldOut, Memory, marks, where_it_looks
    from tunewright.data.streams.blocks import content, must_be

    settings, dataset = plan.recipe.data, plan.dataset
    streaming = settings.streaming
    assert isinstance(streaming, StreamSettings)
    nothing = np.zeros(0, dtype=np.uint64)
    memory = Memory(_labels(dataset), HeldOut(nothing, nothing), streaming.remember_rows, _group_column(settings, dataset))
    audit = _audit(plan, memory)
    first = rows.first(streaming.first_rows)
    looked = audit.looked(first)
    if ledger.begun:
        must_be(looked, ledger.beginning()["content"])
    in_train, gone = (_among(looked, table) for table in (dataset.rows("train"), dataset.quarantine))
    memory.remember(marks(audit.repaired(looked.only(in_train))), set())
    memory.held_out = _held_out(plan, audit, looked.only(~in_train & ~gone))
    if not ledger.begun:
        looks = where_it_looks(chosen(settings.rules, settings.policy, plan.where), memory)
        kinds = {kind: [name for name, one in looks.items() if one == kind] for kind in ("row", "remembered", "block", "first")}
        facts = {"behind": vars(first.end), "content": content(looked), "epoch_rows": plan.epoch_rows, "rules": kinds}
        ledger.begin(facts)
    return memory, ledger.beginning()


def _labels(dataset: Dataset) -> dict[str, int]:
    """Every label that was learned -> its prepared training rows."""
    counts = dataset.summary()["splits"]["train"]["labels"]
    return {name: counts.get(name, 0) for name in getattr(dataset.task, "labels", None) or ()}


def _group_column(settings: DataSettings, dataset: Dataset) -> str | None:
    """What the column of ``data.split.group`` is called where roles have their own names."""
    columns: dict[str, str] = dataset.manifest["columns"]
    return next((role for role, column in columns.items() if column == settings.split.group), settings.split.group)


def _among(looked: Looked, table: Any) -> np.ndarray:
    """(rows,) bool: which rows were read where those of a table were."""
    import numpy as np

    places = {(row["_file"], row["_row"]) for row in table.select(["_file", "_row"]).to_pylist()}
    mine = zip(looked.rows["_file"].to_pylist(), looked.rows["_row"].to_pylist(), strict=True)
    return np.fromiter((place in places for place in mine), dtype=bool, count=len(looked))


def _held_out(plan: Plan, audit: BlockAudit, made: Looked) -> HeldOut:
    """What the validation and test rows are known by: as they were read, and with the repairs of the recipe.

    Args:
        plan: of the run.
        audit: gives rows the names of their roles, and repairs them.
        made: the first rows that were made into a split; none where the source names both.
    """
    import numpy as np
    import pyarrow as pa

    from tunewright.data.audit.on_the_fly import HeldOut, group_hashes, text_hashes
    from tunewright.data.read import read
    from tunewright.data.source import found
    from tunewright.data.streams.stream import Block, Mark

    settings = plan.recipe.data
    source, group = settings.source, _group_column(settings, plan.dataset)
    given = [source[name] for name in SPLITS[1:] if isinstance(source, Mapping) and name in source]
    parts = [audit.looked(Block(Mark(), Mark(), read(found(one, plan.where)).rows, ())) for one in given]
    parts += [made] if _made(settings) else []
    repaired = [audit.repaired(part) for part in parts]
    nothing = np.zeros(0, dtype=np.uint64)
    texts = np.unique(np.concatenate([nothing, *map(text_hashes, [*parts, *repaired])]))
    groups = [nothing] if group is None else [nothing, *(group_hashes(part.rows[group]) for part in parts)]
    roles = made.text_roles
    near = pa.concat_tables([part.rows.select(roles) for part in repaired]) if sum(map(len, parts)) <= NEAR_ROWS else None
    return HeldOut(texts, np.setdiff1d(np.concatenate(groups), np.zeros(1, dtype=np.uint64)), near)
