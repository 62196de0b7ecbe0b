from __future__ import annotations

import pytest

from tunewright.core import errors


@pytest.mark.parametrize(
    ("parts", "said"),
    [
        (("found",), "found."),
        (("found", "wanted", "next"), "found. wanted. next."),
        (("found", "", "next?"), "found. next?"),
        (("found!", " wanted. ", ""), "found! wanted."),
        (("found:\n  a line",), "found:\n  a line"),
    ],
)
def test_an_error_is_whole_sentences(parts: tuple[str, ...], said: str) -> None:
    assert str(errors.UserError(*parts)) == said


def test_its_parts_can_be_read_one_by_one() -> None:
    error = errors.UserError("found", "wanted", "next")
    assert (error.found, error.wanted, error.next_step) == ("found", "wanted", "next")


def test_each_kind_of_error_has_the_exit_status_of_the_house() -> None:
    found = {kind.__name__: kind.exit_code for kind in errors.UserError.__subclasses__()}
    wanted = {"DataRefused": 3, "Diverged": 4, "ProofFailed": 5, "Interrupted": 130, "Terminated": 143, "MissingExtra": 2, "BadConfig": 2}
    assert wanted.items() <= found.items()
    assert errors.UserError.exit_code == 2


def test_a_missing_extra_says_how_to_install_it() -> None:
    assert str(errors.MissingExtra("The tracker wandb", "wandb")).endswith("Install them: pip install 'tunewright[wandb]'.")


def test_the_nearest_name_is_found_whatever_the_case() -> None:
    assert errors.nearest("LABLE", ["text", "Label"]) == "Label"
    assert errors.nearest("qqq", ["text", "label"]) is None
    assert errors.nearest("x", []) is None


def test_a_name_that_is_only_somewhat_alike_is_not_told_as_the_one_that_was_meant() -> None:
    known = ["learning_rate", "evaluate_every", "patience", "ia3", "stratified", "multi_label"]
    meant = {"patiense": "patience", "ia#": "ia3", "multi": "multi_label", "laerning_rate": "learning_rate", "startified": "stratified"}
    assert {name: errors.nearest(name, known) for name in meant} == meant
    for far in ("warnings", "evaluator", "parents", "certified"):
        assert errors.nearest(far, known) is None, far


def test_a_hint_names_the_nearest_or_the_first_twelve() -> None:
    assert errors.hint("lable", ["text", "label"]) == "Did you mean 'label'?"
    assert errors.hint("qqq", ["b", "a"]) == "Known: a, b."
    assert errors.hint("qqq", []) == "Known: none."
    told = errors.hint("qqq", [f"name{number:02}" for number in range(15)])
    assert told.endswith("name11 and 3 more.") and "name12" not in told


def test_an_unknown_name_is_told_with_its_kind() -> None:
    assert str(errors.UnknownName("method", "loar", ["full", "lora"])) == "no method is called 'loar'. Did you mean 'lora'?"
