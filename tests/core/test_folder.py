from __future__ import annotations

import errno
import hashlib
import json
import os
import resource
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tests.small_disk import small_disk
from tunewright.core import folder
from tunewright.core.errors import DiskFull, UserError

KILLED = """
import os, signal, sys
from pathlib import Path
from tunewright.core.folder import whole
with whole(Path(sys.argv[1])) as half:
    half.write_bytes(b"new" * 100_000)
    os.kill(os.getpid(), signal.SIGKILL)
"""


def beside(path: Path) -> list[str]:
    return sorted(one.name for one in path.parent.iterdir())


@pytest.mark.slow
def test_a_kill_between_writing_and_renaming_leaves_the_old_file(tmp_path: Path) -> None:
    path = folder.write_bytes(tmp_path / "kept.bin", b"old")
    done = subprocess.run([sys.executable, "-c", KILLED, str(path)], check=False)
    assert done.returncode == -9
    assert path.read_bytes() == b"old"
    assert len(beside(path)) == 2, "the half-written file stands beside it, under a name of its own"
    assert folder.tree_hashes(tmp_path) == {"kept.bin": hashlib.sha256(b"old").hexdigest()}
    folder.clear_halves(tmp_path)
    assert beside(path) == ["kept.bin"]


def test_what_fails_while_it_is_written_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = folder.write_text(tmp_path / "kept.txt", "old")
    with pytest.raises(ZeroDivisionError), folder.whole(path) as half:
        half.write_text("new")
        _ = 1 / 0
    assert path.read_text() == "old"
    assert beside(path) == ["kept.txt"]


def test_a_folder_takes_the_place_of_the_old_one_as_a_whole(tmp_path: Path) -> None:
    place = tmp_path / "deep" / "model"
    for name in ("first", "second"):
        with folder.whole(place) as half:
            (half / "inside").mkdir(parents=True)
            (half / "inside" / name).write_text(name)
    assert [one.name for one in place.rglob("*")] == ["inside", "second"]
    assert beside(place) == ["model"]


def test_a_failed_folder_leaves_the_old_one(tmp_path: Path) -> None:
    place = tmp_path / "model"
    with folder.whole(place) as half:
        half.mkdir()
        (half / "old").write_text("old")
    with pytest.raises(KeyError), folder.whole(place) as half:
        half.mkdir()
        (half / "new").write_text("new")
        raise KeyError
    assert beside(place) == ["model"] and (place / "old").exists()


@pytest.mark.parametrize("write", [folder.write_text, folder.write_json, folder.append_line])
def test_a_file_in_the_way_of_a_folder_is_told(tmp_path: Path, write: object) -> None:
    (tmp_path / "runs").write_text("a file")
    with pytest.raises(UserError, match=r"runs/x cannot be written .*output_dir"):
        write(tmp_path / "runs" / "x", "text")  # type: ignore[operator]


def test_a_name_that_is_too_long_is_told(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"cannot be written \(File name too long\)"):
        folder.write_text(tmp_path / ("x" * 300), "text")


def test_a_disk_that_fills_up_is_told_and_the_old_file_stays(tmp_path: Path) -> None:
    path = folder.write_text(tmp_path / "kept.txt", "old")
    journal = tmp_path / "events.jsonl"
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, before[1]))
    try:
        with pytest.raises(UserError, match=r"kept.txt cannot be written \(File too large\)"):
            folder.write_text(path, "x" * 5000)
        with pytest.raises(UserError, match=r"events.jsonl cannot be written"):
            folder.append_line(journal, "x" * 5000)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert path.read_text() == "old"
    assert beside(path) == ["events.jsonl", "kept.txt"]
    folder.append_line(journal, {"after": 1})
    assert folder.read_lines(journal) == [{"after": 1}], "the torn line swallows nothing"


def test_lines_that_find_no_room_are_kept_whole_until_there_is_some(tmp_path: Path) -> None:
    with small_disk(tmp_path / "small", "64k") as small:
        lines = folder.Lines(small / "events.jsonl")
        lines.add({"step": 1}, lasting=True)
        filler = small / "filler"
        with filler.open("wb", buffering=0) as stream, pytest.raises(OSError, match="No space"):
            while True:
                stream.write(bytes(4096))
        lines.add({"step": 2, "long": "x" * 5000})
        lines.add({"step": 3}, lasting=True)
        assert folder.read_lines(small / "events.jsonl") == [{"step": 1}], "nothing half"
        filler.unlink()
        lines.add({"step": 4})
        lines.close()
        assert [line["step"] for line in folder.read_lines(small / "events.jsonl")] == [1, 2, 3, 4]


def with_safetensors(place: Path) -> None:
    from safetensors.numpy import save_file

    save_file({"w": np.zeros(1 << 20, np.float32)}, place)


def with_torch(place: Path) -> None:
    import torch

    torch.save(torch.zeros(1 << 20), place)


