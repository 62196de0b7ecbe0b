import random
import re
import tracemalloc
from itertools import combinations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.data.test_audit_rules import applied, hits, looked, rows_of
from tunewright.data.audit import RULES, near
from tunewright.data.audit.base import Services, normalised
from tunewright.data.audit.near import FEWEST, bands_for, clusters
from tunewright.data.audit.word_sets import Texts, cuts, words

DENSE = re.compile("[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3000-\u9fff]+")
SILENT = re.compile(r"[!\"#%&'()*,\-./:;?@\[\\\]_{}]")
LONG = "the parcel that you sent me last week has still not arrived although it was said to be here by now"


def word_set(text):
    """What near.py should compare, in plain Python."""
    found = set()
    for run in SILENT.sub(" ", normalised(pa.chunked_array([[text]]))[0].as_py()).split():
        for dense in DENSE.findall(run):
            found |= {dense[at : at + 2] for at in range(max(1, len(dense) - 1))}
        found |= set(DENSE.sub(" ", run).split())
    return found | {f"{word} twice" for word in found if word[0] in "0123456789" or word[-1] in "0123456789"}


def jaccard(one, other):
    return len(one & other) / len(one | other)


def near_pairs(texts, threshold):
    """Every pair that is near, by comparing each with each."""
    sets = [word_set(text) for text in texts]
    known = {word: at for at, word in enumerate(sorted(set().union(*sets)))}
    holds = np.zeros((len(texts), len(known)), dtype=np.float32)
    for at, one in enumerate(sets):
        holds[at, [known[word] for word in one]] = 1
    shared, sizes = holds @ holds.T, holds.sum(axis=1)
    near = (shared >= threshold * (sizes[:, None] + sizes - shared) - 1e-4) & (np.minimum(sizes[:, None], sizes) >= FEWEST)
    return np.argwhere(np.triu(near, 1)).tolist()


