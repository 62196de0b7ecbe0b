"""Scores of the user's own, from files as users write them."""

from __future__ import annotations

import re

import numpy as np
import pytest

from tunewright.core.errors import UserError
from tunewright.metrics.classes import NEVER_TRAINED, ClassOutcome
from tunewright.metrics.numbers import NumberOutcome
from tunewright.metrics.own import resolve

MY = '''"""Scores for the support team."""
from dataclasses import dataclass

import numpy as np


@dataclass
class Cost:
    late: "float" = 5.0


def recall_at_2(wanted, probabilities, names):
    best = np.argsort(-probabilities, axis=1)[:, :2]
    return np.mean([want in [names[place] for place in row] for want, row in zip(wanted, best)])


def costs(wanted, probabilities, names):
    return {"billing": Cost().late * wanted.count("billing"), "rows": len(wanted)}


def labels_a_row(wanted, probabilities, names):
    return sum(len(labels) for labels in wanted) / len(wanted)


def broken(wanted, probabilities, names):
    return 1 / 0


def not_a_number(wanted, probabilities, names):
    return {"fine": 1.0, "missing": float("nan")}


def words(wanted, probabilities, names):
    return "0.9"


def nothing(wanted, probabilities, names):
    return {}


def two_arguments(wanted, predicted):
    return 1.0


def far_off(wanted, given):
    return {"share": float(np.mean(np.abs(wanted - given) > 1)), "rows": len(wanted)}


def accuracy(wanted, probabilities, names):
    return 1.0


LIMIT = 3
'''
OUTCOME = ClassOutcome(
    ("billing", "bug", "other"),
    np.array([0, 1, -1]),
    np.array([0, 0, 2]),
    np.array([[0.8, 0.1, 0.1], [0.5, 0.4, 0.1], [0.2, 0.2, 0.6]]),
)


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "my.py").write_text(MY, encoding="utf-8")
    return tmp_path


def test_a_function_in_a_file_beside_the_recipe_gets_names_and_probabilities(folder):
    metric = resolve("my.py:recall_at_2", folder)
    assert metric(OUTCOME) == {"recall_at_2": pytest.approx(2 / 3)}
    assert type(metric(OUTCOME)["recall_at_2"]) is float, "numpy's numbers do not go into JSON"


def test_several_numbers_stand_under_the_name_of_the_function(folder):
    assert resolve("my.py:costs", folder)(OUTCOME) == {"costs/billing": 5.0, "costs/rows": 3.0}


def test_a_wanted_label_that_was_never_trained_has_a_name_of_its_own(tmp_path):
    (tmp_path / "m.py").write_text(f"def strange(wanted, probabilities, names): return wanted.count({NEVER_TRAINED!r})")
    assert resolve("m.py:strange", tmp_path)(OUTCOME) == {"strange": 1.0}


def test_multi_label_rows_arrive_as_lists_of_names(folder):
    flags = np.array([[True, True], [False, True]])
    outcome = ClassOutcome(("a", "b"), flags, flags, flags.astype(float))
    assert resolve("my.py:labels_a_row", folder)(outcome) == {"labels_a_row": 1.5}


def test_a_function_of_an_installed_package_works_too(folder, monkeypatch):
    (folder / "team_scores.py").write_text("def constant(wanted, probabilities, names): return 0.25")
    monkeypatch.syspath_prepend(str(folder))
    assert resolve("team_scores:constant", folder)(OUTCOME) == {"constant": 0.25}


