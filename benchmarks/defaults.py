"""How the defaults were found: validation scores of settings, side by side on several data sets. The test split is never opened.

Usage: TUNEWRIGHT_DATA=... python -m benchmarks.defaults SET[,SET...] 'key=value key=value' 'key=value' ...
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path

from benchmarks.sets import recipe_of

ALSO = ("log_loss", "f1_macro", "mcc", "pearson", "spearman", "exact_match")
"""Scores that are told beside the one that chooses the checkpoint, where the task has them."""


def measure(name: str, settings: list[str], out: Path) -> dict[str, object]:
    """Train once and give the validation score at every evaluation, with the seconds it took."""
    from tunewright.core.chance import seed_for
    from tunewright.core.folder import read_lines
    from tunewright.core.log import calm_libraries, set_quiet
    from tunewright.model.build import build as build_model
    from tunewright.pipeline.job import job_of, scorer
    from tunewright.pipeline.make_plan import make_plan
    from tunewright.pipeline.prepare import prepare
    from tunewright.pipeline.recipe import build, parse_settings, put
    from tunewright.train import hf

    calm_libraries()
    set_quiet(True)
    values = recipe_of(name, out)
    for key, value in parse_settings(settings).items():
        put(values, key, value)
    recipe = build(values)
    plan = make_plan(recipe, out, prepare(recipe, out))
    built = build_model(plan.base, plan.recipe.model, plan.recipe.task, plan.recipe.method, seed_for(recipe.seed, "head"))
    with tempfile.TemporaryDirectory() as run:
        hf.fit(job_of(Path(run), plan, built, scorer(plan), None))
        events = [line for line in read_lines(Path(run) / "events.jsonl") if line["event"] == "evaluated"]
    best_by = str(plan.recipe.train.best_by)
    return {
        "set": name,
        "settings": settings,
        "scores": [round(line["scores"][best_by], 4) for line in events],
        **{name: [round(line["scores"][name], 4) for line in events] for name in ALSO if name in events[0]["scores"]},
        "seconds": [line["seconds"] for line in events],
    }


def main(sets: str, *trials: str) -> None:
    """Measure every trial on every set, a JSON line each."""
    with tempfile.TemporaryDirectory() as out:
        for trial in trials:
            for name in sets.split(","):
                print(json.dumps(measure(name, trial.split(), Path(out))), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
