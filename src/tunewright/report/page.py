"""``report.html``: one file with everything in it, that needs no network and no script to be read."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable, Mapping
from hashlib import sha256
from importlib.resources import files
from pathlib import Path
from typing import Any

from tunewright.core.folder import write_text
from tunewright.core.schema import Score
from tunewright.report import figures, words
from tunewright.report.checklist import checklist
from tunewright.report.evidence import CutLabel, NotMeasured
from tunewright.report.facts import read
from tunewright.report.verdict import verdict
from tunewright.report.view import view_of

SCRIPT = """addEventListener("beforeprint", () => document.querySelectorAll("details:not([open])").forEach((one) => {
  one.open = true;
  addEventListener("afterprint", () => { one.open = false; }, { once: true });
}));"""
"""All the script there is: paper has no folds."""


def write(run: Path) -> Path:
    """Write ``report.html`` into a run folder, from what the folder holds.

    Returns:
        The path of the page.

    Raises:
        UserError: ``run`` is not a run folder, or cannot be written.
    """
    from markupsafe import Markup

    facts = read(run)
    page = (
        _environment()
        .get_template("page.html")
        .render(
            f=facts,
            v=verdict(facts),
            view=view_of(facts),
            items=checklist(facts),
            css=Markup(_packaged("page.css")),
            script=Markup(SCRIPT),
            script_hash=b64encode(sha256(SCRIPT.encode()).digest()).decode(),
        )
    )
    return write_text(run / "report.html", page)


def _packaged(name: str) -> str:
    return files("tunewright.report").joinpath(name).read_text(encoding="utf-8")


def _environment() -> Any:
    """Every value is escaped, and freed of what would turn or break the page; a name the template does not know is an error."""
    from jinja2 import Environment, FunctionLoader, StrictUndefined

    environment = Environment(
        autoescape=True,
        undefined=StrictUndefined,
        loader=FunctionLoader(_packaged),
        finalize=_harmless,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= _filters()
    environment.tests |= {"measured": lambda value: not isinstance(value, NotMeasured), "score": lambda value: isinstance(value, Score)}
    return environment


def _harmless(value: Any) -> Any:
    """Plain text without control characters; what is markup already was escaped where it was made, and is left as it is."""
    if hasattr(value, "__html__"):
        return type(value)(words.clean(value))
    return words.clean(value) if isinstance(value, str) else value


def _filters() -> dict[str, Callable[..., Any]]:
    return {
        "count": words.count,
        "plural": words.plural,
        "percent": words.percent,
        "signed": words.signed,
        "size": words.size,
        "day": words.day,
        "fold": words.fold,
        "edged": words.edged,
        "bar": figures.bar,
        "kind": _kind,
        "visible": lambda text: {"\t": "tab", " ": "space"}.get(text, text),
        "most_cut": most_cut,
        "event": event,
        "sentence": words.sentence,
        "breakable": words.breakable,
    }


def _kind(answer: str) -> str:
    """An answer as a class of page.css."""
    return answer if answer in {"yes", "no"} else "unknown"


def most_cut(labels: Mapping[str, CutLabel]) -> list[tuple[str, CutLabel]]:
    """The labels of which something was cut, most rows first."""
    return sorted(((name, cut) for name, cut in labels.items() if cut.rows_cut), key=lambda pair: (-pair[1].rows_cut, pair[0]))


def event(one: Mapping[str, Any]) -> str:
    """Something that happened during training, as a sentence.

    >>> event({"event": "resumed", "step": 40, "from": "step-40"})
    'Step 40: resumed (from: step-40).'
    """
    rest = ", ".join(
        f"{name}: {value}" for name, value in one.items() if name not in {"event", "step"} and not isinstance(value, dict | list)
    )
    step = f"Step {one['step']}: " if "step" in one else ""
    return f"{step}{str(one.get('event', 'something')).replace('_', ' ')}{f' ({rest})' if rest else ''}."
