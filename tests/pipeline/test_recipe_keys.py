"""Every key of a recipe changes what happens, on the road that a user goes: recipe, plan, model, job, run, scores."""

from __future__ import annotations

import csv
import itertools
import multiprocessing
import re
from collections.abc import Callable, Iterator
from datetime import date, timedelta
from functools import partial
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace
from typing import Annotated, Any, get_args, get_origin

import pyarrow.parquet as pq
import pytest
import torch
from pydantic import BaseModel, PrivateAttr
from pydantic.fields import FieldInfo

from tests import tiny
from tests.pipeline import method_keys
from tunewright.core.chance import seed_for
from tunewright.core.errors import BadConfig, UserError
from tunewright.core.folder import file_hash, write_json, write_text
from tunewright.core.registry import Member, Registry
from tunewright.pipeline import runs
from tunewright.pipeline.job import job_of, scorer
from tunewright.pipeline.make_plan import data_facts, make_plan
from tunewright.pipeline.plan import Plan
from tunewright.pipeline.prepare import prepare
from tunewright.pipeline.recipe import Recipe, build, put
from tunewright.pipeline.resolve import resolve, written
from tunewright.pipeline.train import train
from tunewright.tasks import TASKS
from tunewright.tasks.text_classification import TextClassification
from tunewright.train import ENGINES
from tunewright.train.callbacks.early_stop import EarlyStop
from tunewright.train.callbacks.journal import RowJournal
from tunewright.train.checkpoint import finished, step_of
from tunewright.train.guards import GUARDS
from tunewright.train.run import Callback, Run

FEWEST_KEYS = 50
USUAL: dict[str, Any] = {
    "task": "text-classification",
    "data": {"source": "rows.csv"},
    "model": {"base": "bert", "max_tokens": 64},
    "train": {"epochs": 2, "batch_size": 8, "warmup": 0.25, "learning_rate": 1e-3, "head_learning_rate": 1e-3, "precision": "fp32"},
    "evaluate": {"resamples": 100, "baselines": []},
}
"""48 training rows: 6 steps an epoch, 12 in all."""
MULTI = {"task.multi_label": True, "data.source": "several.csv"}


class Told(Callback):
    """What a run told of its steps."""

    _rates: list[float] = PrivateAttr(default_factory=list)
    _losses: list[float] = PrivateAttr(default_factory=list)
    _evaluated: list[int] = PrivateAttr(default_factory=list)
    _saved: list[int] = PrivateAttr(default_factory=list)

    def step_end(self, run: Run) -> None:
        self._rates.append(run.learning_rate)
        self._losses.append(run.loss)

    def evaluated(self, run: Run) -> None:
        self._evaluated.append(run.step)

    def saved(self, run: Run) -> None:
        self._saved.append(run.step)

    def state(self) -> dict[str, Any]:
        return {}


class Story:
    """A run of the recipe's own engine and what came of it."""

    def __init__(self, job: Any, told: Told) -> None:
        before = tiny.weights(job.model)
        module, _, attribute = ENGINES[job.settings.engine].partition(":")
        self.run: Run = getattr(import_module(module), attribute)(job)
        self.weights = tiny.weights(self.run.model)
        self.rates, self.losses, self.evaluated, self.saved = told._rates, told._losses, told._evaluated, told._saved
        self.left = {step_of(folder) for folder in finished(job.folder)}
        moved = {name: float((self.weights[name] - value).abs().sum()) for name, value in before.items() if value.is_floating_point()}
        self.head = sum(far for name, far in moved.items() if name in job.head_weights)
        self.encoder = sum(moved.values()) - self.head
        self.size = sum(float(value.abs().sum()) for name, value in self.weights.items() if name.endswith("query.weight"))


def day(number: int) -> str:
    return str(date(2026, 1, 1) + timedelta(days=number))


class Lab:
    """Recipes that differ in a few keys, each taken as far down the road as a check needs."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._stories: dict[str, Story] = {}
        for kind in ("bert", "distilbert"):
            tiny.base_folder(folder / kind, kind, **(tiny.STILL if kind == "bert" else {}))
        some = [{**row, "text": f"{row['text']} {at}"} for at, row in enumerate(tiny.rows(60))]
        several = [{"text": row["text"], "label": "|".join(row["label"]) or "none"} for row in tiny.rows(60, multi_label=True)]
        tables = {
            "rows": some,
            "fewer": some[:30],
            "bodies": [{"body": row["text"], **row, "text": f"no body {at}"} for at, row in enumerate(some)],
            "twice": [*some, *some[:6]],
            "several": several,
            "marked": [{"text": f"{at} it's {row['text']}", "spans": f"[[0, {len(str(at))}, 'NUMBER']]"} for at, row in enumerate(some)],
            "rated": [{"text": row["text"], "number": (at % 7) ** 2} for at, row in enumerate(some)],
            "keyed": [
                {**row, "customer": f"c{at % 12}", "day": day(at), "other_day": day(59 - at), "office": "x"} for at, row in enumerate(some)
            ],
        }
        write_json(folder / "asked.json", [{**row, "context": f"{row['context']} {at}"} for at, row in enumerate(tiny.asked(60))])
        for name, rows in tables.items():
            with (folder / f"{name}.csv").open("w", newline="") as stream:
                writer = csv.DictWriter(stream, list(rows[0]))
                writer.writeheader()
                writer.writerows(rows)

    def recipe(self, changes: dict[str, Any]) -> Recipe:
        values: dict[str, Any] = {name: dict(one) if isinstance(one, dict) else one for name, one in USUAL.items()}
        values["output_dir"] = str(self.folder)
        for key, value in changes.items():
            put(values, key, value)
        return build(values)

    def plan(self, **changes: Any) -> Plan:
        recipe = self.recipe(changes)
        return make_plan(recipe, self.folder, prepare(recipe, self.folder))

    def built(self, plan: Plan) -> Any:
        from tunewright.model.build import build as build_model

        recipe = plan.recipe
        return build_model(plan.base, recipe.model, recipe.task, recipe.method, seed_for(recipe.seed, "head"))

    def job(self, scores: Any = None, watchers: Any = (), **changes: Any) -> Any:
        plan = self.plan(**changes)
        run = runs.claim(plan.asked, "lab")
        return job_of(run, plan, self.built(plan), scores or scorer(plan), None, watchers)

    def story(self, scores: Any = None, **changes: Any) -> Story:
        key = repr((scores, changes))
        if key not in self._stories:
            told = Told()
            self._stories[key] = Story(self.job(scores, (told,), **changes), told)
        return self._stories[key]

    def loss(self, **changes: Any) -> float:
        """Of the first micro-batch, before anything was trained."""
        job = self.job(**changes)
        batch = job.collate([job.pieces[index] for index in job.order(0)[0]])
        with torch.no_grad():
            return float(job.loss_fn(job.model.eval(), batch).total)

    def evaluated(self, **changes: Any) -> dict[str, Any]:
        """What ``tunewright evaluate`` gives for a run whose model was saved as it was built."""
        from tunewright.model.build import save
        from tunewright.pipeline.evaluate import evaluate

        plan = self.plan(**changes)
        recipe, run = plan.recipe, runs.claim(plan.asked, "lab")
        runs.begin(run, recipe, self.folder, "tunewright train")
        write_text(run / "recipe.yaml", written(recipe, plan.asked, plan.reasons))
        write_json(run / "data.json", data_facts(plan))
        assert isinstance(recipe.model.max_tokens, int)
        model = recipe.method.merge(self.built(plan).model)
        save(model, run / "model", plan.base.tokenizer, recipe.task, TASKS.spec(recipe.task), recipe.model, recipe.model.max_tokens)
        runs.update(run, {"status": "trained", "served": {"sha256": file_hash(run / "model" / "model.safetensors")}})
        return evaluate(run, "tunewright evaluate")


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Lab:
    return Lab(tmp_path_factory.mktemp("lab"))


def registry_of(annotation: Any, metadata: Any = ()) -> Registry[Any] | None:
    """The registry whose member a field holds, or several of them, if it does."""
    for one in metadata:
        if isinstance(one, Member):
            return one.registry
    if get_origin(annotation) is Annotated:
        inner, *more = get_args(annotation)
        return registry_of(inner, more)
    return next((found for part in get_args(annotation) if (found := registry_of(part))), None)


def keys(model: type[BaseModel], prefix: str = "") -> Iterator[str]:
    """Every key by its path; the settings of a registry's member stand under its name: ``method.lora.rank``."""
    for name, field in model.model_fields.items():
        yield from keys_of(f"{prefix}{name}", field)


