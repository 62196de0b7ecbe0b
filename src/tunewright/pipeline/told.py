"""What ``check`` found, in words for the terminal."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

LABELS_SHOWN = 12
GB = 1e9


def data(facts: Mapping[str, Any]) -> str:
    """The data in words: rows, splits, labels, and every finding with its rows, remedy and recipe line."""
    rows = facts["rows"]
    removed = ", ".join(f"{count:,} {rule}" for rule, count in sorted(rows["by_rule"].items())) or "none"
    lines = [f"Data: {rows['read']:,} rows read, {rows['kept']:,} kept, {rows['quarantined']:,} removed ({removed})"]
    for split, one in facts["splits"].items():
        shown = ", ".join(
            f"{name} {count:,} ({count / max(one['rows'], 1):.0%})" for name, count in list(one["labels"].items())[:LABELS_SHOWN]
        )
        rest = len(one["labels"]) - LABELS_SHOWN
        lines.append(f"  {split}: {one['rows']:,} rows: {shown}" + (f" and {rest} labels more" if rest > 0 else ""))
    for one in facts["findings"]:
        lines.append(f"  {one['severity']}: {one['rule']}: {one['message']}")
        lines += [f"      {shown['file']} row {shown['row']}: {' '.join(shown['text'].split())[:100]}" for shown in one["shown"][:3]]
        lines.append(f"      {one['remedy']}" + (f" (recipe: {one['recipe']})" if one["recipe"] else ""))
    if facts["refused"]:
        lines.append(f"  The recipe refuses what was found: {', '.join(facts['refused'])}. A run will stop there with exit status 3")
    return "\n".join(lines)


def model(facts: Mapping[str, Any]) -> str:
    """Truncation, settings and the estimate in words."""
    return "\n".join(
        [
            *_told_cuts(facts["truncation"]),
            *_told_choices(facts),
            *_told_estimate(facts["estimate"]),
            *(f"Warning: {one}" for one in facts["warnings"]),
        ]
    )


def _told_cuts(cuts: Mapping[str, Any]) -> Iterator[str]:
    yield f"Length: the model sees {cuts['max_tokens']} tokens of a row ({cuts['why']})"
    for split, one in cuts["splits"].items():
        counted = " (counted only, nothing else is looked at)" if split == "test" else ""
        yield f"  {split}: {one['rows_cut']:,} of {one['rows']:,} rows are cut, {one['tokens_cut']:,} of {one['tokens']:,} tokens{counted}"
        worst = sorted(one["labels"].items(), key=lambda item: -item[1]["rows_cut"])[:5]
        if worst:
            yield "      by label: " + ", ".join(f"{name} {cut['rows_cut']:,} rows ({cut['tokens_cut']:,} tokens)" for name, cut in worst)


def _told_choices(facts: Mapping[str, Any]) -> Iterator[str]:
    settings, reasons = facts["settings"], facts["reasons"]
    rate, precision = (reasons.get(f"train.{name}", "yours") for name in ("learning_rate", "precision"))
    yield f"Settings: method {settings['method']}, learning rate {settings['learning_rate']:g} ({rate})"
    yield f"  {settings['precision']} ({precision}), best by {settings['best_by']}"
    for one in facts["choices"]:
        mark = "*" if one.get("chosen") else " "
        if "trainable" in one:
            memory, disk = one["training_bytes"] / GB, one["checkpoint_bytes"] / GB
            yield f"  {mark} method {one['value']}: trains {one['trainable']:,} of {one['parameters']:,} weights; " + (
                f"{memory:.2f} GB for weights and optimizer, {disk:.2f} GB per checkpoint"
            )
        else:
            means = one.get("means") or f"not measured: {one['not_measured']}"
            yield f"  {mark} {one['setting'].removeprefix('model.')} {one['value']}: {means}"


def _told_estimate(found: Mapping[str, Any]) -> Iterator[str]:
    yield f"Model: {found['parameters']:,} weights, {found['trainable']:,} of them trained"
    if isinstance(found["train_seconds"], dict):
        yield f"Time and memory: not measured: {found['train_seconds']['not_measured']}"
        return
    yield (
        f"Time: about {_duration(found['train_seconds'])} of training: {found['steps']:,} steps of {found['step_seconds']:.2f} s, "
        f"{found['evaluations']} looks at the validation rows of {found['evaluation_seconds']:.1f} s"
    )
    yield (
        f"  about {_duration(found['total_seconds'])} with loading, proof and scoring "
        f"(from {found['timed_steps']} timed steps; stopping early makes it shorter)"
    )
    yield f"Memory: about {found['memory_bytes'] / GB:.2f} GB at most; {found['checkpoint_bytes'] / GB:.2f} GB of disk per checkpoint"


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
