"""The verb ``review labels``: a sheet of the rows whose label is most doubtful, and a new version with what a person corrected there."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tunewright.core.errors import UserError
from tunewright.core.folder import file_hash, read_json, read_lines, text_hash, tree_hashes, whole, write_json
from tunewright.core.schema import SPLITS, Place
from tunewright.pipeline.datasets import named, opened
from tunewright.review.labels import Correction, Line, Reviewed, places, reviewed, write

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

    from tunewright.data.audit.label_noise import LabelNoise
    from tunewright.data.dataset import Content, Dataset
    from tunewright.review.dynamics import Dynamics
    from tunewright.tasks.base import Role

RULE = "label-noise"
CORRECTIONS = "corrections.parquet"
ROWS = 200
"""Of a sheet, where nobody says how many; more where the rule finds more labels wrong."""


def sheet(
    name: str,
    root: Path,
    path: Path | None,
    rows: int | None,
    include_test: bool = False,
    overwrite: bool = False,
    run: str | None = None,
) -> dict[str, Any]:
    """Write the rows whose label is most doubtful to a sheet, the most doubtful first.

    Every row is judged by all others of the dataset as it stands, so that a corrected version gives a new list.

    Args:
        name: as ``data show`` takes it.
        root: the folder ``datasets`` of an ``output_dir``.
        path: of the sheet, ``.csv`` or ``.xlsx``; None: ``<name>-labels.csv`` in the working directory.
        rows: how many; left out, 200, or all that the rule finds wrong if they are more.
        include_test: whether rows of the test split stand in the sheet; otherwise its file is not opened.
        overwrite: whether a sheet that stands there may be lost.
        run: that was trained on this version of the dataset, by its folder or name: how it learned its training rows counts too, and is
            told in the column ``training``.

    Raises:
        UserError: there is no such dataset or run, the run was trained on something else or did not watch its rows, nothing of the dataset
            can be judged, or the sheet stands there already.
    """
    import numpy as np

    from tunewright.review.dynamics import doubted

    dataset = opened(named(name, root)[0])
    path = path or Path(f"{dataset.name}-labels.csv")
    if path.suffix.lower() not in {".csv", ".xlsx"}:
        raise UserError(f"--sheet {path} is neither .csv nor .xlsx", "", f"As in: --sheet {path.stem or 'labels'}.xlsx")
    if path.exists() and not overwrite:
        raise UserError(f"{path} is there already", "Corrections may stand in it", "Name another file with --sheet, or add --overwrite")
    if rows is not None and rows < 1:
        raise UserError(f"--rows {rows} shows nothing", "A number from 1 on is wanted", "As in: --rows 200")
    label = _label_role(dataset)
    splits = [split for split in SPLITS if split != "test" or include_test]
    table, split = _rows(dataset, splits)
    rule = _rule(dataset)
    judged = rule.judged(_looked(dataset, table, split, root))
    if judged is None:
        raise UserError(
            f"the labels of {dataset.name} cannot be weighed",
            "At least 100 rows with a text and a label are wanted, and two labels with five rows or more",
            "Collect more rows",
        )
    learned = _learned(run, root, dataset, len(table)) if run else None
    score = doubted(judged.score, learned.of(judged.rows)) if learned else judged.score
    told = judged.flagged & (judged.score >= rule.sure)
    order = np.argsort(-score, kind="stable")
    order = np.concatenate([order[told[order]], order[~told[order]]])[: rows or max(ROWS, int(told.sum()))]
    order = order[np.argsort(-score[order], kind="stable")]
    chosen = judged.rows[order]
    shown = _lines(table, chosen.tolist(), [SPLITS[at] for at in split[chosen].tolist()], label.name, _texts(dataset))
    lines = [
        replace(line, score=float(score[at]), suggested=tuple(judged.suggestion(at)), training=learned.said(row) if learned else None)
        for line, at, row in zip(shown, order.tolist(), chosen.tolist(), strict=True)
    ]
    write(path, lines, _known(dataset), label.kind == "labels")
    return {
        "name": dataset.name,
        "version": dataset.version,
        "sheet": str(path),
        "rows": len(lines),
        "found_wrong": int(told.sum()),
        "judged": len(judged.rows),
        "by": judged.by + (f", and by how {run} learned its training rows" if run else ""),
        "splits": splits,
    }


def apply(name: str, root: Path, path: Path, include_test: bool = False) -> dict[str, Any]:
    """Write a new version of a dataset with the labels that a person has written to a sheet.

    Rows, splits and findings stay; ``corrections.parquet`` lists each changed label, and ``history`` in the manifest tells where the
    version comes from.

    Args:
        name: as ``data show`` takes it; the version that the sheet was written from.
        root: the folder ``datasets`` of an ``output_dir``.
        path: of the sheet.
        include_test: whether labels of the test split are corrected too.

    Returns:
        ``folder`` and ``version`` are null where nothing was to be changed.

    Raises:
        UserError: there is no such dataset or sheet, or a line of the sheet fits no row or names no label.
    """
    dataset = opened(named(name, root)[0])
    dataset.verify()
    table, split = _rows(dataset, SPLITS)
    found = _read(path, dataset, table, split)
    mine = [one for one in found.corrections if one.line.split != "test" or include_test]
    facts = {
        "name": dataset.name,
        "from": dataset.version,
        "changed": len(mine),
        "confirmed": found.confirmed,
        "empty": found.empty,
        "left_in_test": len(found.corrections) - len(mine),
        "version": None,
        "folder": None,
    }
    if not mine:
        return facts
    made = _written(dataset, table, split, mine, file_hash(path))
    return {**facts, "version": made.version, "folder": str(made.folder)}


def told_of_sheet(facts: Mapping[str, Any]) -> str:
    """What ``sheet`` gave, in words."""
    left = "" if "test" in facts["splits"] else " The test split was not opened; --include-test adds its rows."
    return (
        f"{facts['sheet']}: the {facts['rows']:,} most doubtful of {facts['judged']:,} rows of {facts['name']}/{facts['version']}, "
        f"judged by {facts['by']}; {facts['found_wrong']:,} of them {'is' if facts['found_wrong'] == 1 else 'are'} probably wrong.{left}\n"
        "Write the right label under 'corrected' where the label is wrong, and leave the other cells as they are.\n"
        f"Next: tunewright review labels {facts['name']}/{facts['version']} --apply {facts['sheet']}"
    )


def told_of_apply(facts: Mapping[str, Any]) -> str:
    """What ``apply`` gave, in words."""
    from tunewright.report.words import plural

    left = facts["left_in_test"]
    lines = [f"Written again as they are: {plural(facts['confirmed'], 'label')}."] if facts["confirmed"] else []
    if left:
        lines.append(f"Left out, because the test split is locked: {plural(left, 'correction')} in it. Add --include-test to make them.")
    if facts["folder"] is None:
        empty = f"Nothing to do: nothing stands under 'corrected' in {plural(facts['empty'], 'line')} of the sheet."
        return "\n".join([empty, *lines, f"Next: fill in 'corrected', then tunewright review labels {facts['name']} --apply SHEET"])
    lines.insert(
        0,
        f"{plural(facts['changed'], 'label')} of {facts['name']}/{facts['from']} changed; {plural(facts['empty'], 'line')} stayed empty.",
    )
    lines.append(
        f"{facts['folder']}\nNext: train with it, by this line of a recipe (and no other data keys):\ndata: {{source: {facts['folder']}}}"
    )
    return "\n".join(lines)


def _read(path: Path, dataset: Dataset, table: pa.Table, split: np.ndarray) -> Reviewed:
    """The sheet, held against the rows of the dataset."""
    from tunewright.data.origins import Origins
    from tunewright.data.read import read

    label = _label_role(dataset)
    sheet = read(str(path))
    if sheet.bad:
        first = sheet.bad[0]
        raise UserError(
            f"{len(sheet.bad)} line(s) of {path} cannot be read; the first, line {first.row + 2}: {first.reason}",
            "",
            "Save the sheet again from the program that you filled it in with",
        )
    own = {column: column.strip().lower() for column in sheet.rows.column_names if not column.startswith("_")}
    cells = [{name: row[column] for column, name in own.items()} for row in sheet.rows.to_pylist()]
    wanted = places(cells, path.name)
    asked = list(dict.fromkeys(Place(file=place[0], row=place[1]) for place in wanted if place))
    there = [at for at in Origins.of(table).find(asked) if at is not None]
    lines = _lines(table, there, [SPLITS[at] for at in split[there].tolist()], label.name, _texts(dataset))
    return reviewed(cells, {(line.file, line.row): line for line in lines}, _known(dataset), label.kind == "labels", path.name)


def _written(dataset: Dataset, table: pa.Table, split: np.ndarray, corrections: Sequence[Correction], sheet: str) -> Dataset:
    """The new version, beside the old one."""
    import pyarrow.parquet as pq

    from tunewright.data.dataset import Dataset, is_prepared
    from tunewright.data.dataset import write as write_dataset

    changes = [[one.line.file, one.line.row, *sorted(one.new)] for one in corrections]
    fingerprint = text_hash(dataset.fingerprint, json.dumps(sorted(changes, key=json.dumps), ensure_ascii=False))
    place = dataset.folder.parent / fingerprint[:12]
    if is_prepared(place):
        made = Dataset.open(place)
        made.verify()
        return made
    content = _content(dataset, table, split, corrections, fingerprint)
    listed = _corrections_table(corrections, _label_role(dataset))
    with whole(place) as half:
        write_dataset(content, half)
        pq.write_table(listed, half / CORRECTIONS, compression="zstd")
        manifest = Dataset.open(half).manifest
        step = {"from": dataset.version, "by": "review labels", "sheet_sha256": sheet, "rows_changed": len(corrections)}
        history = [*dataset.manifest.get("history", []), step]
        (half / "manifest.json").unlink()
        write_json(half / "manifest.json", {**manifest, "history": history, "files": tree_hashes(half)})
    return Dataset.open(place)


def _content(dataset: Dataset, table: pa.Table, split: np.ndarray, corrections: Sequence[Correction], fingerprint: str) -> Content:
    """What the new version holds: the same rows with other labels."""
    import numpy as np
    import pyarrow as pa

    from tunewright.data.dataset import Content
    from tunewright.data.origins import Origins
    from tunewright.data.shelf import replaced

    label, manifest = _label_role(dataset), dataset.manifest
    found = Origins.of(table).find([Place(file=one.line.file, row=one.line.row) for one in corrections])
    rows = np.array([at for at in found if at is not None])
    order = np.argsort(rows)
    new = [list(corrections[at].new) if label.kind == "labels" else corrections[at].new[0] for at in order.tolist()]
    column = table.column_names.index(label.name)
    values = pa.array(new, table.schema.field(label.name).type)
    table = table.set_column(column, label.name, replaced(table[label.name], rows[order], values))
    return Content(
        name=dataset.name,
        fingerprint=fingerprint,
        task=dataset.task,
        seed=manifest["seed"],
        settings=manifest["settings"],
        columns=manifest["columns"],
        roles=manifest["roles"],
        kept=table,
        split=split,
        quarantine=dataset.quarantine,
        findings=dataset.findings,
        summary=_summary(dataset, table, split),
    )


def _summary(dataset: Dataset, table: pa.Table, split: np.ndarray) -> dict[str, Any]:
    """The summary of the old version, with the labels counted again."""
    looked = _looked(dataset, table, split, None)
    counts = [looked.label_counts(split == at) for at in range(len(SPLITS))]
    old: dict[str, Any] = dataset.manifest["summary"]
    return {
        **old,
        "splits": {name: {**old["splits"][name], "labels": labels} for name, labels in zip(SPLITS, counts, strict=True)},
        "never_trained": {name: count for name, count in counts[SPLITS.index("test")].items() if name not in counts[0]},
    }


def _corrections_table(corrections: Sequence[Correction], label: Role) -> pa.Table:
    import pyarrow as pa

    kind = pa.list_(pa.string()) if label.kind == "labels" else pa.string()

    def cell(names: Sequence[str]) -> Any:
        return list(names) if label.kind == "labels" else names[0] if names else None

    return pa.table(
        {
            "split": pa.array([one.line.split for one in corrections], pa.string()),
            "file": pa.array([one.line.file for one in corrections], pa.string()),
            "row": pa.array([one.line.row for one in corrections], pa.int64()),
            "old": pa.array([cell(one.line.label) for one in corrections], kind),
            "new": pa.array([cell(one.new) for one in corrections], kind),
        }
    )


def _rows(dataset: Dataset, splits: Sequence[str]) -> tuple[pa.Table, np.ndarray]:
    """The rows of several splits as one table, and the split of each as an index into ``SPLITS``."""
    import numpy as np
    import pyarrow as pa

    tables = [dataset.rows(split) for split in splits]
    at = np.repeat([SPLITS.index(split) for split in splits], [len(table) for table in tables])
    return pa.concat_tables(tables), at


def _looked(dataset: Dataset, table: pa.Table, split: np.ndarray, root: Path | None) -> Any:
    """The rows as a rule looks at them, with the encoder where vectors may be kept under ``root``."""
    import numpy as np

    from tunewright.data.audit.base import Looked, Services
    from tunewright.pipeline.services import encoder_services

    services = Services() if root is None else encoder_services(root / ".cache")
    return Looked(table, _roles(dataset), split, (), np.arange(len(table)), services=services)


def _learned(run: str, root: Path, dataset: Dataset, rows: int) -> Dynamics:
    """How a run learned its training rows, which are the first of ``rows``; of the others it tells nothing.

    Raises:
        UserError: there is no such run, it was trained on something else, or it did not watch its rows.
    """
    from tunewright.pipeline.runs import find
    from tunewright.review.dynamics import FILE, dynamics

    folder = find(run, str(root.parent))
    data = read_json(folder / "data.json")
    if (data["name"], data["version"]) != (dataset.name, dataset.version):
        raise UserError(
            f"{folder} was trained on {data['name']}/{data['version']}, not on {dataset.name}/{dataset.version}",
            "What a training tells of its rows holds for that version alone",
            f"As in: tunewright review labels {data['name']}/{data['version']} --run {run}",
        )
    lines = read_lines(folder / FILE)
    if not lines:
        raise UserError(
            f"{folder} has no {FILE}: it did not watch its rows",
            "A run with train.watch_rows that trained on labels, and not on a stream, has it",
            "Train again with train.watch_rows: true, or leave --run out",
        )
    try:
        return dynamics(lines, rows)
    except ValueError as error:
        raise UserError(f"{folder / FILE} is damaged: {error}", "", "Train again, or leave --run out") from error


def _rule(dataset: Dataset) -> LabelNoise:
    """The rule with the settings that the dataset was prepared with."""
    from tunewright.data.audit.label_noise import LabelNoise

    settings: Mapping[str, Any] = dataset.manifest["settings"].get("audit", {}).get(RULE, {})
    return LabelNoise.read({key: value for key, value in settings.items() if key != "policy"})


def _roles(dataset: Dataset) -> tuple[Role, ...]:
    there = dataset.manifest["roles"]
    return tuple(role for role in dataset.task.roles() if role.name in there)


def _label_role(dataset: Dataset) -> Role:
    label = next((role for role in _roles(dataset) if role.kind in {"label", "labels"}), None)
    if label is None:
        raise UserError(f"the rows of {dataset.name} have no labels", "", "review labels is for classification")
    return label


def _texts(dataset: Dataset) -> list[str]:
    return [role.name for role in _roles(dataset) if role.kind == "text"]


def _known(dataset: Dataset) -> list[str]:
    return list(getattr(dataset.task, "labels", None) or ())


def _lines(table: pa.Table, rows: Sequence[int], splits: Sequence[str], label: str, texts: Sequence[str]) -> list[Line]:
    """The rows with these numbers as a sheet shows them."""
    lines = []
    for at, split in zip(rows, splits, strict=True):
        row = table.slice(int(at), 1).select([*texts, label, "_file", "_row"]).to_pylist()[0]
        names = row[label] if isinstance(row[label], list) else [row[label]]
        text = " | ".join("" if row[name] is None else str(row[name]) for name in texts)
        lines.append(Line(row["_file"], row["_row"], split, text, tuple(str(name) for name in names if name is not None)))
    return lines
