"""The rule of the page works as the page says: saved beside the recipe of the page, it finds, drops and tells."""

from __future__ import annotations

import json
import re
from pathlib import Path

import yaml

from tunewright.data.prepare import audit
from tunewright.data.settings import DataSettings
from tunewright.tasks import TASKS

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "your-own-data-rule.md"


def test_the_rule_on_the_page_finds_and_drops_what_the_recipe_on_the_page_asks_for(tmp_path: Path) -> None:
    text = PAGE.read_text(encoding="utf-8")
    rule, recipe = re.findall(r"^```python\n(.*?)^```$", text, re.M | re.S)[0], re.findall(r"^```yaml\n(.*?)^```$", text, re.M | re.S)[0]
    (tmp_path / "my_rules.py").write_text(rule)
    rows = [{"body": f"parcel {at} of {'OLD-' if at % 4 == 0 else 'T-'}{at}", "queue": "ab"[at % 2]} for at in range(40)]
    (tmp_path / "tickets.jsonl").write_text("\n".join(map(json.dumps, rows)))
    settings = DataSettings.read(yaml.safe_load(recipe)["data"] | {"source": "tickets.jsonl"})
    done = audit(settings, TASKS.build("text-classification"), 0, tmp_path)
    (found,) = [one for one in done.findings if ":" in one.rule]
    assert "10 rows with a number of the old system" in found.message and "Removed: 10" in found.message
    assert done.summary()["rows"]["by_rule"] == {"my_rules.py:OldTicketNumber": 10}
