"""The dataset card: what a reader of the folder must know, and what the Hub needs to load it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import yaml

from tunewright.core.schema import SPLITS

_MOST_LABELS = 200
_SIZES = ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (1_000_000, "100K<n<1M"), (10_000_000, "1M<n<10M"))


def card(name: str, version: str, summary: Mapping[str, Any]) -> str:
    """``README.md`` of a dataset folder, in Markdown with the front matter of the Hub.

    Args:
        name: of the dataset.
        version: the name of its folder.
        summary: what was read, removed, found and split.
    """
    parts = (
        _front_matter(name, summary),
        f"# {name}\n\n{_opening(version, summary)}",
        _splits(summary),
        _labels(summary),
        _columns(summary),
        _cleaning(summary),
        _findings(summary),
        _limits(summary),
        _sources(summary),
    )
    return "\n\n".join(part.strip("\n") for part in parts if part) + "\n"


def _front_matter(name: str, summary: Mapping[str, Any]) -> str:
    kept = summary["rows"]["kept"]
    facts = {
        "pretty_name": name,
        "task_categories": [summary["task"]],
        "size_categories": [next((size for most, size in _SIZES if kept < most), "n>10M")],
        "tags": ["tunewright"],
        "configs": [{"config_name": "default", "data_files": [{"split": split, "path": f"{split}.parquet"} for split in SPLITS]}],
    }
    return f"---\n{yaml.safe_dump(facts, sort_keys=False, allow_unicode=True)}---"


def _opening(version: str, summary: Mapping[str, Any]) -> str:
    rows = summary["rows"]
    return (
        f"Prepared by tunewright for {summary['task']}, version `{version}`. {rows['read']:,} rows were read: {rows['kept']:,} are kept, "
        f"{rows['quarantined']:,} stand in `quarantine.parquet`, each with its reason.\n\n"
        '```python\nfrom datasets import load_dataset\n\nsplits = load_dataset("path/to/this/folder")\n```'
    )


def _splits(summary: Mapping[str, Any]) -> str:
    made, given = summary["split"]["made"], summary["split"]["given"]
    how = {split: "given" if split in given else f"made, {summary['split']['by']}, seed {summary['split']['seed']}" for split in SPLITS}
    if made:
        how["train"] += f"; what was left after making {' and '.join(made)}" if given else ""
    lines = [f"| {split} | {summary['splits'][split]['rows']:,} | {how[split]} |" for split in SPLITS]
    return "\n".join(["## Splits", "", "| split | rows | origin |", "| --- | ---: | --- |", *lines])


def _labels(summary: Mapping[str, Any]) -> str:
    counts = {split: summary["splits"][split]["labels"] for split in SPLITS}
    labels = list(dict.fromkeys([*counts["train"], *counts["validation"], *counts["test"]]))
    if not labels:
        return ""
    rows = [
        f"| {_cell(label)} | " + " | ".join(f"{counts[split].get(label, 0):,}" for split in SPLITS) + " |"
        for label in labels[:_MOST_LABELS]
    ]
    more = [f"\n{len(labels) - _MOST_LABELS:,} more labels stand in `manifest.json`."] if len(labels) > _MOST_LABELS else []
    return "\n".join(["## Labels", "", "| label | train | validation | test |", "| --- | ---: | ---: | ---: |", *rows, *more])


def _columns(summary: Mapping[str, Any]) -> str:
    lines = [f"- `{role}`: the column `{column}` of the source" for role, column in summary["columns"].items()]
    return "\n".join(
        ["## Columns", "", *lines, "- `_file`, `_row`: where the row was read; rows count from 0", "- any other column is the source's own"]
    )


def _cleaning(summary: Mapping[str, Any]) -> str:
    removed = [f"- {rule}: {count:,}" for rule, count in summary["rows"]["by_rule"].items()] or ["No row was removed."]
    return "\n".join(["## Removed rows", "", *removed])


def _findings(summary: Mapping[str, Any]) -> str:
    lines = []
    for finding in summary["findings"]:
        remedy = f"{finding['remedy'].rstrip('.')}." + (f" `{finding['recipe']}`" if finding["recipe"] else "")
        lines.append(f"- **{finding['rule']}** ({finding['severity']}, {finding['action']}): {_line(finding['message'])} *{remedy}*")
    told = ["Every row concerned stands in `findings.parquet`.", "", *lines] if lines else ["Nothing doubtful was found."]
    return "\n".join(["## Findings", "", *told])


def _limits(summary: Mapping[str, Any]) -> str:
    rows = summary["splits"]["test"]["rows"]
    points = 100 * 1.96 * math.sqrt(0.9 * 0.1 / rows)
    limits = [f"The test split has {rows:,} rows: an accuracy of 90 % measured on it is known to about ±{points:.1f} points."]
    if summary["test_without_label"]:
        limits.append(f"{summary['test_without_label']:,} rows of the given test split have no label and are not scored.")
    if summary["never_trained"]:
        count = sum(summary["never_trained"].values())
        limits.append(f"{count:,} rows of test have a label that no training row has; they count as mistakes.")
    limits += [
        f"{_line(finding['message'])} ({finding['rule']}, kept)"
        for finding in summary["findings"]
        if finding["severity"] == "error" and finding["action"] == "keep"
    ]
    limits.append("Licence, language and how the rows came to be are not known to the tool: complete this card before sharing the folder.")
    return "\n".join(["## Known limits", "", *(f"- {limit}" for limit in limits)])


def _sources(summary: Mapping[str, Any]) -> str:
    lines = [
        f"| {_cell(one['name'])} | {one['split'] or ''} | {one['rows']:,} | {one['format']} | `{one['sha256']}` |"
        for one in summary["sources"]
    ]
    return (
        "\n".join(["## Sources", "", "| file | split | rows | format | sha256 |", "| --- | --- | ---: | --- | --- |", *lines])
        if lines
        else ""
    )


def _cell(text: str) -> str:
    return _line(text).replace("|", "\\|")


def _line(text: str) -> str:
    return " ".join(text.split())
