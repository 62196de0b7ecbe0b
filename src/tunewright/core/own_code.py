"""Code of the user's own that a recipe names: ``file.py:name`` or ``package.module:name``."""

from __future__ import annotations

import sys
import traceback
from hashlib import blake2b
from importlib import import_module
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

from tunewright.core.errors import UserError, nearest


def load(key: str, spec: str, folder: Path, wanted: str) -> ModuleType:
    """The module of ``file.py:name`` or ``package.module:name``.

    Args:
        key: of the recipe, for the message.
        spec: as it stands in the recipe.
        folder: where the recipe stands; files are looked for there.
        wanted: what may stand there, in a sentence.

    Raises:
        UserError: the file or module does not exist (with the nearest that does), or raises when it is loaded.
    """
    place = spec.rpartition(":")[0]
    return _file(key, spec, folder / place, wanted) if place.endswith(".py") else _module(key, spec, place, wanted)


def _file(key: str, spec: str, path: Path, wanted: str) -> ModuleType:
    if not path.is_file():
        others = [other.name for other in path.parent.glob("*.py")] if path.parent.is_dir() else []
        near = nearest(path.name, others)
        raise UserError(f"{key}: {spec!r} names a file that does not exist ({path})", wanted,
                        f"Did you mean {near!r}?" if near else "Give its path relative to the recipe's folder")  # fmt: skip
    name = f"tunewright_own_{blake2b(str(path.resolve()).encode('utf-8', 'surrogatepass'), digest_size=8).hexdigest()}"
    found = spec_from_file_location(name, path)
    assert found is not None and found.loader is not None, "a name that ends in .py always has a loader"
    module = module_from_spec(found)
    sys.modules[name] = module  # dataclasses and pickle look a class's module up there
    try:
        found.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        del sys.modules[name]
        raise UserError(f"{key}: loading {spec!r} raised {quoted(error, str(path))}", "", "Mend it there") from error
    return module


def _module(key: str, spec: str, place: str, wanted: str) -> ModuleType:
    try:
        return import_module(place)
    except ModuleNotFoundError as error:
        raise UserError(f"{key}: {spec!r} cannot be imported ({error})", wanted,
                        "Install the package that has it, or write the path of a file") from error  # fmt: skip
    except (Exception, SystemExit) as error:
        raise UserError(f"{key}: importing {spec!r} raised {quoted(error, '')}", "", "Mend it there") from error


def quoted(error: BaseException, path: str) -> str:
    """An exception in the user's words, with the last line of the user's own file that it came through."""
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if frame.filename == path] or frames[-1:]
    file, line = (own[-1].filename, own[-1].lineno) if own else (path, None)
    if isinstance(error, SyntaxError) and error.filename:
        file, line = error.filename, error.lineno
    return f"{type(error).__name__}: {error} ({file}, line {line})"
