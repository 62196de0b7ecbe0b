"""Callbacks of Transformers that a recipe names: the trainer engine calls them as its own, the loop through ``Hosted``."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from pydantic import PrivateAttr

from tunewright.core.errors import UserError
from tunewright.core.own_code import quoted
from tunewright.train.checkpoint import plain_state
from tunewright.train.imported import Imported, OpenRegistry
from tunewright.train.run import Callback, Run

if TYPE_CHECKING:
    from transformers import TrainerCallback

KEY = "train.callbacks"
WANTED = f"{KEY} takes package.module:Class or file.py:Class of a transformers.TrainerCallback"
ASKED = "a callback of train.callbacks asked for the end"
GIVEN = ("on_init_end", "on_train_begin", "on_step_end", "on_log", "on_evaluate", "on_save", "on_train_end")
"""The events that the loop engine has."""

OUTSIDE = ("on_init_end", "on_train_begin", "on_train_end")
"""Events before the first step and after the last one."""


class Guest(Imported):
    """A ``transformers.TrainerCallback`` by import path; it is made with its settings."""

    def make(self) -> TrainerCallback:
        """The callback.

        Raises:
            UserError: it does not exist, raises, or is none.
        """
        from transformers import TrainerCallback

        made = self.made(KEY, WANTED)
        if not isinstance(made, TrainerCallback):
            raise UserError(f"{KEY}: {self.place!r} makes a {type(made).__name__}", WANTED, "Derive it from transformers.TrainerCallback")
        return made

    def check(self, engine: str) -> None:
        """Tell what is wrong before a model is loaded.

        Raises:
            UserError: as ``make``; or it wants events that the loop engine does not have.
        """
        made = self.make()
        more = [event for event in _events(made) if event not in GIVEN]
        if engine == "loop" and more:
            raise UserError(
                f"{KEY}: {self.place!r} wants {', '.join(more)}, which the engine loop does not have",
                f"It tells callbacks of Transformers {', '.join(GIVEN)}",
                "Use train.engine: trainer",
            )


GUESTS: OpenRegistry[Guest] = OpenRegistry("callback of Transformers", {}, f"{__name__}:Guest")


class CallbackBroke(UserError):
    """A callback of the user raised; what was trained until then is saved."""


def careful(guest: TrainerCallback, named: Guest, broken: list[CallbackBroke]) -> TrainerCallback:
    """The same callback, whose errors end the run after the step at hand, with a checkpoint.

    Args:
        guest: as it was made; its methods are wrapped.
        named: what the recipe says of it.
        broken: where an error goes that was met after the first step began.

    Raises:
        CallbackBroke: from the callback, where nothing is trained that could be saved.
    """

    def wrapped(event: str, method: Any) -> Any:
        def call(args: Any, state: Any, control: Any, **more: Any) -> Any:
            try:
                return method(args, state, control, **more)
            except Exception as error:
                found = CallbackBroke(f"{KEY}: {named.place!r} raised {quoted(error, '')} in {event}, at step {state.global_step}")
                if event in OUTSIDE:
                    raise found from error
                found.__cause__ = error
                broken.append(found)
                control.should_training_stop = True
                return control

        return call

    for event in _events(guest):
        setattr(guest, event, wrapped(event, getattr(guest, event)))
    return guest


class Hosted(Callback):
    """A callback of Transformers in the loop engine: it hears the loop's events, and what it asks for is done.

    ``should_training_stop``, ``should_save`` and ``should_evaluate`` are obeyed, as in the Trainer after the step.
    """

    _guest: Any = PrivateAttr(None)
    _arguments: Any = PrivateAttr(None)
    _parts: dict[str, Any] = PrivateAttr(default_factory=dict)
    _state: Any = PrivateAttr(None)
    _control: Any = PrivateAttr(None)

    @classmethod
    def of(cls, guest: TrainerCallback, arguments: Any, **parts: Any) -> Hosted:
        """A watcher for a callback.

        Args:
            guest: the callback.
            arguments: the ``TrainingArguments`` that it reads (``hf_arguments.shown_arguments``).
            parts: the ``optimizer`` and the ``lr_scheduler`` that it is shown.
        """
        from transformers import TrainerControl, TrainerState

        made = cls()
        made._guest, made._arguments, made._parts = guest, arguments, parts
        made._state, made._control = TrainerState(), TrainerControl()
        return made

    def fit_start(self, run: Run) -> None:
        self._state.max_steps, self._state.best_metric, self._state.best_global_step = run.total_steps, run.best_score, run.best_step
        self._tell("on_init_end", run)
        self._tell("on_train_begin", run)

    def step_end(self, run: Run) -> None:
        self._tell("on_step_end", run)
        if wants_logs([self._guest]):
            self._log(run, {"loss": run.loss, "grad_norm": run.grad_norm, "learning_rate": run.learning_rate})

    def evaluated(self, run: Run) -> None:
        metrics = metrics_for(run)
        self._log(run, metrics)
        self._tell("on_evaluate", run, metrics=metrics)
        self._state.best_metric, self._state.best_global_step = run.best_score, run.best_step

    def saved(self, run: Run) -> None:
        self._tell("on_save", run)

    def fit_end(self, run: Run) -> None:
        self._tell("on_train_end", run)

    def _log(self, run: Run, logs: dict[str, float]) -> None:
        logs = {**logs, "epoch": run.epoch}
        self._state.log_history.append({**logs, "step": run.step})
        self._tell("on_log", run, logs=logs)

    def _tell(self, event: str, run: Run, **more: Any) -> None:
        control, self._state.global_step, self._state.epoch = self._control, run.step, run.epoch
        control.should_evaluate = control.should_save = control.should_log = False
        answer = getattr(self._guest, event)(self._arguments, self._state, control, model=run.model, **self._parts, **more)
        control = self._control = answer if answer is not None else control
        if control.should_epoch_stop:
            raise UserError(f"{KEY}: {type(self._guest).__name__} asks for the end of the epoch, which the engine loop does not do",
                            "The end of the run, a look at the validation rows and a checkpoint can be asked for",
                            "Use train.engine: trainer")  # fmt: skip
        run.evaluate, run.save = run.evaluate or control.should_evaluate, run.save or control.should_save
        if control.should_training_stop:
            run.stop = run.stop or ASKED


def metrics_for(run: Run) -> dict[str, float]:
    """The scores of a look, under the names that Transformers gives them."""
    return {f"eval_{name}": value for name, value in run.scores.items()}


def wants_logs(guests: Iterable[TrainerCallback]) -> bool:
    """Whether one of them hears of losses."""
    return any("on_log" in _events(guest) for guest in guests)


def exported(guest: TrainerCallback) -> dict[str, Any]:
    """What a callback of Transformers must remember; nothing of one that is no ``ExportableState``.

    Raises:
        UserError: it is no plain value.
    """
    from transformers.trainer_callback import ExportableState

    if not isinstance(guest, ExportableState):
        return {}
    return plain_state(type(guest).__name__, guest.state().get("attributes", {}))


def put_exported_back(guest: TrainerCallback, state: dict[str, Any]) -> None:
    """Give a callback what ``exported`` gave."""
    for name, value in state.items():
        setattr(guest, name, value)


def _events(guest: TrainerCallback) -> list[str]:
    """The events that a callback does something at."""
    from transformers import TrainerCallback

    names = [name for name in vars(TrainerCallback) if name.startswith("on_")]
    return [name for name in names if getattr(type(guest), name) is not getattr(TrainerCallback, name)]
