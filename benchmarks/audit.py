"""The audit of a large table with known duplicates, conflicts and leaks: seconds, peak memory, recall and precision, beside datasketch.

The table is made up with a seed and a recorded truth (``audit_table``). Every measurement is a process of its own. datasketch gets the same
word sets, the same number of hashes and bands, and verifies its candidates as we do; the two take turns on the same rows.

Usage: python -m benchmarks.audit RESULT_JSON [--rows 10000 31623 100000 316228 1000000] [--against 100000] [--turns 2] [--near-only]
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from benchmarks.audit_table import NO_WORD, SEED, THRESHOLD, generate, jaccard, word_set

ROWS = (10_000, 31_623, 100_000, 316_228, 1_000_000)
RULES_MEASURED = (
    "conflicting-label", "leak-exact", "leak-near", "rare-label", "exact-duplicate", "normalised-duplicate", "near-duplicate",
    "label-never-trained", "imbalance",
)  # fmt: skip
FOUND_BY = {
    "exact": "exact-duplicate", "spelling": "normalised-duplicate", "near": "near-duplicate", "conflict": "conflicting-label",
    "leak": "leak-exact", "near_leak": "leak-near",
}  # fmt: skip
"""What is planted -> the rule that finds it."""


def columns(folder: Path) -> pa.Table:
    """Train and test, one behind the other: the rows as the truth counts them."""
    return pa.concat_tables([pq.read_table(folder / f"{name}.parquet") for name in ("train", "test")])


def clocks() -> tuple[float, float]:
    """The clock on the wall, and the time that the processors have worked for this process, in seconds."""
    return time.perf_counter(), time.process_time()


def since(started: tuple[float, float]) -> dict[str, float]:
    """What has gone by on both; on a machine that others use too, the second says more."""
    return {"seconds": time.perf_counter() - started[0], "cpu_seconds": time.process_time() - started[1]}


def near_alone(folder: Path) -> dict[str, Any]:
    """Only the clusters of near-duplicates, with the normalised copies that are collapsed before."""
    import scipy.sparse.csgraph  # noqa: F401

    from tunewright.data.audit.base import Looked
    from tunewright.tasks.base import Role

    rows = columns(folder)
    looked = Looked(rows, (Role("text", "text", ""),), np.zeros(len(rows), dtype=np.int64), (), np.arange(len(rows)))
    started = clocks()
    found = looked.near_texts
    took = since(started)
    np.save(folder / "near_alone.npy", found)
    return took


def datasketch(folder: Path) -> dict[str, Any]:
    """The same with datasketch: the same word sets, hashes and bands, its candidates verified by their true similarity."""
    from datasketch import MinHash, MinHashLSH
    from xxhash import xxh32_intdigest

    from tunewright.data.audit.near import bands_for

    bands, width = bands_for(THRESHOLD)
    texts = columns(folder)["text"].to_pylist()
    started = clocks()
    first: dict[str, int] = {}
    whole = [first.setdefault(" ".join(NO_WORD.sub(" ", text.lower()).split()), at) for at, text in enumerate(texts)]
    rows = list(first.values())
    sets = [word_set(texts[row]) for row in rows]
    hashed = MinHash.bulk([[word.encode() for word in one] for one in sets], num_perm=bands * width, hashfunc=xxh32_intdigest)
    index = MinHashLSH(num_perm=bands * width, params=(bands, width))
    root = list(range(len(rows)))

    def found(at: int) -> int:
        while root[at] != at:
            root[at] = at = root[root[at]]
        return at

    for at, one in enumerate(hashed):
        for other in index.query(one):
            if jaccard(sets[at], sets[other]) >= THRESHOLD:
                root[found(at)] = found(other)
        index.insert(at, one, check_duplication=False)
    place = {row: rows[found(at)] for at, row in enumerate(rows)}
    took = since(started)
    np.save(folder / "datasketch.npy", np.array([place[row] for row in whole]))
    return took


def all_rules(folder: Path) -> dict[str, Any]:
    """The whole audit, from the CSV files to the findings, with the rules of duplicates, conflicts, labels and leaks."""
    from tunewright.data.audit import RULES
    from tunewright.data.prepare import audit
    from tunewright.data.settings import DataSettings
    from tunewright.tasks import TASKS

    source = {name: str(folder / f"{name}.csv") for name in ("train", "test")}
    others = dict.fromkeys(sorted(set(RULES.places()) - set(RULES_MEASURED)), False)
    task = TASKS.build("text-classification")
    started = clocks()
    found = audit(DataSettings.read({"source": source, "rules": others}), task, 0, folder).findings
    took = since(started)
    offset = {"train.csv": 0, "test.csv": pq.read_metadata(folder / "train.parquet").num_rows}
    reported: dict[str, list[list[int]]] = {}
    for finding in found:
        rows = [offset[Path(place.file).name] + place.row for place in finding.places]
        if finding.groups and finding.rule not in reported:
            reported[finding.rule] = [rows, list(finding.groups)]
    (folder / "all_rules.json").write_text(json.dumps(reported))
    return {**took, "findings": {finding.rule: len(finding.places) for finding in found}}


UNITS = ("seconds", "cpu_seconds")
MEASURED = {one.__name__: one for one in (near_alone, datasketch, all_rules)}


def measure(what: str, folder: Path) -> dict[str, Any]:
    """One measurement in a process of its own: seconds of the work itself, and the most memory that the process ever held."""
    done = subprocess.run([sys.executable, "-m", "benchmarks.audit", "measure", what, str(folder)], stdout=subprocess.PIPE, check=True)
    result: dict[str, Any] = json.loads(done.stdout)
    told = (
        f"{folder.name:>9} {what:11} {result['seconds']:8.1f} s, {result['cpu_seconds']:.1f} s of CPU, {result['peak_bytes'] / 1e9:.2f} GB"
    )
    print(told, file=sys.stderr, flush=True)
    return result


def judged(folder: Path, clusters: np.ndarray) -> dict[str, float]:
    """Recall of the planted near pairs, and the share of the reported rows that are near another row of their cluster, checked one by one.

    Args:
        clusters: (rows,) int, the same number for rows that are said to be near.
    """
    truth = pq.read_table(folder / "truth.parquet")
    near = truth.filter(pc.is_in(truth["kind"], pa.array(["near", "near_leak"])))
    recall = float((clusters[near["row"].to_numpy()] == clusters[near["of"].to_numpy()]).mean())
    members: dict[int, list[int]] = defaultdict(list)
    reported = np.flatnonzero(np.bincount(clusters)[clusters] > 1)
    for row in reported.tolist():
        members[int(clusters[row])].append(row)
    texts = dict(zip(reported.tolist(), columns(folder)["text"].take(pa.array(reported)).to_pylist(), strict=True))
    return {"planted": len(near), "recall": recall, "reported": len(reported), "precision": _right(members, texts) / max(1, len(reported))}


def _right(members: dict[int, list[int]], texts: dict[int, str]) -> int:
    right = 0
    for rows in members.values():
        sets = [word_set(texts[row]) for row in rows]
        right += sum(any(jaccard(one, two) >= THRESHOLD for at, two in enumerate(sets) if at != place) for place, one in enumerate(sets))
    return right


def judged_rules(folder: Path) -> dict[str, dict[str, float]]:
    """For each rule: the share of what was planted for it that stands in one group of its finding."""
    truth = pq.read_table(folder / "truth.parquet").to_pylist()
    reported = json.loads((folder / "all_rules.json").read_text())
    found = {}
    for kind, rule in FOUND_BY.items():
        group = dict(zip(*reported.get(rule, [[], []]), strict=True))
        planted = [one for one in truth if one["kind"] == kind]
        told = [group.get(one["row"], -1) == group.get(one["of"], -2) for one in planted]
        found[kind] = {"rule": rule, "planted": len(planted), "recall": float(np.mean(told))}
    return found


def table(results: dict[str, Any]) -> str:
    """The results as Markdown."""
    names = ["rows", "MB of CSV", "load", *(f"{what}, {unit}" for what in ("near", "all rules") for unit in ("s", "CPU s", "peak GB"))]
    lines = [_line([*names, "recall", "precision"]), _line(["---"] * 11)]
    for one in results["sizes"]:
        costs = [cell for name in ("near_alone", "all_rules") for cell in _cost(one.get(name))]
        judged = [f"{one['judged'][name]:.4f}" for name in ("recall", "precision")]
        lines.append(_line([f"{one['rows']:,}", f"{one['bytes'] / 1e6:.0f}", f"{one['load']:.1f}", *costs, *judged]))
    lines.append("\nnear: clusters of near-duplicates alone, with recall of the planted pairs and precision of the reported rows.")
    lines.append("all rules: the whole audit from CSV to findings with the rules of duplicates, conflicts, labels and leaks.")
    if versus := results.get("against"):
        lines.append(f"\nTaking turns on {versus['rows']:,} rows, near-duplicates alone:\n")
        lines += [_line(["", "s", "CPU s", "recall", "precision"]), _line(["---"] * 5)]
        for name in ("near_alone", "datasketch"):
            cells = [", ".join(f"{turn[unit]:.2f}" for turn in versus[name]) for unit in ("seconds", "cpu_seconds")]
            lines.append(_line([name, *cells, *(f"{versus['judged'][name][one]:.4f}" for one in ("recall", "precision"))]))
        lines.append(f"\nRatio of the medians: {versus['ratio']:.1f}; of the CPU seconds: {versus['cpu_ratio']:.1f}.")
    if "rules" in results:
        lines += ["", _line(["planted", "found by", "pairs", "recall"]), _line(["---"] * 4)]
        lines += [_line([kind, one["rule"], f"{one['planted']:,}", f"{one['recall']:.4f}"]) for kind, one in results["rules"].items()]
    return "\n".join(lines)


def _line(cells: list[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def _cost(one: dict[str, float] | None) -> list[str]:
    return ["-"] * 3 if one is None else [f"{one['seconds']:.2f}", f"{one['cpu_seconds']:.2f}", f"{one['peak_bytes'] / 1e9:.2f}"]


def plot(results: dict[str, Any], place: Path) -> None:
    """Seconds over rows, with what growth in proportion to the rows would be."""
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    rows = [one["rows"] for one in results["sizes"]]
    figure = Figure(figsize=(6, 4), layout="constrained")
    FigureCanvasSVG(figure)
    axes = figure.subplots()
    for name, told in (("all_rules", "exact, near, conflict, label and leak rules"), ("near_alone", "near-duplicates alone")):
        seconds = [one[name]["seconds"] for one in results["sizes"] if name in one]
        if len(seconds) == len(rows):
            axes.loglog(rows, seconds, marker="o", label=told)
            axes.loglog(rows, [seconds[-1] * count / rows[-1] for count in rows], color="grey", linestyle=":", linewidth=1)
    if "against" in results:
        theirs = np.median([one["seconds"] for one in results["against"]["datasketch"]])
        axes.loglog(results["against"]["rows"], theirs, "s", label="datasketch, near-duplicates alone")
    axes.set(xlabel="rows", ylabel="seconds", title="Audit of a generated table (dotted: in proportion to the rows)")
    axes.legend()
    figure.savefig(place, metadata={"Date": None})


def main(*words: str) -> None:
    """Generate, measure, judge; write JSON, Markdown and a picture."""
    if words[:1] == ("measure",):
        result = MEASURED[words[1]](Path(words[2]))
        print(json.dumps({**result, "peak_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024}))
        return
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("result", type=Path)
    parser.add_argument("--rows", type=int, nargs="+", default=ROWS)
    parser.add_argument("--against", type=int, default=100_000, help="rows on which datasketch is measured; 0 leaves it out")
    parser.add_argument("--turns", type=int, default=2)
    parser.add_argument("--near-only", action="store_true", help="leave out the measurement of all rules together")
    given = parser.parse_args(words)
    with tempfile.TemporaryDirectory(dir="/var/tmp") as scratch:
        results = measured(Path(scratch), given)
    given.result.write_text(json.dumps(results, indent=1) + "\n")
    told = f"Made by `python -m benchmarks.audit {given.result}` (seed {SEED}, threshold {THRESHOLD}), each measurement in its own process."
    given.result.with_suffix(".md").write_text(f"{told}\n\n{table(results)}\n")
    plot(results, given.result.with_suffix(".svg"))
    print(table(results))


def measured(scratch: Path, given: argparse.Namespace) -> dict[str, Any]:
    """Every size by itself, and the turns against datasketch."""
    from tunewright.model.device import machine

    results: dict[str, Any] = {"measured": datetime.now(UTC).date().isoformat(), "machine": machine(), "seed": SEED, "sizes": []}
    for rows in given.rows:
        folder = scratch / str(rows)
        folder.mkdir()
        generate(folder, rows)
        size = sum((folder / f"{name}.csv").stat().st_size for name in ("train", "test"))
        one = {"rows": rows, "bytes": size, "load": os.getloadavg()[0], "near_alone": measure("near_alone", folder)}
        one["judged"] = judged(folder, np.load(folder / "near_alone.npy"))
        if not given.near_only:
            one["all_rules"] = measure("all_rules", folder)
            results["rules"] = judged_rules(folder)
        if rows == given.against:
            results["against"] = against(folder, rows, given.turns)
        results["sizes"].append(one)
    return results


def against(folder: Path, rows: int, turns: int) -> dict[str, Any]:
    """Ours and datasketch, by turns."""
    took: dict[str, list[dict[str, Any]]] = {"near_alone": [], "datasketch": []}
    for _ in range(turns):
        for name, found in took.items():
            found.append(measure(name, folder))
    ratios = [np.divide(*(np.median([one[unit] for one in took[name]]) for name in ("datasketch", "near_alone"))) for unit in UNITS]
    verdicts = {name: judged(folder, np.load(folder / f"{name}.npy")) for name in took}
    return {"rows": rows, **took, "ratio": float(ratios[0]), "cpu_ratio": float(ratios[1]), "judged": verdicts}


if __name__ == "__main__":
    main(*sys.argv[1:])
