"""Toy versions of what comes later, driven through today's contract: docs/decisions/0002 says what each of them stands for."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
import torch
from pydantic import PrivateAttr
from torch import Tensor, nn
from torch.nn.functional import logsigmoid

from tests import tiny
from tunewright.core.schema import Row
from tunewright.data.batch import batches
from tunewright.model.predict import Predictor
from tunewright.tasks.base import Answer, Encoded, Task
from tunewright.tasks.collate import Collate
from tunewright.train import ENGINES
from tunewright.train.criteria.cross_entropy import IGNORED, CrossEntropy
from tunewright.train.run import Callback, Criterion, Job, Loss, Run, compose
from tunewright.train.settings import TrainSettings

SIZE: dict[str, Any] = {"hidden_size": 32, "intermediate_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2}
STILL = {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}
CLASSES, SEP = 1, 2


@pytest.fixture(params=sorted(ENGINES))
def fit(request: pytest.FixtureRequest) -> Callable[[Job], Run]:
    module, _, attribute = ENGINES[request.param].partition(":")
    found: Callable[[Job], Run] = getattr(import_module(module), attribute)
    return found


class Losses(Callback):
    """Keeps the loss of every step."""

    _seen: list[float] = PrivateAttr(default_factory=list)

    def step_end(self, run: Run) -> None:
        self._seen.append(run.loss)

    def state(self) -> dict[str, Any]:
        return {}


def job(folder: Path, model: nn.Module, pieces: Sequence[Any], criterion: Criterion, forward: Any, collate: Any, **more: Any) -> Job:
    settings = {
        "learning_rate": 3e-3,
        "head_learning_rate": 3e-3,
        "precision": "fp32",
        "batch_size": 8,
        "epochs": 1,
        "early_stopping": None,
    }
    order, steps = more.pop("order", None), more.pop("steps", None)
    train = TrainSettings(**{**settings, "max_steps": steps, **more})
    return Job(
        model=model,
        pieces=pieces,
        order=order or batches([1] * len(pieces), train.batch_size, train.batch_size // train.accumulate, 0, bucket=False),
        collate=collate,
        loss_fn=compose(forward, criterion),
        count=lambda batch: criterion.count(batch["labels"]),
        evaluate=lambda _: {"score": 1.0},
        best_by="score",
        higher_is_better=True,
        settings=train,
        callbacks=[Losses()],
        folder=folder,
        seed=0,
    )


def losses(done: Job) -> list[float]:
    watcher = done.callbacks[0]
    assert isinstance(watcher, Losses)
    return watcher._seen


def drawn(make: Callable[[], nn.Module]) -> nn.Module:
    """The same weights at every call."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return make()


def close(one: nn.Module, other: nn.Module) -> None:
    for (name, left), right in zip(one.state_dict().items(), other.state_dict().values(), strict=True):
        torch.testing.assert_close(left, right, rtol=0, atol=2e-6, msg=lambda told, name=name: f"{name}: {told}")


# Entities: a row becomes several windows, whose answers are stitched together and scored on the whole row.

STRIDE = 20


class Digits(Task):
    """Which characters of a text are digits."""

    head: ClassVar = "AutoModelForTokenClassification"
    criterion: ClassVar = "cross-entropy"
    labels_pad: ClassVar = IGNORED

    def encode(self, rows: Sequence[Row], tokenizer: Any, max_tokens: int) -> list[Encoded]:
        found = []
        for row in rows:
            ids = tokenizer(row["text"], add_special_tokens=False)["input_ids"]
            gold = [int(place in row["digits"]) for place in range(len(ids))]
            pieces = []
            for start in range(0, len(ids), STRIDE):
                chunk, labels = ids[start : start + max_tokens - 2], gold[start : start + max_tokens - 2]
                seen_before = 0 if start == 0 else max_tokens - 2 - STRIDE  # counted in the window before
                own = [IGNORED] * min(seen_before, len(labels)) + labels[seen_before:]
                pieces.append(
                    {"input_ids": [CLASSES, *chunk, SEP], "attention_mask": [1] * (len(chunk) + 2), "labels": [IGNORED, *own, IGNORED]}
                )
            found.append(Encoded(tuple(pieces), len(ids), 0))
        return found

    def infer(self, model: nn.Module, batch: Mapping[str, Tensor]) -> Sequence[Any]:
        odds = self.forward(model, batch)
        return [one[mask.bool()].numpy() for one, mask in zip(odds, batch["attention_mask"], strict=True)]

    def decode(self, row: Row, inferred: Sequence[Any], encoded: Encoded, tokenizer: Any) -> Answer:
        total = np.zeros((encoded.tokens, 2))
        for window, odds in enumerate(inferred):
            inner = odds[1:-1]
            total[window * STRIDE : window * STRIDE + len(inner)] += inner
        return {"digits": set(np.flatnonzero(total[:, 1] > total[:, 0]).tolist())}


