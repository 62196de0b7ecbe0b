from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from pydantic import PrivateAttr

from tunewright.core.folder import Lines, read_lines, write_text
from tunewright.train.run import Callback, Run, in_json


class StepLines(Callback):
    """Writes a file with a line for each step. A run that goes on drops what came after its checkpoint."""

    path: Path

    _lines: Lines | None = PrivateAttr(None)

    def fit_start(self, run: Run) -> None:
        kept = [line for line in read_lines(self.path) if run.resumed_at and line.get("step", 0) <= run.resumed_at]
        write_text(self.path, "".join(json.dumps(line) + "\n" for line in kept))
        self._lines = Lines(self.path)

    def step_end(self, run: Run) -> None:
        self._add(in_json(self.line(run)))

    def fit_end(self, run: Run) -> None:
        if self._lines is not None:
            self._lines.close()
            self._lines = None

    def _add(self, line: dict[str, Any], lasting: bool = False) -> None:
        if self._lines is not None:  # an error before the first step ends a run that has no journal yet
            self._lines.add(line, lasting)

    def state(self) -> dict[str, Any]:
        """Nothing: what it must know stands in its file."""
        return {}

    def line(self, run: Run) -> dict[str, Any]:
        """What is told of a step that is done, ``step`` among it."""
        raise NotImplementedError


class Journal(StepLines):
    """Writes ``events.jsonl``: a line per step and per event."""

    def fit_start(self, run: Run) -> None:
        super().fit_start(run)
        if run.resumed_at:
            self._event("resumed", run)

    def sighted(self, run: Run) -> None:
        for one in run.sighted:
            line = {"event": "guard", **one._asdict(), "rows": list(one.rows), "seconds": round(run.seconds, 3)}
            self._add(line, lasting=True)

    def split(self, run: Run) -> None:
        self._add({"event": "split", "step": run.step + 1, "cells": run.pass_cells, "seconds": round(run.seconds, 3)}, lasting=True)

    def line(self, run: Run) -> dict[str, Any]:
        """Loss, rate, gradient, tokens, time and memory of a step."""
        import psutil

        return {
            "event": "step",
            "step": run.step,
            "epoch": round(run.epoch, 4),
            "loss": run.loss,
            "lr": run.learning_rate,
            "grad_norm": run.grad_norm,
            "tokens": run.tokens,
            "seconds": round(run.seconds, 3),
            "memory": psutil.Process().memory_info().rss,
        }

    def evaluated(self, run: Run) -> None:
        self._event("evaluated", run, epoch=round(run.epoch, 4), scores=in_json(run.scores))

    def saved(self, run: Run) -> None:
        self._event("saved", run)

    def unsaved(self, run: Run) -> None:
        self._event("unsaved", run, why=run.unsaved)

    def fit_end(self, run: Run) -> None:
        self._event("stopped" if run.stop else "finished", run, **({"why": run.stop} if run.stop else {}))
        super().fit_end(run)

    def _event(self, event: str, run: Run, **more: Any) -> None:
        self._add({"event": event, "step": run.step, "seconds": round(run.seconds, 3), **more}, lasting=True)


class RowJournal(StepLines):
    """Writes ``rows.jsonl``: what each step made of its rows before its update."""

    def line(self, run: Run) -> dict[str, Any]:
        """Parallel lists: the number of each row in the training split, its loss in nats and its margin in logits."""
        told = run.watched
        losses, margins = ([in_json(round(getattr(one, name), 4)) for one in told] for name in ("loss", "margin"))
        return {"step": run.step, "row": [one.piece for one in told], "loss": losses, "margin": margins}
