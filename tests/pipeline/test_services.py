"""What audit rules may call: vectors that are computed once, and the tokens of the recipe's model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tunewright.pipeline import services
from tunewright.pipeline.recipe import Recipe, build
from tunewright.pipeline.services import ENCODER, Vectors, services_for

TEXTS = ["Where is my parcel?", "My parcel has not arrived.", "Please refund the invoice.", "", "lone \ud800 half", "long " * 5000]


def recipe(out: Path, **model: Any) -> Recipe:
    data = {"source": "none.csv"}
    return build({"task": "text-classification", "data": data, "model": {"base": "embedded", **model}, "output_dir": str(out)})


def test_vectors_are_of_length_one_and_alike_where_the_texts_are(tmp_path: Path) -> None:
    found = Vectors(tmp_path)([*TEXTS, TEXTS[0]])
    assert found.shape == (7, 384) and found.dtype == np.float32
    assert np.allclose(np.linalg.norm(found, axis=1), 1, atol=1e-3)
    assert found[0] @ found[1] > found[0] @ found[2] + 0.2
    assert (found[0] == found[6]).all()


def test_a_vector_is_made_once_and_the_same_from_the_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = Vectors(tmp_path)(TEXTS)
    with monkeypatch.context() as gone:
        gone.setattr(services, "_loaded", lambda: pytest.fail("the encoder was loaded although every vector is kept"))
        assert (Vectors(tmp_path)(TEXTS[::-1])[::-1] == first).all()
        assert Vectors(tmp_path)([]).shape == (0, 384)
    more = Vectors(tmp_path)(["new", *TEXTS])
    assert (more[1:] == first).all() and len(list(tmp_path.glob("*.npz"))) == 2


def test_a_damaged_file_of_vectors_is_made_again(tmp_path: Path) -> None:
    first = Vectors(tmp_path)(TEXTS[:2])
    (kept,) = tmp_path.glob("*.npz")
    kept.write_bytes(kept.read_bytes()[:-200])
    (tmp_path / "other.npz").write_bytes(b"no archive")
    assert np.allclose(Vectors(tmp_path)(TEXTS[:2]), first, atol=2e-3)


def test_where_nothing_can_be_written_vectors_are_made_all_the_same(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    assert Vectors(tmp_path / "file" / "vectors")(TEXTS[:1]).shape == (1, 384)


def test_tokens_are_counted_as_the_model_of_the_recipe_sees_them(tmp_path: Path) -> None:
    found = services_for(recipe(tmp_path, max_tokens=64), tmp_path)
    assert found.count_tokens is not None and found.embed is not None and found.embed_name == ENCODER
    assert found.count_tokens(["one two three", "", "word " * 700]).tolist() == [3, 0, 700]
    assert found.max_tokens == 62
    assert services_for(recipe(tmp_path), tmp_path).max_tokens == 254
    assert not list(tmp_path.iterdir()), "asking what there is writes nothing"


def test_without_its_model_a_recipe_has_no_tokens_and_still_vectors(tmp_path: Path) -> None:
    found = services_for(recipe(tmp_path, base=str(tmp_path / "missing")), tmp_path)
    assert found.count_tokens is None and found.max_tokens is None and found.embed is not None
