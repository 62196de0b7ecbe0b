"""On clean public sets the rules about rows are silent, or right: counts that were read by eye."""

import os
from pathlib import Path

import pytest

from tunewright.data.audit import RULES
from tunewright.data.prepare import _looked
from tunewright.data.settings import DataSettings
from tunewright.data.source import read_source
from tunewright.tasks import TASKS

ROOT = Path(os.environ.get("TUNEWRIGHT_DATA", "nowhere"))
SPLITS = ("train", "validation", "test")
SILENT = ("secret", "markup-only", "too-short", "truncated-text", "constant-column", "shortcut")
EXPECTED = {
    "banking77": {},
    "sms_spam": {"personal-data": 390},
    "tweet_eval/emotion": {"personal-data": 1, "control-characters": 6},
    "rotten_tomatoes": {"wrong-language": 54},
}

pytestmark = pytest.mark.skipif("TUNEWRIGHT_DATA" not in os.environ, reason="the public sets are not here")


@pytest.mark.parametrize("name", EXPECTED)
def test_rules_are_silent_or_right(name):
    files = {split: str(ROOT / name / f"{split}.jsonl") for split in SPLITS if (ROOT / name / f"{split}.jsonl").exists()}
    settings, task = DataSettings(source=files), TASKS.build("text-classification")
    rows = _looked(read_source(settings.source, Path()), settings, task)[0]
    for rule in (*SILENT, "personal-data", "control-characters", "wrong-language"):
        found = sum(len(hit.rows) for hit in RULES.build(rule).look(rows))
        expected = EXPECTED[name].get(rule, 0)
        assert abs(found - expected) <= 0.05 * expected, rule
