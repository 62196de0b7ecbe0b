"""Training: what a run is, the engines that drive it, and what can be plugged into it. Knows nothing of tables or files of rows."""

from __future__ import annotations

ENGINES: dict[str, str] = {
    "trainer": "tunewright.train.hf:fit",
}
"""Name in a recipe -> the function that drives a ``Job`` to its end."""
