"""Figures of a running site in Prometheus' text format, on a port of this machine."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from common.errors import InputError

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
LOOPBACK = "127.0.0.1"

MAX_PORT = 65535
"""The largest port of TCP."""


class Metrics:
    """Named figures, each with labels; the latest value of each.

    >>> metrics = Metrics()
    >>> metrics.set("frames_total", 5, "Frames that came.", camera="gate")
    >>> print(metrics.text(), end="")
    # HELP mtmc_frames_total Frames that came.
    # TYPE mtmc_frames_total counter
    mtmc_frames_total{camera="gate"} 5
    """

    def __init__(self) -> None:
        self._values: dict[str, dict[tuple[tuple[str, str], ...], float]] = {}
        self._help: dict[str, str] = {}
        self._lock = threading.Lock()

    def set(self, name: str, value: float, text: str, **labels: str) -> None:
        """Set a figure; a name that ends in `_total` is a counter, every other a gauge."""
        with self._lock:
            self._help[name] = text
            self._values.setdefault(name, {})[tuple(sorted(labels.items()))] = value

    def text(self) -> str:
        """All figures, as Prometheus reads them."""
        lines = []
        with self._lock:
            for name, values in self._values.items():
                kind = "counter" if name.endswith("_total") else "gauge"
                lines += [f"# HELP mtmc_{name} {self._help[name]}", f"# TYPE mtmc_{name} {kind}"]
                lines += [f"mtmc_{name}{_labels(labels)} {value:.10g}" for labels, value in values.items()]
        return "".join(f"{line}\n" for line in lines)


def _labels(labels: tuple[tuple[str, str], ...]) -> str:
    escaped = [(k, v.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")) for k, v in labels]
    return "{" + ",".join(f'{k}="{v}"' for k, v in escaped) + "}" if escaped else ""


class MetricsServer:
    """Serves `/metrics` from a thread.

    Args:
        metrics: what to serve.
        port: 0 for any free one.
        host: this machine alone, unless told otherwise.

    Raises:
        InputError: the port is taken, or is none.
    """

    def __init__(self, metrics: Metrics, port: int, host: str = LOOPBACK) -> None:
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                found = self.path in ("/metrics", "/")
                body = metrics.text().encode() if found else b"not found; see /metrics\n"
                self.send_response(200 if found else 404)
                self.send_header("Content-Type", CONTENT_TYPE if found else "text/plain")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *arguments: object) -> None:
                pass

        if not 0 <= port <= MAX_PORT:
            raise InputError(f"--metrics {port}: must be a port, from 1 to {MAX_PORT}")
        try:
            self._server = ThreadingHTTPServer((host, port), Handler)
        except OSError as error:
            raise InputError(f"--metrics {host}:{port}: {error.strerror}; choose another address or port") from error
        self._server.daemon_threads = True
        self.port = int(self._server.server_address[1])
        threading.Thread(target=self._server.serve_forever, name="metrics", daemon=True).start()

    def close(self) -> None:
        """Stop serving."""
        self._server.shutdown()
        self._server.server_close()


def states_as_numbers(states: Mapping[str, tuple[str, float]]) -> dict[str, int]:
    """1 for each camera that is running, 0 for the others."""
    return {name: int(state == "running") for name, (state, _) in states.items()}