def keys_of(path: str, field: FieldInfo) -> Iterator[str]:
    if registry := registry_of(field.annotation, field.metadata):
        yield path
        for name in registry.places():
            yield from keys(registry.get(name), f"{path}.{name}.")
    elif isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
        yield from keys(field.annotation, f"{path}.")
    else:
        yield path
        for one in get_args(field.annotation):  # settings, or false
            yield from keys(one, f"{path}.") if isinstance(one, type) and issubclass(one, BaseModel) else ()


class OtherTask(TextClassification):
    """Rows are classified, and the best checkpoint is chosen by another score."""

    def best_by(self) -> str:
        return "f1_macro"


class Reached(Exception):
    """An engine of someone else was given the job."""


def own_engine(job: Any) -> Run:
    raise Reached(job.settings.engine)


def task(lab: Lab) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(TASKS._ours, "other", f"{__name__}:OtherTask")
        assert [lab.plan(task=name).recipe.train.best_by for name in ("other", "text-classification")] == ["f1_macro", "accuracy"]


def labels(lab: Lab) -> None:
    names = ["parcel lost", "delivery", "billing", "account"]
    plan = lab.plan(**{"task.labels": names})
    assert lab.built(plan).model.config.id2label == dict(enumerate(names))
    assert lab.built(lab.plan()).model.config.id2label == dict(enumerate(sorted(tiny.LABELS)))


def multi_label(lab: Lab) -> None:
    job, usual = lab.job(**MULTI), lab.job()
    assert len(job.pieces[0]["labels"]) == 4 and isinstance(usual.pieces[0]["labels"], int)
    assert job.best_by == "f1_micro" and job.model.config.problem_type == "multi_label_classification"


def separator(lab: Lab) -> None:
    whole, parts = lab.plan(**MULTI, **{"task.separator": ";"}).recipe.task, lab.plan(**MULTI, **{"task.separator": "|"}).recipe.task
    assert parts.model_dump()["labels"] == (*sorted(tiny.LABELS), "none")
    assert any("|" in name for name in whole.model_dump()["labels"])


def thresholds(lab: Lab) -> None:
    names = [*sorted(tiny.LABELS), "none"]
    for value, given in ((0.0, 4), (1.0, 0)):
        plan = lab.plan(**MULTI, **{"task.labels": names, "task.thresholds": [value] * 4})
        rows, encoded = plan.validation
        answer = plan.recipe.task.decode(rows[0], [[0.0] * 4], encoded.encoded[0], plan.base.tokenizer)
        assert len(answer["label"]) == given


def source(lab: Lab) -> None:
    assert [len(lab.plan(**{"data.source": name}).train[0]) for name in ("rows.csv", "fewer.csv")] == [48, 24]


def columns(lab: Lab) -> None:
    bodies = lab.plan(**{"data.source": "bodies.csv", "data.columns": {"text": "body"}}).train[0]
    texts = lab.plan(**{"data.source": "bodies.csv"}).train[0]
    assert all(row["text"].startswith("no body") for row in texts) and not any(row["text"].startswith("no body") for row in bodies)


def policy(lab: Lab) -> None:
    sizes = {}
    for wanted in ("keep", "drop"):
        dataset = lab.plan(**{"data.source": "twice.csv", "data.policy": {"exact-duplicate": wanted}}).dataset
        sizes[wanted] = sum(dataset.rows(split).num_rows for split in ("train", "validation", "test"))
    assert sizes["keep"] == 66 > sizes["drop"] >= 60


def split_of(lab: Lab, **changes: Any) -> list[int]:
    return [lab.plan(**changes).dataset.rows(name).num_rows for name in ("train", "validation", "test")]


def split_by(lab: Lab) -> None:
    counts = []
    for wanted in ("stratified", "random"):
        rows = lab.plan(**{"data.split.by": wanted, "seed": 3}).dataset.rows("validation").to_pylist()
        counts.append(sorted([row["label"] for row in rows].count(name) for name in tiny.LABELS))
    assert counts[0] == [2, 2, 2] != counts[1]


def keyed(lab: Lab, **changes: Any) -> Any:
    """The dataset of a table whose rows have a customer and a day."""
    return lab.plan(**{"data.source": "keyed.csv", **changes}).dataset


def rules(lab: Lab) -> None:
    def told(**settings: Any) -> set[str]:
        return {one["rule"] for one in keyed(lab, **settings).summary()["findings"]}

    assert "constant-column" in told() and "constant-column" not in told(**{"data.rules": {"constant-column": False}})


