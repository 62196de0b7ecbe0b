"""``python -m tunewright``, for launchers that start a module: ``torchrun --nproc-per-node 2 -m tunewright run tickets.yaml``."""

from __future__ import annotations

from tunewright.cli import main

if __name__ == "__main__":
    main()
