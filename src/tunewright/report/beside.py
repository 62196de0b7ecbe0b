"""How to load a model whose trained part stands beside its base, without tunewright: lines of Python for the card."""

from __future__ import annotations

from tunewright.report.evidence import NotMeasured
from tunewright.report.facts import Facts

WITH_PEFT = "model/adapter_model.safetensors"
WITH_BOTTLENECKS = "model/adapter.safetensors"
"""What the manifest calls the served weights of such a model."""

PEFT = """from peft import PeftModel
from transformers import {head}, AutoTokenizer

model = PeftModel.from_pretrained({head}.from_pretrained("model/base"), "model").eval()
tokenizer = AutoTokenizer.from_pretrained("model/base")
"""

BOTTLENECKS = """import json

from safetensors.torch import load_file
from torch.nn.functional import linear
from transformers import {head}, AutoTokenizer
from transformers.activations import ACT2FN

model = {head}.from_pretrained("model/base").eval()
tokenizer = AutoTokenizer.from_pretrained("model/base")
"""

NETWORKS = """
kept = json.load(open("model/adapter.json", encoding="utf-8"))
weights, activation = load_file("model/adapter.safetensors"), ACT2FN[kept["activation"]]
for path in kept["behind"]:
    down, up = ([weights[f"{{path}}.{{part}}.{{kind}}"] for kind in ("weight", "bias")] for part in ("down", "up"))
    {layer}.register_forward_hook(
        lambda module, inputs, y, down=down, up=up: y + linear(activation(linear(y, *down)), *up)
    )
"""


def put_together(facts: Facts, head: str) -> str | None:
    """Lines that make ``model`` and ``tokenizer``; None where the model folder is loaded as it is.

    Args:
        facts: of the run.
        head: the transformers auto class of the task.
    """
    weights = served(facts)
    if weights == WITH_PEFT:
        return PEFT.format(head=head)
    if weights == WITH_BOTTLENECKS:
        return BOTTLENECKS.format(head=head) + NETWORKS.format(layer="model.get_submodule(path)")
    return None


def sentence_encoder(facts: Facts) -> str | None:
    """The same for a sentence encoder: lines that put the networks into ``encoder``, a ``SentenceTransformer`` of ``model/base``."""
    if served(facts) != WITH_BOTTLENECKS:
        return None
    imports, _, _ = BOTTLENECKS.partition("from transformers import {head}")
    return (
        f"{imports}from sentence_transformers import SentenceTransformer\nfrom transformers.activations import ACT2FN\n\n"
        'encoder = SentenceTransformer("model/base")\n'
        + NETWORKS.format(layer='encoder[0].auto_model.get_submodule(path.removeprefix("encoder."))')
    )


def served(facts: Facts) -> str | None:
    """Which file of the run holds what was trained, as far as the manifest tells."""
    found = facts.manifest.served
    return None if isinstance(found, NotMeasured) or isinstance(found.weights, NotMeasured) else found.weights
