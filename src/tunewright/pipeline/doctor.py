"""The verb ``doctor``: what this machine has and lacks for training. Works also where half of the packages are missing."""

from __future__ import annotations

import os
import platform
import re
import shutil
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, distribution, metadata, requires, version
from pathlib import Path
from typing import Any, Literal

from tunewright.core.folder import file_hash

Status = Literal["ok", "note", "lacks"]
PYTHON = (3, 11)
LEAST_MEMORY = 2e9
LEAST_DISK = 2e9
"""Bytes below which a run with a small encoder hardly ends well."""
REQUIREMENT = re.compile(r"^([A-Za-z0-9._-]+)\s*(?:\[[^\]]*\])?\s*([^;]*)")
SWITCHES = ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE", "HF_DATASETS_OFFLINE")


@dataclass(frozen=True)
class Fact:
    """One thing that was looked at.

    Args:
        name: what it is.
        status: ``ok``; ``note``: worth knowing, nothing needs it; ``lacks``: needed and missing.
        found: in words.
        remedy: what to do, where something is to be done.
    """

    name: str
    status: Status
    found: str
    remedy: str = ""


def doctor(output_dir: Path = Path()) -> list[Fact]:
    """Look at Python, the machine, the packages, the packaged encoder, the network switches and the folder to write to.

    Args:
        output_dir: where runs would be written.
    """
    return [_python(), *_machine(), *_packages(), *_extras(), _encoder(), _network(), *_folder(output_dir)]


def lacking(facts: list[Fact]) -> bool:
    """Whether anything that is needed is missing."""
    return any(fact.status == "lacks" for fact in facts)


def as_json(facts: list[Fact]) -> dict[str, Any]:
    """The facts for machines."""
    return {"ok": not lacking(facts), "facts": [asdict(fact) for fact in facts]}


def _python() -> Fact:
    found = f"{platform.python_version()} in {sys.prefix}, {platform.platform()}"
    return Fact("python", "ok", found) if sys.version_info >= PYTHON else Fact("python", "lacks", found, "Python 3.11 or newer is needed")


def _machine() -> Iterator[Fact]:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    yield Fact("cores", "ok", f"{cores}")
    try:
        import psutil

        memory = psutil.virtual_memory()
        small = memory.total < LEAST_MEMORY
        yield Fact(
            "memory",
            "note" if small else "ok",
            f"{memory.total / 1e9:.1f} GB, {memory.available / 1e9:.1f} GB of it free",
            "Small: use a small model and a small train.batch_size with train.accumulate" if small else "",
        )
    except ImportError:
        yield Fact("memory", "note", "not measured (psutil is missing)")
    yield from _devices()


def _devices() -> Iterator[Fact]:
    from tunewright.model.device import cpu_computes_bf16

    try:
        import torch
    except (ImportError, OSError) as error:
        yield Fact("gpu", "note", f"not measured: torch cannot be loaded ({error})")
        return
    if torch.cuda.is_available():
        bf16 = torch.cuda.is_bf16_supported(including_emulation=False)
        memory = torch.cuda.get_device_properties(0).total_memory
        yield Fact("gpu", "ok", f"{torch.cuda.get_device_name(0)}, {memory / 1e9:.1f} GB, computes in bf16: {'yes' if bf16 else 'no'}")
    elif torch.backends.mps.is_available():
        yield Fact("gpu", "ok", "Apple GPU (mps)")
    else:
        yield Fact("gpu", "note", "none; the processor trains small encoders in minutes")
    yield Fact("cpu bf16", "ok", "yes" if cpu_computes_bf16() else "no; train.precision: auto means fp32 on this processor")


def _packages() -> Iterator[Fact]:
    """Each package that tunewright needs, against the lower bound that tunewright itself declares."""
    try:
        needed = [one for one in requires("tunewright") or [] if "extra ==" not in one]
    except PackageNotFoundError:
        yield Fact("tunewright", "lacks", "it runs from a folder and is not installed", "pip install -e . (or pip install tunewright)")
        return
    yield Fact("tunewright", "ok", version("tunewright"))
    for one in needed:
        name, bound = _requirement(one)
        found = _version(name)
        if found is None:
            yield Fact(name, "lacks", f"not installed (>= {bound} is needed)", f"pip install '{name}>={bound}'")
        elif _numbers(found) < _numbers(bound):
            yield Fact(name, "lacks", f"{found}, older than {bound}", f"pip install --upgrade '{name}>={bound}'")
        else:
            yield Fact(name, "ok", found)


