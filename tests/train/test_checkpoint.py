from __future__ import annotations

from pathlib import Path

import pytest

from tunewright.core.folder import write_json
from tunewright.train.checkpoint import HASHES, PROGRESS, finished, is_whole, latest, prune, seal, step_of


def checkpoint(root: Path, step: int, sealed: bool = True) -> Path:
    folder = root / f"checkpoint-{step}"
    (folder / "deep").mkdir(parents=True)
    (folder / "weights").write_bytes(bytes([step % 256]) * 100)
    (folder / "deep" / "state").write_text(str(step))
    if sealed:
        seal(folder)
    return folder


def test_a_sealed_checkpoint_is_whole_until_a_byte_changes(tmp_path: Path) -> None:
    folder = checkpoint(tmp_path, 5)
    assert is_whole(folder) and step_of(folder) == 5
    (folder / "deep" / "state").write_text("6")
    assert not is_whole(folder)


@pytest.mark.parametrize("damage", ["a byte", "a missing file", "a cut file", "no seal", "a broken seal", "an empty seal"])
def test_damaged_and_half_written_checkpoints_are_passed_over(tmp_path: Path, damage: str) -> None:
    good, bad = checkpoint(tmp_path, 9), checkpoint(tmp_path, 10, sealed=damage != "no seal")
    weights, seal_file = bad / "weights", bad / HASHES
    if damage == "a byte":
        weights.write_bytes(b"x" + weights.read_bytes()[1:])
    elif damage == "a missing file":
        weights.unlink()
    elif damage == "a cut file":
        weights.write_bytes(weights.read_bytes()[:50])
    elif damage == "a broken seal":
        seal_file.write_text(seal_file.read_text()[:40])
    elif damage == "an empty seal":
        seal_file.write_text("{}")
    assert latest(tmp_path) == good


def test_the_newest_goes_by_its_number_and_not_by_its_name(tmp_path: Path) -> None:
    for step in (9, 100, 20):
        checkpoint(tmp_path, step)
    (tmp_path / ".checkpoint-300.0badf00d.part").mkdir()
    (tmp_path / "checkpoint-notes").mkdir()
    assert [step_of(folder) for folder in finished(tmp_path)] == [9, 20, 100]
    assert latest(tmp_path).name == "checkpoint-100"


def test_without_a_whole_checkpoint_there_is_none_and_why_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert latest(tmp_path) is None and capsys.readouterr().err == ""
    checkpoint(tmp_path, 3, sealed=False)
    assert latest(tmp_path) is None
    assert "checkpoint-3 cannot be used: hashes.json is missing, so it was not finished" in capsys.readouterr().err


def test_a_damaged_best_one_sends_the_run_back_to_before_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for step, best in ((2, 2), (4, 4), (6, 4), (8, 4)):
        write_json(checkpoint(tmp_path, step, sealed=False) / PROGRESS, {"best_step": best})
        seal(tmp_path / f"checkpoint-{step}")
    assert latest(tmp_path) == tmp_path / "checkpoint-8"
    (tmp_path / "checkpoint-4" / "weights").write_bytes(b"damaged")
    assert latest(tmp_path) == tmp_path / "checkpoint-2"
    said = capsys.readouterr().err
    assert said.count("the best one, checkpoint-4, is damaged") == 2 and "weights has other bytes than were written" in said


@pytest.mark.parametrize(
    ("keep", "best", "left"),
    [(1, 2, [2, 5]), (2, 2, [2, 5]), (3, 2, [2, 4, 5]), (1, 5, [5]), (1, None, [5]), (2, 5, [4, 5]), (9, 1, [1, 2, 3, 4, 5])],
)
def test_the_best_and_the_newest_always_stay(tmp_path: Path, keep: int, best: int | None, left: list[int]) -> None:
    for step in range(1, 6):
        checkpoint(tmp_path, step)
    prune(tmp_path, keep, best)
    assert [step_of(folder) for folder in finished(tmp_path)] == left
