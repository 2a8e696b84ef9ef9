"""Which of our modules a module imports, and a digest of their sources: what a cached result depends on."""

from __future__ import annotations

import ast
import hashlib
import re
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path

PACKAGES = ("common", "evaluation", "detection", "reid", "mtmc")
"""The packages of this project. Imports of anything else are not followed."""

_IMPORT = re.compile(rb"\bimport\b(?:[ \t]*\([^)]*\))?[^\n]*")
"""The word, the names in parentheses, and the rest of the line."""


def code_version(*modules: str) -> str:
    """The digest of the sources of these modules and of all of ours that they import, directly or not.

    The imports are read from the sources, so nothing is executed and there is no list to maintain: a result stored
    under this digest is reused until a module that contributes to it changes.

    Args:
        modules: dotted names, as in "mtmc.association.associate".

    Raises:
        ModuleNotFoundError: there is no such module in this project.
    """
    return _project().digest(*modules)


class SourceTree:
    """The modules in a folder of packages, and what they import from each other.

    An import counts wherever it stands, at module level or in a function; one under `if TYPE_CHECKING:` does not, for
    it never runs. Importing `a.b.c` also runs `a/__init__.py` and `a/b/__init__.py`: these count with what they import
    at module level. An import that is made from a string (`importlib.import_module`) is not seen.
    """

    def __init__(self, root: Path, packages: Iterable[str] = PACKAGES) -> None:
        """Find the modules of `packages` below `root`; each is read when it is first needed."""
        self._files = {_dotted(file.relative_to(root)): file for name in packages for file in _sources(root / name)}
        self._contents: dict[str, bytes] = {}
        self._imports: dict[tuple[str, bool], frozenset[str]] = {}

    @property
    def modules(self) -> tuple[str, ...]:
        """The dotted names of all modules, sorted."""
        return tuple(sorted(self._files))

    def imports(self, module: str, *, in_functions: bool = True) -> frozenset[str]:
        """The modules that `module` names in its own import statements.

        Args:
            module: a dotted name.
            in_functions: whether imports inside functions count.
        """
        key = module, in_functions
        if key not in self._imports:
            tree = _up_to_last_import(self._content(module))
            package = module if self._files[module].name == "__init__.py" else module.rpartition(".")[0]
            named = (self._known(name) for name in _imported(tree.body, package, in_functions))
            self._imports[key] = frozenset(name for name in named if name and name != module)
        return self._imports[key]

    def closure(self, *modules: str) -> frozenset[str]:
        """These modules, all that they import, directly or not, and the packages that hold those."""
        found: set[tuple[str, bool]] = set()
        due = [(module, True) for module in modules]
        while due:
            entry = due.pop()
            if entry in found:
                continue
            found.add(entry)
            module, in_functions = entry
            due += [(name, True) for name in self.imports(module, in_functions=in_functions)]
            due += [(parent, False) for parent in _parents(module)]
        return frozenset(module for module, _ in found)

    def digest(self, *modules: str) -> str:
        """The digest of the names and sources of `closure(*modules)`, 16 hexadecimal digits."""
        digest = hashlib.blake2b(digest_size=8)
        for module in sorted(self.closure(*modules)):
            content = self._content(module)
            digest.update(f"{module} {len(content)}\n".encode())
            digest.update(content)
        return digest.hexdigest()

    def _content(self, module: str) -> bytes:
        if module not in self._files:
            raise ModuleNotFoundError(f"no module named {module}")
        if module not in self._contents:
            self._contents[module] = self._files[module].read_bytes()
        return self._contents[module]

    def _known(self, name: str) -> str:
        """The module that an imported name is, or is in: `a.b` for the class `a.b.C`; "" if it is not ours."""
        while name and name not in self._files:
            name = name.rpartition(".")[0]
        return name


@cache
def _project() -> SourceTree:
    return SourceTree(Path(__file__).parent.parent)


def _sources(package: Path) -> list[Path]:
    return sorted(package.rglob("*.py"))


def _dotted(file: Path) -> str:
    parts = file.with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _parents(module: str) -> Iterator[str]:
    while "." in module:
        module = module.rpartition(".")[0]
        yield module


def _up_to_last_import(content: bytes) -> ast.Module:
    """The syntax tree of a source, up to its last import.

    Most modules import at their top. Parsing that part alone is several times as fast as parsing the whole, and safe:
    the word `import` is not in what is cut off, and a cut inside a statement is a syntax error.
    """
    ends = [match.end() for match in _IMPORT.finditer(content)]
    try:
        return ast.parse(content[: ends[-1]] + b"\n") if ends else ast.Module([], [])
    except SyntaxError:
        return ast.parse(content)


def _imported(body: Iterable[ast.stmt], package: str, in_functions: bool) -> Iterator[str]:
    """The dotted names that import statements name: `a.b` of `import a.b`, `a.b` of `from a import b`."""
    for statement in body:
        if isinstance(statement, ast.Import):
            yield from (alias.name for alias in statement.names)
        elif isinstance(statement, ast.ImportFrom):
            parts = [statement.module] if statement.module else []
            if statement.level:
                parts = package.split(".")[: len(package.split(".")) - statement.level + 1] + parts
            yield from (".".join((*parts, alias.name)) for alias in statement.names)
        elif isinstance(statement, ast.If) and _only_for_types(statement.test):
            yield from _imported(statement.orelse, package, in_functions)
        elif in_functions or not isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef):
            for part in ("body", "orelse", "finalbody"):
                yield from _imported(getattr(statement, part, ()), package, in_functions)
            for branch in (*getattr(statement, "handlers", ()), *getattr(statement, "cases", ())):
                yield from _imported(branch.body, package, in_functions)


def _only_for_types(test: ast.expr) -> bool:
    return ast.unparse(test) in ("TYPE_CHECKING", "typing.TYPE_CHECKING")
