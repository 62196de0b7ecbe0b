"""The verbs ``data list``, ``show``, ``verify`` and ``rules``: prepared datasets, their versions, and the audit rules."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tunewright.core.errors import ProofFailed, UserError, hint

if TYPE_CHECKING:
    from tunewright.data.dataset import Dataset

PREPARE = "Prepare one: tunewright prepare RECIPE"


def versions(root: Path) -> list[dict[str, Any]]:
    """Every version of every dataset below ``root``, by name, the newest first; one that cannot be opened says why.

    Args:
        root: the folder ``datasets`` of an ``output_dir``.
    """
    return [_line(folder) for folder in _folders(root)]


def show(name: str, root: Path) -> dict[str, Any]:
    """What is known of one version: rows, splits, labels, findings, settings. Opens no split.

    Args:
        name: ``NAME``, which means its newest version; ``NAME/VERSION`` (its first letters do); or a folder.
        root: the folder ``datasets`` of an ``output_dir``.

    Raises:
        UserError: there is none of that name, or its manifest is damaged.
    """
    dataset = _open(_found(name, root)[0])
    manifest = dataset.manifest
    return {
        **dataset.summary(),
        "fingerprint": dataset.fingerprint,
        "settings": manifest["settings"],
        "seed": manifest["seed"],
        "bytes": _bytes(dataset.folder),
    }


def verify(name: str, root: Path) -> list[dict[str, Any]]:
    """Compare every file of a dataset with the hashes of its manifest; of all its versions, where none is named.

    Raises:
        UserError: there is none of that name.
        ProofFailed: naming every version and file that is damaged.
    """
    told, damaged = [], []
    for folder in _found(name, root):
        try:
            dataset = _open(folder)
            dataset.verify()
            told.append(
                {
                    "name": dataset.name,
                    "version": dataset.version,
                    "folder": str(folder),
                    "files": sum(one != "README.md" for one in dataset.manifest["files"]),
                }
            )
        except UserError as error:
            damaged.append(error.found)
    if damaged:
        raise ProofFailed(
            "; ".join(damaged),
            "The files of a dataset never change after they were written",
            "Prepare the dataset again from its source: tunewright prepare RECIPE",
        )
    return told


def rules() -> list[dict[str, Any]]:
    """Every audit rule, in the order in which they look: at what, what it costs, its policies and its remedy."""
    from tunewright.data.audit import RULES

    found = []
    for name in RULES.places():
        rule = RULES.get(name)
        found.append(
            {
                "rule": name,
                "finds": (rule.__doc__ or "").strip().splitlines()[0],
                "looks_at": list(rule.looks_at),
                "tasks": list(rule.tasks),
                "default": rule.default,
                "policies": list(rule.policies),
                "severity": rule.severity,
                "cost": rule.cost,
                "remedy": rule.remedy,
                "recipe": rule.recipe,
            }
        )
    return found


def told(facts: Mapping[str, Any]) -> str:
    """What ``show`` gave, in words."""
    from tunewright.pipeline.summary import data_summary

    sources = ", ".join(f"{one['name']} ({one['rows']:,} rows)" for one in facts["sources"])
    lines = [
        f"{facts['name']}/{facts['version']} in {facts['folder']} ({facts['bytes'] / 1e6:.1f} MB)",
        f"made from {sources}",
        "columns: " + ", ".join(f"{role} = {column}" for role, column in facts["columns"].items()),
        data_summary(facts),
    ]
    lines += [f"labels in {split}: " + _labels(one["labels"]) for split, one in facts["splits"].items()]
    return "\n".join(lines)


def _labels(counts: Mapping[str, int]) -> str:
    shown = ", ".join(f"{name} {count:,}" for name, count in list(counts.items())[:12])
    return shown + (f" and {len(counts) - 12} more" if len(counts) > 12 else "") if counts else "none"


def _folders(root: Path) -> Iterator[Path]:
    from tunewright.data.dataset import is_prepared

    names = sorted(one for one in root.iterdir() if one.is_dir()) if root.is_dir() else []
    for name in names:
        found = [one for one in name.iterdir() if one.is_dir() and not one.name.startswith(".") and is_prepared(one)]
        yield from sorted(found, key=lambda one: (-one.stat().st_mtime, one.name))


def _found(name: str, root: Path) -> list[Path]:
    """The folders that a name means, the newest first."""
    if (Path(name) / "manifest.json").is_file():
        return [Path(name)]
    wanted, _, version = name.partition("/")
    every = list(_folders(root))
    mine = [folder for folder in every if folder.parent.name == wanted and folder.name.startswith(version)]
    if version and len(mine) > 1:
        raise UserError(f"{name} is the beginning of {len(mine)} versions", "", f"Give more letters: {', '.join(one.name for one in mine)}")
    if not mine:
        known = [f"{one.parent.name}/{one.name}" if version else one.parent.name for one in every]
        raise UserError(
            f"there is no dataset {name} in {root}", hint(name, set(known)) if known else "There is no dataset at all there", PREPARE
        )
    return mine


def _open(folder: Path) -> Dataset:
    from tunewright.data.dataset import Dataset

    return Dataset.open(folder)


def _line(folder: Path) -> dict[str, Any]:
    try:
        facts = _open(folder).summary()
    except (UserError, KeyError, TypeError) as error:
        return {"name": folder.parent.name, "version": folder.name, "folder": str(folder), "damaged": str(error)}
    return {
        "name": facts["name"],
        "version": facts["version"],
        "folder": str(folder),
        "task": facts["task"],
        "rows": {split: one["rows"] for split, one in facts["splits"].items()},
        "labels": len(facts["labels"]),
        "quarantined": facts["rows"]["quarantined"],
        "findings": len(facts["findings"]),
        "bytes": _bytes(folder),
    }


def _bytes(folder: Path) -> int:
    return sum(one.stat().st_size for one in folder.rglob("*") if one.is_file())
