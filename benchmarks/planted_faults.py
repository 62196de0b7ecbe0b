"""Recall and precision of every audit rule, on tables in which faults were planted and written down.

A clean table is audited as it is, then once more with faults planted by ``benchmarks.faults``, which knows nothing of our rules. What a
rule names in the clean table is no false alarm in the planted one. Each fault lies in a row of its own that is like no other row, so that
what is true of it is plain:

- empty text, label missing or standing for none, label variant, rare label, flipped label, mojibake, control characters, over-long, too
  short, only markup, other language, truncated, personal data, unreadable: the changed row.
- duplicate (exact, normalised, near), conflicting label, leak (exact, near): both rows of the pair, in one group of the finding. A pair is
  a near-duplicate when both texts have at least eight different words and the Jaccard similarity of their sets of words (normalised:
  without case, punctuation and compatibility forms) is 0.8 or more, computed without approximation; pairs below 0.79 are decoys.
- leak by group: the two training rows and the test row of the group. Leak by time: the test row that is older than most of train.
- constant and shortcut column: the message names the column. Shortcut token: the message names the token, or all its rows are named.

Examples of what was missed and of false alarms are printed, and not kept: they quote the sets.

Decoys, which no rule may name: accents and emoji as they should be, near misses, numbers and codes that are no personal data.

Usage: TUNEWRIGHT_DATA=... python -m benchmarks.planted_faults RESULT_JSON [SET ...] [-- key=value ...]
"""

from __future__ import annotations

import json
import os
import random
import sys
import tempfile
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks.faults.kinds import KINDS, plant
from benchmarks.faults.score import Found, scores
from benchmarks.faults.table import SPLITS, Planted, laid_out, write
from benchmarks.sets import data_of

SEED = 20
SHINGLES = "words"
DEMO_ROWS = 3000
FOREIGN_LETTERS = 40
"""Letters of a planted sentence in another language, at least; of a Japanese one a third is enough."""
TOLD = ("banking77", "ag_news", "sms_spam", "demo")
TARGETS: Mapping[str, tuple[float, float]] = {
    **dict.fromkeys(
        ("exact-duplicate", "normalised-duplicate", "conflicting-label", "leak-exact", "empty-text", "mojibake", "over-long"), (1.0, 0.99)
    ),
    **dict.fromkeys(("label-variant", "leak-group", "leak-time"), (1.0, 0.99)),
    **dict.fromkeys(("near-duplicate", "leak-near"), (0.98, 0.99)),
    **dict.fromkeys(("personal-data", "secret"), (0.95, 0.95)),
}
"""Rule -> the recall of each of its kinds, and its precision, that are wanted; other rules have no target."""


def clean_rows(name: str) -> list[dict[str, str]]:
    """The rows of a public set, or of the demo without its faults: ``text``, ``label``, ``split``."""
    if name == "demo":
        return _tickets()
    files: dict[str, str] = data_of(name)["source"]
    return [{**row, "split": split} for split, path in files.items() for row in _read(Path(path))]