def with_parquet(place: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    pq.write_table(pa.table({"w": np.random.default_rng(0).random(1 << 20)}), place)


@pytest.mark.parametrize("write", [with_safetensors, with_torch, with_parquet, lambda place: np.save(place.open("wb"), np.zeros(1 << 20))])
def test_a_full_disk_is_told_whatever_library_meets_it(tmp_path: Path, write: Callable[[Path], None]) -> None:
    """safetensors and pyarrow take away what they began, so that there is room again when the error comes."""
    with small_disk(tmp_path / "small", "1m") as small:
        with pytest.raises(DiskFull, match=r"model cannot be written .*[Nn]o space left.*make room"), folder.whole(small / "model") as half:
            half.mkdir()
            (half / "first").write_bytes(b"x" * 200_000)
            write(half / "second")
        assert list(small.iterdir()) == [], "what was half-written is cleared away"


def test_a_full_disk_is_known_by_the_error_that_another_one_comes_from(tmp_path: Path) -> None:
    with pytest.raises(DiskFull, match=r"x cannot be written \(no space left: could not be saved\). Name another file"):  # noqa: SIM117
        with folder.writable(tmp_path / "x", "Name another file"):
            try:
                raise OSError(errno.ENOSPC, "full")
            except OSError as error:
                raise RuntimeError("could not be saved") from error
    with pytest.raises(RuntimeError, match="of another kind"), folder.writable(tmp_path / "x"):
        raise RuntimeError("of another kind")


def test_text_of_any_kind_goes_to_the_disk_and_comes_back(tmp_path: Path) -> None:
    odd = "Grüße \u2028 \x85 \r\n 😀 \ud83d"
    path = folder.write_text(tmp_path / "odd.txt", odd)
    assert path.read_bytes().decode("utf-8", "surrogatepass") == odd
    assert folder.read_json(folder.write_json(tmp_path / "odd.json", {"z": "Grüße \u2028", "a": [1, None]})) == {
        "z": "Grüße \u2028",
        "a": [1, None],
    }
    assert (tmp_path / "odd.json").read_text(encoding="utf-8").index('"z"') < (tmp_path / "odd.json").read_text(encoding="utf-8").index(
        '"a"'
    )


def test_json_has_no_nan(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        folder.write_json(tmp_path / "x.json", {"value": float("nan")})
    assert list(tmp_path.iterdir()) == []


def test_a_missing_json_is_named_with_the_command_that_writes_it(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"metrics.json is missing. It is written by: tunewright evaluate"):
        folder.read_json(tmp_path / "metrics.json", "tunewright evaluate")


@pytest.mark.parametrize("content", [b"{", b"\xff\xfe", b""])
def test_a_broken_json_is_told(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "x.json").write_bytes(content)
    with pytest.raises(UserError, match=r"x.json is not valid JSON .*Delete it and make it again: tunewright run"):
        folder.read_json(tmp_path / "x.json")


def test_a_folder_where_a_json_should_be_is_told(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"cannot be read \(Is a directory\)"):
        folder.read_json(tmp_path)


def test_a_last_line_that_was_cut_short_is_left_out(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    assert folder.read_lines(path) == []
    lines = [{"text": "Grüße \u2028 \x85 \x0c end"}, {"step": 2}]
    for line in lines:
        folder.append_line(path, line)
    assert folder.read_lines(path) == lines
    whole = path.read_bytes()
    last = json.dumps({"step": 12, "text": "ü"}, ensure_ascii=False).encode()
    for cut in range(len(last) + 1):  # also in the middle of a letter, and just before the newline
        path.write_bytes(whole + last[:cut])
        assert folder.read_lines(path) == lines, cut


def test_a_line_after_a_torn_one_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "looks.jsonl"
    folder.append_line(path, {"look": 1})
    with path.open("ab") as stream:
        stream.write(b'{"look": 2, "wh')
    folder.append_line(path, {"look": 3})
    assert folder.read_lines(path) == [{"look": 1}, {"look": 3}]


def test_hashes_are_those_of_the_bytes(tmp_path: Path) -> None:
    data = os.urandom((1 << 20) + 17)
    path = folder.write_bytes(tmp_path / "a" / "b.bin", data)
    assert folder.file_hash(path) == hashlib.sha256(data).hexdigest()
    folder.write_text(tmp_path / "c.txt", "c")
    folder.write_text(tmp_path / "skipped" / "d.txt", "d")
    folder.write_text(tmp_path / ".model.12345678.part" / "weights", "half")
    assert list(folder.tree_hashes(tmp_path, skip=("skipped/",))) == ["a/b.bin", "c.txt"]


def test_texts_are_kept_apart_in_a_hash() -> None:
    hashes = {folder.text_hash(*parts) for parts in [("ab", "c"), ("a", "bc"), ("abc",), ("abc", ""), ("\ud800",)]}
    assert len(hashes) == 5
    assert folder.text_hash("a") == folder.text_hash("a")


def test_a_folder_in_the_place_of_a_file_is_told_as_one(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"is a folder. A file was to be written there. Name one in it"):
        folder.write_text(tmp_path, "x")
    assert not list(tmp_path.iterdir())