def test_windows_of_a_row_are_trained_counted_once_and_stitched(fit: Callable[[Job], Run], tmp_path: Path) -> None:
    from transformers import BertForTokenClassification

    texts = [
        f"order {number * 37 % 1000} of the {number}th, to be sent to house {number * 11} in the street of {number} trees"
        for number in range(24)
    ]
    rows = [{"text": text, "digits": {place for place, sign in enumerate(text) if sign.isdigit()}} for text in texts]
    task, tokenizer = Digits(), tiny.tokenizer()
    encoded = task.encode(rows, tokenizer, 32)
    pieces = [piece for one in encoded for piece in one.pieces]
    assert len(pieces) > 2 * len(rows)
    labelled = sum(label != IGNORED for piece in pieces for label in piece["labels"])
    assert labelled == sum(map(len, texts)), "a token that stands in two windows counts in one"
    model = drawn(lambda: BertForTokenClassification(tiny.config(num_labels=2)))
    whole = job(tmp_path, model, pieces, CrossEntropy(), task.forward, Collate(tokenizer, task.labels_pad), epochs=8)
    done = fit(whole)
    assert losses(whole)[-1] < 0.1 < losses(whole)[0]
    answers = Predictor(done.model, tokenizer, task, 32, batch_size=7).answers(rows, encoded)
    right = sum(answer["digits"] == row["digits"] for answer, row in zip(answers, rows, strict=True))
    assert right >= 20


# Summarization: the answer is generated, so inferring needs the model and not its outputs.


class Shorten(Task):
    """A text and a shorter one."""

    head: ClassVar = "AutoModelForSeq2SeqLM"
    criterion: ClassVar = "cross-entropy"
    labels_pad: ClassVar = IGNORED

    def encode(self, rows: Sequence[Row], tokenizer: Any, max_tokens: int) -> list[Encoded]:
        found = []
        for row in rows:
            piece = dict(tokenizer(row["text"], truncation=True, max_length=max_tokens, return_token_type_ids=False))
            piece["labels"] = tokenizer(row["summary"])["input_ids"]
            found.append(Encoded((piece,), len(piece["input_ids"]), 0))
        return found

    def forward(self, model: nn.Module, batch: Mapping[str, Tensor]) -> Tensor:
        odds: Tensor = model(**batch).logits  # the model shifts the labels into its decoder; the loss it makes of them is not read
        return odds

    def infer(self, model: nn.Module, batch: Mapping[str, Tensor]) -> Sequence[Any]:
        found: list[Any] = model.generate(**batch, max_new_tokens=6, do_sample=False).tolist()  # type: ignore[operator]
        return found

    def decode(self, row: Row, inferred: Sequence[Any], encoded: Encoded, tokenizer: Any) -> Answer:
        return {"ids": [one for one in inferred[0] if one != 0]}  # a real task needs the tokenizer here: see the decision


def test_an_answer_can_be_generated_by_the_shared_predictor(fit: Callable[[Job], Run], tmp_path: Path) -> None:
    from transformers import T5Config, T5ForConditionalGeneration

    rows = [{"text": f"{word} and then nothing", "summary": word[0]} for word in ("apple", "berry", "cherry", "damson", "elder", "fig") * 8]
    task, tokenizer = Shorten(), tiny.tokenizer()
    sizes = {"d_model": 32, "d_kv": 16, "d_ff": 32, "num_layers": 1, "num_heads": 2, "dropout_rate": 0.0}
    shape = T5Config(vocab_size=len(tokenizer), **sizes, decoder_start_token_id=0, pad_token_id=0, eos_token_id=SEP)
    model = drawn(lambda: T5ForConditionalGeneration(shape))
    encoded = task.encode(rows, tokenizer, 64)
    pieces = [one.pieces[0] for one in encoded]
    whole = job(tmp_path, model, pieces, CrossEntropy(), task.forward, Collate(tokenizer, IGNORED), epochs=3, learning_rate=1e-2)
    done = fit(whole)
    assert losses(whole)[-1] < losses(whole)[0] / 2
    many = Predictor(done.model, tokenizer, task, 64, batch_size=16).answers(rows[:6], encoded[:6])
    alone = Predictor(done.model, tokenizer, task, 64, batch_size=1).answers(rows[:6], encoded[:6])
    assert many == alone and all(answer["ids"] for answer in many)


