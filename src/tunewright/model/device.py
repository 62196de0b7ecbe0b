"""What this machine computes on, and in which precision that is fast."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any


def device() -> str:
    """``cuda``, ``mps`` or ``cpu``: the fastest that is there."""
    import torch

    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else "cpu"


def precision(wanted: str, where: str) -> str:
    """``auto`` -> ``bf16`` where the hardware computes in it, else ``fp32``; anything else stays as it was asked for."""
    if wanted != "auto":
        return wanted
    import torch

    if where == "cuda":
        return "bf16" if torch.cuda.is_bf16_supported(including_emulation=False) else "fp32"
    return "bf16" if where == "cpu" and cpu_computes_bf16() else "fp32"


def cpu_computes_bf16() -> bool:
    """Whether the processor has instructions for bfloat16 dot products (AVX512-BF16 or AMX); emulated ones are slower than float32."""
    try:
        flags = next(line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("flags")).split()
    except (OSError, StopIteration):
        return False
    return bool({"avx512_bf16", "amx_bf16"} & set(flags))


def machine() -> dict[str, Any]:
    """The machine in words and numbers, for a manifest: processor, cores, memory (bytes), GPU, system, Python."""
    import os
    import platform

    import psutil
    import torch

    name = platform.processor() or platform.machine()
    with contextlib.suppress(OSError, StopIteration):
        name = next(
            line.partition(":")[2].strip() for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")
        )
    gpu = torch.cuda.get_device_name(0) if torch.cuda.is_available() else None
    return {
        "cpu": name,
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "memory_bytes": psutil.virtual_memory().total,
        "gpu": gpu,
        "system": platform.platform(),
        "python": platform.python_version(),
    }


def peak_memory() -> int:
    """The largest memory this process had so far, in bytes: resident, plus what the GPU gave."""
    import resource
    import sys

    import torch

    resident = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    return resident + (torch.cuda.max_memory_allocated() if torch.cuda.is_available() else 0)
