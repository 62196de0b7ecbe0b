"""What dropout costs in a training step on a processor: with PyTorch's masks, with ours, and without any, in turns in one process.

A step is a forward and a backward pass of the packaged encoder over 32 rows of one length; no update, which is the same for all three.

Usage: python -m benchmarks.dropout RESULT_JSON [--rounds 9]
"""

from __future__ import annotations

import argparse
import random
import time
from contextlib import nullcontext
from pathlib import Path
from statistics import median, quantiles
from typing import Any

from benchmarks.sets import keep

ROWS, LENGTHS = 32, (16, 64, 128, 256)
SIDES = ("pytorch", "ours", "none")


def measure(rounds: int) -> list[dict[str, Any]]:
    """Median seconds of a step, and the ratios to PyTorch's in the same round."""
    import torch
    from transformers import AutoConfig, AutoModelForSequenceClassification

    from tunewright.model.base import embedded_folder
    from tunewright.train.dropout import quick_dropout

    def model(share: float) -> Any:
        base = embedded_folder()
        config = AutoConfig.from_pretrained(base, num_labels=8, hidden_dropout_prob=share, attention_probs_dropout_prob=share)
        return AutoModelForSequenceClassification.from_pretrained(base, config=config).train()

    dropping, keeping = model(0.1), model(0.0)

    def seconds(side: str, length: int) -> float:
        batch = {"input_ids": torch.randint(1000, 20000, (ROWS, length)), "labels": torch.randint(8, (ROWS,))}
        batch["attention_mask"] = torch.ones_like(batch["input_ids"])
        batch["attention_mask"][1:, -3:] = 0
        began = time.perf_counter()
        with quick_dropout() if side == "ours" else nullcontext():
            (keeping if side == "none" else dropping)(**batch).loss.backward()
        return time.perf_counter() - began

    found = []
    for length in LENGTHS:
        for side in SIDES:
            seconds(side, length)
        taken: dict[str, list[float]] = {side: [] for side in SIDES}
        for number in range(rounds):
            for side in random.Random(number).sample(SIDES, len(SIDES)):
                taken[side].append(seconds(side, length))
        one: dict[str, Any] = {"tokens": length, "rows": ROWS, "rounds": rounds, "threads": torch.get_num_threads()}
        one |= {f"{side}_seconds": round(median(times), 4) for side, times in taken.items()}
        for side in ("ours", "none"):
            ratios = [other / torchs for other, torchs in zip(taken[side], taken["pytorch"], strict=True)]
            low, middle, high = (round(value, 3) for value in quantiles(ratios, n=4, method="inclusive"))
            one[f"{side}_ratio"] = {"median": middle, "quartiles": [low, high]}
        found.append(one)
        print(one, flush=True)
    return found


def table(results: list[dict[str, Any]]) -> str:
    """The results as a Markdown table."""
    lines = ["| tokens of a row | PyTorch's, s | ours, s | none, s | ours to PyTorch's | none to PyTorch's |", "| --- " * 6 + "|"]
    for one in results:
        ratios = (
            f"{one[name]['median']:.2f} [{one[name]['quartiles'][0]:.2f}, {one[name]['quartiles'][1]:.2f}]"
            for name in ("ours_ratio", "none_ratio")
        )
        seconds = (f"{one[f'{side}_seconds']:.3f}" for side in SIDES)
        lines.append(f"| {one['tokens']} | " + " | ".join([*seconds, *ratios]) + " |")
    return "\n".join(lines)


def main(place: Path, rounds: int = 9) -> None:
    """Measure, print, and keep the numbers."""
    results = measure(rounds)
    told = (
        f"Made by `python -m benchmarks.dropout {place}`: a forward and a backward pass over {ROWS} rows; medians, in brackets quartiles."
    )
    keep(place, results, told, table(results))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("result", type=Path)
    parser.add_argument("--rounds", type=int, default=9)
    given = parser.parse_args()
    main(given.result, given.rounds)
