"""A loop of your own around our pieces: the same batches, loss, optimizer, schedule and checkpoints; what happens in a step is yours.

Usage: python examples/own_loop.py RECIPE
"""

import sys
from pathlib import Path

import torch

from tunewright.core.chance import seed_for
from tunewright.pipeline.job import job_of, scorer
from tunewright.pipeline.make_plan import make_plan
from tunewright.pipeline.prepare import prepare
from tunewright.pipeline.recipe import read
from tunewright.train.checkpoint import Parts, write
from tunewright.train.dropout import quick_dropout
from tunewright.train.optimizers.groups import groups


@quick_dropout()  # as the engines have it: with the same seed, the same masks
def main(path: Path) -> None:
    recipe = read(path)
    plan = make_plan(recipe, path.parent, prepare(recipe, path.parent))
    from tunewright.model.build import build

    built = build(plan.base, plan.recipe.model, plan.recipe.task, plan.recipe.method, seed_for(recipe.seed, "head"))
    job = job_of(path.parent / "own", plan, built, scorer(plan), None)
    optimizer = job.settings.optimizer.make(groups(job, job.model))
    total = int(job.settings.epochs) * len(job.order(0))
    schedule = job.settings.schedule.make(optimizer, job.settings.warmup_steps(total), total)
    torch.manual_seed(job.seed)
    for epoch in range(int(job.settings.epochs)):
        job.model.train()
        for rows in job.order(epoch):
            batch = job.collate([job.pieces[row] for row in rows])
            loss = job.loss_fn(job.model, batch).total / job.count(batch)  # a sum over the rows becomes a mean
            loss.backward()
            torch.nn.utils.clip_grad_norm_(job.model.parameters(), job.settings.clip)
            optimizer.step()
            schedule.step()
            optimizer.zero_grad()
        print(f"epoch {epoch + 1}: loss {loss.item():.4f}, {job.best_by} {job.evaluate(job.model)[job.best_by]:.4f}")
    write(job.folder / f"checkpoint-{total}", Parts(job.model, optimizer, schedule), [], {})


if __name__ == "__main__":
    main(Path(sys.argv[1]))
