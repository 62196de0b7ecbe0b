"""How well wrong labels are ranked: labels flipped with a seed on banking77, and the test labels of newsgroups20 that people judged.

Usage: TUNEWRIGHT_DATA=... python -m benchmarks.label_noise RESULT.json [FOLDER FOR VECTORS]

Which classes are alike is told here by words alone (cosine of TF-IDF centroids) and by the mistakes of a TF-IDF classifier: nothing of
tunewright has a part in what is planted. Beside our ranking stand cleanlab's own on the same probabilities (by self-confidence, its
default, and by normalised margin) and, for the first seed, a plain trial: logistic regression out of fold on the same sentence vectors,
by self-confidence. The newsgroups are measured once with sentence vectors and once by their words alone, which is what the default does
with so many letters.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

PLANTED = (("any other class", 0.05), ("any other class", 0.10), ("one of 3 alike, by words", 0.05), ("one of 3 alike, by mistakes", 0.05))
TARGETS = {"any other class": 0.97, "one of 3 alike, by words": 0.87, "one of 3 alike, by mistakes": 0.87}
SEEDS = (11, 12, 13)
TOPS = (93, 200, 500)


def main(result: str, vectors: str | None = None) -> None:
    """Measure everything, write the numbers and the table."""
    with tempfile.TemporaryDirectory() as folder:
        found = {"banking77": planted(Path(vectors or folder)), "newsgroups20": judged(Path(vectors or folder))}
    Path(result).write_text(json.dumps(found, indent=2) + "\n")
    Path(result).with_suffix(".md").write_text(table(found, result))


def planted(vectors: Path) -> list[dict[str, Any]]:
    """Average precision of the flipped rows, for each kind of flip and seed."""
    rows = [json.loads(line) for line in (data() / "banking77" / "train.jsonl").read_text().splitlines()]
    texts, names = [row["text"] for row in rows], sorted({row["label"] for row in rows})
    clean = np.array([names.index(row["label"]) for row in rows])
    alike = {"one of 3 alike, by words": by_words(texts, clean), "one of 3 alike, by mistakes": by_mistakes(texts, clean)}
    found = []
    for kind, share in PLANTED:
        for seed in SEEDS:
            labels = flipped(clean, alike.get(kind), share, seed)
            bad = labels != clean
            one, seconds = ask(texts, [names[label] for label in labels], vectors, most_letters=10**9)
            scores = {"ours": one.score, **others(one)} | ({"plain trial": plain(texts, labels, vectors)} if seed == SEEDS[0] else {})
            told = one.flagged & (one.score >= rule().sure)
            found.append(
                {
                    "kind": kind,
                    "share": share,
                    "seed": seed,
                    "average_precision": {name: round(average_precision(bad, score), 4) for name, score in scores.items()},
                    "told": int(told.sum()),
                    "precision_of_told": round(float(bad[told].mean()), 3),
                    "recall_of_told": round(float(told[bad].mean()), 3),
                    "suggested_right": round(float((one.suggested.argmax(1) == order(one, names)[clean])[bad].mean()), 3),
                    "seconds": round(seconds, 1),
                }
            )
            print(json.dumps(found[-1]), flush=True)
    return found


def judged(vectors: Path) -> dict[str, Any]:
    """How many of the 82 judged errors stand among the first rows of the test split, by each ranking."""
    from pyarrow import parquet

    folder = data() / "newsgroups20"
    splits = {split: parquet.read_table(folder / f"{split}.parquet") for split in ("train", "test")}
    texts = [text for table in splits.values() for text in table["text"].to_pylist()]
    labels = [label for table in splits.values() for label in table["label"].to_pylist()]
    ids = [None] * len(splits["train"]) + splits["test"]["id"].to_pylist()
    lines = (data() / "label_errors_20news" / "flagged.jsonl").read_text().splitlines()
    wrong = {one["id"] for one in map(json.loads, lines) if one["is_error"]}
    found: dict[str, Any] = {"errors": len(wrong), "rows": len(splits["test"])}
    for by, letters in (("sentence vectors and words", 10**9), ("words alone (the default at this size)", 1_500_000)):
        one, seconds = ask(texts, labels, vectors, most_letters=letters)
        mine = [place for place, row in enumerate(one.rows.tolist()) if ids[row] is not None]
        error = np.array([ids[one.rows[place]] in wrong for place in mine])
        told = (one.flagged & (one.score >= rule().sure))[mine]
        found[by] = {
            "among_the_first": {
                name: {str(top): int(error[np.argsort(-score[mine], kind="stable")[:top]].sum()) for top in TOPS}
                for name, score in {"ours": one.score, **others(one)}.items()
            },
            "judged_rows": len(mine),
            "told": int(told.sum()),
            "errors_told": int(error[told].sum()),
            "seconds": round(seconds, 1),
        }
        print(json.dumps(found[by]), flush=True)
    return found


def ask(texts: list[str], labels: list[str], vectors: Path, most_letters: int) -> tuple[Any, float]:
    """What the rule says of a table, and how long it took once the sentence vectors are there."""
    from tunewright.data.audit.base import Looked, Services
    from tunewright.pipeline.services import ENCODER, Vectors
    from tunewright.tasks.base import Role

    embed = Vectors(vectors / ENCODER)
    table = pa.table(
        {
            "text": pa.chunked_array([texts[start : start + 8192] for start in range(0, len(texts), 8192)], pa.string()),
            "label": pa.chunked_array([labels], pa.string()),
            "_file": pa.repeat("a", len(texts)),
            "_row": pa.array(range(len(texts)), pa.int64()),
        }
    )
    roles = (Role("text", "text", ""), Role("label", "label", ""))
    looked = Looked(table, roles, np.zeros(len(texts), dtype=int), (), np.arange(len(texts)), services=Services(embed, ENCODER))
    if sum(min(len(text), 1000) for text in texts) <= most_letters:
        embed(texts)
    start = time.perf_counter()
    found = rule(most_letters).judged(looked)
    return found, time.perf_counter() - start


def rule(most_letters: int = 0) -> Any:
    """The rule, with this limit."""
    from tunewright.data.audit.label_noise import LabelNoise

    return LabelNoise(most_letters=most_letters)


def others(one: Any) -> dict[str, np.ndarray]:
    """cleanlab's rankings of the same rows by the same probabilities, higher is more doubtful."""
    from cleanlab.rank import get_label_quality_scores

    labels, probabilities = one.labels.argmax(1), one.probabilities / one.probabilities.sum(1, keepdims=True)
    methods = {"cleanlab": "self_confidence", "cleanlab, margin": "normalized_margin"}
    return {name: -get_label_quality_scores(labels, probabilities, method=method) for name, method in methods.items()}


