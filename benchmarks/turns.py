"""Programs that are measured side by side: each trains until its next point, tells its score, and waits for its turn.

A program's clock runs only while it trains: not while it is scored, and not while another one has its turn. So two programs share a
noisy machine fairly, and neither waits for the other's cores. The processor seconds of all its threads are told too: what others do on
the machine changes them little.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any

POINT_ROWS = 2240
"""Training rows between two looks at the validation rows: a quarter of an epoch of BANKING77."""


class Clock:
    """The training seconds of one program, and its talk with the one that gives the turns."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self.processor_seconds = 0.0
        self.rows = 0
        self.over = False
        """Whether the program is asked to train no more."""
        self._since = self._processor_since = 0.0
        self._next = POINT_ROWS

    def start(self) -> None:
        """Wait for the first turn."""
        self._wait()

    def trained(self, rows: int, score: Callable[[], float]) -> None:
        """Call after each optimizer step; at a point the clock stops, the model is scored, and the turn passes on. Then ask ``over``."""
        self.rows += rows
        if self.rows < self._next:
            return
        self._next += POINT_ROWS
        self.seconds += time.monotonic() - self._since
        self.processor_seconds += time.process_time() - self._processor_since
        self._tell({**self._spent(), "validation": score()})
        self._wait()

    def end(self, test: float) -> None:
        """Tell the score on the test rows, which are looked at only here."""
        self._tell({**self._spent(), "test": test})

    def _spent(self) -> dict[str, Any]:
        return {"rows": self.rows, "seconds": round(self.seconds, 2), "processor_seconds": round(self.processor_seconds, 2)}

    def _tell(self, value: dict[str, Any]) -> None:
        print("POINT " + json.dumps(value), flush=True)

    def _wait(self) -> None:
        self.over = sys.stdin.readline() == "end\n"
        self._since, self._processor_since = time.monotonic(), time.process_time()


def accuracy(model: Any, tokenizer: Any, rows: Sequence[dict[str, str]], names: Sequence[str], max_tokens: int) -> float:
    """Share of right labels; the same code, batches and padding for every program."""
    import torch

    was_training = model.training
    model.eval()
    right = 0
    ordered = sorted(rows, key=lambda row: len(row["text"]))
    with torch.inference_mode():
        for start in range(0, len(ordered), 64):
            part = ordered[start : start + 64]
            batch = tokenizer([row["text"] for row in part], truncation=True, max_length=max_tokens, padding=True, return_tensors="pt")
            found = model(**batch).logits.argmax(-1).tolist()
            right += sum(names[label] == row["label"] for label, row in zip(found, part, strict=True))
    model.train(was_training)
    return right / len(rows)


class Side:
    """One program, started and kept waiting for its turns."""

    def __init__(self, name: str, command: Sequence[str]) -> None:
        self.name, self.points, self.ended = name, [], False
        self.points: list[dict[str, Any]]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def turn(self, go: bool = True) -> None:
        """Let it train to its next point, and hear of it; or let it end, with its score on the test rows."""
        assert self._process.stdin and self._process.stdout
        self._process.stdin.write("go\n" if go else "end\n")
        self._process.stdin.flush()
        for line in self._process.stdout:
            if line.startswith("POINT "):
                self.points.append(json.loads(line.removeprefix("POINT ")))
                self.ended = "test" in self.points[-1]
                print(json.dumps({"side": self.name, **self.points[-1]}), flush=True)
                break
        else:
            raise RuntimeError(f"{self.name} ended early with status {self._process.wait()}")
        if self.ended:
            self._process.wait()

    def reached(self, target: float) -> dict[str, Any] | None:
        """The first point with at least this validation score; None if there was none."""
        return next((point for point in self.points if point.get("validation", 0) >= target), None)
