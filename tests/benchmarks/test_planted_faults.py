"""The generator that plants faults: what it says it planted is there, and it knows nothing of what it measures."""

from __future__ import annotations

import ast
import csv
import random
from collections import Counter
from pathlib import Path

import pytest

import benchmarks.faults
from benchmarks.faults.alike import SHINGLES, jaccard, pairs, plain, words
from benchmarks.faults.kinds import KINDS, plant
from benchmarks.faults.score import Found, scores
from benchmarks.faults.table import Planted, Row, laid_out, write

GERMAN = ("der", "hund", "katze", "läuft", "über", "unter", "grüne", "wiese", "und", "bellt", "laut", "abend", "morgen", "geht", "schnell")
FOREIGN = [" ".join(random.Random(number).sample(GERMAN, 8)) for number in range(200)]
LABELS = ("billing query", "delivery", "sign in")
SEED = 5


def sentences(number: int) -> list[dict[str, str]]:
    """Clean rows: words drawn from a vocabulary so large that no two rows are alike."""
    rng = random.Random(SEED)
    vocabulary = ["".join(rng.choices("abcdefghiklmnoprstuv", k=rng.randint(3, 9))) for _ in range(4000)]
    drawn = [", ".join(" ".join(rng.choices(vocabulary, k=rng.randint(5, 9))) for _ in range(rng.randint(2, 3))) for _ in range(number)]
    return [
        {"text": f"{text.capitalize()} isn't it.", "label": rng.choice(LABELS), "split": "train" if at < 0.8 * number else "test"}
        for at, text in enumerate(drawn)
    ]


@pytest.fixture(scope="module")
def clean() -> list[Row]:
    return laid_out(sentences(2600), SEED)


@pytest.fixture(scope="module")
def planted(clean: list[Row]) -> Planted:
    return plant(clean, SEED, "words", FOREIGN)


def test_the_generator_imports_nothing_of_what_it_measures() -> None:
    files = sorted(Path(benchmarks.faults.__file__).parent.glob("*.py"))
    names = [
        name
        for file in files
        for node in ast.walk(ast.parse(file.read_text()))
        for name in ([one.name for one in node.names] if isinstance(node, ast.Import) else [getattr(node, "module", None) or ""])
    ]
    assert len(files) >= 8
    assert len([name for name in names if name.startswith("benchmarks.faults")]) >= 10
    assert not [name for name in names if "tunewright" in name or name in {"benchmarks", "benchmarks.sets", "importlib"}]


def test_every_kind_is_planted_and_every_fault_has_rows_of_its_own(planted: Planted) -> None:
    counts = Counter(fault.kind for fault in planted.faults)
    assert set(counts) == set(KINDS)
    assert all(counts[kind] >= 30 for kind in KINDS if kind not in {"constant-column", "shortcut", "shortcut-token"})
    touched = Counter(row for fault in planted.faults for row in fault.rows)
    assert max(touched.values()) == 1


def test_rows_without_a_fault_are_as_they_were(clean: list[Row], planted: Planted) -> None:
    touched = {row for fault in planted.faults for row in fault.rows}
    before = {row.uid: row for row in clean}
    left = [row for row in planted.rows if row.uid not in touched]
    assert len(left) > 1000
    for row in left:
        old = before[row.uid]
        assert (row.text, row.label, row.split, row.group, row.time) == (old.text, old.label, old.split, old.group, old.time)


def test_the_same_seed_plants_the_same_and_another_seed_does_not(clean: list[Row], planted: Planted) -> None:
    assert plant(clean, SEED, "words", FOREIGN) == planted
    assert plant(clean, SEED + 1, "words", FOREIGN).faults != planted.faults


def test_near_duplicates_are_as_alike_as_they_say_and_nothing_else_became_alike(clean: list[Row], planted: Planted) -> None:
    texts = {row.uid: row.text for row in planted.rows}
    near = [fault for fault in planted.faults if fault.kind in {"near-duplicate", "leak-near"}]
    for fault in near:
        alike = jaccard(words(texts[fault.rows[0]]), words(texts[fault.rows[1]]))
        assert alike >= 0.8
        assert alike == pytest.approx(fault.numbers["words"], abs=1e-4)
    same = {"exact-duplicate", "normalised-duplicate", "conflicting-label", "leak-exact"}
    known = {frozenset(fault.rows) for fault in [*near, *(fault for fault in planted.faults if fault.kind in same)]}
    rows = [row for row in planted.rows if len(words(row.text)) >= 8]
    found = {frozenset((rows[one].uid, rows[other].uid)) for one, other, _ in pairs([row.text for row in rows], 0.8, words)}
    assert found == known


