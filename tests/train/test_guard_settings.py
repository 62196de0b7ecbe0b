"""Every setting of every guard changes what it sees or what is done about it."""

from __future__ import annotations

import mmap
import shutil
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import psutil
import pytest

from tunewright.train.guards import GUARDS, chosen
from tunewright.train.guards.base import GO, HEAD, Evaluated, Guard, Seen, Verdict

USUAL: dict[str, Any] = {
    "total_steps": 1000,
    "epoch_steps": 100,
    "loss": 1.0,
    "items": 8.0,
    "grad_norm": 1.0,
    "learning_rate": 1e-3,
    "seconds": 0.1,
    "tokens": 100,
}


def made(name: str, **settings: Any) -> Guard:
    return GUARDS.get(name).read(settings)


def steps(guard: Guard, *changes: dict[str, Any], first: int = 1) -> list[int]:
    """The steps at which a guard sees something, of steps that are usual but for these changes."""
    return [
        at
        for at, change in enumerate(changes, first)
        if guard.step(Seen(step=at, **{**USUAL, "rows": lambda: ["a row"], **change})) is not None
    ]


def looks(guard: Guard, *pairs: tuple[float, float], **more: Any) -> list[int]:
    """The looks, from 1, at which a guard sees something: ten steps of a training loss, and the validation loss behind them."""
    found, usual = [], {"best_by": "accuracy", "higher_is_better": True, "best_score": 0.5, "best_step": 1, "same_loss": "log_loss"}
    for at, (training, held_out) in enumerate(pairs, 1):
        steps(guard, *[{"loss": training}] * 50)
        seen = Evaluated(step=at, total_steps=9, epoch=at, scores={"log_loss": held_out, "accuracy": 0.5}, **{**usual, **more})
        found += [at] if guard.evaluated(seen) is not None else []
    return found


def losses(*values: float) -> Iterable[dict[str, Any]]:
    return ({"loss": value} for value in values)


def exploding_factor() -> None:
    for factor, found in ((10, []), (4, [31])):
        assert steps(made("exploding-gradients", factor=factor), *[{}] * 30, {"grad_norm": 5.0}) == found


def exploding_window() -> None:
    for window, found in ((100, []), (10, [6])):
        assert steps(made("exploding-gradients", window=window), *[{}] * 5, {"grad_norm": 50.0}) == found


def layers(norm: float) -> dict[str, Any]:
    return {"gradients": lambda: {"one": 1.0, "two": norm, HEAD: 0.0}}


def vanishing_share() -> None:
    for share, found in ((1e-6, []), (1e-3, [3])):
        assert steps(made("vanishing-gradients", share=share, every=1), *[layers(1e-4)] * 5) == found


def vanishing_every() -> None:
    for every, found in ((2, [6]), (1, [3])):
        assert steps(made("vanishing-gradients", every=every), *[layers(0.0)] * 7) == found


def vanishing_looks() -> None:
    for wanted, found in ((4, [4]), (2, [2])):
        assert steps(made("vanishing-gradients", every=1, looks=wanted), *[layers(0.0)] * 5) == found


def dead_every() -> None:
    for every, found in ((2, [1, 2, 4]), (3, [1, 3])):
        assert steps(made("dead-head", every=every), *[layers(1.0)] * 5) == found


def high_factor() -> None:
    for factor, found in ((1.5, [10]), (2.5, [])):
        assert steps(made("rate-too-high", factor=factor), *losses(*[1.0] * 5, *[2.0] * 5)) == found


def high_share() -> None:
    for share, found in ((0.2, [10]), (0.005, [])):
        assert steps(made("rate-too-high", share=share), *losses(*[1.0] * 5, *[2.0] * 5)) == found


def high_lower() -> None:
    guard = made("rate-too-high", lower=0.1, action="adjust")
    steps(guard, *losses(*[1.0] * 5, *[2.0] * 4))
    sighting = guard.step(Seen(step=10, **{**USUAL, "loss": 2.0}))
    assert sighting and guard.decide(sighting) == Verdict("lower", 0.1)


