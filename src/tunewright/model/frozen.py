"""The frozen part of a model: it runs without dropout, and what it made of a row can take its place in the next forward pass."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import partial
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from tunewright.model.layers import below_of, stack_of

if TYPE_CHECKING:
    from torch import Tensor, nn

    Batch = Mapping[str, Tensor]

STATES = "frozen_states"
"""The input of a model that holds what its frozen layers gave: (batch, tokens, width)."""


class _Caught(Exception):
    """The frozen layers are done."""


class FrozenPart:
    """The embeddings and the lowest layers of a model, which its method leaves as they are.

    They never drop anything out, in training neither, so that they give the same for a row each time. From then on the model takes
    ``frozen_states`` among its inputs, in the place of what these layers would compute; everything else that the layers above need
    (masks, positions) is made by the model itself, from the usual inputs.

    Args:
        model: as the method made it.
        frozen: how many of its layers, the lowest; 1 or more.
    """

    def __init__(self, model: nn.Module, frozen: int) -> None:
        path, layers = stack_of(model)
        self.model, self.layers = model, [layers[index] for index in range(frozen)]
        self._above: nn.Module | None = layers[frozen] if frozen < len(layers) else None
        self._below, self._beside = below_of(model), model.get_submodule(path.rpartition(".")[0])
        self._convolution: nn.Module | None = getattr(self._beside, "conv", None) if len(layers) > 1 else None  # DeBERTa's, above layer 0
        self._inside = [module for part in (self._below, *self.layers) for module in part.modules()]
        self._as_output: Callable[[Tensor], Any] = _as_it_is
        self._put: list[tuple[nn.Module, Any]] = []
        model.register_forward_pre_hook(self._before, with_kwargs=True)
        model.register_forward_hook(self._after, always_call=True)

    def compute(self, forward: Callable[[nn.Module, Batch], Tensor], batch: Batch) -> Tensor:
        """(batch, tokens, width): what the frozen layers give; those above do not run.

        Args:
            forward: of the task.
            batch: on the device of the model.
        """
        found: list[Tensor] = []
        with self._caught(found):
            forward(self.model, batch)
        return found[0]

    def agrees(self, forward: Callable[[nn.Module, Batch], Tensor], batch: Batch, close: float) -> bool:
        """Whether the model gives the same for a batch when states take the place of the frozen layers.

        Call it once before the first such pass in a process: it also learns in what form the layers of this architecture hand on.

        Args:
            forward: of the task.
            batch: on the device of the model; some rows are shorter than others.
            close: how far the outputs may be apart, over the largest of them.
        """
        import torch

        states = self.compute(forward, batch)
        whole, short = forward(self.model, batch), forward(self.model, {**batch, STATES: states})
        return bool(torch.allclose(whole, short, rtol=0, atol=close * float(whole.abs().max().clamp(min=1e-3))))

    @contextmanager
    def _caught(self, found: list[Tensor]) -> Iterator[None]:
        """A forward pass within the block ends below the first trained layer; what the frozen layers gave is put into ``found``."""
        handles = [self.layers[0].register_forward_hook(self._learn)]

        def take(states: Any) -> None:
            found.append(states[0] if isinstance(states, tuple) else states)
            raise _Caught

        if self._above is None:
            handles.append(self.layers[-1].register_forward_hook(lambda module, inputs, outputs: take(outputs)))
        else:
            above = self._above
            handles.append(above.register_forward_pre_hook(lambda module, args, more: take(_first(args, more)), with_kwargs=True))
        try:
            with suppress(_Caught):
                yield
        finally:
            for handle in handles:
                handle.remove()

    def fingerprint(self) -> str:
        """Hash of every weight that what is frozen depends on, in hex."""
        digest = sha256()
        trained = {id(weight) for weight in self.model.parameters() if weight.requires_grad}
        skipped = {id(one) for one in self._parts_above()}
        parts = [self._below, *(one for one in self._beside.modules() if id(one) not in skipped)]
        for part in parts:
            values = part.state_dict(keep_vars=True) if part is self._below else {**part._parameters, **part._buffers}
            for name, value in values.items():
                if value is not None and id(value) not in trained:
                    digest.update(f"{name} {value.dtype} {tuple(value.shape)}".encode())
                    digest.update(memoryview(_bytes(value)))
        return digest.hexdigest()

    def _parts_above(self) -> Iterator[nn.Module]:
        _, layers = stack_of(self.model)
        for index in range(len(self.layers), len(layers)):
            yield from layers[index].modules()

    def _learn(self, module: nn.Module, inputs: Any, outputs: Any) -> None:
        self._as_output = partial(_with_nothing, len(outputs) - 1) if isinstance(outputs, tuple) else _as_it_is

    def _before(self, module: nn.Module, args: Any, inputs: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
        for one in self._inside:
            one.training = False
        if STATES not in inputs:
            return args, inputs
        states = inputs[STATES]
        first, *others = self.layers
        self._set(first, lambda *args, **more: self._as_output(states))
        for one in others:
            self._set(one, lambda *args, **more: self._as_output(_first(args, more)))
        if self._convolution is not None:
            self._set(self._convolution, lambda below, output, mask: output)
        return args, {name: value for name, value in inputs.items() if name != STATES}

    def _set(self, module: nn.Module, forward: Callable[..., Any]) -> None:
        self._put.append((module, module.__dict__.get("forward")))
        module.__dict__["forward"] = forward

    def _after(self, module: nn.Module, inputs: Any, outputs: Any) -> None:
        while self._put:
            module, own = self._put.pop()
            del module.__dict__["forward"]
            if own is not None:  # someone else had put one there
                module.__dict__["forward"] = own


def _first(args: tuple[Any, ...], more: dict[str, Any]) -> Any:
    return args[0] if args else more["hidden_states"]


def _as_it_is(states: Tensor) -> Any:
    return states


def _with_nothing(others: int, states: Tensor) -> Any:
    return (states, *[None] * others)


def _bytes(value: Tensor) -> Any:
    import torch

    return value.detach().cpu().contiguous().view(-1).view(torch.uint8).numpy()