@pytest.mark.parametrize("name", sorted(SHINGLES))
def test_alike_pairs_are_found_exactly(name: str) -> None:
    rng = random.Random(3)
    texts = [" ".join(rng.choices(["red", "green", "blue", "cold", "warm", "salt", "fish", "bird"], k=6)) for _ in range(110)]
    texts += [f"{text} {rng.choice(text.split())}" for text in texts[:40]]
    cut = SHINGLES[name]
    slow = {(at, other) for at in range(150) for other in range(at + 1, 150) if jaccard(cut(texts[at]), cut(texts[other])) >= 0.7}
    assert len(slow) > 5
    assert {(one, other) for one, other, _ in pairs(texts, 0.7, cut)} == slow


def test_normalised_copies_differ_and_say_the_same(planted: Planted) -> None:
    texts = {row.uid: row.text for row in planted.rows}
    copies = [fault for fault in planted.faults if fault.kind == "normalised-duplicate"]
    assert len({fault.variant for fault in copies}) >= 5
    for fault in copies:
        one, other = (texts[row] for row in fault.rows)
        assert one != other
        assert plain(one) == plain(other)


def test_nothing_leaks_that_was_not_planted(clean: list[Row], planted: Planted) -> None:
    for rows, leaks in ((clean, 0), (planted.rows, sum(fault.kind == "leak-group" for fault in planted.faults))):
        groups = {split: {row.group for row in rows if row.split == split} for split in ("train", "validation", "test")}
        assert len(groups["train"] & groups["test"]) == leaks
        assert not groups["train"] & groups["validation"]
    newest = max(row.time for row in clean if row.split == "train")
    older = {row.uid for row in planted.rows if row.split == "test" and row.time <= newest}
    assert older == {row for fault in planted.faults if fault.kind == "leak-time" for row in fault.rows}


def test_files_hold_the_rows_in_their_order_and_torn_lines_are_torn(planted: Planted, tmp_path: Path) -> None:
    for split, path in write(planted.rows, tmp_path).items():
        with path.open(encoding="utf-8", newline="") as file:
            head, *lines = csv.reader(file)
        rows = [row for row in planted.rows if row.split == split]
        assert len(lines) == len(rows)
        for row, line in zip(rows, lines, strict=True):
            assert (len(line) > len(head)) == bool(row.ragged)
            assert row.ragged or line[:2] == [row.text, row.label]


def _row(uid: int, origin: int | None = None) -> Row:
    return Row(uid, f"text {uid}", "a", "train", origin=origin)


def test_recall_counts_pairs_in_one_group_and_precision_leaves_out_what_the_clean_table_had() -> None:
    from benchmarks.faults.table import Fault

    pair = Fault("exact-duplicate", (1, 2), together=True)
    torn = Fault("exact-duplicate", (3, 4), together=True)
    table = Planted([_row(uid) for uid in range(7)] + [_row(7, origin=5)], [pair, torn])
    found = [Found("exact-duplicate", "", (1, 2, 3, 4, 5, 6, 7), (0, 0, 1, 2, 3, 3, 3))]
    told = scores(table, found, [Found("exact-duplicate", "", (5,), (0,))], ["exact-duplicate"])
    assert told["kinds"]["exact-duplicate"]["recall"] == 0.5
    assert told["rules"]["exact-duplicate"]["false_alarms"] == 1
    assert told["rules"]["exact-duplicate"]["precision"] == 4 / 5


def test_a_kind_without_a_rule_is_said_to_have_none_and_a_decoy_that_is_named_is_a_false_alarm() -> None:
    from benchmarks.faults.table import Fault

    table = Planted([_row(0), _row(1)], [Fault("near-duplicate", (0,)), Fault("accents", (1,))])
    told = scores(table, [Found("mojibake", "", (1,))], [], ["mojibake"])
    assert told["kinds"]["near-duplicate"]["recall"] is None
    assert told["rules"]["mojibake"]["holding"] == {"accents": 1}
