"""Callbacks of Transformers that the tests name by where they stand."""

from __future__ import annotations

from typing import Any

from transformers import TrainerCallback
from transformers.trainer_callback import ExportableState

SEEN: list[tuple[str, int, Any]] = []


class Ender(TrainerCallback):
    """Asks for the end after one step."""

    def __init__(self, step: int) -> None:
        self.step = step

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        control.should_training_stop = state.global_step == self.step


class Asker(TrainerCallback, ExportableState):
    """Asks for a look after step 2 and for a checkpoint after step 3, and notes what it hears."""

    def __init__(self, heard: int = 0) -> None:
        self.heard = heard

    def state(self) -> dict[str, Any]:
        return {"args": {}, "attributes": {"heard": self.heard}}

    def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        SEEN.append(("begin", state.max_steps, args.metric_for_best_model))

    def on_step_end(self, args: Any, state: Any, control: Any, **parts: Any) -> Any:
        self.heard += 1
        control.should_evaluate, control.should_save = state.global_step == 2, state.global_step == 3
        rate = parts["optimizer"].param_groups[0]["lr"]
        assert parts["lr_scheduler"].get_last_lr()[0] == rate and parts["model"] is not None
        SEEN.append(("step", state.global_step, round(rate, 9)))
        return control

    def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **_: Any) -> None:
        if "loss" in logs:
            SEEN.append(("loss", state.global_step, round(logs["loss"], 5)))

    def on_evaluate(self, args: Any, state: Any, control: Any, metrics: Any, **_: Any) -> None:
        SEEN.append(("evaluate", state.global_step, metrics["eval_accuracy"]))

    def on_save(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        SEEN.append(("save", state.global_step, self.heard))

    def on_train_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        SEEN.append(("end", state.global_step, self.heard))


class Grasping(Asker):
    """Remembers what is no plain value."""

    def state(self) -> dict[str, Any]:
        return {"args": {}, "attributes": {"heard": {1, 2}}}


class Deep(TrainerCallback):
    """Wants what only the Trainer has."""

    def on_substep_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        raise AssertionError

    def on_optimizer_step(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        raise AssertionError


class EndsEpochs(TrainerCallback):
    """Asks for the end of the epoch."""

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        control.should_epoch_stop = True


class Idle(TrainerCallback):
    """Hears of every step and does nothing."""

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        SEEN.append(("step", state.global_step, None))
