"""Wrong labels that were planted among rows whose words tell the right one."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from tunewright.data.audit.apply import apply, chosen
from tunewright.data.audit.base import Hit, Looked, Services
from tunewright.data.audit.label_noise import LabelNoise
from tunewright.data.audit.noise import FOLDS, doubt, folds, neighbours, words
from tunewright.tasks import TASKS
from tunewright.tasks.base import Role

WORDS = {
    "billing": ["invoice", "charge", "refund", "amount", "euro", "paid", "card", "bank", "statement", "fee"],
    "delivery": ["parcel", "courier", "late", "tracking", "box", "address", "shipped", "door", "van", "pickup"],
    "account": ["password", "login", "reset", "email", "username", "locked", "verify", "profile", "sign", "settings"],
}
NAMES = list(WORDS)
TASK = TASKS.build("text-classification")


def sentences(count: int, seed: int = 0) -> list[tuple[str, str]]:
    """(text, right label), labels in turn."""
    chance = np.random.default_rng(seed)
    return [(" ".join(chance.choice(WORDS[NAMES[at % 3]], 6)) + f" please {at}", NAMES[at % 3]) for at in range(count)]


def looked(texts: Sequence[str | None], labels: Sequence[object], splits: str = "", given: tuple[str, ...] = (), **more: object) -> Looked:
    several = any(isinstance(one, list) for one in labels)
    kind = pa.list_(pa.string()) if several else pa.string()
    pieces = range(0, len(texts), 64)
    table = pa.table(
        {
            "text": pa.chunked_array([texts[at : at + 64] for at in pieces], pa.string()),
            "label": pa.chunked_array([labels[at : at + 64] for at in pieces], kind),
            "_file": pa.chunked_array([["a.csv"] * len(texts)], pa.string()),
            "_row": pa.chunked_array([range(len(texts))], pa.int64()),
        }
    )
    roles = (Role("text", "text", ""), Role("label", "labels" if several else "label", ""))
    split = np.array(["tve".index(letter) for letter in splits or "t" * len(texts)])
    return Looked(table, roles, split, given, np.arange(len(texts)), **more)  # type: ignore[arg-type]


def hits(rows: Looked, **settings: object) -> list[Hit]:
    return list(LabelNoise.read(settings).look(rows))


@pytest.fixture(scope="module")
def planted() -> tuple[list[str], list[str], dict[int, str]]:
    """Texts, labels with 12 wrong ones among 600, and the right label of each of these."""
    rows = sentences(600)
    labels = [label for _, label in rows]
    wrong = {at: labels[at] for at in range(7, 600, 50)}
    for at in wrong:
        labels[at] = NAMES[(NAMES.index(labels[at]) + 1) % 3]
    return [text for text, _ in rows], labels, wrong


def test_wrong_labels_are_found_with_the_right_one(planted):
    texts, labels, wrong = planted
    judged = LabelNoise().judged(looked(texts, labels))
    assert judged is not None and set(np.argsort(-judged.score)[:12].tolist()) == set(wrong) and len(wrong) == 12
    (hit,) = hits(looked(texts, labels))
    assert len(hit.rows) >= 8 and set(hit.rows.tolist()) <= set(wrong), "so few rows tell less than all, and nothing that is right"
    for row, reason in zip(hit.rows.tolist(), hit.reasons, strict=True):
        assert reason.startswith(f"labelled '{labels[row]}', looks like '{wrong[row]}' (0.")
    assert f"{len(hit.rows)} rows with a label that the other rows contradict, judged by their words; the surest is labelled" in hit.message


def test_right_labels_are_left_in_peace():
    rows = sentences(300)
    assert hits(looked([text for text, _ in rows], [label for _, label in rows])) == []


def test_labels_that_nothing_tells_are_left_in_peace():
    chance = np.random.default_rng(3)
    vocabulary = [word for words in WORDS.values() for word in words]
    texts = [" ".join(chance.choice(vocabulary, 6)) for _ in range(400)]
    assert sum(len(hit.rows) for hit in hits(looked(texts, chance.choice(NAMES, 400).tolist()))) == 0


def test_copies_of_a_wrong_row_do_not_vouch_for_it(planted):
    texts, labels, wrong = planted
    row = min(wrong)
    more = looked([*texts, *(f"{texts[row]}{'!' * at}" for at in range(1, 9))], [*labels, *[labels[row]] * 8])
    judged = LabelNoise().judged(more)
    assert judged is not None
    mine, right = [row, *range(600, 608)], [at for at in range(600) if at not in wrong]
    assert judged.score[mine].min() > np.quantile(judged.score[right], 0.99), "nine rows that say the same, and the same wrong label"


def test_rows_without_text_or_label_and_rare_labels_are_passed_over(planted):
    texts, labels, wrong = planted
    at = min(wrong) + 1
    texts, labels = [*texts, None, " ", "parcel late"], [*labels, "billing", "billing", "seldom"]
    labels[at] = None
    judged = LabelNoise().judged(looked(texts, labels))
    assert judged is not None
    assert set(range(603)) - set(judged.rows.tolist()) == {at, 600, 601, 602}
    assert judged.names == tuple(NAMES)
    assert set(judged.rows[np.argsort(-judged.score)[:12]].tolist()) == set(wrong)


@pytest.mark.parametrize("rows", [sentences(90), [(text, "all") for text, _ in sentences(200)], []])
def test_too_few_rows_or_labels_are_not_weighed(rows):
    assert hits(looked([text for text, _ in rows], [label for _, label in rows])) == []


def test_a_table_that_is_too_large_is_told_and_not_weighed(planted):
    texts, labels, _ = planted
    (hit,) = hits(looked(texts, labels), most_rows=599)
    assert (
        hit.told_only and "wrong labels were not looked for: 600 rows are more than data.rules.label-noise.most_rows (599)" in hit.message
    )


def test_drop_removes_them_from_train_and_spares_a_given_test_split(planted):
    texts, labels, wrong = planted
    splits = "t" * 400 + "e" * 200
    only = {"label-noise": "drop"}
    done = apply("clean", looked(texts, labels, splits, ("train", "test")), chosen({"shortcut": False}, only, Path()), TASK)
    (finding,) = [one for one in done.findings if one.rule == "label-noise"]
    (gone,) = [one for one in done.removed if one.rule == "label-noise"]
    found = {place.row for place in finding.places}
    assert found <= set(wrong) and min(found) < 400 <= max(found)
    assert gone.numbers.tolist() == sorted(row for row in found if row < 400)
    assert f"Left alone in the test split of the source: {sum(row >= 400 for row in found)}" in finding.message


class Encoder:
    """Sentence vectors that know nothing but the class of a word; counts the texts it was asked for."""

    def __init__(self) -> None:
        self.asked = 0

    def __call__(self, texts: Sequence[str]) -> np.ndarray:
        self.asked += len(texts)
        found = np.array([[sum(word in WORDS[name] for word in text.split()) for name in NAMES] for text in texts], dtype=np.float32)
        return found / np.maximum(np.linalg.norm(found, axis=1, keepdims=True), 1e-9)


def test_sentence_vectors_are_used_where_they_are_at_hand_and_not_too_many(planted):
    texts, labels, wrong = planted
    encoder = Encoder()
    rows = looked(texts, labels, services=Services(encoder, "tiny"))
    (hit,) = hits(rows)
    assert encoder.asked == 600 and "judged by sentence vectors (tiny) and words" in hit.message
    assert len(hit.rows) >= 8 and set(hit.rows.tolist()) <= set(wrong)
    assert "judged by their words" in hits(rows, most_letters=1000)[0].message and encoder.asked == 600


def test_an_encoder_sees_what_words_do_not(planted):
    """Texts with no word in common: their words tell nothing, their vectors do."""
    _, labels, wrong = planted
    texts = [f"w{at} x{at} y{at}" for at in range(600)]
    right = [wrong.get(at, label) for at, label in enumerate(labels)]
    known = dict(zip(texts, np.eye(3, dtype=np.float32)[[NAMES.index(label) for label in right]], strict=True))
    services = Services(lambda some: np.stack([known[text] for text in some]), "oracle")
    assert hits(looked(texts, labels)) == []
    judged = LabelNoise().judged(looked(texts, labels, services=services))
    assert judged is not None
    assert set(judged.rows[np.argsort(-judged.score)[:12]].tolist()) == set(wrong)


def test_of_several_labels_a_wrong_and_a_missing_one_are_found():
    rows = sentences(600, seed=1)
    texts, labels = [], []
    for at in range(0, 600, 2):
        texts.append(f"{rows[at][0]} {rows[at + 1][0]}")
        labels.append(sorted({rows[at][1], rows[at + 1][1]}))
    missing, strange = 40, 90
    left = labels[missing].pop()
    (third,) = set(NAMES) - set(labels[strange])
    labels[strange] = [*labels[strange], third]
    judged = LabelNoise().judged(looked(texts, labels))
    assert judged is not None
    place = {row: at for at, row in enumerate(judged.rows.tolist())}
    assert set(np.argsort(-judged.score)[:2].tolist()) == {place[missing], place[strange]}
    assert set(judged.suggestion(place[missing])) == {*labels[missing], left}
    assert third not in judged.suggestion(place[strange])


def test_a_pair_is_judged_by_both_texts():
    """Neither text tells the label alone; whether they are of one kind does."""
    chance = np.random.default_rng(5)
    encoder = Encoder()
    one, two = chance.integers(0, 3, (2, 300))
    pairs = [[" ".join(chance.choice(WORDS[NAMES[at]], 5)) for at in side] for side in (one, two)]
    right = np.where(one == two, "same", "other")
    labels = right.tolist()
    labels[10] = "same" if labels[10] == "other" else "other"
    table = pa.table(
        {"text": pairs[0], "text_pair": pairs[1], "label": labels, "_file": ["a.csv"] * 300, "_row": pa.array(range(300), pa.int64())}
    )
    roles = (Role("text", "text", ""), Role("text_pair", "text", ""), Role("label", "label", ""))
    judged = LabelNoise().judged(Looked(table, roles, np.zeros(300, dtype=int), (), np.arange(300), services=Services(encoder, "tiny")))
    assert judged is not None and encoder.asked == 600
    assert judged.rows[judged.score.argmax()] == 10


def test_folds_keep_copies_together_and_classes_even():
    chance = np.random.default_rng(0)
    copies = chance.integers(0, 400, 600)
    classes = (copies * 7) % 4
    fold = folds(classes, copies)
    assert all(len(set(fold[copies == text])) == 1 for text in np.unique(copies))
    counts = np.array([[len(np.unique(copies[(fold == at) & (classes == one)])) for at in range(FOLDS)] for one in range(4)])
    assert (counts.max(axis=1) - counts.min(axis=1) <= 1).all()


def test_neighbours_leave_out_the_row_and_its_copies():
    vectors = np.eye(20, dtype=np.float32)[np.arange(40) // 2]
    labels = np.eye(2, dtype=np.float32)[np.arange(40) % 2]
    alone = neighbours(vectors, labels, np.arange(40))
    assert alone[0, 1] > 0.8, "the other row with this vector has the other label"
    together = neighbours(vectors, labels, np.arange(40) // 2)
    assert 0.2 < together[0, 1] < 0.8, "as a copy it does not count"


def test_words_of_nothing_and_of_one_word_are_vectors_too():
    assert words([["", "!"], ["?"]]).shape == (3, 1)
    assert np.isfinite(words([["parcel", "parcel", ""] * 5])).all()


def test_confident_learning_flags_what_cleanlab_flags():
    from cleanlab import filter as filter_

    chance = np.random.default_rng(1)
    given = chance.integers(0, 6, 2000)
    logits = chance.normal(size=(2000, 6)) + 2.5 * np.eye(6)[np.where(chance.random(2000) < 0.1, chance.integers(0, 6, 2000), given)]
    probabilities = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    found = doubt(probabilities.astype(np.float32), np.eye(6, dtype=np.float32)[given], several=False, enough=1)
    theirs = filter_.find_label_issues(given, probabilities, filter_by="confident_learning", n_jobs=1)
    assert found.flagged.sum() > 100
    assert (found.flagged == theirs).mean() > 0.999
