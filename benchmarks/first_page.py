"""How soon the pages of a run or a live site are there, in a headless Chromium.

    python -m mtmc.serve runs/sim-S06 &
    python benchmarks/first_page.py --address http://127.0.0.1:8000

Each page is opened with an empty cache of the browser. Printed are the medians of the milliseconds until the server's
first byte, until something is painted, and until the page with its styles, modules and pictures in view has loaded.
"""

from __future__ import annotations

import argparse
import importlib.util
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

BROWSER = Path(__file__).parent.parent / "tests" / "mtmc" / "web" / "browser.py"
TIMES = """(() => {
  const page = performance.getEntriesByType("navigation")[0];
  const paint = performance.getEntriesByName("first-contentful-paint")[0];
  return page.loadEventEnd && paint ? [page.responseStart, paint.startTime, page.loadEventEnd] : null;
})()"""


def main(argv: Sequence[str] | None = None) -> int:
    """Measure and print; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--address", default="http://127.0.0.1:8000")
    parser.add_argument("--pages", nargs="+", default=["/", "/find", "/identity/1", "/doubts", "/history", "/timeline"])
    parser.add_argument("--repeats", type=int, default=7)
    arguments = parser.parse_args(argv)
    spec = importlib.util.spec_from_file_location("browser", BROWSER)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    table = Table(title=f"{arguments.address}, medians of {arguments.repeats}", title_justify="left")
    for head in ("page", "first byte ms", "first paint ms", "loaded ms", "slowest loaded ms"):
        table.add_column(head, justify="left" if head == "page" else "right")
    with module.Browser() as browser:
        browser.call("Network.enable")
        browser.call("Network.setCacheDisabled", cacheDisabled=True)
        for page in arguments.pages:
            found = []
            for _ in range(arguments.repeats):
                browser.call("Page.navigate", url="about:blank")
                browser.wait("location.href === 'about:blank'")
                browser.open(arguments.address + page)
                found.append(browser.wait(TIMES))
            times = np.array(found)
            table.add_row(page, *(f"{value:.0f}" for value in (*np.median(times, axis=0), times[:, 2].max())))
    Console(width=100).print(table)
    return 0


if __name__ == "__main__":
    sys.exit(main())
