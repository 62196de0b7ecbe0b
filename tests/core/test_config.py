from __future__ import annotations

from typing import Annotated, Any, Literal

import pytest
from pydantic import Field, PrivateAttr, ValidationError

from tunewright.core.config import Config
from tunewright.core.errors import BadConfig, UserError
from tunewright.core.registry import Member, Registry


class Inner(Config):
    """A section."""

    rate: Annotated[float, Field(gt=0)] | Literal["auto"] = "auto"
    """How fast."""
    patience: int = Field(3, ge=1)
    """How long."""


class Part(Config):
    """A member of a registry."""

    weight: float = Field(1.0, ge=0)
    """How much."""


PARTS: Registry[Part] = Registry("part", {"part": f"{__name__}:Part"})


class Whole(Config):
    """Sections, lists, unions and members, as a recipe has them."""

    inner: Inner = Field(default_factory=Inner)
    several: tuple[Inner, ...] = ()
    by_name: dict[str, Inner] = Field(default_factory=dict)
    maybe: Inner | None = None
    part: Annotated[Part, Member(PARTS)] | None = None
    parts: tuple[Annotated[Part, Member(PARTS)], ...] = ()
    name: str
    """Needed."""


def problems(values: dict[str, Any]) -> dict[str, str]:
    with pytest.raises(BadConfig) as caught:
        Whole.read(values)
    return {problem.path: problem.message for problem in caught.value.problems}


def test_every_problem_is_told_at_once_each_with_its_path() -> None:
    found = problems(
        {
            "inner": {"ratee": 1, "patience": 0},
            "several": [{}, {"patience": "x"}, {"patiense": 1}],
            "by_name": {"first": {"rte": 1}},
            "maybe": {"patence": 1},
            "part": {"name": "part", "weight": -1, "wieght": 2},
            "parts": ["part", "prt", {"weight": 1}],
            "inne": 1,
        }
    )
    assert found == {
        "inner.patience": "a number from 1 up was wanted (got 0)",
        "inner.ratee": "unknown key; did you mean 'rate'?",
        "several.1.patience": "a whole number was wanted (got 'x')",
        "several.2.patiense": "unknown key; did you mean 'patience'?",
        "by_name.first.rte": "unknown key; did you mean 'rate'?",
        "maybe.patence": "unknown key; did you mean 'patience'?",
        "part.weight": "a number from 0 up was wanted (got -1)",
        "part.wieght": "unknown key; did you mean 'weight'?",
        "parts.1": "no part is called 'prt'. Did you mean 'part'?",
        "parts.2": "which part? Give its name, one of: part.",
        "name": "this key is needed",
        "inne": "unknown key; did you mean 'inner'?",
    }


def test_a_value_that_fits_no_branch_of_a_union_is_one_problem_under_its_own_key() -> None:
    found = problems({"name": "x", "inner": {"rate": "fast"}, "several": [{"rate": -1}]})
    assert list(found) == ["inner.rate", "several.0.rate"]
    assert found["inner.rate"] == "a number or auto was wanted (got 'fast')"
    assert found["several.0.rate"] == "a number above 0 or auto was wanted (got -1)"


@pytest.mark.parametrize("word", ["true", "false"])
def test_a_truth_is_no_number(word: str) -> None:
    truth = word == "true"
    assert problems({"name": "x", "inner": {"patience": truth, "rate": truth}, "part": {"name": "part", "weight": truth}}) == {
        "inner.patience": f"a whole number was wanted (got '{word}')",
        "inner.rate": f"a number or auto was wanted (got '{word}')",
        "part.weight": f"a number was wanted (got '{word}')",
    }


def test_the_wrong_shape_is_told_in_words() -> None:
    found = problems({"name": "x", "inner": "fast", "several": "x", "by_name": [1], "part": 5, True: 1})  # type: ignore[dict-item]
    assert found["inner"] == "a section with keys of its own was wanted (got 'fast')"
    assert found["several"] == "a list was wanted (got 'x')"
    assert found["by_name"] == "a section with keys of its own was wanted (got [1])"
    assert "a part is written as a name or as {name: ..., setting: ...}, not 5" in found["part"]
    assert len(found) == 5, "a key that is no text is told too"


def test_an_unknown_key_unlike_any_other_names_those_that_are_known() -> None:
    assert problems({"name": "x", "inner": {"qqq": 1}})["inner.qqq"] == "unknown key; known here: rate, patience"


def test_a_long_value_is_told_in_short() -> None:
    message = problems({"name": ["x" * 500]})["name"]
    assert "..." in message and len(message) < 200


def test_the_message_counts_the_problems_and_stands_in_lines() -> None:
    with pytest.raises(UserError) as caught:
        Whole.read({"nam": 1})
    assert str(caught.value).splitlines()[0] == "2 problems in the recipe:"
    assert "  nam: unknown key; did you mean 'name'?" in str(caught.value).splitlines()
    assert caught.value.exit_code == 2


def test_settings_cannot_be_changed_afterwards() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        Inner().patience = 5  # type: ignore[misc]


def test_texts_below_settings_are_their_descriptions_inherited_ones_too() -> None:
    class Later(Inner):
        after: int = 1
        """Of the
        second one."""
        silent: int = 2

    assert Later.meanings() == {"rate": "How fast.", "patience": "How long.", "after": "Of the\nsecond one."}
    schema = Whole.model_json_schema()
    assert schema["$defs"]["Inner"]["properties"]["patience"]["description"] == "How long."


def test_state_is_the_private_attributes_and_comes_back() -> None:
    class Counter(Config):
        start: int = 0
        _seen: int = PrivateAttr(0)

    one, other = Counter(), Counter()
    one._seen = 5
    assert one.state() == {"_seen": 5}
    other.restore(one.state())
    assert other._seen == 5
