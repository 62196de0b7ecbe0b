"""What two texts must share to count as the same: the fast way for ASCII and the way for all of Unicode agree."""

from __future__ import annotations

import unicodedata

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from ftfy.badness import MOJIBAKE_CATEGORIES, is_bad
from hypothesis import given, settings
from hypothesis import strategies as st

from tunewright.data.audit.mojibake import SUSPECT
from tunewright.data.audit.normal import SAYS_NOTHING, composed, hashes, normal, numbered

ASCII = st.text(st.characters(max_codepoint=127), max_size=12)
ANY = st.text(st.sampled_from("aZ 9?!-_$+.\t\n\v\x1cé»\u00a0ﬁß中"), max_size=12)


def by_arrow(texts: list[str | None]) -> list[str | None]:
    forms = [text and unicodedata.normalize("NFKC", text) for text in texts]
    folded = pc.utf8_trim_whitespace(pc.utf8_lower(pa.array(forms, pa.string())))
    bare = pc.utf8_trim_whitespace(pc.replace_substring_regex(folded, SAYS_NOTHING, " "))
    found: list[str | None] = pc.if_else(pc.equal(bare, ""), folded, bare).to_pylist()
    return found


@settings(deadline=None)
@given(st.lists(st.none() | ASCII | ANY, max_size=12), st.integers(0, 12))
def test_texts_are_normalised_alike_however_they_are_put_together(texts: list[str | None], start: int) -> None:
    found = normal(pa.array(texts, pa.string()).slice(start))
    found.validate(full=True)
    assert found.to_pylist() == by_arrow(texts[start:])


def test_a_letter_and_its_mark_are_one_whatever_the_release_of_arrow() -> None:
    texts = pa.array(["sa\u0303o", "são", None, "ﬁn", ""])
    assert composed(texts, "NFC").to_pylist() == ["são", "são", None, "ﬁn", ""]
    assert composed(texts, "NFKC").to_pylist() == ["são", "são", None, "fin", ""]
    assert normal(texts).to_pylist() == ["são", "são", None, "fin", ""]


def test_the_same_text_has_the_same_number_and_a_missing_one_none() -> None:
    codes = numbered(hashes(pa.array(["late", None, "early", "late", "", None])))
    assert codes[0] == codes[3] and codes[1] == codes[5] == -1 and len(set(codes.tolist())) == 4
    assert numbered(hashes(pa.array(["a", "b", "a"]))).tolist() in ([0, 1, 0], [1, 0, 1])


def test_two_hundred_thousand_texts_get_as_many_numbers() -> None:
    texts = pa.array([f"ticket {number}" for number in range(200_000)])
    assert len(np.unique(hashes(texts))) == 200_000


@settings(deadline=None, max_examples=400)
@given(
    st.lists(
        st.sampled_from([*"abZ ,.1", *{char for chars in MOJIBAKE_CATEGORIES.values() for char in chars}, *"ÃÂâ€™œŒà ВГ\x85°"]), max_size=9
    )
)
def test_no_text_that_ftfy_would_repair_is_passed_over(letters: list[str]) -> None:
    text = "".join(letters)
    assert not is_bad(text) or pc.match_substring_regex(pa.array([text]), SUSPECT)[0].as_py()
