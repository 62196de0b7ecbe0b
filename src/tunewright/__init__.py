"""From a table of business text to a fine-tuned and proven specialist model: one verb per stage.

>>> import tunewright
>>> run = tunewright.run("tickets.yaml")  # doctest: +SKIP
>>> tunewright.load(run).predict(["where is my parcel?"])  # doctest: +SKIP
[{'label': 'delivery', 'probabilities': {'billing': 0.01, ...}}]
"""

from __future__ import annotations

import os
from importlib import import_module

os.environ.setdefault("THP_MEM_ALLOC_ENABLE", "1")  # large tensors in large pages, where the system has some; read at the first tensor

for _folder in ("train", "evaluate", "report"):
    # Called like verbs. Python puts the name of a folder here when the folder is first loaded: load it now, so that the verb comes last.
    import_module(f"tunewright.{_folder}")

from tunewright.pipeline.face import check, compare, evaluate, load, predict, prepare, read, report, run, train  # noqa: E402

__all__ = ["check", "compare", "evaluate", "load", "predict", "prepare", "read", "report", "run", "train"]
