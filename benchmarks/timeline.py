"""Time of a redraw of the timeline while zooming and panning, in a headless Chromium, with many bars.

    python benchmarks/timeline.py --bars 100000

The page's own code draws passages drawn at random, three for each vehicle; the server around it answers what
the timeline asks and nothing else. Also measured: the first paint of the page with all bars loaded.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import sys
import threading
from collections.abc import Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table
from search import made

from mtmc.report import page as report_page
from mtmc.web import reading
from mtmc.web.identity_index import IdentityIndex
from mtmc.web.timeline import pack

BROWSER = Path(__file__).parent.parent / "tests" / "mtmc" / "web" / "browser.py"
PAGE = """<!doctype html><html><head><meta charset="utf-8"><link rel="stylesheet" href="/report.css">
<link rel="stylesheet" href="/static/page.css"><script type="module" src="/static/timeline.js"></script></head>
<body data-page="timeline" data-seq="0"><p id="state"></p><div id="toast" hidden></div>
<h1><small id="count"></small></h1>
<select id="camera"><option value=""></option></select><input id="min" value="1"><span id="legend"></span>
<canvas id="timeline"></canvas><div id="tip-box" hidden></div>
<script type="application/json" id="clock">false</script>
<script type="application/json" id="cameras">CAMERAS</script></body></html>"""


def serve(content: bytes, cameras: int) -> ThreadingHTTPServer:
    """A server for the timeline alone."""
    page = PAGE.replace("CAMERAS", json.dumps([f"c{k}" for k in range(cameras)])).encode()
    report = Path(report_page.__file__).parent / "page" / "report.css"

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            name = self.path.rsplit("/", 1)[-1]
            kind, body = "text/html; charset=utf-8", page
            if self.path == "/api/timeline":
                kind, body = "application/octet-stream", content
            elif self.path == "/report.css":
                kind, body = "text/css", report.read_bytes()
            elif self.path.startswith("/static/"):
                kind = "text/css" if name.endswith(".css") else "text/javascript"
                body = (reading.HERE / "static" / name).read_bytes()
            elif self.path.startswith("/api/"):
                kind, body = "text/event-stream", b": nothing\n\n"
            self.send_response(200)
            self.send_header("content-type", kind)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *arguments: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


def main(argv: Sequence[str] | None = None) -> int:
    """Measure and print; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bars", type=int, default=100_000)
    parser.add_argument("--cameras", type=int, default=50)
    parser.add_argument("--redraws", type=int, default=40)
    arguments = parser.parse_args(argv)
    spec = importlib.util.spec_from_file_location("browser", BROWSER)
    assert spec is not None and spec.loader is not None
    browser_module: Any = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(browser_module)
    passages, identity, _ = made(arguments.bars // 3 + 1, 3, arguments.cameras, 1)
    server = serve(pack(IdentityIndex(passages, identity)), arguments.cameras)
    address = f"http://127.0.0.1:{server.server_address[1]}/"
    table = Table("", "best ms", "median ms", "slowest ms", "bars in view", title=f"{len(passages)} bars, 1280 x 900")
    canvas = "document.getElementById('timeline').dataset"
    with browser_module.Browser() as browser:
        browser.open(address)
        browser.wait(f"{canvas}.bars", 120)
        first = float(browser.run(f"{canvas}.milliseconds"))
        table.add_row("first drawing", f"{first:.1f}", "", "", str(browser.run(f"{canvas}.bars")))
        for name, keys in (
            ("zoom", ("+", "+", "-", "-")),
            ("other times", ("ArrowRight", "ArrowRight", "ArrowLeft", "ArrowLeft")),
            ("other vehicles", ("PageDown", "PageDown", "ArrowDown", "PageUp")),
        ):
            times = []
            for k in range(arguments.redraws):
                browser.run(f"{canvas}.milliseconds = ''")
                browser.press(keys[k % len(keys)])
                browser.wait(f"{canvas}.milliseconds")
                times.append(float(browser.run(f"{canvas}.milliseconds")))
            bars = str(browser.run(f"{canvas}.bars"))
            table.add_row(name, f"{min(times):.1f}", f"{np.median(times):.1f}", f"{max(times):.1f}", bars)
    server.shutdown()
    Console().print(table)
    return 0


if __name__ == "__main__":
    sys.exit(main())
