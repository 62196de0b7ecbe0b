"""What a finding tells beside its words: which row of a cluster stays, and its figures."""

import json
import re

import pyarrow.parquet as pq
import pytest

from tunewright.core.schema import Finding
from tunewright.data.prepare import audit, prepare
from tunewright.data.settings import DataSettings
from tunewright.pipeline import told
from tunewright.tasks import TASKS

TASK = TASKS.build("text-classification")
LONG = "the parcel that you sent me on monday has not come and nobody at the counter could tell me where it is now"
FIGURE = re.compile(r"(\d[\d,]*(?:\.\d+)?)( %)?")


def planted(folder):
    rows = [(f"ticket {at} about matter {at * 7919 % 1009}", ("billing", "login")[at % 2]) for at in range(80)]
    rows += [(f"Said {word} in one table", "login") for word in ("twice", "again", "often") for _ in range(3)] + [
        ("Case differs here", "login"),
        ("case differs here!", "login"),
    ]
    rows += [
        (LONG, "late"),
        (LONG + " please", "late"),
        (LONG + " thanks", "late"),
        *[(f"late parcel number {at}", "late") for at in range(9)],
    ]
    rows += [("Two answers stand here", "login"), ("Two answers stand here", "billing"), ("", "login"), ("of a rare kind", "odd")]
    rows += [("write to jo.doe@example.org or to al@example.org", "login"), ("a soft\u00adhyphen and a caf\u00c3\u00a9", "billing")]
    lines = [{"text": text, "label": label, "same": "x", "nearly": "y" if at else "z"} for at, (text, label) in enumerate(rows)]
    (folder / "a.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return folder


def found(folder, **policy):
    return audit(DataSettings.read({"source": "a.jsonl", "policy": policy}), TASK, 0, planted(folder))


DUPLICATES = {"exact-duplicate": "drop", "normalised-duplicate": "drop", "near-duplicate": "drop"}


@pytest.mark.parametrize("rule", list(DUPLICATES))
def test_a_cluster_is_whole_and_tells_which_row_stays_and_for_which_row_the_others_went(tmp_path, rule):
    dataset = prepare(DataSettings.read({"source": "a.jsonl", "policy": DUPLICATES}), TASK, 0, planted(tmp_path), tmp_path / "out")
    lines = [one for one in pq.read_table(dataset.folder / "findings.parquet").to_pylist() if one["rule"] == rule]
    away = {one["_row"]: one["_reason"] for one in dataset.quarantine.to_pylist() if one["_rule"] == rule}
    assert lines and {one["row"] for one in lines if not one["kept"]} == set(away)
    for group in {one["group"] for one in lines}:
        cluster = [one for one in lines if one["group"] == group]
        (stays,) = [one for one in cluster if one["kept"]] if any(not one["kept"] for one in cluster) else [cluster[0]]
        assert stays["row"] == min(one["row"] for one in cluster)
        assert all(f"as a.jsonl row {stays['row']}, which stays" in away[one["row"]] for one in cluster if not one["kept"])
    (finding,) = [one for one in dataset.findings if one.rule == rule]
    assert [finding.is_kept(at) for at in range(len(finding.places))] == [one["kept"] for one in lines]
    assert finding.numbers == json.loads(lines[0]["numbers"])


def test_check_names_the_row_of_a_cluster_that_is_kept_and_those_that_are_removed(tmp_path):
    words = told.data({**found(tmp_path, **DUPLICATES).summary(), "refused": []}, 110)
    assert re.search(r"exact-duplicate, 9 rows \(8.3 %\), [246] of them removed", words)
    assert re.search(r"kept: row \d+ \(the first of cluster \d\) \[\w+\]: (Said .*)\n +removed: row \d+ \[\w+\]: \1\n", words)


def test_what_holds_for_all_rows_of_a_finding_is_not_told_row_by_row():
    finding = Finding(rule="a", severity="info", message="", remedy="", places=({"file": "a", "row": 1},))
    assert finding.is_kept(0) and not finding.model_copy(update={"action": "drop"}).is_kept(0)


@pytest.mark.parametrize("policy", [{}, {**DUPLICATES, "personal-data": "fix", "mojibake": "fix", "control-characters": "fix"}])
def test_every_figure_that_a_message_quotes_stands_among_the_numbers(tmp_path, policy):
    findings = found(tmp_path, **policy).findings
    assert len({one.rule for one in findings}) >= 9
    for one in findings:
        plain = re.sub(r"\((rows? [^()]*)\)|'[^']*'|\"[^\"]*\"", "", one.message)
        for figure, percent in FIGURE.findall(plain):
            value, digits = float(figure.replace(",", "")), len(figure.partition(".")[2])
            there = [round(100 * number if percent else number, digits) for number in one.numbers.values()]
            assert value in there, f"{one.rule}: {figure}{percent} of {one.message!r} is not in {one.numbers}"