def test_a_folder_below_the_recipe_may_hold_the_file(folder):
    (folder / "scores").mkdir()
    (folder / "scores" / "ours.py").write_text("def one(wanted, probabilities, names): return 1")
    assert resolve("scores/ours.py:one", folder)(OUTCOME) == {"one": 1.0}


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("accurcy", "no metric is called 'accurcy'.*'accuracy'"),
        ("my.py", "names a file and no function.*my.py:<function>"),
        ("mi.py:costs", "does not exist.*Did you mean 'my.py'"),
        ("nowhere/my.py:costs", "does not exist.*relative to the recipe"),
        ("my.py:recall_at_5", "'my.py:recall_at_5' names a function that does not exist.*'recall_at_2'"),
        ("my.py:LIMIT", "is a int"),
        ("my.py:two_arguments", r"two_arguments\(wanted, predicted\).*\(wanted, probabilities, names\) was wanted"),
        ("my.py:accuracy", "second score called 'accuracy'.*my_accuracy"),
        ("no_such_package.scores:f", "No module named 'no_such_package'.*Install"),
    ],
)
def test_a_metric_that_cannot_be_found_says_what_is_near(folder, spec, message):
    with pytest.raises(UserError, match=message):
        resolve(spec, folder)


def test_an_exception_of_the_user_is_quoted_with_its_file_and_line(folder):
    line = MY.splitlines().index("    return 1 / 0") + 1
    wanted = f"'my.py:broken' raised ZeroDivisionError: division by zero ({folder / 'my.py'}, line {line})"
    with pytest.raises(UserError, match=re.escape(wanted)) as caught:
        resolve("my.py:broken", folder)(OUTCOME)
    assert isinstance(caught.value.__cause__, ZeroDivisionError)


def test_an_exception_deep_in_a_library_names_the_line_of_the_user(tmp_path):
    (tmp_path / "deep.py").write_text("import json\n\ndef f(wanted, probabilities, names):\n    return json.loads('{')\n")
    with pytest.raises(UserError, match=r"JSONDecodeError.*deep\.py, line 4\)"):
        resolve("deep.py:f", tmp_path)(OUTCOME)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("def f(:\n", r"SyntaxError.*bad\.py, line 1\)"),
        ("\nimport no_such_thing\n", r"ModuleNotFoundError.*bad\.py, line 2\)"),
        ("import sys\nsys.exit('bye')\n", r"SystemExit: bye.*bad\.py, line 2\)"),
    ],
)
def test_a_file_that_cannot_be_loaded_is_quoted_with_its_line(tmp_path, text, message):
    (tmp_path / "bad.py").write_text(text)
    with pytest.raises(UserError, match=message):
        resolve("bad.py:f", tmp_path)


@pytest.mark.parametrize(
    ("name", "message"),
    [("not_a_number", "returned nan for 'not_a_number/missing'"), ("words", "returned '0.9' for 'words'"), ("nothing", "returned {}")],
)
def test_an_answer_that_is_no_finite_number_is_refused(folder, name, message):
    with pytest.raises(UserError, match=f"{message}.*a finite number.*was wanted"):
        resolve(f"my.py:{name}", folder)(OUTCOME)


def test_a_task_without_classes_calls_a_function_with_what_was_wanted_and_given(tmp_path):
    (tmp_path / "my.py").write_text(MY)
    outcome = NumberOutcome(np.array([1.0, 2.0, 3.0]), np.array([1.0, 4.0, 3.5]))
    assert resolve("my.py:far_off", tmp_path, "numbers")(outcome) == {"far_off/share": pytest.approx(1 / 3), "far_off/rows": 3.0}
    assert resolve("my.py:far_off", tmp_path, "no such family")(outcome)["far_off/rows"] == 3.0
    with pytest.raises(UserError, match=r"defined as costs\(wanted, probabilities, names\).*takes \(wanted, given\) was wanted"):
        resolve("my.py:costs", tmp_path, "numbers")


def test_a_score_of_other_answers_is_refused_by_name(tmp_path):
    with pytest.raises(UserError, match=r"'top_3_accuracy', which has no meaning for the answers of this task.*'spearman'"):
        resolve("top_3_accuracy", tmp_path, "numbers")
    with pytest.raises(UserError, match=r"'pearson', which has no meaning.*'roc_auc'"):
        resolve("pearson", tmp_path)
    with pytest.raises(UserError, match=r"It has no more scores by name.*file\.py:function"):
        resolve("pearson", tmp_path, "no such family")
    with pytest.raises(UserError, match=r"Did you mean 'spearman'"):
        resolve("sperman", tmp_path, "numbers")
