"""What this machine computes on, and in which precision that is fast."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

T = TypeVar("T")


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


M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3
"""Numbers of glibc's ``mallopt``."""
USUAL, SMALL = (1 << 24, 1 << 28), (1 << 20, 1 << 26)
"""Bytes: from where on a block is a large one, and how much free memory is kept. Smaller ones leave fewer holes; but memory that is given
back at each step has to be cleared by the system at the next, which took up to a third of the time (docs/lab-log.md)."""
PAGE_BYTES = 4096


class Watch:
    """Looks at the resident memory of this process, from now on until ``end``, two hundred times a second.

    What the C library keeps of memory that was given back is given to the system first, so that the beginning is not set too high.
    """

    def __init__(self) -> None:
        import psutil

        give_back()
        self._process, self._over = psutil.Process(), threading.Event()
        self._began, self.processor_seconds = time.process_time(), 0.0
        """Of all threads, from the beginning to ``end``."""
        self.start = self.peak = self._process.memory_info().rss
        """Bytes at the beginning, and the most that was seen."""
        self._thread = threading.Thread(target=self._look, daemon=True)
        self._thread.start()

    @property
    def growth(self) -> int:
        """Bytes by which the peak is above the beginning."""
        return self.peak - self.start

    def end(self) -> Watch:
        """Stop looking."""
        self._over.set()
        self._thread.join()
        self.processor_seconds = time.process_time() - self._began
        return self

    def _look(self) -> None:
        while not self._over.wait(0.005):
            self.peak = max(self.peak, self._process.memory_info().rss)


def give_back() -> None:
    """Give memory that the C library holds and nobody uses back to the system, where it can (glibc)."""
    import ctypes

    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)


def apart(work: Callable[[], T]) -> T:
    """Do some work in a thread of its own, whose memory the C library (glibc) keeps apart.

    What it frees leaves holes; those would be filled first by whatever is done afterwards, and resident memory would grow by them again
    (docs/lab-log.md). What the work raises is raised here.
    """
    given: list[T] = []
    failed: list[BaseException] = []

    def run() -> None:
        try:
            given.append(work())
        except BaseException as error:
            failed.append(error)

    thread = threading.Thread(target=run, name="apart", daemon=True)  # Ctrl-C ends the process without waiting for it
    thread.start()
    thread.join()
    if failed:
        raise failed[0]
    return given[0]


def keep_less(small: bool) -> None:
    """Have the C library (glibc) give large blocks back at once, for the rest of this process.

    Batches of ever other shapes otherwise leave holes of ever other sizes: resident memory grew to three times what was in use
    (docs/lab-log.md).

    Args:
        small: whether what is trained is so small that the holes would be most of it, as above a cache of frozen layers.
    """
    import ctypes

    with contextlib.suppress(OSError, AttributeError):
        library, (large, kept) = ctypes.CDLL(None), SMALL if small else USUAL
        library.mallopt(M_MMAP_THRESHOLD, large)
        library.mallopt(M_TRIM_THRESHOLD, kept)


def load_whole(model: Any) -> None:
    """Read every weight once: a checkpoint is mapped, and its bytes come into memory when they are first used."""
    for weight in (*model.parameters(), *model.buffers()):
        weight.detach().view(-1)[:: PAGE_BYTES // max(1, weight.element_size())].sum()


def peak_memory() -> int:
    """The largest memory this process had so far, in bytes: resident, plus what the GPU gave."""
    import resource
    import sys

    import torch

    resident = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    return resident + (torch.cuda.max_memory_allocated() if torch.cuda.is_available() else 0)