# Instruction tuning with packing: a piece holds several rows, and their tokens do not see each other.


def language_model() -> nn.Module:
    from transformers import LlamaConfig, LlamaForCausalLM

    return drawn(lambda: LlamaForCausalLM(LlamaConfig(vocab_size=300, **SIZE, max_position_embeddings=128, attn_implementation="eager")))


def turns(word: str = "yes", rows: int = 16) -> list[dict[str, list[int]]]:
    """Rows of uneven length, their labels shifted by one, the prompt not labelled."""
    texts = [("ask " + "x" * (number % 7), f"answer {word} " * (1 + number % 5)) for number in range(rows)]
    tokenizer, found = tiny.tokenizer(), []
    for prompt, answer in texts:
        first, second = (tokenizer(part, add_special_tokens=False)["input_ids"] for part in (prompt, answer))
        ids = [*first, *second]
        labels = [*([IGNORED] * len(first)), *second]
        found.append({"input_ids": ids, "labels": [*labels[1:], IGNORED], "position_ids": list(range(len(ids)))})
    return found


def read_tokens(model: nn.Module, batch: Mapping[str, Tensor]) -> Tensor:
    odds: Tensor = model(input_ids=batch["input_ids"], position_ids=batch["position_ids"]).logits
    return odds


def test_rows_packed_into_one_piece_train_as_rows_of_their_own(fit: Callable[[Job], Run], tmp_path: Path) -> None:
    rows = turns()
    packs = [{name: [value for row in rows[start : start + 4] for value in row[name]] for name in rows[0]} for start in range(0, 16, 4)]
    collate = Collate(tiny.tokenizer(), IGNORED)

    def one_step(name: str, pieces: Sequence[Any]) -> Job:
        count = len(pieces)
        cut = {"order": lambda _: [[number] for number in range(count)], "batch_size": count, "accumulate": count, "steps": 1}
        return job(tmp_path / name, language_model(), pieces, CrossEntropy(), read_tokens, collate, **cut)

    apart, packed = one_step("apart", rows), one_step("packed", packs)
    one, other = fit(apart), fit(packed)
    assert losses(apart)[0] == pytest.approx(losses(packed)[0], rel=1e-5)
    close(one.model, other.model)


# Preference tuning by our own engines: a piece is a pair, and what the reference model says of it was asked before.


class Prefer(Criterion):
    """Direct preference optimisation. Source: Rafailov et al. 2023 (arXiv:2305.18290), equation 7."""

    beta: float = 0.5

    def __call__(self, outputs: Tensor, labels: Tensor) -> Tensor:
        return -logsigmoid(self.beta * outputs).sum()

    def count(self, labels: Tensor) -> int:
        return len(labels)


def sure(model: nn.Module, ids: Tensor, labels: Tensor) -> Tensor:
    """(batch,) log-probability of the labelled tokens."""
    odds = model(input_ids=ids).logits.log_softmax(-1)
    there = labels != IGNORED
    return (odds.gather(-1, labels.clamp(min=0)[..., None])[..., 0] * there).sum(-1)


def prefer(model: nn.Module, batch: Mapping[str, Tensor]) -> Tensor:
    chosen, rejected = (sure(model, batch[f"{name}_ids"], batch[f"{name}_labels"]) for name in ("chosen", "rejected"))
    return chosen - rejected - batch["reference"]


def pairs(pieces: Sequence[Any]) -> dict[str, Tensor]:
    found = {}
    for name in ("chosen", "rejected"):
        longest = max(len(piece[f"{name}_ids"]) for piece in pieces)
        for part, fill in (("ids", 0), ("labels", IGNORED)):
            values = [piece[f"{name}_{part}"] + [fill] * (longest - len(piece[f"{name}_{part}"])) for piece in pieces]
            found[f"{name}_{part}"] = torch.tensor(values)
    return found | {"reference": torch.tensor([piece["reference"] for piece in pieces]), "labels": torch.ones(len(pieces))}


