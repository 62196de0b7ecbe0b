"""The verb ``report``: the page and the model card of a run, from its folder alone."""

from __future__ import annotations

from pathlib import Path


def report(run: Path) -> Path:
    """Write ``report.html`` and ``README.md`` (the model card, also into ``model/``) anew; returns the page.

    A run whose ``model/`` was taken away still has its report.

    Raises:
        UserError: the folder is no run, or another process writes it.
        ProofFailed: the model in it is not the one that was proved.
    """
    from tunewright.core.folder import read_json, write_bytes
    from tunewright.pipeline.runs import alone, update, verify
    from tunewright.report import card, page

    manifest = read_json(run / "manifest.json")
    if "served" in manifest and (run / "model").is_dir():
        verify(run, manifest)
    with alone(run):
        written = page.write(run)
        readme = card.write(run)
        if (run / "model").is_dir():
            write_bytes(run / "model" / "README.md", readme.read_bytes())
        update(run, {})
    return written