def plain(texts: list[str], labels: np.ndarray, vectors: Path) -> np.ndarray:
    """What anyone would try first: 1 - the out-of-fold probability that logistic regression gives a row's own label."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import cross_val_predict
    from threadpoolctl import threadpool_limits

    from tunewright.pipeline.services import ENCODER, Vectors

    with threadpool_limits(1):
        found = cross_val_predict(LogisticRegression(max_iter=100), Vectors(vectors / ENCODER)(texts), labels, method="predict_proba", cv=5)
    return 1 - np.asarray(found)[np.arange(len(labels)), labels]


def flipped(clean: np.ndarray, alike: np.ndarray | None, share: float, seed: int) -> np.ndarray:
    """Labels of which a share is another class: any, or one of those that are alike."""
    chance, labels = np.random.default_rng(seed), clean.copy()
    rows = chance.choice(len(clean), int(share * len(clean)), replace=False)
    classes = clean.max() + 1
    labels[rows] = (
        (clean[rows] + chance.integers(1, classes, len(rows))) % classes
        if alike is None
        else alike[clean[rows], chance.integers(0, alike.shape[1], len(rows))]
    )
    return labels


def by_words(texts: list[str], labels: np.ndarray) -> np.ndarray:
    """(classes, 3) the classes whose TF-IDF centroids are nearest."""
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.preprocessing import normalize

    found = TfidfVectorizer(sublinear_tf=True).fit_transform(texts)
    centres = normalize(np.vstack([np.asarray(found[labels == one].mean(0)) for one in range(labels.max() + 1)]))
    near = centres @ centres.T
    np.fill_diagonal(near, -1)
    return np.argsort(-near, axis=1, kind="stable")[:, :3]


def by_mistakes(texts: list[str], labels: np.ndarray) -> np.ndarray:
    """(classes, 3) the classes that a TF-IDF classifier, out of fold, gives most probability in rows of each class."""
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.model_selection import cross_val_predict
    from sklearn.naive_bayes import ComplementNB
    from sklearn.pipeline import make_pipeline

    guessed = cross_val_predict(make_pipeline(TfidfVectorizer(sublinear_tf=True), ComplementNB()), texts, labels, cv=5)
    counts = np.zeros((labels.max() + 1, labels.max() + 1))
    np.add.at(counts, (labels, guessed), 1)
    np.fill_diagonal(counts, -1)
    return np.argsort(-counts, axis=1, kind="stable")[:, :3]


def average_precision(bad: np.ndarray, score: np.ndarray) -> float:
    """Area under precision over recall of ``bad`` rows, by descending score."""
    from sklearn.metrics import average_precision_score

    return float(average_precision_score(bad, score))


def order(one: Any, names: list[str]) -> np.ndarray:
    """The place of each name among the rule's."""
    return np.array([one.names.index(name) for name in names])