def stalled_share() -> None:
    for share, found in ((0.2, [400]), (0.1, [200, 300, 400])):
        assert steps(made("stalled-loss", share=share), *[{}] * 400) == found


def stalled_least() -> None:
    for least, found in ((0.005, []), (0.2, [400])):
        assert steps(made("stalled-loss", least=least), *losses(*[1.0] * 200, *[0.9] * 200)) == found


def stalled_learned() -> None:
    for learned, found in ((0.2, []), (0.05, [600])):
        assert steps(made("stalled-loss", learned=learned), *losses(*[1.0] * 200, *[0.1] * 400)) == found


def under_share() -> None:
    for share, found in ((0.85, []), (0.7, [1000])):
        assert steps(made("underfitting", share=share), *losses(*[1.0] * 900, *[0.8] * 100)) == found


WORSE = ((1.0, 1.0), (0.9, 1.1), (0.8, 1.2), (0.7, 1.3))


def over_looks() -> None:
    assert looks(made("overfitting"), *WORSE) == [3, 4] and looks(made("overfitting", looks=3), *WORSE) == [4]


def over_least() -> None:
    assert looks(made("overfitting", least=0.09), *WORSE) == [3] and looks(made("overfitting", least=0.2), *WORSE) == []


def good_share() -> None:
    assert looks(made("too-good"), (1.0, 0.2)) == [1] and looks(made("too-good", share=0.1), (1.0, 0.2)) == []
    assert looks(made("too-good"), (1.0, 0.2), same_loss="") == []


def good_least() -> None:
    assert looks(made("too-good"), (0.15, 0.01)) == [] and looks(made("too-good", least=0.1), (0.15, 0.01)) == [1]


def slow_factor() -> None:
    for factor, found in ((3.0, [91]), (9.0, [])):
        assert steps(made("slow", factor=factor), *[{}] * 80, *[{"seconds": 0.5}] * 11) == found


def slow_window() -> None:
    for window, found in ((20, []), (5, [83])):
        assert steps(made("slow", window=window), *[{}] * 80, *[{"seconds": 0.5}] * 4) == found


def memory(**settings: Any) -> list[int]:
    guard = made("growing-memory", **settings)
    found = steps(guard, *[{}] * 100)
    # Mapped, because what the allocator hands out may be memory that the process had before and never gave back.
    with mmap.mmap(-1, 200 << 20) as kept:
        for at in range(0, len(kept), mmap.PAGESIZE):
            kept[at] = 1
        return found + steps(guard, *[{}] * 20, first=101)


def memory_share() -> None:
    had = psutil.Process().memory_info().rss
    assert memory(share=(100 << 20) / had, least_bytes=0) == [120] and memory(share=4e9 / had, least_bytes=0) == []


def memory_least() -> None:
    assert memory(share=1e-6, least_bytes=100 << 20) == [120] and memory(share=1e-6, least_bytes=4 << 30) == []