def _extras() -> Iterator[Fact]:
    """Each optional part: there, or the line that installs it."""
    try:
        extras = [name for name in metadata("tunewright").get_all("Provides-Extra") or [] if name != "dev"]
    except PackageNotFoundError:
        return
    for extra in extras:
        wanted = [_requirement(one)[0] for one in requires("tunewright") or [] if re.search(rf"extra == ['\"]{extra}['\"]", one)]
        missing = [name for name in wanted if _version(name) is None]
        found = ", ".join(f"{name} {_version(name)}" for name in wanted if name not in missing)
        if missing:
            yield Fact(
                f"extra {extra}", "note", f"not installed: {', '.join(missing)}", f"If you want it: pip install 'tunewright[{extra}]'"
            )
        else:
            yield Fact(f"extra {extra}", "ok", found)


def _encoder() -> Fact:
    """Whether ``model.base: embedded`` will be found, with the weights that it shall have."""
    from tunewright.model.base import EMBEDDED_FOLDER, EMBEDDED_PACKAGE, EMBEDDED_SHA256

    try:
        weights = Path(str(distribution(EMBEDDED_PACKAGE).locate_file(EMBEDDED_FOLDER))) / "model.safetensors"
        found = file_hash(weights)
    except PackageNotFoundError:
        return Fact(
            "packaged encoder", "note", "not installed; model.base: embedded needs it", "If you want it: pip install 'tunewright[demo]'"
        )
    except OSError as error:
        return _damaged_encoder(f"its weights cannot be read ({error.strerror or error})", EMBEDDED_PACKAGE)
    if found != EMBEDDED_SHA256:
        return _damaged_encoder(f"its weights have the SHA-256 {found}, {EMBEDDED_SHA256} was wanted", EMBEDDED_PACKAGE)
    return Fact("packaged encoder", "ok", f"{EMBEDDED_PACKAGE}, sha256 {found[:12]} as it shall be")


def _damaged_encoder(found: str, package: str) -> Fact:
    return Fact("packaged encoder", "lacks", found, f"Install it again: pip install --force-reinstall {package}")


def _network() -> Fact:
    on = [f"{name}={os.environ[name]}" for name in SWITCHES if os.environ.get(name, "").lower() in {"1", "true", "yes", "on"}]
    if on:
        return Fact(
            "network",
            "note",
            f"offline by {', '.join(on)}: models and data sets of the Hub only if they were fetched before",
            f"To fetch them: unset {' '.join(one.partition('=')[0] for one in on)}",
        )
    return Fact("network", "ok", "asked only for a Hub id; never with model.base: embedded or a local folder")


def _folder(folder: Path) -> Iterator[Fact]:
    there = next(one for one in [folder.absolute(), *folder.absolute().parents] if one.is_dir())
    try:
        with tempfile.TemporaryFile(dir=there):
            yield Fact("output folder", "ok", f"{there} can be written")
    except OSError as error:
        yield Fact(
            "output folder",
            "lacks",
            f"{there} cannot be written ({error.strerror or error})",
            "Choose another with output_dir, or --set output_dir=...",
        )
    free = shutil.disk_usage(there).free
    small = free < LEAST_DISK
    yield Fact(
        "disk",
        "note" if small else "ok",
        f"{free / 1e9:.1f} GB free in {there}",
        "Little: each checkpoint takes three times the size of the weights; choose another output_dir" if small else "",
    )


def _requirement(text: str) -> tuple[str, str]:
    """Name and lower bound: ``torch>=2.9`` -> ``("torch", "2.9")``."""
    found = REQUIREMENT.match(text)
    assert found
    bound = re.search(r">=\s*([0-9][^,\s)]*)", found.group(2))
    return found.group(1), bound.group(1) if bound else "0"


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _numbers(release: str) -> tuple[int, ...]:
    """``2.13.0+cpu`` -> (2, 13, 0), without trailing zeros, so that 2.0 is 2."""
    numbers = [int(one) for one in re.findall(r"\d+", release.split("+")[0])][:4]
    while numbers and numbers[-1] == 0:
        numbers.pop()
    return tuple(numbers)
