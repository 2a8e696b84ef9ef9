from __future__ import annotations

from pathlib import Path

import pytest

from mtmc.online.logs import FILES, write_logs


def test_logs_rotate_and_hold_no_credentials(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mtmc.online.logs.MAX_BYTES", 2000)
    logger = write_logs(tmp_path, quiet=True)
    for number in range(400):
        logger.info("lost %s for the time number %d", "rtsp://admin:hunter2@10.0.0.5/1", number)

    files = sorted(path.name for path in tmp_path.iterdir())
    assert files == ["live.log", *(f"live.log.{n}" for n in range(1, FILES + 1))]
    for name in files:
        text = (tmp_path / name).read_text()
        assert 0 < len(text) <= 2000
        assert "hunter2" not in text
    assert "number 399" in (tmp_path / "live.log").read_text()


def test_a_log_that_cannot_be_written_stops_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    logger = write_logs(tmp_path, quiet=True)
    logger.handlers[0].stream.close()  # type: ignore[attr-defined]
    logger.info("a line")

    assert capsys.readouterr().err == ""
