"""The verb ``evaluate``: the saved model of a run, measured on the validation rows and on the locked test split."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tunewright.core.chance import array_generator
from tunewright.core.folder import append_line, read_json, write_json
from tunewright.core.log import calm_libraries, say
from tunewright.core.schema import Row, Score
from tunewright.pipeline import runs
from tunewright.pipeline.data import cache_folder, rows_of, truncation
from tunewright.pipeline.recipe import Recipe, read
from tunewright.tasks import TASKS

if TYPE_CHECKING:
    from tunewright.data.dataset import Dataset
    from tunewright.model.predict import Predictor
    from tunewright.tasks.base import Answer


def evaluate(run: Path, command: str) -> dict[str, Any]:
    """Score a run, hold it against the baselines, and write ``metrics.json`` and ``predictions/``.

    Opens the test split, and says so in ``looks.jsonl``.

    Args:
        run: the folder of a trained run.
        command: as the user gave it.

    Returns:
        What ``metrics.json`` holds.

    Raises:
        UserError: the run has no model, another process writes it, or its dataset is gone or damaged.
        ProofFailed: the model is not the one that was proved.
    """
    manifest = runs.served(run)
    runs.verify(run, manifest)
    with runs.alone(run):
        return _evaluate(run, manifest, command)


def _evaluate(run: Path, manifest: dict[str, Any], command: str) -> dict[str, Any]:
    from tunewright.data.dataset import Dataset
    from tunewright.metrics.own import resolve
    from tunewright.model.predict import Predictor

    calm_libraries()
    began = time.monotonic()
    facts, recipe = read_json(run / "data.json"), read(run / "recipe.yaml")
    dataset = Dataset.open(Path(facts["folder"]))
    predictor = Predictor.load(run / "model", recipe.evaluate.batch_size)
    extra = [resolve(spec, Path(manifest["recipe_folder"]), predictor.task.scores) for spec in recipe.evaluate.metrics]
    metrics: dict[str, Any] = {}
    kept = read_json(run / "metrics.json") if (run / "metrics.json").exists() else {}
    append_line(
        run / "looks.jsonl",
        {"when": runs.now(), "command": command, "model": manifest["served"]["sha256"], "rows": facts["splits"]["test"]["rows"]},
    )
    asked: dict[str, tuple[list[Row], list[Answer]]] = {}
    for split in ("validation", "test"):
        say(f"Scoring the {split} rows")
        rows, answers, seconds = _answers(predictor, dataset, split, recipe, facts)
        metrics[split] = _scores(predictor, rows, answers, extra, recipe)
        _write(run, split, predictor, rows, answers)
        asked[split] = rows, answers
    metrics |= predictor.task.details(predictor.task.outcome(*asked["test"]))
    metrics["baselines"] = _baselines(predictor, dataset, recipe, asked)
    metrics["excluded"] = {"test_without_label": facts.get("test_without_label", 0), "never_trained": facts.get("never_trained", {})}
    speed = {"predict_rows_per_second": round(len(asked["test"][0]) / seconds, 2), "evaluate_seconds": round(time.monotonic() - began, 2)}
    metrics |= {"guards": kept["guards"]} if "guards" in kept else {}
    metrics["efficiency"] = {**kept.get("efficiency", {}), **speed}
    metrics["proof"] = kept.get("proof", {"not_measured": "the model was not proved when it was saved"})
    write_json(run / "data.json", facts)
    write_json(run / "metrics.json", metrics)
    runs.update(run, {"status": "evaluated"})
    return metrics


def _answers(
    predictor: Predictor, dataset: Dataset, split: str, recipe: Recipe, facts: dict[str, Any]
) -> tuple[list[Row], list[Answer], float]:
    """Rows, answers, and the seconds that answering took; what was cut goes into ``facts``."""
    from tunewright.data.encode import encode

    rows = rows_of(dataset.rows(split))
    encoded = encode(rows, predictor.task, predictor.tokenizer, predictor.max_tokens, None if split == "test" else cache_folder(recipe))
    limits = facts["truncation"]
    cuts = truncation(predictor.task, predictor.tokenizer, {split: (rows, encoded.encoded)}, predictor.max_tokens, "")
    limits["splits"][split] = cuts["splits"][split]
    began = time.monotonic()
    return rows, predictor.answers(rows, encoded.encoded), time.monotonic() - began


def _scores(predictor: Predictor, rows: Sequence[Row], answers: Sequence[Answer], extra: Sequence[Any], recipe: Recipe) -> dict[str, Any]:
    from tunewright.evaluate.quality import quality

    found = quality(predictor.task, rows, answers, extra, recipe.evaluate.resamples, recipe.seed)
    return {name: score.model_dump() for name, score in found.items()}


def _write(run: Path, split: str, predictor: Predictor, rows: Sequence[Row], answers: Sequence[Answer]) -> None:
    from tunewright.evaluate.quality import write_predictions

    write_predictions(run / "predictions" / f"{split}.parquet", predictor.task, rows, answers)


def _baselines(predictor: Predictor, dataset: Dataset, recipe: Recipe, asked: dict[str, tuple[list[Row], list[Answer]]]) -> dict[str, Any]:
    """Each baseline's scores on the same test rows, and ours minus theirs, paired."""
    from importlib import import_module

    from tunewright.evaluate.baselines import BASELINES
    from tunewright.evaluate.baselines.base import Asked, worth_it
    from tunewright.metrics.classes import higher_is_better
    from tunewright.metrics.intervals import bootstrap, paired_differences

    task, resamples = predictor.task, recipe.evaluate.resamples
    names = task.baselines if recipe.evaluate.baselines is None else recipe.evaluate.baselines
    if not names:
        return {"not_measured": "the recipe names no baselines"}
    say(f"Training the baselines: {', '.join(names)}")
    (validation, _), (test, answers) = asked["validation"], asked["test"]
    ours: Any = task.outcome(test, answers)
    question = Asked(task, rows_of(dataset.rows("train")), validation, test, ours, recipe.seed)
    found: dict[str, Any] = {"difference": {}}
    verdicts = []
    for name in names:
        called, place = BASELINES[TASKS.name_of(task)][name]
        module, _, function = place.partition(":")
        baseline = getattr(import_module(module), function)(question)
        main = {key for key in task.measure(ours) if "/" not in key}
        scores: dict[str, Score] = bootstrap(
            baseline.outcome,
            task.measure,
            array_generator(recipe.seed, "bootstrap"),
            resamples=resamples,
            rows=task.rows_behind(baseline.outcome),
        )
        found[name] = {key: score.model_dump() for key, score in scores.items()} | {"seconds": round(baseline.seconds, 2)}
        paired = paired_differences(ours, baseline.outcome, task.measure, array_generator(recipe.seed, "paired"), resamples=resamples)
        found["difference"][name] = {key: score.model_dump() for key, score in paired.items() if key in main}
        verdicts.append(worth_it(task, ours, baseline.outcome, task.best_by(), array_generator(recipe.seed, "paired"), called, resamples))
    strongest = (max if higher_is_better(task.best_by()) else min)(verdicts, key=lambda one: one["baseline"])
    found["verdict"] = strongest["sentence"]
    found["worth_it"] = {"better": True, "worse": False}.get(strongest["verdict"])
    return found
