"""Typing mistakes: what may change, what must not, and where everything has moved."""

import random
import re
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tunewright.perturb.typos import neighbours, typos

LETTER = "Hello Zoë, my parcel WL-483920 from 3 March is still not here; I paid £49.90 and I am waiting for an answer. " * 4
ANY_TEXT = st.text(st.characters(codec=None)) | st.text(st.sampled_from("aBé ʹ́\u200dßİ\U00010428\U0001f469\n9"), max_size=60)
RATES = st.floats(0, 1)


@given(ANY_TEXT, RATES, st.integers())
def test_the_offsets_say_where_every_place_of_the_text_has_moved(text: str, rate: float, seed: int) -> None:
    changed, offsets = typos(text, random.Random(seed), rate)
    assert len(offsets) == len(text) + 1
    assert offsets[0] == 0
    assert offsets[-1] == len(changed)
    lengths = [after - before for before, after in pairwise(offsets)]
    assert set(lengths) <= {0, 1, 2}
    for place, length in enumerate(lengths):
        if not text[place].isalpha():
            assert changed[offsets[place] : offsets[place] + length] == text[place], "only letters may change"


@given(ANY_TEXT, RATES, st.integers())
def test_the_span_of_a_word_still_holds_that_word(text: str, rate: float, seed: int) -> None:
    changed, offsets = typos(text, random.Random(seed), rate)
    for word in re.finditer(r"[^\W\d_]+", text):
        start, end = offsets[word.start()], offsets[word.end()]
        assert changed[start : start + 1] == text[word.start()], "the first letter of a word stays"
        assert (end == len(changed)) == (word.end() == len(text)) or end < len(changed)
        assert len(changed[start:end]) <= 2 * len(word[0])


@given(ANY_TEXT, st.integers())
def test_a_rate_of_zero_changes_nothing(text: str, seed: int) -> None:
    assert typos(text, random.Random(seed), 0.0) == (text, list(range(len(text) + 1)))


@given(st.text(st.sampled_from("ab\u0301\u0308c "), max_size=40), st.integers())
def test_an_accent_never_lands_on_another_letter(text: str, seed: int) -> None:
    accented = re.compile("[abc][\u0301\u0308]+")
    changed, _ = typos(text, random.Random(seed), 1.0)
    assert accented.findall(changed) == accented.findall(text)


def test_all_four_kinds_of_mistakes_are_made() -> None:
    kinds = set()
    for seed in range(200):
        changed, offsets = typos("wide", random.Random(seed), 0.3)
        letters = [changed[start:end] for start, end in pairwise(offsets)]
        for place, (old, new) in enumerate(zip("wide", letters, strict=True)):
            if new == "":
                kinds.add("omit")
            elif new == old * 2:
                kinds.add("double")
            elif place < 3 and new == "wide"[place + 1] and letters[place + 1] == old:
                kinds.add("swap")
            elif new != old and new in neighbours(old):
                kinds.add("neighbour")
    assert kinds == {"omit", "double", "swap", "neighbour"}


def test_the_rate_is_the_share_of_letters_that_go_wrong() -> None:
    wrong = letters = 0
    for seed in range(50):
        changed, offsets = typos(LETTER, random.Random(seed), 0.05)
        wrong += sum(changed[start:end] != old for old, start, end in zip(LETTER, offsets, offsets[1:], strict=False))
        letters += len(re.findall(r"(?<=[^\W\d_])[^\W\d_]", LETTER))
    assert 0.04 < wrong / letters < 0.08, "a swap counts for two letters"


def test_the_same_source_of_chance_gives_the_same_mistakes() -> None:
    assert typos(LETTER, random.Random(7), 0.1) == typos(LETTER, random.Random(7), 0.1)
    assert typos(LETTER, random.Random(7), 0.1) != typos(LETTER, random.Random(8), 0.1)


@pytest.mark.parametrize(("letter", "near"), [("s", "adwezx"), ("Q", "WA"), ("m", "njk"), ("p", "ol"), ("é", ""), ("İ", ""), ("7", "")])
def test_the_neighbours_of_a_key_keep_its_case(letter: str, near: str) -> None:
    assert neighbours(letter) == near


def test_keys_are_neighbours_of_each_other() -> None:
    keys = "qwertyuiopasdfghjklzxcvbnm"
    pairs = {(one, other) for one in keys for other in neighbours(one)}
    assert len(pairs) > 80
    assert pairs == {(other, one) for one, other in pairs}
