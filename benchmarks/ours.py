"""BANKING77 with tunewright's defaults, in the same turns as the baselines.

Usage: python -m benchmarks.ours TRAIN_JSONL VALIDATION_JSONL TEST_JSONL FOLDER
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from pydantic import PrivateAttr

from benchmarks.turns import Clock, accuracy
from tunewright.train.run import Callback, Run


def main(train: str, validation: str, test: str, folder: str) -> None:
    """Train through the recipe, with every default; the engine's own evaluations and checkpoints are on the clock."""
    from tunewright.core.chance import seed_for
    from tunewright.core.log import calm_libraries, set_quiet
    from tunewright.model.build import build as build_model
    from tunewright.pipeline.job import job_of, scorer
    from tunewright.pipeline.make_plan import make_plan
    from tunewright.pipeline.prepare import prepare
    from tunewright.pipeline.recipe import build
    from tunewright.train import hf

    calm_libraries()
    set_quiet(True)
    out = Path(folder)
    source = {"train": train, "validation": validation, "test": test}
    recipe = build({"task": "text-classification", "data": {"source": source}, "model": {"base": "embedded"}, "output_dir": folder})
    plan = make_plan(recipe, out, prepare(recipe, out))
    built = build_model(plan.base, plan.recipe.model, plan.recipe.task, plan.recipe.method, seed_for(recipe.seed, "head"))
    tokens, names = plan.recipe.model.max_tokens, getattr(plan.recipe.task, "labels", ())
    held_out = [json.loads(line) for line in Path(validation).read_text().splitlines()]
    clock = Clock()

    class Points(Callback):
        _seen: int = PrivateAttr(0)

        def step_end(self, run: Run) -> None:
            clock.trained(plan.recipe.train.batch_size, lambda: accuracy(run.model, plan.base.tokenizer, held_out, names, int(tokens)))

    job = job_of(out, plan, built, scorer(plan), None, [Points()])
    clock.start()
    done = hf.fit(job)
    locked = [json.loads(line) for line in Path(test).read_text().splitlines()]
    clock.end(accuracy(done.model, plan.base.tokenizer, locked, names, int(tokens)))


if __name__ == "__main__":
    main(*sys.argv[1:])
