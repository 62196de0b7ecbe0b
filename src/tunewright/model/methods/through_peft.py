"""What the methods that PEFT brings have in common."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from torch import nn

PLAIN = "base_model.model."
"""Stands before the names of a plain model's weights in one that PEFT has wrapped."""
TRAINED_WHOLE = ".modules_to_save.default."
"""Stands in the names of the modules that are trained as they are."""
DECODERS = ("CAUSAL_LM", "SEQ_2_SEQ_LM")
TASK_TYPES = {
    "SequenceClassification": "SEQ_CLS",
    "TokenClassification": "TOKEN_CLS",
    "QuestionAnswering": "QUESTION_ANS",
    "CausalLM": DECODERS[0],
    "Seq2SeqLM": DECODERS[1],
}
"""How an auto class ends -> what PEFT calls such a task."""


def wrapped(model: nn.Module, config: Any) -> nn.Module:
    """A model with its weights frozen and the trained parts of a PEFT configuration put in."""
    from peft import get_peft_model

    return cast("nn.Module", get_peft_model(cast(Any, model), config))


def head_weights(model: nn.Module, head: tuple[str, ...]) -> frozenset[str]:
    """Names, in a wrapped model, of the weights that are trained for these modules of the plain one."""
    inside = tuple(f"{module}." for module in head)
    return frozenset(
        name
        for name, weight in model.named_parameters()
        if weight.requires_grad and TRAINED_WHOLE in name and _plain(name.replace(TRAINED_WHOLE, ".")).startswith(inside)
    )


def save(model: nn.Module, folder: Path) -> bool:
    """Write the adapter folder that ``peft.PeftModel.from_pretrained`` loads onto the base; the trained head is in it."""
    peft: Any = model
    config = peft.peft_config["default"]
    if config.base_model_name_or_path and Path(config.base_model_name_or_path).is_dir():
        config.base_model_name_or_path = str(Path(config.base_model_name_or_path).resolve())  # found from wherever it is loaded
    peft.save_pretrained(str(folder))
    (folder / "README.md").unlink(missing_ok=True)  # a form that nobody filled in
    return True


def attached(model: nn.Module, folder: Path) -> nn.Module:
    """A plain model with a saved adapter on it, ready to answer."""
    from peft import PeftModel

    return cast("nn.Module", PeftModel.from_pretrained(cast(Any, model), str(folder)))


def merged(model: nn.Module) -> nn.Module:
    """The plain model with what was trained put into its weights; weights that are not finite are refused."""
    unwrapped(model)  # for IA3 PEFT itself fails at a pooler
    return cast("nn.Module", cast(Any, model).merge_and_unload(safe_merge=True))


def unwrapped(model: nn.Module) -> nn.Module:
    """The plain model without the adapter, with the modules that were trained whole in their places."""
    from peft.utils import ModulesToSaveWrapper

    plain: nn.Module = cast(Any, model).get_base_model()
    for path, module in list(plain.named_modules()):
        if isinstance(module, ModulesToSaveWrapper):
            plain.set_submodule(path, module.modules_to_save["default"])
    return plain


def adapted(model: nn.Module) -> list[str]:
    """Paths, in the plain model, of the modules that PEFT has changed."""
    return [name.removeprefix(PLAIN) for name in cast(Any, model).targeted_module_names]


def _plain(name: str) -> str:
    return name.removeprefix(PLAIN).removeprefix("base_model.")
