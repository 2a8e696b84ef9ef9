from __future__ import annotations

import urllib.error
import urllib.request
from pathlib import Path

import pytest

from common.errors import InputError
from mtmc.online.logs import write_logs
from mtmc.online.metrics import LOOPBACK, Metrics, MetricsServer


def test_figures_are_served_on_the_loopback() -> None:
    metrics = Metrics()
    metrics.set("frames_read_total", 12, "Frames that came.", camera="gate")
    metrics.set("tick_seconds", 0.25, "How long a solve took.")
    server = MetricsServer(metrics, port=0)
    try:
        metrics.set("frames_read_total", 13, "Frames that came.", camera="gate")
        with urllib.request.urlopen(f"http://{LOOPBACK}:{server.port}/metrics", timeout=20) as answer:
            text = answer.read().decode()
            assert answer.headers["Content-Type"].startswith("text/plain; version=0.0.4")
        assert 'mtmc_frames_read_total{camera="gate"} 13\n' in text
        assert "# TYPE mtmc_frames_read_total counter" in text
        assert "# TYPE mtmc_tick_seconds gauge\nmtmc_tick_seconds 0.25" in text
        with pytest.raises(urllib.error.HTTPError, match="404"):
            urllib.request.urlopen(f"http://{LOOPBACK}:{server.port}/other", timeout=20)
        with pytest.raises(InputError, match=f"{LOOPBACK}:{server.port}.*another address or port"):
            MetricsServer(metrics, server.port)
        with pytest.raises(InputError, match="--metrics 99999: must be a port"):
            MetricsServer(metrics, 99999)
    finally:
        server.close()


def test_labels_are_escaped() -> None:
    metrics = Metrics()
    metrics.set("up", 1, "Up.", camera='a"b\\c\nd')
    assert 'mtmc_up{camera="a\\"b\\\\c\\nd"} 1' in metrics.text()


def test_the_log_rotates_and_holds_no_credentials(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mtmc.online.logs.MAX_BYTES", 2000)
    logger = write_logs(tmp_path, quiet=True)
    try:
        for _ in range(400):
            logger.error("cannot open rtsp://admin:hunter2@h/1")
        try:
            raise ValueError("http://admin:hunter2@h/1?pwd=hunter2")
        except ValueError:
            logger.exception("a fault")
    finally:
        for handler in list(logger.handlers):
            handler.close()
            logger.removeHandler(handler)

    files = sorted(path.name for path in tmp_path.iterdir())
    assert files == ["live.log", *(f"live.log.{n}" for n in range(1, 6))]
    text = "".join(path.read_text() for path in tmp_path.iterdir())
    assert "rtsp://***@h/1" in text
    assert "hunter2" not in text
    assert "ValueError: http://***@h/1?***" in (tmp_path / "live.log").read_text()
    assert all(path.stat().st_size <= 4000 for path in tmp_path.iterdir())