def test_pairs_are_preferred_by_our_own_engines(fit: Callable[[Job], Run], tmp_path: Path) -> None:
    model, pieces = language_model(), []
    for chosen, rejected in zip(turns("yes", 8), turns("no", 8), strict=True):
        both = {"chosen": chosen, "rejected": rejected}
        piece: dict[str, Any] = {f"{name}_ids": one["input_ids"] for name, one in both.items()}
        piece |= {f"{name}_labels": one["labels"] for name, one in both.items()}
        with torch.no_grad():
            margin = prefer(model, pairs([piece | {"reference": 0.0}])).item()
        pieces.append(piece | {"reference": margin})
    whole = job(tmp_path, model, pieces, Prefer(), prefer, pairs, epochs=6, batch_size=4)
    fit(whole)
    assert losses(whole)[0] == pytest.approx(np.log(2), rel=1e-4), "before the first update a model prefers nothing over its own reference"
    assert losses(whole)[-1] < 0.5


# A cache of frozen layers, and with it any input that is no list of tokens (an image): pieces hold arrays, the job collates them.


class Upper(nn.Module):
    """An encoder whose first layer is frozen: reads texts, or what that layer made of them."""

    def __init__(self) -> None:
        super().__init__()
        self.frozen = nn.Embedding(300, 16).requires_grad_(False)
        self.trained = nn.Sequential(nn.Linear(16, 16), nn.Tanh())
        self.classifier = nn.Linear(16, 3)

    def forward(self, input_ids: Tensor | None = None, features: Tensor | None = None) -> Tensor:
        first = self.frozen(input_ids) if features is None else features
        odds: Tensor = self.classifier(self.trained(first).mean(1))
        return odds


def test_pieces_of_features_train_the_same_weights_as_pieces_of_tokens(fit: Callable[[Job], Run], tmp_path: Path) -> None:
    tokens = [{"input_ids": [(number * 7 + place) % 300 for place in range(5)], "labels": number % 3} for number in range(24)]
    first = drawn(Upper)
    assert isinstance(first, Upper)
    features = [{"features": first.frozen(torch.tensor(one["input_ids"])).numpy(), "labels": one["labels"]} for one in tokens]

    def stacked(pieces: Sequence[Any]) -> dict[str, Tensor]:
        return {name: torch.as_tensor(np.stack([piece[name] for piece in pieces])) for name in pieces[0]}

    def forward(model: nn.Module, batch: Mapping[str, Tensor]) -> Tensor:
        odds: Tensor = model(**{name: value for name, value in batch.items() if name != "labels"})
        return odds

    by_tokens = fit(job(tmp_path / "tokens", first, tokens, CrossEntropy(), forward, stacked, epochs=2))
    by_features = fit(job(tmp_path / "features", drawn(Upper), features, CrossEntropy(), forward, stacked, epochs=2))
    close(by_tokens.model, by_features.model)
    kept = sorted((tmp_path / "features").iterdir())[-1] / "weights.safetensors"
    assert kept.stat().st_size < 16 * 300 * 4, "a checkpoint keeps what is trained, not the frozen layer"


# Several tasks on one encoder: every micro-batch is of one task, and the loss is chosen by it.