def split_group(lab: Lab) -> None:
    def straddling(**settings: Any) -> set[str]:
        dataset = keyed(lab, **settings)
        train, test = ({row["customer"] for row in dataset.rows(name).to_pylist()} for name in ("train", "test"))
        return train & test

    assert straddling() and not straddling(**{"data.split.group": "customer"})


def split_time(lab: Lab) -> None:
    newest = keyed(lab, **{"data.split.by": "time", "data.split.time": "day"}).rows("test").to_pylist()
    other = keyed(lab, **{"data.split.by": "time", "data.split.time": "other_day"}).rows("test").to_pylist()
    assert min(row["day"] for row in newest) > "2026-02-20" > max(row["day"] for row in other)


def split_validation(lab: Lab) -> None:
    assert split_of(lab, **{"data.split.validation": 0.2}) == [42, 12, 6] != split_of(lab) == [48, 6, 6]


def split_test(lab: Lab) -> None:
    assert split_of(lab, **{"data.split.test": 0.3}) == [36, 6, 18] != split_of(lab)


def split_folds(lab: Lab) -> None:
    assert split_of(lab, **{"data.split.folds": 3}) == [36, 18, 6] != split_of(lab)


def split_fold(lab: Lab) -> None:
    def held_out(fold: int) -> set[str]:
        dataset = lab.plan(**{"data.split.folds": 2, "data.split.fold": fold}).dataset
        return {row["text"] for row in dataset.rows("validation").to_pylist()}

    assert held_out(0) and held_out(1) and not held_out(0) & held_out(1)


def data_name(lab: Lab) -> None:
    named, usual = (lab.plan(**changes).dataset.summary()["folder"] for changes in ({"data.name": "letters"}, {}))
    assert Path(named).parent.name == "letters" and Path(usual).parent.name == "rows"


def streamed(lab: Lab, steps: int, **settings: Any) -> tuple[list[list[str]], set[str], int]:
    """The texts of some steps of a stream, those that were quarantined, and how many processes encoded the rows."""
    table = settings.pop("table", "rows.csv")
    stream = {"first_rows": 30, "buffer_rows": 16, **settings}
    job = lab.job(**{"data.source": table, "data.streaming": stream, "train.max_steps": 50, "train.bucket": False, "model.max_tokens": 128})
    decode, some = tiny.tokenizer().decode, job.stream(None)
    told = [[decode(piece["input_ids"], skip_special_tokens=True) for batch in next(some).batches for piece in batch] for _ in range(steps)]
    parts = [pq.read_table(path) for path in (job.folder.parent / "stream" / "quarantine").glob("*.parquet")]
    return told, {text for part in parts for text in part["text"].to_pylist()}, len(multiprocessing.active_children())


def streaming(lab: Lab) -> None:
    assert (
        lab.job(**{"data.streaming": True}).stream is not None and lab.job(**{"data.streaming": False}).stream is None is lab.job().stream
    )


def first_rows(lab: Lab) -> None:
    assert [len(lab.plan(**{"data.streaming": {"first_rows": count}}).train[0]) for count in (30, 40, 100)] == [24, 32, 48]


def buffer_rows(lab: Lab) -> None:
    first = {row["text"] for row in lab.plan(**{"data.streaming": {"first_rows": 30}}).train[0][:8]}
    assert set(streamed(lab, 1, buffer_rows=8)[0][0]) == first != set(streamed(lab, 1, buffer_rows=50)[0][0])


def remember_rows(lab: Lab) -> None:
    held_out = {
        row["text"]
        for name in ("validation", "test")
        for row in lab.plan(**{"data.streaming": {"first_rows": 30}}).dataset.rows(name).to_pylist()
    }
    copies = [streamed(lab, 8, table="twice.csv", remember_rows=count)[1] - held_out for count in (1000, 0)]
    assert len(copies[0]) >= 3 and copies[1] == set()


def workers(lab: Lab) -> None:
    apart, alone = (streamed(lab, 8, workers=count) for count in (2, 0))
    assert (apart[2], alone[2]) == (2, 0) and apart[0] == alone[0]


def card_of(lab: Lab, **changes: Any) -> str:
    return (Path(lab.plan(**changes).dataset.summary()["folder"]) / "README.md").read_text(encoding="utf-8")


def card_license(lab: Lab) -> None:
    assert "\nlicense: cc-by-4.0\n" in card_of(lab, **{"data.card.license": "cc-by-4.0"}) and "\nlicense:" not in card_of(lab)


def card_language(lab: Lab) -> None:
    assert "\nlanguage:\n- en\n" in card_of(lab, **{"data.card.language": ["en"]}) and "\nlanguage:" not in card_of(lab)


def card_source_url(lab: Lab) -> None:
    assert "Origin: the help desk" in card_of(lab, **{"data.card.source_url": "the help desk"}) and "Origin:" not in card_of(lab)


def base(lab: Lab) -> None:
    kinds = [type(lab.built(lab.plan(**{"model.base": name})).model).__name__ for name in ("bert", "distilbert")]
    assert kinds == ["BertForSequenceClassification", "DistilBertForSequenceClassification"]


