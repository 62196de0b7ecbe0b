"""``tunewright doctor``: what a machine has and lacks, in words and by its exit status."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from tunewright.cli import app
from tunewright.pipeline import doctor

NEEDED = {"torch", "transformers", "datasets", "accelerate", "peft", "pyarrow", "pydantic", "typer"}


def by_name(facts: list[doctor.Fact]) -> dict[str, doctor.Fact]:
    return {fact.name: fact for fact in facts}


def test_this_machine_has_what_is_needed(tmp_path):
    facts = by_name(doctor.doctor(tmp_path))
    assert set(facts) >= NEEDED and {"python", "cores", "memory", "disk", "gpu", "cpu bf16", "network", "output folder"} <= set(facts)
    assert not [fact for fact in facts.values() if fact.status == "lacks"]
    assert facts["packaged encoder"].status == "ok" and "as it shall be" in facts["packaged encoder"].found
    assert "extra dev" not in facts and facts["extra sentence"].status == "ok"


def test_the_command_prints_every_fact_and_ends_well(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    said = CliRunner().invoke(app, ["doctor"])
    assert said.exit_code == 0 and "torch: 2." in said.stdout and "Next: tunewright" in said.stdout
    told = json.loads(CliRunner().invoke(app, ["doctor", "--json"]).stdout)
    assert told["ok"] is True and {"name", "status", "found", "remedy"} == set(told["facts"][0])


def test_an_old_and_a_missing_package_lack_with_the_line_that_mends_it(tmp_path):
    """Metadata of a tunewright that wants more than there is, found before the installed one."""
    info = tmp_path / "site" / "tunewright-9.9.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: tunewright\nVersion: 9.9\nRequires-Dist: torch>=99.1\nRequires-Dist: no-such-package>=1.2\n"
        'Requires-Dist: numpy<3,>=1.0\nProvides-Extra: moon\nRequires-Dist: no-such-moon>=1; extra == "moon"\n'
    )
    code = f"import sys; sys.path.insert(0, {str(tmp_path / 'site')!r}); from tunewright.cli import app; app()"
    done = subprocess.run([sys.executable, "-c", code, "doctor"], capture_output=True, text=True, cwd=tmp_path, check=False)
    assert done.returncode == 2
    assert "LACKS torch: " in done.stdout and "older than 99.1" in done.stdout and "pip install --upgrade 'torch>=99.1'" in done.stdout
    assert "LACKS no-such-package: not installed" in done.stdout and "pip install 'no-such-package>=1.2'" in done.stdout
    assert "ok    numpy: " in done.stdout
    assert "note  extra moon: not installed: no-such-moon" in done.stdout and "pip install 'tunewright[moon]'" in done.stdout
    assert "Something that is needed lacks" in done.stdout


def test_a_damaged_encoder_lacks_and_a_missing_one_is_a_note(tmp_path):
    from importlib.metadata import distribution

    from tunewright.model.base import EMBEDDED_FOLDER, EMBEDDED_PACKAGE

    name = EMBEDDED_PACKAGE.replace("-", "_")
    info = tmp_path / f"{name}-0.1.0.dist-info"
    info.mkdir()
    shutil.copy(
        str(distribution(EMBEDDED_PACKAGE).locate_file(f"{name}-{distribution(EMBEDDED_PACKAGE).version}.dist-info/METADATA")), info
    )
    code = f"import sys; sys.path.insert(0, {str(tmp_path)!r}); from tunewright.pipeline.doctor import _encoder; print(_encoder())"

    def encoder() -> str:
        return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout

    assert "status='lacks'" in encoder() and "cannot be read" in encoder(), "metadata without weights"
    weights = tmp_path / EMBEDDED_FOLDER / "model.safetensors"
    weights.parent.mkdir(parents=True)
    weights.write_bytes(b"broken")
    assert "status='lacks'" in encoder() and "was wanted" in encoder() and "--force-reinstall" in encoder()


@pytest.mark.parametrize(("value", "status"), [("1", "note"), ("true", "note"), ("0", "ok")])
def test_the_offline_switch_is_told_with_the_way_back(monkeypatch, tmp_path, value, status):
    monkeypatch.setenv("HF_HUB_OFFLINE", value)
    fact = by_name(doctor.doctor(tmp_path))["network"]
    assert fact.status == status and ("unset HF_HUB_OFFLINE" in fact.remedy) == (status == "note")


@pytest.mark.skipif(not Path("/proc/self").is_dir(), reason="needs a folder that nobody may write")
def test_a_folder_that_cannot_be_written_lacks():
    fact = by_name(doctor.doctor(Path("/proc/self")))["output folder"]
    assert fact.status == "lacks" and "output_dir" in fact.remedy


def test_a_folder_that_is_not_there_yet_is_judged_by_the_one_above(tmp_path):
    assert str(tmp_path) in by_name(doctor.doctor(tmp_path / "not" / "yet"))["output folder"].found


def test_releases_are_compared_as_numbers():
    assert doctor._numbers("2.13.0+cpu") > doctor._numbers("2.9") and doctor._numbers("2.0") == doctor._numbers("2")
    assert doctor._requirement('tensorboard>=2.18; extra == "track"') == ("tensorboard", "2.18")
