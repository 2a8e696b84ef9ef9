"""The console that shows progress: none unless the caller asks for it."""

from __future__ import annotations

from rich.console import Console


def progress_console(progress: bool | Console) -> Console:
    """The console for `progress`: True shows it on standard error, False nowhere."""
    return progress if isinstance(progress, Console) else Console(stderr=True, quiet=not progress)
