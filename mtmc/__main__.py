"""`mtmc VERB ...`, or `python -m mtmc VERB ...`: one front door to the command lines of this package."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Sequence

from common.command_line import run_command
from common.nearest import nearest

VERBS = {
    "run": "videos of several cameras in, one identity per vehicle out",
    "live": "cameras that are running in, identities while they run out",
    "serve": "a finished run in the browser: find vehicles, see traffic, correct identities",
    "simulate": "render simulated scenarios, re-id sets and detection sets",
}
"""Each verb is the module `mtmc.<verb>`, which has a `main`; `python -m mtmc.<verb>` is the same command."""


def main(argv: Sequence[str] | None = None) -> int:
    """Hand the arguments to the verb's command line; returns the exit status (2 for an unknown verb)."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    if not arguments or arguments[0] in ("-h", "--help"):
        sys.stdout.write(_usage())
        return 0 if arguments else 2
    verb, *rest = arguments
    if verb not in VERBS:
        sys.stderr.write(f"error: {verb}: no such verb{nearest(verb, VERBS)}\n")
        return 2
    command: Callable[[Sequence[str] | None], int] = importlib.import_module(f"mtmc.{verb}").main
    return run_command(command, rest)


def _usage() -> str:
    verbs = "".join(f"  {verb:10}{text}\n" for verb, text in VERBS.items())
    return f"usage: mtmc VERB ...\n\nMulti-camera vehicle tracking.\n\n{verbs}\nmtmc VERB --help describes each.\n"


if __name__ == "__main__":
    sys.exit(main())