def table(found: dict[str, Any], result: str) -> str:
    """The numbers as Markdown."""
    rankings = list(found["banking77"][0]["average_precision"])
    lines = [
        f"Made by `python -m benchmarks.label_noise {result}`.",
        "",
        f"banking77 train, labels flipped; average precision of the ranking, mean over seeds {', '.join(map(str, SEEDS))} (smallest).",
        "",
        f"| flipped to | share | target | {' | '.join(rankings)} | told: precision, recall | suggestion right | s |",
        f"| --- | --- | --- | {' | '.join('---' for _ in rankings)} | --- | --- | --- |",
    ]
    for kind, share in PLANTED:
        mine = [one for one in found["banking77"] if (one["kind"], one["share"]) == (kind, share)]

        def mean(key: str, among: list[dict[str, Any]] = mine) -> float:
            return float(np.mean([one[key] for one in among]))

        cells = []
        for name in rankings:
            values = [one["average_precision"][name] for one in mine if name in one["average_precision"]]
            cells.append(f"{np.mean(values):.3f} ({min(values):.3f})")
        lines.append(
            f"| {kind} | {share:.0%} | {TARGETS[kind]} | {' | '.join(cells)} | {mean('precision_of_told'):.2f}, "
            f"{mean('recall_of_told'):.2f} | {mean('suggested_right'):.2f} | {mean('seconds'):.1f} |"
        )
    news = found["newsgroups20"]
    lines += [
        "",
        f"newsgroups20 with the votes of label_errors_20news: how many of the {news['errors']} judged errors stand among the first rows of "
        f"{news['rows']:,} test rows.",
        "",
        f"| judged by | ranking | {' | '.join(f'first {top}' for top in TOPS)} | told, errors among them | s |",
        f"| --- | --- | {' | '.join('---' for _ in TOPS)} | --- | --- |",
    ]
    for by, one in ((by, one) for by, one in news.items() if isinstance(one, dict)):
        for name, tops in one["among_the_first"].items():
            counts = " | ".join(str(tops[str(top)]) for top in TOPS)
            told = f"{one['told']}, {one['errors_told']} | {one['seconds']}" if name == "ours" else " | "
            lines.append(f"| {by} | {name} | {counts} | {told} |")
    return "\n".join(lines) + "\n"


def data() -> Path:
    """The folder of public data sets."""
    return Path(os.environ["TUNEWRIGHT_DATA"])


if __name__ == "__main__":
    main(*sys.argv[1:])
