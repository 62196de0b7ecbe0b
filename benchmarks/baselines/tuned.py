"""BANKING77 as somebody would do it who knows the Trainer well: our rates, dynamic padding, rows grouped by length, fused AdamW.

Batch 32, learning rate 2e-4 with 6 % warm-up, ten times that for the head, linear decay over three epochs, bf16 where the hardware
computes in it (as ours), the architecture's own head.

Usage: python -m benchmarks.baselines.tuned MODEL TRAIN_JSONL VALIDATION_JSONL TEST_JSONL PRECISION
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.turns import Clock, accuracy


def main(base: str, train: str, validation: str, test: str, precision: str) -> None:
    """Train, and tell the score at every point."""
    import torch
    from transformers import (
        AutoModelForSequenceClassification,
        AutoTokenizer,
        DataCollatorWithPadding,
        Trainer,
        TrainerCallback,
        TrainingArguments,
    )

    splits = [[json.loads(line) for line in Path(path).read_text().splitlines()] for path in (train, validation, test)]
    names = sorted({row["label"] for row in splits[0]})
    tokenizer = AutoTokenizer.from_pretrained(base)
    torch.manual_seed(42)
    model = AutoModelForSequenceClassification.from_pretrained(base, num_labels=len(names))
    encoded = tokenizer([row["text"] for row in splits[0]], max_length=64, truncation=True)
    rows = [
        {**{key: values[index] for key, values in encoded.items()}, "label": names.index(row["label"])}
        for index, row in enumerate(splits[0])
    ]
    head = [weight for name, weight in model.named_parameters() if name.startswith("classifier.")]
    body = [weight for name, weight in model.named_parameters() if not name.startswith("classifier.")]
    optimizer = torch.optim.AdamW([{"params": body, "lr": 2e-4}, {"params": head, "lr": 2e-3}], weight_decay=0.01, fused=True)
    clock = Clock()

    class Points(TrainerCallback):
        def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            clock.trained(32, lambda: accuracy(model, tokenizer, splits[1], names, 64))
            control.should_training_stop = control.should_training_stop or clock.over

    with tempfile.TemporaryDirectory() as out:
        arguments = TrainingArguments(
            output_dir=out, use_cpu=True, report_to="none", disable_tqdm=True, save_strategy="no", per_device_train_batch_size=32,
            learning_rate=2e-4, warmup_steps=0.06, bf16=precision == "bf16", train_sampling_strategy="group_by_length",
        )  # fmt: skip
        steps = -(-len(rows) // 32) * 3
        from transformers import get_linear_schedule_with_warmup

        schedule = get_linear_schedule_with_warmup(optimizer, int(0.06 * steps), steps)
        trainer = Trainer(
            model=model, args=arguments, train_dataset=rows, data_collator=DataCollatorWithPadding(tokenizer), callbacks=[Points()],
            optimizers=(optimizer, schedule),
        )  # type: ignore[arg-type] # fmt: skip
        clock.start()
        trainer.train()
    clock.end(accuracy(model, tokenizer, splits[2], names, 64))


if __name__ == "__main__":
    main(*sys.argv[1:])
