"""Members of a registry that are all there, each switched off, switched on, or set by name: ``{slow: false, overfitting: {looks: 3}}``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tunewright.core.errors import BadConfig, Problem, hint
from tunewright.core.registry import Registry

Switches = dict[str, bool | dict[str, Any]]
"""Name -> ``false``, ``true`` or settings, of which ``enabled: false`` may be one."""


def settings_of(wanted: bool | Mapping[str, Any]) -> dict[str, Any]:
    """What a member's class reads: to give settings is to have it, unless ``enabled: false`` is one.

    >>> settings_of({"threshold": 0.9})
    {'enabled': True, 'threshold': 0.9}
    """
    if isinstance(wanted, bool):
        return {"enabled": wanted}
    return {"enabled": True, **wanted} if wanted else {}


def wrong(registry: Registry[Any], name: str, wanted: bool | Mapping[str, Any]) -> list[Problem]:
    """What is wrong with what is wanted of a member; empty when nothing is."""
    places = registry.places()
    if name not in places:
        kind = "audit rule" if registry.kind == "rule" else registry.kind
        return [Problem(name, f"no {kind} is called {name!r}. {hint(name, places)}")]
    try:
        registry.get(name).read(settings_of(wanted))
    except BadConfig as error:
        return [Problem(f"{name}.{one.path}", one.message) for one in error.problems]
    return []