def found(texts, threshold=0.8, chunks=1, same=None):
    column = pa.chunked_array([texts[len(texts) * at // chunks : len(texts) * (at + 1) // chunks] for at in range(chunks)], pa.string())
    return clusters([column], np.arange(len(texts)) if same is None else same, threshold)


def made_up(count, seed=0, vocabulary=4000):
    rng = random.Random(seed)
    names = [f"{first}{second}{third}" for first in "bdfgklmnprst" for second in ("ab", "or", "in", "eu") for third in range(100)]
    words = [re.sub(r"\d+", lambda digits: "".join(chr(97 + int(digit)) for digit in digits[0]), name) for name in names][:vocabulary]
    return [" ".join(rng.choices(words, k=rng.randint(12, 30))) for _ in range(count)], rng, words


def varied(text, rng, vocabulary):
    parts = text.split()
    for _ in range(rng.randint(1, 3)):
        parts[rng.randrange(len(parts))] = rng.choice(vocabulary)
    return " ".join(parts)


def test_the_bands_find_nearly_every_pair_at_the_threshold():
    for threshold in (0.3, 0.5, 0.7, 0.8, 0.9, 0.95, 1.0):
        count, width = bands_for(threshold)
        assert (1 - threshold**width) ** count <= near.MISSED and count * width <= near.MOST_HASHES


@settings(max_examples=60, deadline=None)
@given(st.lists(st.text(st.sampled_from("abB19 .,-\n£éßﬁ中文字漢かなไทย한국👍"), max_size=30), min_size=1, max_size=6))
def test_the_hashed_words_are_the_words_of_the_normalised_text(texts):
    hashed = words(pa.array(texts))
    known = {}
    for at, text in enumerate(texts):
        mine = set(hashed.hashes[hashed.ends[at] : hashed.ends[at + 1]].tolist())
        wanted = word_set(text)
        assert len(mine) == len(wanted), text
        for word in wanted:
            known.setdefault(word, set(mine)).intersection_update(mine)
    assert all(known.values())


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.lists(st.sampled_from([*"abcdefghijkl", "a1", "7"]), max_size=14).map(" ".join), min_size=2, max_size=25),
    st.sampled_from([0.6, 0.8, 0.9]),
)
def test_clusters_are_joined_by_true_similarity_alone(texts, threshold):
    cluster, linked = found(texts, threshold), np.arange(len(texts))
    for one, other in near_pairs(texts, threshold):
        linked[linked == linked[other]] = linked[one]
    for one, other in combinations(range(len(texts)), 2):
        assert cluster[one] != cluster[other] or linked[one] == linked[other], (texts[one], texts[other])


@pytest.mark.parametrize("threshold", [0.6, 0.8, 0.9])
def test_against_all_pairs_of_two_thousand_rows(threshold):
    texts, rng, vocabulary = made_up(1700)
    texts += [varied(rng.choice(texts), rng, vocabulary) for _ in range(300)]
    wanted = near_pairs(texts, threshold)
    cluster = found(texts, threshold)
    assert len(wanted) >= 60
    assert np.mean([cluster[one] == cluster[other] for one, other in wanted]) >= 0.98
    alone = set(range(len(texts))) - {row for pair in wanted for row in pair}
    assert all(cluster[row] == row for row in alone) and len(np.unique(cluster[sorted(alone)])) == len(alone)


def test_chunks_and_blocks_and_threads_change_nothing(monkeypatch):
    texts, rng, vocabulary = made_up(900, 1)
    texts += [varied(rng.choice(texts), rng, vocabulary) for _ in range(200)] + [
        "",
        None,
        "新しいカードはいつ届きますか、まだ届いていません",
    ]
    texts.append("新しいカードはいつ届きますか。まだ届いていませんよ")
    whole = found(texts)
    assert whole[-1] == len(texts) - 2
    for chunks, block, pairs, workers in ((1, 1 << 12, 7, 1), (7, 1 << 20, 1 << 16, 3), (50, 1, 1, 2)):
        monkeypatch.setattr("tunewright.data.audit.word_sets.BLOCK_BYTES", block)
        monkeypatch.setattr(near, "PAIRS", pairs)
        monkeypatch.setattr(near, "WORKERS", workers)
        assert found(texts, chunks=chunks).tolist() == whole.tolist()


def test_cuts_leave_no_part_too_large_unless_one_member_is():
    sizes = np.array([5, 5, 30, 1, 1, 9, 10, 11, 0])
    for part in np.split(sizes, cuts(sizes, 10)):
        assert part.sum() <= 10 or (part > 0).sum() == 1
    assert cuts(np.zeros(0, dtype=int), 10).tolist() == []


def test_short_texts_are_compared_only_as_a_whole():
    assert found(["where is my card", "where is my new card", "", "", None, "card", "card card"]).tolist() == list(range(7))
    assert found([LONG, LONG + " please"]).tolist() == [0, 0]


def test_a_number_counts_twice():
    words = "your order {} has left our house today and will be with you on friday".format
    assert jaccard(set(words(4711).split()), set(words(1234).split())) >= 0.8 > jaccard(word_set(words(4711)), word_set(words(1234)))
    assert found([words(4711), words(1234)]).tolist() == [0, 1]
    assert found([words("now"), words("then")]).tolist() == [0, 0]


def test_rows_that_say_the_same_stand_in_the_cluster_of_their_text():
    texts = [LONG, "something else altogether that nobody else would ever say here", LONG.upper(), LONG + " now", LONG]
    assert found(texts, same=np.array([0, 1, 0, 2, 0])).tolist() == [0, 1, 0, 0, 0]


def test_of_two_texts_both_must_be_near():
    premise = LONG + " and nobody at the shop could tell me where it went or when it would come"
    first = pa.chunked_array([[premise, premise, premise + " again", LONG]])
    second = pa.chunked_array([["it came", "it is lost", "it came", None]])
    assert clusters([first, second], np.arange(4), 0.8).tolist() == [0, 1, 0, 3]
    assert clusters([second, first], np.arange(4), 0.8).tolist() == [0, 1, 0, 3]


def test_very_long_texts_and_empty_tables():
    texts, _, _ = made_up(4000)
    long = " ".join(texts)[:100_000]
    assert found([long, long + " tail", "x" * 100_000, "?" * 100_000, " " * 100_000, "é" * 300_000]).tolist() == [0, 0, 2, 3, 4, 5]
    assert found([]).tolist() == []
    assert clusters([pa.chunked_array([], pa.string())], np.zeros(0, dtype=np.int64), 0.8).tolist() == []


def test_a_giant_bucket_takes_neither_much_time_nor_much_memory():
    """A hundred thousand letters of one kind that differ in a number, and as many that share only some words with each other."""
    texts = [f"{LONG} under the number {number}" for number in range(100_000)]
    column = pa.chunked_array([texts[at : at + 20_000] for at in range(0, len(texts), 20_000)])
    tracemalloc.start()
    cluster = clusters([column], np.arange(len(texts)), 0.8)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert (cluster == 0).all()
    assert peak < 300e6, f"{peak / 1e6:.0f} MB"


def test_a_giant_bucket_of_strangers_is_compared_with_leaders_only(monkeypatch):
    rng = random.Random(0)
    texts = [LONG[:40] + " " + " ".join(str(rng.random()) for _ in range(3)) for _ in range(3000)]
    compared = 0
    alike = near._Search._alike

    def counted(self, one, other):
        nonlocal compared
        compared += len(one)
        return alike(self, one, other)

    monkeypatch.setattr(near._Search, "_alike", counted)
    monkeypatch.setattr(near, "bands_for", lambda threshold: (20, 1))
    assert len(np.unique(found(texts))) == len(texts)
    assert 3000 < compared <= 20 * 3000 * (near.LEADERS + near.SMALL)


def test_texts_reads_any_rows_of_any_chunk():
    texts = Texts([pa.chunked_array([["a b", None], ["c"], [], ["d e f", "中文"]], pa.string())])
    (some,) = texts.words(np.array([0, 2, 4]))
    assert np.diff(some.ends).tolist() == [2, 1, 1]
    (none,) = texts.words(np.zeros(0, dtype=np.int64))
    assert none.ends.tolist() == [0]


ROWS = [
    (LONG, "late"), (LONG + " please", "late"), (LONG + "!", "late"), (LONG.replace("parcel", "box"), "lost"), ("fine", "ok"),
    (LONG + " thanks", "late"), ("fine", "ok"), (LONG + " soon", "late"),
]  # fmt: skip


def test_near_duplicates_are_told_in_clusters_and_kept():
    told, differing = hits("near-duplicate", ROWS, "ttttttev")
    assert told.rows.tolist() == [0, 1, 2, 5] and told.groups.tolist() == [0, 0, 0, 0]
    assert told.removable.tolist() == [False, True, True, True]
    assert "4 rows in 1 cluster of texts that share at least 80 % of their words" in told.message
    assert "beyond the first of each: 3 in train; such as 'the parcel that you sent me" in told.message
    assert told.reasons[1] == "says nearly the same as a.csv row 0, which stays because it was read first"
    assert differing.told_only and differing.rows.tolist() == [0, 1, 2, 3, 5, 7] and "('lost')" in differing.message
    assert all(len(part) < 75 for part in re.findall(r"'([^']*…)'", told.message))


def test_dropping_near_duplicates_keeps_the_earliest_of_train_and_says_why():
    done = applied("near-duplicate", "drop", ROWS, "ttttttev")
    assert done.looked.number.tolist() == [0, 3, 4, 6, 7]
    (removed,) = done.removed
    assert removed.reasons[0] == "says nearly the same as a.csv row 0, which stays because it was read first"
    assert "Removed: 3" in rows_of(done, "near-duplicate")[0].message


def test_copies_alone_are_no_near_duplicates():
    rows = [(LONG, "a"), (LONG.upper() + "!", "a"), (LONG, "a"), (LONG, "b"), ("", "a"), ("", "a"), (None, "b")]
    assert hits("near-duplicate", rows) == []
    assert hits("leak-near", rows, "teeeeee", given=("train", "test")) == []


def test_a_leak_is_near_where_it_is_not_exact():
    rows = [
        (LONG, "a"),
        ("alone " + LONG.upper(), "a"),
        (LONG + " please", "b"),
        ("nothing of this is anywhere else", "a"),
        (LONG + "!", "a"),
    ]
    (hit,) = hits("leak-near", rows, "ttete", given=("train", "test"))
    assert hit.rows.tolist() == [0, 1, 2] and hit.removable.tolist() == [True, True, False]
    assert "1 row of test (50.0 %) in nearly the words of 2 rows of train" in hit.message
    done = applied("leak-near", "drop", rows, "ttete", given=("train", "test"))
    assert done.looked.number.tolist() == [2, 3, 4]


def test_the_threshold_of_the_rows_decides(monkeypatch):
    rows = looked([(LONG, "a"), (LONG.replace("parcel", "box").replace("week", "month").replace("sent", "promised"), "a")])
    assert len(np.unique(rows.near_texts)) == 2
    loose = type(rows)(**{**{name: getattr(rows, name) for name in rows.__dataclass_fields__}, "near_threshold": 0.7})
    assert len(np.unique(loose.near_texts)) == 1
    assert "at least 70 %" in next(RULES.build("near-duplicate").look(loose)).message


def test_what_is_known_of_near_texts_is_handed_on(monkeypatch):
    rows = looked(ROWS)
    known = rows.near_texts
    monkeypatch.setattr("tunewright.data.audit.base.clusters", None)
    assert rows.only(np.arange(8) != 0).near_texts.tolist() == known[1:].tolist()


def meaning(texts):
    """Vectors that know two meanings and what they have never heard of."""
    vectors = np.array([[("late" in text) + 0.0, ("refund" in text) + 0.0, 0.01 * len(text)] for text in texts], dtype=np.float32)
    return vectors + np.array([1e-3, 0, 0], dtype=np.float32)


def with_encoder(rows, most_rows=50, **settings):
    table = looked(rows)
    fields = {name: getattr(table, name) for name in table.__dataclass_fields__}
    services = Services(embed=meaning, embed_name="a small encoder") if settings.pop("embed", True) else Services()
    rule = RULES.get("semantic-duplicate").read({"enabled": True, "most_rows": most_rows, **settings})
    return list(rule.look(type(table)(**{**fields, "services": services})))


def test_semantic_duplicates_are_those_that_an_encoder_finds():
    rows = [("it is late", "a"), ("why so late", "a"), ("refund", "b"), ("a refund", "b"), ("late!", "b"), ("it is  late", "a"), ("", "a")]
    (hit,) = with_encoder(rows)
    assert hit.rows.tolist() == [0, 1, 2, 3, 5] and hit.groups.tolist() == [0, 0, 1, 1, 0]
    assert hit.removable.tolist() == [False, True, False, True, True]
    assert "mean the same to a small encoder (cosine 0.95)" in hit.message
    assert not RULES.get("semantic-duplicate")().enabled


def test_semantic_duplicates_say_when_they_were_not_looked_for():
    rows = [(f"late {number}", "a") for number in range(9)]
    (without,) = with_encoder(rows, embed=False)
    (many,) = with_encoder(rows, most_rows=8)
    assert without.told_only and "no encoder" in without.message
    assert many.told_only and "9 different texts are more than most_rows allows (8)" in many.message
