"""Whatever a recipe needs is known without the heavy libraries: a refused recipe answers at once."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

HEAVY = ("torch", "transformers", "datasets", "pandas", "peft", "accelerate", "sklearn", "sentence_transformers", "matplotlib")
CHILD = """
import importlib, json, pkgutil, sys
import tunewright
from tunewright.core.config import Config
from tunewright.core.registry import Registry

HEAVY = json.loads(sys.argv[1])
settings, members, blame = [], [], {}

def loaded(what):
    for name in HEAVY:
        if name in sys.modules and name not in blame:
            blame[name] = what

named = ["tunewright.cli", "tunewright.pipeline.recipe", "tunewright.pipeline.resolve", "tunewright.train", "tunewright.train.run",
         "tunewright.train.argument_names", "tunewright.train.checkpoint", "tunewright.core.folder", "tunewright.core.chance",
         "tunewright.core.schema", "tunewright.core.log", "tunewright.tasks.collate", "tunewright.model.base", "tunewright.model.build",
         "tunewright.model.predict", "tunewright.model.proof", "tunewright.model.device"]
for found in pkgutil.walk_packages(tunewright.__path__, "tunewright."):
    if found.name.endswith(".settings"):
        named.append(found.name)
for name in named:
    importlib.import_module(name)
    loaded(name)
for name, module in sorted(sys.modules.items()):
    if name.startswith("tunewright"):
        for value in list(vars(module).values()):
            if isinstance(value, Registry):
                for member in value.places():
                    value.get(member)
                    members.append([value.kind, member])
                    loaded(f"{value.kind} {member}")
from tunewright.pipeline.recipe import Recipe
Recipe.model_json_schema()
loaded("the schema of the recipe")
print(json.dumps({"blame": blame, "settings": [n for n in named if n.endswith(".settings")], "members": members}))
"""


@pytest.mark.slow
def test_settings_and_registry_members_load_without_torch_transformers_datasets_and_pandas() -> None:
    done = subprocess.run([sys.executable, "-c", CHILD, json.dumps(HEAVY)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["blame"] == {}
    assert len(told["settings"]) >= 4
    assert len({tuple(one) for one in told["members"]}) >= 18
