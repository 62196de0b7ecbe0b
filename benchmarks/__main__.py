"""All benchmarks, one after the other: `make bench`. Takes hours on two cores; each can be run by itself."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from benchmarks import (
    against_trainer,
    audit,
    datasets,
    dropout,
    entities,
    estimates,
    glue,
    label_dynamics,
    label_noise,
    methods,
    planted_faults,
    startup,
    techniques,
    training,
)

RESULTS = Path(__file__).parent / "results"
DAY = datetime.now(UTC).date().isoformat()

against_trainer.main(str(RESULTS / f"{DAY}-against-trainer.json"))
datasets.main(str(RESULTS / f"{DAY}-datasets.json"))
glue.main(str(RESULTS / f"{DAY}-glue.json"))
entities.main(str(RESULTS / f"{DAY}-entities.json"))
audit.main(str(RESULTS / f"{DAY}-audit.json"))
planted_faults.main(str(RESULTS / f"{DAY}-planted-faults.json"))
label_noise.main(str(RESULTS / f"{DAY}-label-noise.json"))
label_dynamics.main(str(RESULTS / f"{DAY}-label-dynamics.json"))
training.main(str(RESULTS / f"{DAY}-training.json"))
techniques.main(RESULTS / f"{DAY}-techniques.json")
dropout.main(RESULTS / f"{DAY}-dropout.json")
methods.main(str(RESULTS / f"{DAY}-methods.json"))
methods.main(str(RESULTS / f"{DAY}-methods-entities.json"), "--on", "mit_restaurant")
estimates.main(str(RESULTS / f"{DAY}-estimates.json"))
startup.main(str(RESULTS / f"{DAY}-startup.json"))