class TwoHeads(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.EmbeddingBag(300, 16)
        self.heads = nn.ModuleDict({"topic": nn.Linear(16, 3), "mood": nn.Linear(16, 2)})

    def forward(self, input_ids: Tensor, task: str) -> Tensor:
        odds: Tensor = self.heads[task](self.encoder(input_ids))
        return odds


def test_two_tasks_share_an_encoder_and_a_step(fit: Callable[[Job], Run], tmp_path: Path) -> None:
    pieces = [
        {"input_ids": [number, 2 * number, 7], "labels": number % 3 if number < 12 else number % 2, "task": number >= 12}
        for number in range(20)
    ]

    def forward(model: nn.Module, batch: Mapping[str, Tensor]) -> Tensor:
        odds: Tensor = model(batch["input_ids"], "mood" if bool(batch["task"][0]) else "topic")
        return odds

    def stacked(some: Sequence[Any]) -> dict[str, Tensor]:
        return {name: torch.tensor([piece[name] for piece in some]) for name in some[0]}

    def by_task(epoch: int) -> list[list[int]]:
        return [list(range(12)), list(range(12, 20))]

    model = drawn(TwoHeads)
    with torch.no_grad():
        each = [compose(forward, CrossEntropy())(model, stacked(some)) for some in (pieces[:12], pieces[12:])]
    whole = job(tmp_path, model, pieces, CrossEntropy(), forward, stacked, order=by_task, batch_size=24, accumulate=2, epochs=1)
    fit(whole)
    assert losses(whole)[0] == pytest.approx((each[0].total.item() + each[1].total.item()) / 20, rel=1e-5), (
        "every row counts once, of whichever task"
    )


# Strategies: augmentation gives a row another form each epoch, a curriculum gives rows by what the last scores were.


class EveryForm(Sequence[Any]):
    """Piece ``epoch * rows + row`` is a row in the form of an epoch: a function of its number, so that a run can go on from anywhere."""

    def __init__(self, rows: int) -> None:
        self.rows = rows
        self.asked: list[int] = []

    def __len__(self) -> int:
        return self.rows

    def __getitem__(self, number: Any) -> Any:
        epoch, row = divmod(int(number), self.rows)
        self.asked.append(int(number))
        return {"input_ids": [row, (row + epoch) % 300, 7], "labels": row % 3, "task": False}


def test_a_row_has_another_form_in_each_epoch_by_numbers_beyond_the_last(fit: Callable[[Job], Run], tmp_path: Path) -> None:
    forms = EveryForm(8)

    def forward(model: nn.Module, batch: Mapping[str, Tensor]) -> Tensor:
        odds: Tensor = model(batch["input_ids"], "topic")
        return odds

    def stacked(some: Sequence[Any]) -> dict[str, Tensor]:
        return {name: torch.tensor([piece[name] for piece in some]) for name in some[0]}

    fit(
        job(
            tmp_path,
            drawn(TwoHeads),
            forms,
            CrossEntropy(),
            forward,
            stacked,
            order=lambda epoch: [[epoch * 8 + row for row in range(8)]],
            epochs=3,
        )
    )
    assert set(range(24)) <= set(forms.asked)


def test_a_curriculum_can_go_by_the_last_scores(fit: Callable[[Job], Run], tmp_path: Path) -> None:
    pieces = [{"input_ids": [number, 3, 7], "labels": number % 3, "task": False} for number in range(8)]
    score, seen = {"score": 0.0}, []

    def look(model: nn.Module) -> dict[str, float]:
        score["score"] += 1
        return dict(score)

    def order(epoch: int) -> list[list[int]]:
        hardest = 4 + 2 * int(score["score"])
        return [[place % hardest for place in range(8)]]

    def forward(model: nn.Module, batch: Mapping[str, Tensor]) -> Tensor:
        seen.append(int(batch["input_ids"][:, 0].max()))
        odds: Tensor = model(batch["input_ids"], "topic")
        return odds

    def stacked(some: Sequence[Any]) -> dict[str, Tensor]:
        return {name: torch.tensor([piece[name] for piece in some]) for name in some[0]}

    whole = job(tmp_path, drawn(TwoHeads), pieces, CrossEntropy(), forward, stacked, order=order, epochs=3)
    fit(tiny.without(whole, evaluate=look))
    assert seen == [3, 3, 5, 7], "the longest batch is tried before the first step"


# Splitting a batch when memory fails: a sum over halves is the sum over the whole.


def test_halves_of_a_batch_give_its_gradient_when_the_count_was_known_before() -> None:
    pieces = [{"input_ids": [number, 3, 7], "labels": number % 3} for number in range(7)]

    def stacked(some: Sequence[Any]) -> dict[str, Tensor]:
        return {name: torch.tensor([piece[name] for piece in some]) for name in some[0]}

    def gradients(parts: Iterator[Sequence[Any]]) -> list[Tensor]:
        model = drawn(TwoHeads)
        loss_fn = compose(lambda model, batch: model(batch["input_ids"], "topic"), CrossEntropy())
        for part in parts:
            found: Loss = loss_fn(model, stacked(part))
            (found.total / len(pieces)).backward()
        return [weight.grad for weight in model.parameters() if weight.grad is not None]

    for whole, halves in zip(gradients(iter([pieces])), gradients(iter([pieces[:4], pieces[4:]])), strict=True):
        torch.testing.assert_close(whole, halves, rtol=0, atol=1e-7)
