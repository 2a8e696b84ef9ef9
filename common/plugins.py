"""Classes by name: one of ours from a table, or the user's own as `package.module:Class` or `path/to/file.py:Class`."""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import inspect
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

from common.code_version import code_version
from common.errors import InputError, path_not_found
from common.files import file_digest
from common.nearest import nearest

_REFERENCE = re.compile(r"(?P<module>[A-Za-z_][\w.]*|.+\.py):(?P<name>[A-Za-z_]\w*)")


def is_reference(name: str) -> bool:
    """Whether `name` has the form `package.module:Class` or `path/to/file.py:Class`.

    >>> is_reference("my_project.tracking:MyTracker"), is_reference("tools/mine.py:MyTracker"), is_reference("learned")
    (True, True, False)
    """
    return _REFERENCE.fullmatch(name) is not None


def load_class(name: str, known: Mapping[str, str], what: str) -> Any:
    """The class (or factory function) that `name` stands for.

    Nothing is imported but the module that is asked for, so a table may name modules whose packages are not installed.

    Args:
        name: a key of `known`, `package.module:Class` of an importable module (the current folder counts, too), or
            `path/to/file.py:Class`.
        known: names to `package.module:Class`.
        what: the option that the user gave, named in errors: `--tracker`.

    Raises:
        InputError: nothing has that name (with the closest ones), the module cannot be imported (with the reason), or
            it has no such class.

    >>> load_class("counter", {"counter": "collections:Counter"}, "--example").__name__
    'Counter'
    """
    if name in known:
        name = known[name]
    reference = _REFERENCE.fullmatch(name)
    if reference is None:
        raise InputError(
            f"{what} {name}: unknown{nearest(name, known)} (your own: package.module:Class or path/to/file.py:Class)"
        )
    module = _module(reference["module"], f"{what} {name}")
    found = getattr(module, reference["name"], None)
    if found is None:
        classes = [key for key, value in vars(module).items() if inspect.isclass(value)]
        raise InputError(
            f"{what} {name}: {reference['module']} has no {reference['name']}{nearest(reference['name'], classes)}"
        )
    if not callable(found):
        raise InputError(f"{what} {name}: {reference['name']} is neither a class nor a function")
    return found


def make(name: str, known: Mapping[str, str], what: str, options: Mapping[str, Any]) -> Any:
    """An object of the class that `name` stands for, made with `options` as keyword arguments.

    Raises:
        InputError: see `load_class`; or the class does not take these options, or refuses their values.
    """
    factory = load_class(name, known, what)
    try:
        inspect.signature(factory).bind(**options)
    except TypeError as error:
        raise InputError(f"{what} {name}: cannot be made with the options {dict(options)}: {error}") from error
    except ValueError:  # a class written in C may have no signature
        pass
    try:
        return factory(**options)
    except InputError:
        raise
    except (TypeError, ValueError) as error:
        raise InputError(f"{what} {name}: {error}") from error


def source_key(name: str, known: Mapping[str, str], what: str) -> str:
    """What decides the behaviour of a class, as part of a cache key.

    For one of `known`, its name and the digest of its module with all of ours that this imports. For a user's class,
    the digest of the file that holds it: after a change in a module that it imports, use another cache.
    """
    if name in known:
        try:
            return f"{name} {code_version(known[name].partition(':')[0])}"
        except ModuleNotFoundError:  # a module of another package
            return name
    found = load_class(name, known, what)
    source = inspect.getsourcefile(inspect.unwrap(found))
    digest = file_digest(Path(source)) if source else ""
    return f"{name} {digest}"


def _module(where: str, what: str) -> ModuleType:
    try:
        return _module_of_file(Path(where)) if where.endswith(".py") else _module_of_name(where)
    except InputError:
        raise
    except Exception as error:  # whatever a user's module does while it is imported
        reason = " ".join(str(error).split())
        raise InputError(f"{what}: {where} cannot be imported ({type(error).__name__}: {reason})") from error


def _module_of_name(name: str) -> ModuleType:
    here = str(Path.cwd())
    if importlib.util.find_spec(name.partition(".")[0]) is None and here not in sys.path:
        # An installed command, unlike `python -m`, does not look into the current folder.
        sys.path.append(here)
    return importlib.import_module(name)


def _module_of_file(path: Path) -> ModuleType:
    path = path.expanduser().resolve()
    if not path.is_file():
        raise path_not_found(path, "Python file")
    # A name of its own: files of one name in two folders are two modules.
    name = f"_file_{hashlib.blake2b(str(path).encode(), digest_size=6).hexdigest()}_{path.stem}"
    if name in sys.modules:
        return sys.modules[name]
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise ImportError(f"{path} is no Python source file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # before it runs: dataclasses and pickles look their module up by name
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module
