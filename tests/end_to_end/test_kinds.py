"""Several labels, pairs, mean pooling, LoRA and metrics of one's own, each the whole road on a tiny table."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest

from tunewright.core.errors import BadConfig, UserError
from tunewright.core.folder import read_json

pytestmark = pytest.mark.slow

WORDS = {"late": "the parcel is late", "broken": "the lamp is broken", "price": "the price is wrong"}


def rows_with_several_labels(rows: int = 240) -> list[dict[str, Any]]:
    rng = random.Random(1)
    found = []
    for number in range(rows):
        labels = [name for name in WORDS if rng.random() < 0.4]
        text = " and ".join([WORDS[name] for name in labels] or ["all is well"])
        found.append({"text": f"ticket {number}: {text}", "label": labels})
    return found


def rows_of_pairs(rows: int = 240) -> list[dict[str, Any]]:
    rng = random.Random(2)
    things = ["a lamp", "a kettle", "a chair", "a parcel"]
    found = []
    for number in range(rows):
        first, same = rng.choice(things), rng.random() < 0.5
        second = first if same else rng.choice([one for one in things if one != first])
        found.append({"text": f"{number} I bought {first}", "text_pair": f"this is {second}", "label": "same" if same else "other"})
    return found


def whole_road(tmp_path: Path, data: dict[str, Any], **sections: Any) -> tuple[Path, dict[str, Any]]:
    from tunewright.pipeline.recipe import build
    from tunewright.pipeline.run import run

    train = {"max_steps": 20, "batch_size": 8, **sections.pop("train", {})}
    recipe = {"task": "text-classification", "model": {"base": "embedded"}, "train": train, "evaluate": {"resamples": 100}}
    return run(build({**recipe, "data": data, "output_dir": str(tmp_path), **sections}), tmp_path, "tiny", "tunewright run tiny.yaml")


def test_several_labels_have_thresholds_from_validation_and_scores_of_their_own(tmp_path: Path) -> None:
    folder, metrics = whole_road(
        tmp_path, {"source": rows_with_several_labels()}, task={"name": "text-classification", "multi_label": True}, train={"max_steps": 40}
    )
    assert {"f1_micro", "f1_macro", "subset_accuracy", "f1/late"} <= set(metrics["test"])
    assert metrics["test"]["f1_micro"]["value"] > 0.6
    assert set(metrics["thresholds"]) == set(WORDS) and "confusion" not in metrics
    kept = read_json(folder / "model" / "tunewright.json")["task"]
    assert dict(zip(kept["labels"], kept["thresholds"], strict=True)) == metrics["thresholds"]
    assert read_json(folder / "model" / "config.json")["problem_type"] == "multi_label_classification"


def test_a_pair_of_texts_is_read_as_a_pair(tmp_path: Path) -> None:
    folder, metrics = whole_road(tmp_path, {"source": rows_of_pairs()})
    assert metrics["proof"]["ok"] and set(metrics["support"]) == {"same", "other"}
    import tunewright

    one, other = tunewright.load(folder).predict(
        [("1 I bought a lamp", "this is a lamp"), {"text": "1 I bought a lamp", "text_pair": "this is a chair"}]
    )
    assert one["probabilities"]["same"] != other["probabilities"]["same"]


def test_lora_on_mean_pooling_with_own_metrics_is_saved_whole_with_its_adapter_beside_it(tmp_path: Path, tickets: Path) -> None:
    (tmp_path / "mine.py").write_text(
        "def share_sure(wanted, probabilities, names):\n    return float((probabilities.max(1) > 0.2).mean())\n"
    )
    folder, metrics = whole_road(
        tmp_path,
        {"source": str(tickets / "tickets.csv"), "columns": {"text": "body", "label": "queue"}, "rules": {"label-noise": False}},
        model={"base": "embedded", "pooling": "mean", "max_tokens": 32},
        method={"name": "lora", "rank": 4},
        evaluate={"resamples": 100, "metrics": ["f1", "mine.py:share_sure"], "baselines": ["majority"]},
        train={"max_steps": 12, "best_by": "recall/delivery"},
    )
    assert metrics["proof"]["loaded_with"] == "sentence_transformers" and metrics["proof"]["ok"]
    assert 0 <= metrics["test"]["share_sure"]["value"] <= 1 and metrics["test"]["f1"]["value"] == metrics["test"]["f1_macro"]["value"]
    assert "tfidf" not in metrics["baselines"]
    assert (folder / "adapter" / "adapter_model.safetensors").is_file()
    assert read_json(folder / "manifest.json")["served"]["by"] == "recall/delivery"
    events = [json.loads(line) for line in (folder / "events.jsonl").read_text().splitlines()]
    assert any("share_sure" in line.get("scores", {}) for line in events), "computed during training, too"


def test_a_score_that_no_row_has_is_refused_before_the_first_step(tmp_path: Path) -> None:
    with pytest.raises(BadConfig, match=r"no score on the validation rows is called .acuracy.. Did you mean .accuracy."):
        whole_road(tmp_path, {"source": rows_of_pairs(60)}, train={"max_steps": 2, "best_by": "acuracy"})
    assert not list(tmp_path.rglob("events.jsonl"))


def test_a_dataframe_goes_the_same_road(tmp_path: Path) -> None:
    import pandas as pd

    from tunewright.pipeline.prepare import prepare
    from tunewright.pipeline.recipe import build

    frame = pd.DataFrame(rows_of_pairs(60))
    recipe = build({"task": "text-classification", "data": {"source": frame}, "model": {"base": "embedded"}, "output_dir": str(tmp_path)})
    assert prepare(recipe, tmp_path).rows("train").num_rows > 30


def test_mean_pooling_of_pairs_is_refused_at_once() -> None:
    from tunewright.pipeline.recipe import build

    with pytest.raises(UserError, match="reads one text"):
        build({
            "task": "text-classification",
            "data": {"source": "x.csv", "columns": {"text": "a", "text_pair": "b", "label": "c"}},
            "model": {"base": "embedded", "pooling": "mean"},
        })  # fmt: skip
