"""BANKING77 as the Hugging Face text-classification example does it, with the example's and the Trainer's own defaults.

Padding to 128 tokens, batch 8, learning rate 5e-5, linear decay over three epochs, no warm-up, float32, rows in random order, the
architecture's own head. After its three epochs the schedule is at zero; a second round of three epochs goes on from the weights of
the first, so that six epochs can be measured. It ends earlier when it is asked to.

Usage: python -m benchmarks.baselines.example MODEL TRAIN_JSONL VALIDATION_JSONL TEST_JSONL [ROUNDS]
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.turns import Clock, accuracy


def main(base: str, train: str, validation: str, test: str, rounds: str = "2") -> None:
    """Train, and tell the score at every point."""
    import torch
    from transformers import (
        AutoModelForSequenceClassification,
        AutoTokenizer,
        Trainer,
        TrainerCallback,
        TrainingArguments,
        default_data_collator,
    )

    splits = [[json.loads(line) for line in Path(path).read_text().splitlines()] for path in (train, validation, test)]
    names = sorted({row["label"] for row in splits[0]})
    tokenizer = AutoTokenizer.from_pretrained(base)
    torch.manual_seed(42)
    model = AutoModelForSequenceClassification.from_pretrained(base, num_labels=len(names))
    encoded = tokenizer([row["text"] for row in splits[0]], padding="max_length", max_length=128, truncation=True)
    rows = [
        {**{key: values[index] for key, values in encoded.items()}, "label": names.index(row["label"])}
        for index, row in enumerate(splits[0])
    ]
    clock = Clock()

    class Points(TrainerCallback):
        def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            clock.trained(8, lambda: accuracy(model, tokenizer, splits[1], names, 128))
            control.should_training_stop = control.should_training_stop or clock.over

    clock.start()
    for _ in range(int(rounds)):
        if clock.over:
            break
        with tempfile.TemporaryDirectory() as out:
            arguments = TrainingArguments(output_dir=out, use_cpu=True, report_to="none", disable_tqdm=True, save_strategy="no")
            Trainer(model=model, args=arguments, train_dataset=rows, data_collator=default_data_collator, callbacks=[Points()]).train()  # type: ignore[arg-type]
    clock.end(accuracy(model, tokenizer, splits[2], names, 128))


if __name__ == "__main__":
    main(*sys.argv[1:])