def disk_least() -> None:
    free = shutil.disk_usage("/").free
    for least, found in ((free * 2, [1, 20]), (free // 2, [])):
        assert steps(made("full-disk", least_bytes=least), *[{"folder": Path("/no/such/place")}] * 30) == found


NAN = {"loss": float("nan")}


def verdicts(count: int, **settings: Any) -> list[str]:
    guard, found = made("not-finite", **settings), []
    for at in range(1, count + 1):
        sighting = guard.step(Seen(step=at, **{**USUAL, **NAN}))
        assert sighting
        found.append(guard.decide(sighting).kind)
    return found


def finite_row() -> None:
    assert verdicts(4) == ["skip"] * 3 + ["restore"] and verdicts(4, in_a_row=1) == ["skip", "restore"] * 2


def finite_most() -> None:
    assert verdicts(11)[-1] == "fail" and verdicts(3, most=2) == ["skip", "skip", "fail"]


def finite_factor() -> None:
    guard = made("not-finite", factor=0.1, in_a_row=1)
    steps(guard, NAN)
    sighting = guard.step(Seen(step=2, **{**USUAL, **NAN}))
    assert sighting and sighting.verdict == Verdict("restore", 0.1)


CHECKS: dict[str, Callable[[], None]] = {
    "exploding-gradients.factor": exploding_factor,
    "exploding-gradients.window": exploding_window,
    "vanishing-gradients.share": vanishing_share,
    "vanishing-gradients.every": vanishing_every,
    "vanishing-gradients.looks": vanishing_looks,
    "dead-head.every": dead_every,
    "rate-too-high.factor": high_factor,
    "rate-too-high.share": high_share,
    "rate-too-high.lower": high_lower,
    "stalled-loss.share": stalled_share,
    "stalled-loss.least": stalled_least,
    "stalled-loss.learned": stalled_learned,
    "underfitting.share": under_share,
    "overfitting.looks": over_looks,
    "overfitting.least": over_least,
    "too-good.share": good_share,
    "too-good.least": good_least,
    "slow.factor": slow_factor,
    "slow.window": slow_window,
    "growing-memory.share": memory_share,
    "growing-memory.least_bytes": memory_least,
    "full-disk.least_bytes": disk_least,
    "not-finite.in_a_row": finite_row,
    "not-finite.most": finite_most,
    "not-finite.factor": finite_factor,
}
COMMON = {"enabled", "action", "quiet"}


def test_every_setting_of_every_guard_has_a_check() -> None:
    found = {f"{name}.{field}" for name in GUARDS.places() for field in GUARDS.get(name).model_fields if field not in COMMON}
    assert set(CHECKS) == found and len(found) >= 25


def test_a_step_with_the_rows_that_are_left_over_is_no_explosion() -> None:
    """Two rows of eight: their noise alone makes the gradient twice as large."""
    few, many = {"grad_norm": 15.0, "items": 2.0}, {"grad_norm": 15.0}
    assert steps(made("exploding-gradients"), *[{}] * 30, few) == []
    assert steps(made("exploding-gradients"), *[{}] * 30, many) == [31]
    assert steps(made("exploding-gradients"), *[{}] * 30, {**few, "grad_norm": 21.0}) == [31]


@pytest.mark.parametrize("key", CHECKS)
def test_a_changed_setting_changes_what_is_seen(key: str) -> None:
    CHECKS[key]()


@pytest.mark.parametrize("name", sorted(GUARDS.places()))
def test_action_enabled_and_quiet_count_for_every_guard(name: str) -> None:
    guard = GUARDS.get(name)
    sighting = type("Told", (), {"verdict": Verdict("lower", 0.5)})()
    stopped = made(name, action="stop").decide(sighting)
    assert stopped == Verdict("fail" if name == "not-finite" else "end")
    assert made(name, action="tell").decide(sighting) == (Verdict("skip") if name in {"not-finite", "nothing-to-learn"} else GO)
    if guard.adjusts:
        assert made(name, action="adjust").decide(sighting) == (Verdict("skip") if name == "nothing-to-learn" else Verdict("lower", 0.5))
    if name != "not-finite":
        assert name not in chosen({name: False}) and name in chosen({name: True})
    loud = made(name, quiet=5)
    assert [at for at in range(1, 12) if loud.loud(at)] == [1, 6, 11]


@pytest.mark.parametrize("name", sorted(GUARDS.places()))
def test_every_guard_says_what_it_means_and_what_to_do(name: str) -> None:
    guard = GUARDS.get(name)
    assert guard.symptom and guard.means and guard.remedy[0].isupper() and not guard.remedy.endswith(".")


def test_a_normal_run_is_nothing_to_tell() -> None:
    for name, guard in chosen({"full-disk": {"least_bytes": 0}}).items():
        falling = [
            {"loss": 0.1 + 3 * 0.99**at, "grad_norm": 1 + 0.5 * (at % 3), **layers(0.5), "gradients": lambda: {"one": 1.0, HEAD: 1.0}}
            for at in range(1000)
        ]
        assert steps(guard, *falling) == [], name
        assert looks(guard, (1.0, 1.1), (0.5, 0.7), (0.3, 0.6), (0.2, 0.61)) == [], name
