"""What a person reads in the terminal when a verb has ended, from the files it wrote."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tunewright.core.folder import read_json
from tunewright.core.schema import Score

SHOWN = ("accuracy", "subset_accuracy", "balanced_accuracy", "f1_micro", "f1_macro", "f1_weighted", "mcc", "log_loss")


def summary(run: Path) -> str:
    """Scores with intervals beside the baselines, the verdict, the proof, and where the files are."""
    metrics, manifest = read_json(run / "metrics.json"), read_json(run / "manifest.json")
    asides = {"difference", "verdict", "worth_it", "not_measured"}
    baselines = {name: scores for name, scores in metrics["baselines"].items() if name not in asides}
    head = ["", "test", *baselines]
    lines = [
        [name, _score(metrics["test"][name]), *(_score(scores.get(name)) for scores in baselines.values())]
        for name in SHOWN
        if name in metrics["test"]
    ]
    extra = sorted(name for name in metrics["test"] if name not in SHOWN and "/" not in name)
    lines += [[name, _score(metrics["test"][name]), *(_score(scores.get(name)) for scores in baselines.values())] for name in extra]
    proof, served = metrics["proof"], manifest["served"]
    told = [_table([head, *lines]), ""]
    if "verdict" in metrics["baselines"]:
        told.append(metrics["baselines"]["verdict"])
    if "rows" in proof:
        told.append(
            f"Proof: loaded by {proof['loaded_with']} alone, {proof['same_labels']} of {proof['rows']} rows get the same answer; "
            f"they differ by {proof['largest_difference']:.1e} at most."
        )
    told.append(f"Served: checkpoint {served['step']}, sha256 {served['sha256'][:12]}, in {run / 'model'}")
    return "\n".join(told)


def data_summary(facts: Mapping[str, Any]) -> str:
    """Rows read, kept and removed, the splits, why their sizes are not those that were wanted, and every finding in a line."""
    rows = facts["rows"]
    removed = ", ".join(f"{number} {rule}" for rule, number in sorted(rows["by_rule"].items())) or "none"
    told = [
        f"{rows['read']} rows read, {rows['kept']} kept, {rows['quarantined']} in quarantine ({removed})",
        "splits: " + ", ".join(f"{split} {one['rows']}" for split, one in facts["splits"].items()),
    ]
    told += [f"of the splits: {note}" for note in facts["split"].get("notes") or ()]
    told += [f"{one['severity']}: {one['rule']}: {one['message']}" for one in facts["findings"]]
    return "\n".join(told)


def _score(value: Mapping[str, Any] | None) -> str:
    if not value or "value" not in value:
        return ""
    score = Score(**value)
    return f"{score.value:.3f} [{score.low:.3f}, {score.high:.3f}]"


def _table(lines: list[list[str]]) -> str:
    widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
    return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines)