def max_tokens(lab: Lab) -> None:
    plans = [lab.plan(**{"model.max_tokens": wanted}) for wanted in (20, "auto")]
    longest = max(one.tokens for one in plans[1].train[1].encoded)
    assert plans[0].recipe.model.max_tokens == 20 == max(plans[0].train[1].lengths)
    assert plans[1].recipe.model.max_tokens == min(-(-longest // 8) * 8, tiny.POSITIONS) and "99 %" in plans[1].why_tokens
    with pytest.raises(BadConfig, match=r"this model sees 128 tokens at most \(got 129\)"):
        lab.plan(**{"model.max_tokens": 129})


def pooling(lab: Lab) -> None:
    kinds = [type(lab.built(lab.plan(**{"model.pooling": name})).model).__name__ for name in ("mean", "architecture")]
    assert kinds == ["MeanPooled", "BertForSequenceClassification"]


def model_dropout(lab: Lab) -> None:
    assert [lab.built(lab.plan(**{"model.dropout": share})).model.dropout.p for share in (0.4, None)] == [0.4, 0.0]


def attention_dropout(lab: Lab) -> None:
    tokenizer = tiny.tokenizer()
    tokenizer.model_max_length = 160
    tokenizer.save_pretrained(tiny.base_folder(lab.folder / "longer", "distilbert", max_position_embeddings=160))

    def share(**changes: Any) -> float:
        return float(lab.built(lab.plan(**{"model.base": "longer", **changes})).model.config.attention_dropout)

    assert [share(**{"model.attention_dropout": wanted}) for wanted in (0.4, 0, None)] == [0.4, 0.0, 0.1]
    assert [share(**{"model.max_tokens": tokens}) for tokens in (128, 129)] == [0.1, 0.0], "auto drops nothing where rows are long"
    reasons = [lab.plan(**{"model.base": "longer", "model.max_tokens": tokens}).reasons["model.attention_dropout"] for tokens in (128, 129)]
    assert reasons[0] == "auto: the model's own" and "for rows of more than 128 tokens" in reasons[1]


def model_precision(lab: Lab) -> None:
    kinds = [next(lab.built(lab.plan(**{"model.precision": kind})).model.parameters()).dtype for kind in ("bfloat16", "float32")]
    assert kinds == [torch.bfloat16, torch.float32]


def revision(lab: Lab) -> None:
    import transformers

    asked: set[tuple[str, str | None]] = set()
    kinds = (transformers.AutoConfig, transformers.AutoTokenizer, transformers.AutoModelForSequenceClassification)
    with pytest.MonkeyPatch.context() as patch:
        for kind in kinds:
            true = kind.from_pretrained

            def noted(place: Any, *more: Any, true: Any = true, kind: Any = kind, **options: Any) -> Any:
                asked.add((kind.__name__, options.get("revision")))
                return true(place, *more, **options)

            patch.setattr(kind, "from_pretrained", noted)
        for wanted in ("v2", None):
            asked.clear()
            lab.built(lab.plan(**{"model.revision": wanted}))
            assert asked == {(kind.__name__, wanted) for kind in kinds}


def method(lab: Lab) -> None:
    trained = [sum(w.requires_grad for w in lab.built(lab.plan(method=name)).model.parameters()) for name in ("lora", "full")]
    everything = [sum(1 for _ in lab.built(lab.plan(method=name)).model.parameters()) for name in ("lora", "full")]
    assert trained[0] < everything[0] and trained[1] == everything[1]


def lora_layers(lab: Lab, method: str = "lora") -> None:
    changed = []
    for count in (1, None):
        names = [name for name, weight in lab.built(lab.plan(method={"name": method, "layers": count})).model.named_parameters()
                 if weight.requires_grad and "lora_" in name]  # fmt: skip
        changed.append({name.partition(".layer.")[2][0] for name in names})
    assert changed == [{"1"}, {"0", "1"}]


def top_layers_k(lab: Lab) -> None:
    trained = []
    for count in (1, 2):
        model = lab.built(lab.plan(method={"name": "top-layers", "k": count})).model
        names = [name for name, weight in model.named_parameters() if weight.requires_grad]
        trained.append({name.partition(".layer.")[2][0] for name in names if ".layer." in name})
        assert any(name.startswith("classifier.") for name in names) and not any("embeddings" in name for name in names)
    assert trained == [{"1"}, {"0", "1"}]


def frozen_cache(lab: Lab) -> None:
    from tunewright.pipeline.frozen import frozen_states, plan_bytes

    sizes = {}
    for kept in ("auto", "float16", "float32", "never"):
        plan = lab.plan(method="head", **{"train.frozen_cache": kept})
        frozen = frozen_states(plan, lab.built(plan))
        assert (frozen.bytes if frozen else 0) == plan_bytes(plan)
        sizes[kept] = plan_bytes(plan)
    assert sizes["never"] == 0 < 2 * sizes["auto"] == 2 * sizes["float16"] == sizes["float32"]


def criterion(lab: Lab) -> None:
    assert lab.loss() == lab.loss(criterion="cross-entropy") != lab.loss(criterion={"name": "cross-entropy", "smoothing": 0.3})
    with pytest.raises(BadConfig, match=r"binary-cross-entropy does not fit the task as it is set: use cross-entropy"):
        lab.recipe({"criterion": "binary-cross-entropy"})


MARKED: dict[str, Any] = {"task": "token-classification", "data.source": "marked.csv"}


def entity_types(lab: Lab) -> None:
    names = ["NUMBER", "WORD"]
    assert lab.plan(**MARKED).recipe.task.labels == ("NUMBER",)  # type: ignore[attr-defined]
    assert list(lab.built(lab.plan(**MARKED, **{"task.labels": names})).model.config.label2id) == [
        "O",
        "B-NUMBER",
        "I-NUMBER",
        "B-WORD",
        "I-WORD",
    ]
    with pytest.raises(UserError, match=r"types that task\.labels does not name: 'NUMBER'"):
        lab.plan(**MARKED, **{"task.labels": ["WORD"]})


def trained_tokens(lab: Lab, **changes: Any) -> int:
    """How many tokens of the training rows have a label."""
    return sum(label != -100 for piece in lab.plan(**MARKED, **changes).train[1].pieces for label in piece["labels"])


def subwords(lab: Lab) -> None:
    plan = lab.plan(**MARKED, **{"task.subwords": "all"})
    assert trained_tokens(lab, **{"task.subwords": "all"}) > 2 * trained_tokens(lab)
    text = sum(len("".join(row["text"].split()).encode()) for row in plan.train[0])
    assert trained_tokens(lab, **{"task.subwords": "all"}) == text, "every byte is a token here, but for blanks"


def entity_words(lab: Lab) -> None:
    rows = len(lab.plan(**MARKED).train[0])
    letters, blanks = (trained_tokens(lab, **{"task.words": words}) for words in ("letters", "blanks"))
    assert trained_tokens(lab) == blanks, "learned: every number stands between blanks"
    assert letters - blanks == 2 * rows, "it's is three words, or one"


def entity_stride(lab: Lab) -> None:
    few, many = (
        [len(one.pieces) for one in lab.plan(**MARKED, **{"model.max_tokens": 24, "task.stride": size}).train[1].encoded]
        for size in (0, 11)
    )
    assert sum(few) < sum(many) and max(few) > 1
    assert trained_tokens(lab, **{"model.max_tokens": 24, "task.stride": 11}) == trained_tokens(lab)


RATED: dict[str, Any] = {"task": "regression", "data.source": "rated.csv"}


def rated_labels(lab: Lab, **task: Any) -> list[float]:
    """What the first training rows teach."""
    plan = lab.plan(**RATED, **{f"task.{name}": value for name, value in task.items()})
    return [piece["labels"] for piece in plan.train[1].pieces[:12]]


def rated_answers(lab: Lab, **task: Any) -> list[float]:
    """What a model that was never trained answers."""
    plan = lab.plan(**RATED, **{f"task.{name}": value for name, value in task.items()})
    from tunewright.model.predict import Predictor

    rows, encoded = plan.train
    found = Predictor(lab.built(plan).model, plan.base.tokenizer, plan.recipe.task, 64).answers(rows[:12], encoded.encoded[:12])
    return [one["number"] for one in found]


def low(lab: Lab) -> None:
    assert rated_answers(lab, low=-1e6) == rated_answers(lab)
    with pytest.raises(UserError, match=r"outside task\.low and task\.high"):
        rated_answers(lab, low=5)
    assert lab.recipe({**RATED, "task.low": 3}).task.decode({}, [0.0], None, None) == {"number": 3.0}  # type: ignore[arg-type]


def high(lab: Lab) -> None:
    assert lab.recipe({**RATED, "task.high": -3}).task.decode({}, [0.0], None, None) == {"number": -3.0}  # type: ignore[arg-type]


def standardise(lab: Lab) -> None:
    assert set(rated_labels(lab, standardise=False)) <= {0.0, 1.0, 4.0, 9.0, 16.0, 25.0, 36.0}
    assert max(map(abs, rated_labels(lab))) < 3


def mean_of_numbers(lab: Lab) -> None:
    shifts = {round(a - b, 6) for a, b in zip(rated_labels(lab, mean=0, deviation=1), rated_labels(lab, mean=10, deviation=1), strict=True)}
    assert shifts == {10.0}


def deviation(lab: Lab) -> None:
    wide, narrow = (rated_labels(lab, mean=0, deviation=size) for size in (2.0, 1.0))
    assert [2 * one for one in wide] == narrow


ASKED: dict[str, Any] = {"task": "question-answering", "data.source": "asked.json"}


def asked_rows(lab: Lab, tokens: int = 48, **task: Any) -> Any:
    """The plan of a recipe for questions, of which some contexts are longer than a window."""
    return lab.plan(**ASKED, **{"model.max_tokens": tokens}, **{f"task.{name}": value for name, value in task.items()})


def no_answer(lab: Lab) -> None:
    assert asked_rows(lab).recipe.task.no_answer is True
    with pytest.raises(UserError, match=r"training rows have no answer, and task\.no_answer is false"):
        asked_rows(lab, no_answer=False)


def threshold(lab: Lab) -> None:
    from tunewright.model.predict import Predictor

    given = []
    for value in (1e6, -1e6):
        plan = asked_rows(lab, threshold=value)
        rows, encoded = plan.validation
        answers = Predictor(lab.built(plan).model, plan.base.tokenizer, plan.recipe.task, 48).answers(rows, encoded.encoded)
        given.append(sum(bool(one["answer"]) for one in answers))
    assert given[0] == len(rows) and given[1] == 0


def stride(lab: Lab) -> None:
    assert len(asked_rows(lab, stride=20).train[1].pieces) > len(asked_rows(lab, stride=0).train[1].pieces)


def question_tokens(lab: Lab) -> None:
    cut = [sum(one.cut for one in asked_rows(lab, question_tokens=most).train[1].encoded) for most in (4, 64)]
    assert cut[0] > cut[1] == 0


def answer_tokens(lab: Lab) -> None:
    from tunewright.model.predict import Predictor

    longest = []
    for most in (2, 30):
        plan = asked_rows(lab, answer_tokens=most)
        rows, encoded = plan.train
        found = Predictor(lab.built(plan).model, plan.base.tokenizer, plan.recipe.task, 48).answers(rows, encoded.encoded)
        longest.append(max(last - first for one in found for first, last in one.spans))
    assert longest[0] <= 2 < longest[1]


def delta(lab: Lab) -> None:
    losses = [lab.loss(**RATED, criterion={"name": "huber", "delta": size}) for size in (0.1, 1.0, 1e6)]
    assert losses[0] < losses[1] < losses[2] == pytest.approx(lab.loss(**RATED))


def smoothing(lab: Lab) -> None:
    assert len({lab.loss(criterion={"name": "cross-entropy", "smoothing": share}) for share in (0.0, 0.1, 0.5)}) == 3


def positive_weight(lab: Lab) -> None:
    heavy, usual = (lab.loss(**MULTI, criterion={"name": "binary-cross-entropy", "positive_weight": weight}) for weight in (5.0, 1.0))
    assert heavy > usual == lab.loss(**MULTI)


def engine(lab: Lab) -> None:
    with pytest.raises(BadConfig, match=r"no engine is called 'trainr'\. Did you mean 'trainer'\?"):
        lab.recipe({"train.engine": "trainr"})
    with pytest.MonkeyPatch.context() as patch, pytest.raises(Reached, match=r"^own$"):
        patch.setitem(ENGINES, "own", f"{__name__}:own_engine")
        train(lab.recipe({"train.engine": "own"}), lab.folder, "lab", "tunewright train")


def epochs(lab: Lab) -> None:
    assert (lab.story(**{"train.epochs": 0.5}).run.step, lab.story().run.step) == (3, 12)


def train_max_steps(lab: Lab) -> None:
    assert lab.story(**{"train.max_steps": 4}).run.step == 4


def batch_size(lab: Lab) -> None:
    for size, count in ((16, 3), (8, 6)):
        order = lab.job(**{"train.batch_size": size}).order(0)
        assert len(order) == count and {len(batch) for batch in order} == {size}


def batch_tokens(lab: Lab) -> None:
    job = lab.job(**{"train.batch_tokens": 160})
    order = job.order(0)
    widest = [len(batch) * max(len(job.pieces[row]["input_ids"]) for row in batch) for batch in order]
    assert max(widest) <= 160 and len({len(batch) for batch in order}) > 1
    assert lab.story(**{"train.batch_tokens": 160}).run.step == 2 * len(order)


def accumulate(lab: Lab) -> None:
    halves, usual = lab.job(**{"train.accumulate": 2}).order(0), lab.job().order(0)
    assert [halves[at] + halves[at + 1] for at in range(0, len(halves), 2)] == usual
    assert lab.story(**{"train.accumulate": 2}).run.step == 12


def learning_rate(lab: Lab) -> None:
    slow, usual = lab.story(**{"train.learning_rate": 1e-5}), lab.story()
    assert slow.encoder < usual.encoder / 5 and max(slow.rates) == pytest.approx(1e-5)
    rates = [lab.plan(**{"train.learning_rate": "auto"}, method=name).recipe.train.learning_rate for name in ("full", "lora")]
    assert rates[1] == pytest.approx(5 * rates[0]) and lab.plan(**{"train.learning_rate": "auto"}).reasons["train.learning_rate"]


def head_learning_rate(lab: Lab) -> None:
    slow, usual = lab.story(**{"train.head_learning_rate": 1e-5}), lab.story()
    assert slow.head < usual.head / 5 and slow.rates == usual.rates
    for name, factor in (("full", 10), ("lora", 2)):
        found = lab.plan(**{"train.head_learning_rate": "auto"}, method=name).recipe.train.head_learning_rate
        assert found == pytest.approx(factor * 1e-3)


def warmup(lab: Lab) -> None:
    at_once, usual = lab.story(**{"train.warmup": 0}), lab.story()
    assert at_once.rates[0] == pytest.approx(1e-3) and usual.rates[0] == 0 < usual.rates[1] < usual.rates[3]


def schedule(lab: Lab) -> None:
    ends = {name: lab.story(**{"train.schedule": name}).rates[-2] for name in ("constant", "linear", "cosine")}
    assert ends["constant"] == pytest.approx(1e-3) and len(set(ends.values())) == 3


def weight_decay(lab: Lab) -> None:
    assert lab.story(**{"train.weight_decay": 20.0}).size < 0.95 * lab.story().size


def clip(lab: Lab) -> None:
    assert lab.story(**{"train.clip": 1e-7}).encoder < 0.95 * lab.story(**{"train.clip": 0}).encoder


def bucket(lab: Lab) -> None:
    padded = {}
    for wanted in (True, False):
        job = lab.job(**{"train.bucket": wanted})
        padded[wanted] = sum(job.collate([job.pieces[at] for at in batch])["input_ids"].numel() for batch in job.order(0))
    assert padded[False] > 1.1 * padded[True]


def train_precision(lab: Lab) -> None:
    half, whole = (lab.story(**{"train.precision": kind}).losses[0] for kind in ("bf16", "fp32"))
    assert half != whole == pytest.approx(half, rel=0.05)
    from tunewright.model import device
    from tunewright.pipeline import make_plan as planning

    for flag, wanted in (("avx512_bf16", "bf16"), ("avx2", "fp32")):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(
                planning, "resolve", lambda recipe, base, task, tokens, where, folder: resolve(recipe, base, task, tokens, "cpu", folder)
            )
            patch.setattr(device, "Path", lambda place, flag=flag: SimpleNamespace(read_text=lambda: f"flags : fpu {flag}"))
            assert lab.plan(**{"train.precision": "auto"}).recipe.train.precision == wanted


def evaluate_every(lab: Lab) -> None:
    assert lab.story(**{"train.evaluate_every": 5}).evaluated == [5, 10, 12] and lab.story().evaluated == [6, 12]


def save_every(lab: Lab) -> None:
    assert {4, 8, 12} <= set(lab.story(**{"train.save_every": 4}).saved) and not {4, 8} & set(lab.story().saved)


def save_total_limit(lab: Lab) -> None:
    few, many = (lab.story(**{"train.save_every": 2, "train.save_total_limit": limit}) for limit in (1, 9))
    assert len(few.left) <= 2 and many.left == {2, 4, 6, 8, 10, 12}


def early_stopping(lab: Lab) -> None:
    patience = {
        wanted: [one.patience for one in lab.job(**{"train.early_stopping": wanted}).callbacks if isinstance(one, EarlyStop)]
        for wanted in (2, 3, None)
    }
    assert patience == {2: [2], 3: [3], None: []}
    looks = itertools.count()
    ended = lab.story(lambda model: {"accuracy": -float(next(looks))}, **{"train.early_stopping": 2, "train.evaluate_every": 1})
    assert ended.run.step == 3 and ended.run.stop


def watch_rows(lab: Lab) -> None:
    for wanted in (True, False):
        job = lab.job(**{"train.watch_rows": wanted})
        assert (job.watch is not None) is wanted is any(isinstance(one, RowJournal) for one in job.callbacks)


def best_by(lab: Lab) -> None:
    best = {}
    for name in ("accuracy", "loss", None):
        looks = iter([(0.9, 0.9), (0.5, 0.1), (0.4, 0.3)])

        def scores(model: Any, looks: Any = looks) -> dict[str, float]:
            return dict(zip(("accuracy", "loss"), next(looks), strict=True))

        best[name] = lab.story(scores, **{"train.best_by": name, "train.evaluate_every": 4}).run.best_step
    assert best == {"accuracy": 4, "loss": 8, None: 4}
    with pytest.raises(BadConfig, match=r"no score on the validation rows is called 'acuracy'\. Did you mean 'accuracy'\?"):
        plan = lab.plan(**{"train.best_by": "acuracy"})
        scorer(plan)(lab.built(plan).model)


def arguments(lab: Lab) -> None:
    noisy, usual = lab.story(**{"train.arguments": {"neftune_noise_alpha": 50.0}}), lab.story()
    assert noisy.losses[0] != usual.losses[0]


def optimizer(lab: Lab) -> None:
    usual = lab.story()
    for other in ("sgd", "torch.optim:Adagrad", {"name": "torch.optim:Adagrad", "lr_decay": 0.5}):
        story = lab.story(**{"train.optimizer": other})
        assert story.losses[:2] == usual.losses[:2] and story.losses[-1] != usual.losses[-1]
    with pytest.raises(UserError, match="Did you mean 'Adagrad'"):
        lab.plan(**{"train.optimizer": "torch.optim:Adagard"})


def optimizer_setting(key: str, value: Any, name: str = "adamw", learning_rate: float = 1e-3) -> Callable[[Lab], None]:
    """A setting of an optimizer moves the weights elsewhere after the first updates, and nothing before them."""

    def check(lab: Lab) -> None:
        rates = {"train.learning_rate": learning_rate}
        new, old = (lab.story(**{"train.optimizer": {"name": name, **more}, **rates}) for more in ({key: value}, {}))
        assert new.losses[:2] == old.losses[:2] and new.losses[-1] != old.losses[-1]

    return check


def adamw_fused(lab: Lab) -> None:
    one, other = lab.story(**{"train.optimizer": {"name": "adamw", "fused": False}}), lab.story()
    assert one.losses == pytest.approx(other.losses, rel=1e-4)
    assert any(not torch.equal(value, other.weights[name]) for name, value in one.weights.items()), "another kernel rounds otherwise"


def schedule_cycles(lab: Lab) -> None:
    twice, once = lab.story(**{"train.schedule": {"name": "cosine", "cycles": 2}}), lab.story(**{"train.schedule": "cosine"})
    assert twice.rates[:4] == once.rates[:4] and twice.rates[-1] > 3e-4 > once.rates[-1]


def no_decay(lab: Lab) -> None:
    assert lab.story(**{"train.weight_decay": 20.0, "train.no_decay": ["*query*"]}).size > 0.95 * lab.story().size


def train_compile(lab: Lab) -> None:
    told = []
    for wanted in (True, False):
        job = lab.job(**{"train.compile": wanted, "train.engine": "loop"})
        module = import_module("tunewright.train.loop")
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(torch, "compile", lambda model, wanted=wanted, **how: told.append((wanted, how["backend"])) or model)
            module.fit(job)
    assert told == [(True, "inductor")], "tests/train/test_compile.py really compiles"


def save_minutes(lab: Lab) -> None:
    assert lab.story(**{"train.save_minutes": 1e-6}).saved == list(range(1, 13)) != lab.story().saved


def stop_after_minutes(lab: Lab) -> None:
    assert lab.story(**{"train.stop_after_minutes": 1e-6}).run.step == 1


def callbacks(lab: Lab) -> None:
    own = ["from transformers import TrainerCallback", "class Ender(TrainerCallback):", "    def __init__(self, step): self.step = step"]
    own += ["    def on_step_end(self, args, state, control, **_): control.should_training_stop = state.global_step == self.step"]
    (lab.folder / "watching.py").write_text("\n".join(own))
    for driver in ENGINES:
        wanted = {"train.callbacks": [{"name": "watching.py:Ender", "step": 3}], "train.engine": driver}
        assert lab.story(**wanted).run.step == 3


def metrics(lab: Lab) -> None:
    (lab.folder / "own.py").write_text("def half(wanted, probabilities, names):\n    return 0.5\n")
    wanted = {"evaluate.metrics": ["top_5_accuracy", "own.py:half"]}
    plans = [lab.plan(**changes) for changes in (wanted, {})]
    more = [lab.evaluated(**changes) for changes in (wanted, {})]
    more = [one[split] for split in ("validation", "test") for one in more] + [scorer(plan)(lab.built(plan).model) for plan in plans]
    assert [{"top_5_accuracy", "half"} & set(one) for one in more] == [{"top_5_accuracy", "half"}, set()] * 3


def baselines(lab: Lab) -> None:
    for names in (["majority"], ["tfidf"]):
        found = lab.evaluated(**{"evaluate.baselines": names})["baselines"]
        assert {"majority", "tfidf"} & set(found) == set(names) == set(found["difference"])
    assert "not_measured" in lab.evaluated()["baselines"]


def resamples(lab: Lab) -> None:
    drawn = []
    for count in (100, 150, 100):
        scores = lab.evaluated(**{"evaluate.resamples": count})["test"]
        drawn.append({name: (score["low"], score["high"]) for name, score in scores.items()})
    assert drawn[0] == drawn[2] != drawn[1]


def evaluate_batch_size(lab: Lab) -> None:
    sizes: dict[int, list[int]] = {}
    for size in (4, 64):
        plan = lab.plan(**{"evaluate.batch_size": size})
        model, seen = lab.built(plan).model, sizes.setdefault(size, [])
        model.register_forward_pre_hook(lambda _, parts, named, seen=seen: seen.append(len(named["input_ids"])), with_kwargs=True)
        scorer(plan)(model)
    assert sizes == {4: [4, 2], 64: [6]}


def tracker(lab: Lab, name: str, **settings: Any) -> Any:
    """The tracker among the callbacks of a recipe's job."""
    job = lab.job(trackers=[{"name": name, **settings}])
    (found,) = (one for one in job.callbacks if type(one).__module__.endswith(f".{name}"))
    return found


def trackers(lab: Lab) -> None:
    kinds = [[type(one).__name__ for one in lab.job(trackers=names).callbacks] for names in ([], ["tensorboard", "wandb"])]
    assert kinds[1] == [*kinds[0], "TensorBoard", "WandB"]


def tensorboard_folder(lab: Lab) -> None:
    one = tracker(lab, "tensorboard", folder=str(lab.folder / "elsewhere"))
    one.fit_start(Run(torch.nn.Linear(1, 1)))
    one.fit_end(Run(torch.nn.Linear(1, 1)))
    assert list((lab.folder / "elsewhere").iterdir()) and not (Path(one._folder) / "tensorboard").exists()


def mlflow_asked(lab: Lab, **settings: Any) -> list[str]:
    """The address and the experiment that MLflow is asked for."""
    import mlflow.tracking

    asked: list[str] = []

    class Client:
        def __init__(self, tracking_uri: str) -> None:
            asked.append(tracking_uri)

        def get_experiment_by_name(self, name: str) -> Any:
            asked.append(name)
            raise Reached

    with pytest.MonkeyPatch.context() as patch, pytest.raises(Reached):
        patch.setattr(mlflow.tracking, "MlflowClient", Client)
        tracker(lab, "mlflow", **settings).begin(Run(torch.nn.Linear(1, 1)))
    return asked


def mlflow_uri(lab: Lab) -> None:
    assert mlflow_asked(lab, uri="sqlite:////tmp/other.db")[0] == "sqlite:////tmp/other.db"
    assert re.fullmatch(rf"sqlite:///{re.escape(str(lab.folder.resolve()))}/runs/lab-\d+/mlflow.db", mlflow_asked(lab)[0])


def mlflow_experiment(lab: Lab) -> None:
    assert [mlflow_asked(lab, **settings)[1] for settings in ({"experiment": "letters"}, {})] == ["letters", "tunewright"]


def wandb_asked(lab: Lab, key: str, **settings: Any) -> Any:
    import wandb

    asked: list[Any] = []

    def init(**options: Any) -> Any:
        asked.append(options[key])
        return SimpleNamespace(id="abc")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(wandb, "init", init)
        tracker(lab, "wandb", **settings).fit_start(Run(torch.nn.Linear(1, 1)))
    return asked


def wandb_project(lab: Lab) -> None:
    assert wandb_asked(lab, "project", project="letters") == ["letters"] != wandb_asked(lab, "project") == ["tunewright"]


def wandb_mode(lab: Lab) -> None:
    assert wandb_asked(lab, "mode", mode="online") == ["online"] != wandb_asked(lab, "mode") == ["offline"]


def guards(lab: Lab) -> None:
    usual, other = lab.job().guards, lab.job(guards={"slow": False, "overfitting": {"looks": 3, "action": "stop"}}).guards
    assert set(usual) == set(GUARDS.places()) == {*other, "slow"}
    assert (other["overfitting"].looks, other["overfitting"].action) == (3, "stop") and usual["overfitting"].action == "tell"
    told = lab.story(guards={"full-disk": {"least_bytes": 1 << 60, "action": "stop"}})
    assert told.run.stop.startswith("full-disk") and told.run.step == 1 < lab.story().run.step
    with pytest.raises(BadConfig, match=r"guards.overfiting: no guard is called 'overfiting'. Did you mean 'overfitting'"):
        lab.recipe({"guards": {"overfiting": False}})
    with pytest.raises(BadConfig, match=r"guards.slow.facter: unknown key; did you mean 'factor'"):
        lab.recipe({"guards": {"slow": {"facter": 2}}})


def seed(lab: Lab) -> None:
    one, other = lab.job(seed=1), lab.job(seed=2)
    assert one.seed != other.seed and one.order(0) != other.order(0)
    assert not torch.equal(one.model.classifier.weight, other.model.classifier.weight)
    texts = [{row["text"] for row in lab.plan(seed=number).train[0]} for number in (1, 2)]
    assert texts[0] != texts[1]


def name(lab: Lab) -> None:
    assert runs.claim(lab.recipe({"name": "letters"}), "stem").name == "letters"
    assert runs.claim(lab.recipe({}), "stem").name == "stem-1"
    with pytest.raises(UserError, match="a run named letters exists"):
        runs.claim(lab.recipe({"name": "letters"}), "stem")


def output_dir(lab: Lab) -> None:
    place = lab.folder / "out"
    plan = lab.plan(output_dir=str(place))
    assert runs.claim(plan.asked, "stem") == place / "runs" / "stem-1"
    assert Path(plan.dataset.summary()["folder"]).is_relative_to(place / "datasets")


CHECKS: dict[str, Callable[[Lab], None]] = {
    "task": task,
    "task.question-answering.no_answer": no_answer,
    "task.question-answering.threshold": threshold,
    "task.question-answering.stride": stride,
    "task.question-answering.question_tokens": question_tokens,
    "task.question-answering.answer_tokens": answer_tokens,
    "task.regression.low": low,
    "task.regression.high": high,
    "task.regression.standardise": standardise,
    "task.regression.mean": mean_of_numbers,
    "task.regression.deviation": deviation,
    "task.token-classification.labels": entity_types,
    "task.token-classification.subwords": subwords,
    "task.token-classification.words": entity_words,
    "task.token-classification.stride": entity_stride,
    "task.text-classification.labels": labels,
    "task.text-classification.multi_label": multi_label,
    "task.text-classification.separator": separator,
    "task.text-classification.thresholds": thresholds,
    "data.source": source,
    "data.columns": columns,
    "data.policy": policy,
    "data.rules": rules,
    "data.split.by": split_by,
    "data.split.group": split_group,
    "data.split.time": split_time,
    "data.split.validation": split_validation,
    "data.split.test": split_test,
    "data.split.folds": split_folds,
    "data.split.fold": split_fold,
    "data.streaming": streaming,
    "data.streaming.first_rows": first_rows,
    "data.streaming.buffer_rows": buffer_rows,
    "data.streaming.remember_rows": remember_rows,
    "data.streaming.workers": workers,
    "data.card.license": card_license,
    "data.card.language": card_language,
    "data.card.source_url": card_source_url,
    "data.name": data_name,
    "model.base": base,
    "model.max_tokens": max_tokens,
    "model.pooling": pooling,
    "model.dropout": model_dropout,
    "model.attention_dropout": attention_dropout,
    "model.precision": model_precision,
    "model.revision": revision,
    "method": method,
    **method_keys.CHECKS,
    "method.lora.layers": lora_layers,
    "method.qlora.layers": partial(lora_layers, method="qlora"),
    "method.top-layers.k": top_layers_k,
    "criterion": criterion,
    "criterion.cross-entropy.smoothing": smoothing,
    "criterion.huber.delta": delta,
    "criterion.binary-cross-entropy.positive_weight": positive_weight,
    "guards": guards,
    "train.engine": engine,
    "train.epochs": epochs,
    "train.max_steps": train_max_steps,
    "train.batch_size": batch_size,
    "train.batch_tokens": batch_tokens,
    "train.accumulate": accumulate,
    "train.learning_rate": learning_rate,
    "train.head_learning_rate": head_learning_rate,
    "train.warmup": warmup,
    "train.schedule": schedule,
    "train.schedule.cosine.cycles": schedule_cycles,
    "train.optimizer": optimizer,
    "train.optimizer.adamw.beta1": optimizer_setting("beta1", 0.1),
    "train.optimizer.adamw.beta2": optimizer_setting("beta2", 0.5),
    "train.optimizer.adamw.epsilon": optimizer_setting("epsilon", 1e-2),
    "train.optimizer.adamw.fused": adamw_fused,
    "train.optimizer.adamw-8bit.beta1": optimizer_setting("beta1", 0.1, "adamw-8bit"),
    "train.optimizer.adamw-8bit.beta2": optimizer_setting("beta2", 0.5, "adamw-8bit"),
    "train.optimizer.adamw-8bit.epsilon": optimizer_setting("epsilon", 1e-2, "adamw-8bit"),
    "train.optimizer.sgd.momentum": optimizer_setting("momentum", 0.9, "sgd", 0.1),
    "train.weight_decay": weight_decay,
    "train.no_decay": no_decay,
    "train.clip": clip,
    "train.bucket": bucket,
    "train.precision": train_precision,
    "train.frozen_cache": frozen_cache,
    "train.evaluate_every": evaluate_every,
    "train.save_every": save_every,
    "train.save_total_limit": save_total_limit,
    "train.early_stopping": early_stopping,
    "train.watch_rows": watch_rows,
    "train.best_by": best_by,
    "train.compile": train_compile,
    "train.save_minutes": save_minutes,
    "train.stop_after_minutes": stop_after_minutes,
    "train.callbacks": callbacks,
    "train.arguments": arguments,
    "evaluate.metrics": metrics,
    "evaluate.baselines": baselines,
    "evaluate.resamples": resamples,
    "evaluate.batch_size": evaluate_batch_size,
    "trackers": trackers,
    "trackers.tensorboard.folder": tensorboard_folder,
    "trackers.mlflow.uri": mlflow_uri,
    "trackers.mlflow.experiment": mlflow_experiment,
    "trackers.wandb.project": wandb_project,
    "trackers.wandb.mode": wandb_mode,
    "seed": seed,
    "name": name,
    "output_dir": output_dir,
}
"""Path of a key -> the check that two recipes that differ in it behave differently."""


def test_every_key_of_a_recipe_has_a_check() -> None:
    found = list(keys(Recipe))
    assert len(found) == len(set(found)) >= FEWEST_KEYS
    assert set(CHECKS) == set(found)
    assert len(set(CHECKS.values())) == len(CHECKS), "a check of its own for each"


@pytest.mark.parametrize("key", CHECKS)
def test_a_changed_key_changes_what_happens(key: str, lab: Lab) -> None:
    CHECKS[key](lab)