def _read(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def _tickets() -> list[dict[str, str]]:
    """Tickets in the order of their times: the last fifth is the test split."""
    from tunewright.demo.tickets import Tickets

    faults = [name for name in Tickets.model_fields if name not in {"rows", "seed", "typo", "mail_footer"}]
    rows = Tickets(rows=DEMO_ROWS, **dict.fromkeys(faults, 0.0)).generate().rows
    cut = int(0.8 * len(rows))
    return [
        {"text": row["body"], "label": row["queue"], "time": row["created"].replace(" ", "T"), "split": "train" if at < cut else "test"}
        for at, row in enumerate(rows)
    ]


def foreign_sentences() -> list[str]:
    """Sentences in German, French, Czech and Japanese."""
    root = Path(os.environ["TUNEWRIGHT_DATA"])
    rows = _read(root / "multi30k/test_2016_flickr.jsonl")
    found = [row[("de", "fr", "cs")[at % 3]] for at, row in enumerate(rows)]
    found = [text for text in found if sum(map(str.isalpha, text)) >= FOREIGN_LETTERS]
    japanese = _read(root / "small_parallel_enja/test.jsonl")
    found += [row["ja"] for row in japanese if 3 * sum(map(str.isalpha, row["ja"])) >= FOREIGN_LETTERS][: len(found) // 6]
    return list(dict.fromkeys(found))


def audited(table: Planted, folder: Path, settings: list[str]) -> tuple[list[Found], float]:
    """What the audit finds in a table, by the ``uid`` of its rows; and the seconds it took."""
    from tunewright.data.prepare import audit
    from tunewright.pipeline.recipe import build, parse_settings, put
    from tunewright.pipeline.services import services_for

    files = write(table.rows, folder)
    uids = {f"{split}.csv": [row.uid for row in table.rows if row.split == split] for split in files}
    values: dict[str, Any] = {
        "task": "text-classification",
        "data": {"source": {split: str(path) for split, path in files.items()}, "split": {"group": "group", "time": "time"}},
        "model": {"base": "embedded"},
        "output_dir": str(folder.parent),
    }
    for key, value in parse_settings(settings).items():
        put(values, key, value)
    recipe, start = build(values), time.monotonic()
    findings = audit(recipe.data, recipe.task, recipe.seed, folder, services_for(recipe, folder)).findings
    seconds = time.monotonic() - start
    found = [
        Found(one.rule, one.message, tuple(uids[place.file][place.row] for place in one.places), tuple(one.groups)) for one in findings
    ]
    return found, seconds


def measure(name: str, settings: list[str], out: Path) -> dict[str, Any]:
    """Plant, audit both tables, and hold what was found against what was planted."""
    from tunewright.data.audit import RULES

    clean = laid_out(clean_rows(name), SEED)
    foreign = foreign_sentences()
    random.Random(SEED).shuffle(foreign)
    planted = plant(clean, SEED, SHINGLES, foreign)
    before, seconds_clean = audited(Planted(clean, []), out / "clean", settings)
    after, seconds = audited(planted, out / "planted", settings)
    failed = [one.message for one in (*before, *after) if one.rule in {"rule-failed", "own-rule-failed"}]
    splits = {split: sum(row.split == split for row in planted.rows) for split in SPLITS}
    told = {"set": name, "settings": settings, "rows": splits, "faults": len(planted.faults), "shingles": SHINGLES, "failed": failed}
    return {
        **told,
        "seconds": {"clean": round(seconds_clean, 1), "planted": round(seconds, 1)},
        **scores(planted, after, before, RULES.places()),
    }


def without_texts(result: dict[str, Any]) -> dict[str, Any]:
    """A result without its examples: the rows of the public sets are not ours to keep."""
    bare = {
        part: {name: {key: value for key, value in one.items() if key != "examples"} for name, one in result[part].items()}
        for part in ("kinds", "rules")
    }
    return {**result, **bare}


def table(results: list[dict[str, Any]]) -> str:
    """The results as Markdown: for each set a table, and under it what was missed."""
    return "\n\n".join(_of_set(one) for one in results)


def _of_set(one: dict[str, Any]) -> str:
    rows = ", ".join(f"{split} {count:,}" for split, count in one["rows"].items() if count)
    lines = [f"## {one['set']} {' '.join(one['settings'])}".rstrip(), ""]
    lines += [
        f"{sum(one['rows'].values()):,} rows ({rows}), {one['faults']:,} faults and decoys; audited in {one['seconds']['planted']:.0f} s."
    ]
    lines += [f"**{message}**" for message in one["failed"]]
    names = ["kind", "rule", "planted", "found", "recall", "wanted", "named by the rule", "false alarms", "precision", "wanted", ""]
    lines += ["", "| " + " | ".join(names) + " |", "|" + " --- |" * len(names)]
    told: set[str] = set()
    for kind, found in one["kinds"].items():
        lines.append(_line(kind, found, one["rules"].get(found["rule"]), found["rule"] not in told))
        told.add(found["rule"])
    lines += [_line("", {"rule": rule}, of, True) for rule, of in one["rules"].items() if rule not in told and of["false_alarms"]]
    return "\n".join([*lines, "", *_misses(one)]).rstrip()


def _line(kind: str, found: dict[str, Any], of: dict[str, Any] | None, first: bool) -> str:
    recall_wanted, precision_wanted = TARGETS.get(found["rule"], (None, None))
    cells = [kind, found["rule"], f"{found['planted']:,}" if kind else ""]
    if of is None:
        return "| " + " | ".join([*cells, "no such rule yet", *[""] * 7]) + " |"
    recall, precision = found.get("recall"), of["precision"]
    reached = (recall_wanted is None or recall is None or recall >= recall_wanted) and (
        precision_wanted is None or precision is None or precision >= precision_wanted
    )
    cells += [f"{found['found']:,}", _share(recall), _share(recall_wanted)] if kind else ["", "", ""]
    cells += [f"{of['right']:,}", f"{of['false_alarms']:,}", _share(precision), _share(precision_wanted)] if first else [""] * 4
    return "| " + " | ".join([*cells, "" if recall_wanted is None else "reached" if reached else "**not reached**"]) + " |"


def _share(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}"


def _misses(one: dict[str, Any]) -> list[str]:
    lines = []
    for kind, found in one["kinds"].items():
        if found.get("missed"):
            parts = ", ".join(f"{variant or 'all alike'} {count} of {found['of'][variant]}" for variant, count in found["missed"].items())
            lines.append(f"- {kind} missed: {parts}")
            lines += [f"  - {_quoted(example)}" for example in found.get("examples", [])]
    for rule, of in one["rules"].items():
        if of["false_alarms"]:
            parts = ", ".join(f"{count} in rows with {what}" for what, count in of["holding"].items())
            lines.append(f"- {rule}, false alarms: {parts}")
            lines += [f"  - {_quoted(example)}" for example in of.get("examples", [])]
    return lines


def _quoted(example: Any) -> str:
    return f"`{json.dumps(example, ensure_ascii=True).replace('`', '')}`"


def main(result: str, *words: str) -> None:
    """Measure the named sets (all of them when none is named) and add them to a result file, with the table beside it."""
    from tunewright.core.log import calm_libraries, set_quiet
    from tunewright.model.device import machine

    calm_libraries()
    set_quiet(True)
    names, _, settings = " ".join(words).partition("--")
    place = Path(result)
    kept = json.loads(place.read_text())["results"] if place.exists() else []
    for name in names.split() or TOLD:
        with tempfile.TemporaryDirectory() as out:
            found = measure(name, settings.split(), Path(out))
        kept = [one for one in kept if (one["set"], one["settings"]) != (name, settings.split())] + [without_texts(found)]
        facts = {"measured": datetime.now(UTC).date().isoformat(), "machine": machine(), "seed": SEED}
        place.write_text(json.dumps({**facts, "targets": TARGETS, "kinds": sorted(KINDS), "results": kept}, indent=1) + "\n")
        told = f"Made by `python -m benchmarks.planted_faults {result}`; `benchmarks/planted_faults.py` says what counts as found."
        place.with_suffix(".md").write_text(f"{told}\n\n{table(kept)}\n")
        print(_of_set(found), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
