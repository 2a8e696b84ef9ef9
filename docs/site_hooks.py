"""Hooks of the documentation site: documents that live elsewhere in the repository become pages, with working links;
equations become MathML, which browsers show without a script."""

from __future__ import annotations

import html
import posixpath
import re
from pathlib import Path
from typing import Any

from latex2mathml.converter import convert
from mkdocs.structure.files import File, Files

ROOT = Path(__file__).resolve().parent.parent
PAGES = {
    "README.md": "index.md",
    "CONTRIBUTING.md": "contributing.md",
    "CHANGELOG.md": "changelog.md",
    "mtmc/simulation/README.md": "simulation.md",
    "weights/baseline.md": "weights/baseline.md",
    "weights/ssbver.md": "weights/ssbver.md",
    "weights/detector.md": "weights/detector.md",
}
"""Path in the repository, path in the site."""
_LINK = re.compile(r"\[([^\]]*)\]\(([^)#\s:]+)(#[^)\s]*)?\)")

_EQUATION = re.compile(r'<(span|div) class="arithmatex">\\[([](.*?)\\[)\]]</\1>', re.DOTALL)


def on_files(files: Files, config: Any) -> Files:
    """Add `PAGES`."""
    for source, page in PAGES.items():
        files.append(File.generated(config, page, content=(ROOT / source).read_text(encoding="utf-8")))
    return files


def on_page_markdown(markdown: str, page: Any, config: Any, files: Files) -> str:
    """Point links, which are relative to the place in the repository, at pages; links to other files become text."""
    page_path = page.file.src_uri
    source = next((s for s, p in PAGES.items() if p == page_path), f"docs/{page_path}")

    def link(match: re.Match[str]) -> str:
        text, path, anchor = match.groups()
        place = posixpath.normpath(posixpath.join(posixpath.dirname(source), path))
        found = PAGES.get(place, place.removeprefix("docs/"))
        file = files.get_file_from_path(found)
        if file is not None and file.inclusion.is_included():
            return f"[{text}]({posixpath.relpath(found, posixpath.dirname(page_path) or '.')}{anchor or ''})"
        return text if (ROOT / place).exists() else match.group()

    return _LINK.sub(link, markdown)


def on_page_content(content: str, page: Any, config: Any, files: Files) -> str:
    """Convert what the extension arithmatex has marked as TeX."""

    def mathml(match: re.Match[str]) -> str:
        return convert(html.unescape(match[2]).strip(), display="block" if match[1] == "div" else "inline")

    return _EQUATION.sub(mathml, content)
