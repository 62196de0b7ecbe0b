"""All benchmarks, one after the other: `make bench`. Takes hours on two cores; each can be run by itself."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from benchmarks import against_trainer, datasets

RESULTS = Path(__file__).parent / "results"
DAY = datetime.now(UTC).date().isoformat()

against_trainer.main(str(RESULTS / f"{DAY}-against-trainer.json"))
datasets.main(str(RESULTS / f"{DAY}-datasets.json"))
