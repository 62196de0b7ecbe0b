"""The verbs ``data list``, ``show``, ``verify`` and ``rules``: prepared datasets, their versions, and the audit rules."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tunewright.core.errors import ProofFailed, UserError, hint

if TYPE_CHECKING:
    from tunewright.data.dataset import Dataset

PREPARE = "Prepare one: tunewright prepare RECIPE"
POINTER = b"version https://git-lfs"
"""How a file begins that Git LFS has put in the place of another."""


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
    dataset = opened(named(name, root)[0])
    manifest = dataset.manifest
    return {
        **dataset.summary(),
        "fingerprint": dataset.fingerprint,
        "settings": manifest["settings"],
        "seed": manifest["seed"],
        "bytes": _bytes(dataset.folder),
        "absent": list(absent(dataset)),
    }


def absent(dataset: Dataset) -> dict[str, str]:
    """Files of a dataset that are not in its folder, each with the command that brings it there, if that can be told."""
    found = {}
    for name in dataset.manifest["files"]:
        path = dataset.folder / name
        if name != "README.md" and not path.is_file():
            tracked = path.with_name(f"{name}.dvc").is_file() or dataset.folder.with_name(f"{dataset.folder.name}.dvc").is_file()
            found[name] = "dvc pull" if tracked else ""
        elif path.is_file() and path.stat().st_size < 1024 and path.read_bytes().startswith(POINTER):
            found[name] = "git lfs pull"
    return found


def verify(name: str, root: Path) -> list[dict[str, Any]]:
    """Compare every file of a dataset with the hashes of its manifest; of all its versions, where none is named.

    Raises:
        UserError: there is none of that name.
        ProofFailed: naming every version and file that is damaged or not there, and how to get it.
    """
    from tunewright.core.folder import file_hash

    told: list[dict[str, Any]] = []
    wrong: list[str] = []
    bring: list[str] = []
    damage = False
    for folder in named(name, root):
        try:
            dataset = opened(folder)
        except UserError as error:
            wrong.append(error.found)
            damage = True
            continue
        gone = absent(dataset)
        files = {file: digest for file, digest in dataset.manifest["files"].items() if file != "README.md"}
        damaged = [file for file, digest in files.items() if file not in gone and file_hash(folder / file) != digest]
        damage = damage or bool(damaged)
        wrong += [f"{', '.join(damaged)} in {folder} {'is' if len(damaged) == 1 else 'are'} not what was written"] if damaged else []
        wrong += [f"{', '.join(gone)} {'is' if len(gone) == 1 else 'are'} not in {folder}"] if gone else []
        bring += [command or "copy them from where they are kept" for command in gone.values()]
        told.append({"name": dataset.name, "version": dataset.version, "folder": str(folder), "files": len(files)})
    if wrong:
        get = [f"Get what is not here: {' or '.join(dict.fromkeys(bring))}"] if bring else []
        again = "prepare the dataset again from its source: tunewright prepare RECIPE"
        step = f"{get[0]}; or {again}" if get else again[0].upper() + again[1:]
        raise ProofFailed("; ".join(wrong), "The files of a dataset never change after they were written" if damage else "", step)
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
    lines += [f"not here: {', '.join(facts['absent'])}; tunewright data verify tells how to get them"] if facts["absent"] else []
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


def named(name: str, root: Path) -> list[Path]:
    """The folders that a name means, the newest first.

    Raises:
        UserError: there is none, or the letters of a version are not enough.
    """
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


def opened(folder: Path) -> Dataset:
    """The dataset in a folder; no row is read."""
    from tunewright.data.dataset import Dataset

    return Dataset.open(folder)


def _line(folder: Path) -> dict[str, Any]:
    try:
        facts = opened(folder).summary()
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
