"""What guards cost: processor seconds of asking all of them, beside those of the steps that they look at, in one run.

The job is that of ``benchmarks.training``, in the engine ``loop``: the packaged encoder, steps of 8 rows. Each fiftieth step has a look
at the gradients of the layers.

Usage: python -m benchmarks.guards RESULT_JSON [--steps 100]
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.training import Stopwatch, job_of, ours


def measure(steps: int) -> dict[str, Any]:
    """Seconds of the processor."""
    from tunewright.train.guards.duty import OnDuty

    asked: list[float] = []
    plain = OnDuty.before_update

    def timed(self: OnDuty, *parts: Any) -> None:
        began = time.process_time()
        plain(self, *parts)
        asked.append(time.process_time() - began)

    watch = Stopwatch(steps)
    with tempfile.TemporaryDirectory() as folder:
        job = job_of(Path(folder), steps)
        OnDuty.before_update = timed  # type: ignore[method-assign]
        try:
            with suppress(KeyboardInterrupt):
                ours("loop")(job, watch)
        finally:
            OnDuty.before_update = plain  # type: ignore[method-assign]
    step = watch.processor / (steps - 3)
    return {
        "steps": steps,
        "step_processor_seconds": round(step, 5),
        "guards_processor_seconds_mean": round(sum(asked) / len(asked), 6),
        "guards_processor_seconds_median": round(median(asked), 6),
        "guards_processor_seconds_most": round(max(asked), 6),
        "share": round(sum(asked) / len(asked) / step, 5),
    }


def main() -> None:
    """Measure, print, and keep the numbers."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("result", type=Path)
    parser.add_argument("--steps", type=int, default=100)
    given = parser.parse_args()
    found = measure(given.steps)
    given.result.write_text(json.dumps({**found, "python": sys.version.split()[0]}, indent=2) + "\n", encoding="utf-8")
    print(json.dumps(found, indent=2))


if __name__ == "__main__":
    main()
