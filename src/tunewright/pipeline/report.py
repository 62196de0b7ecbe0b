"""The verb ``report``: the page and the model card of a run, from its folder alone."""

from __future__ import annotations

from pathlib import Path


def report(run: Path) -> Path:
    """Write ``report.html`` and ``README.md`` (the model card, also into ``model/``) anew; returns the page.

    Raises:
        UserError: the folder is no run.
    """
    from tunewright.core.folder import write_bytes
    from tunewright.pipeline.runs import update
    from tunewright.report import card, page

    written = page.write(run)
    readme = card.write(run)
    if (run / "model").is_dir():
        write_bytes(run / "model" / "README.md", readme.read_bytes())
    update(run, {})
    return written
