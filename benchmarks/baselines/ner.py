"""Entities as somebody would do it who knows the Trainer well: run_ner's way with our rates, dynamic padding and rows grouped by length.

Words as the file has them, a label on the first sub-word of each; batch 32, learning rate 2e-4 with 6 % warm-up, ten times that for the
head, linear decay, float32, the best epoch by seqeval's F1 on the validation rows.

Usage: python -m benchmarks.baselines.ner MODEL TRAIN_JSONL VALIDATION_JSONL TEST_JSONL EPOCHS SEED
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

RATE, HEAD, BATCH, WARMUP, LONGEST = 2e-4, 10, 32, 0.06, 256


def main(base: str, train: str, validation: str, test: str, epochs: str, seed: str) -> None:
    """Train, and print the scores of the best epoch and the seconds."""
    import torch
    from transformers import (
        AutoModelForTokenClassification,
        AutoTokenizer,
        DataCollatorForTokenClassification,
        Trainer,
        TrainingArguments,
        get_linear_schedule_with_warmup,
    )

    splits = [[json.loads(line) for line in Path(path).read_text().splitlines()] for path in (train, validation, test)]
    names = sorted({tag for row in splits[0] for tag in row["tags"]})
    tokenizer = AutoTokenizer.from_pretrained(base)
    torch.manual_seed(int(seed))
    labels = {"id2label": dict(enumerate(names)), "label2id": {name: at for at, name in enumerate(names)}}
    model = AutoModelForTokenClassification.from_pretrained(base, num_labels=len(names), **labels)
    rows = [encoded(split, tokenizer, labels["label2id"]) for split in splits]
    head = [weight for name, weight in model.named_parameters() if name.startswith("classifier.")]
    body = [weight for name, weight in model.named_parameters() if not name.startswith("classifier.")]
    groups = [{"params": body, "lr": RATE}, {"params": head, "lr": HEAD * RATE}]
    optimizer = torch.optim.AdamW(groups, weight_decay=0.01, fused=True)
    steps = int(-(-len(rows[0]) // BATCH) * float(epochs))
    schedule = get_linear_schedule_with_warmup(optimizer, int(WARMUP * steps), steps)
    with tempfile.TemporaryDirectory() as out:
        arguments = TrainingArguments(
            output_dir=out, use_cpu=True, report_to="none", disable_tqdm=True, per_device_train_batch_size=BATCH, learning_rate=RATE,
            num_train_epochs=float(epochs), per_device_eval_batch_size=64, eval_strategy="epoch", save_strategy="epoch", seed=int(seed),
            load_best_model_at_end=True, metric_for_best_model="f1", save_total_limit=1, train_sampling_strategy="group_by_length",
        )  # fmt: skip
        trainer = Trainer(
            model=model, args=arguments, train_dataset=rows[0], eval_dataset=rows[1], optimizers=(optimizer, schedule),
            data_collator=DataCollatorForTokenClassification(tokenizer), compute_metrics=lambda found: scored(found, names),
        )  # type: ignore[arg-type] # fmt: skip
        began, processor = time.monotonic(), time.process_time()
        trainer.train()
        spent = {"seconds": round(time.monotonic() - began, 1), "processor_seconds": round(time.process_time() - processor, 1)}
        told = {split: trainer.evaluate(some)["eval_f1"] for split, some in zip(("validation", "test"), rows[1:], strict=True)}  # type: ignore[arg-type]
    print("RESULT " + json.dumps({**told, **spent}), flush=True)


def encoded(rows: Sequence[dict[str, Any]], tokenizer: Any, ids: dict[str, int]) -> list[dict[str, Any]]:
    """Words cut into sub-words, the first of each with its label."""
    found = []
    for row in rows:
        one = tokenizer(row["tokens"], is_split_into_words=True, truncation=True, max_length=LONGEST)
        words, before, labels = one.word_ids(), None, []
        for word in words:
            labels.append(-100 if word is None or word == before else ids.get(row["tags"][word], 0))
            before = word
        found.append({**one, "labels": labels})
    return found


def scored(found: Any, names: Sequence[str]) -> dict[str, float]:
    """seqeval's F1 over the labelled words."""
    from seqeval.metrics import f1_score

    given = found.predictions.argmax(-1)
    keep = found.label_ids != -100
    wanted = [[names[label] for label in row[mask]] for row, mask in zip(found.label_ids, keep, strict=True)]
    answers = [[names[label] for label in row[mask]] for row, mask in zip(given, keep, strict=True)]
    return {"f1": float(f1_score(wanted, answers))}


if __name__ == "__main__":
    main(*sys.argv[1:])
