"""One file per family of formats. The door is ``tunewright.data.read``."""
