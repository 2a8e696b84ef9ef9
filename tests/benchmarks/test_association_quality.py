from pathlib import Path

import pytest


def test_problems_that_the_file_holds_are_not_measured_again(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.syspath_prepend(repository / "benchmarks")
    import association_quality as script

    file = tmp_path / "results.jsonl"
    job = script.Job("site", 5, True, False, 20)
    line = script.Run(job, None, tracks=1, vehicles=1, ours=12.3, linkage=4.5, ceiling=67.8).to_json()
    file.write_text(line + "\n")
    measured = []

    def measure(piece: tuple[script.Job, list[float | None]], *, without: list[str]) -> list[script.Run]:
        measured.append(piece)
        job, qualities = piece
        return [script.Run(job, quality, 1, 1, 50.0, 40.0, 90.0) for quality in qualities]

    monkeypatch.setattr(script, "measure", measure)
    arguments = ["--quick", "--layouts", "site", "--seeds", "5", "--workers", "1", "--json", str(file)]
    assert script.main(arguments) == 0
    assert measured == [(job, [100.0, 85.0])]
    printed = capsys.readouterr().out
    assert "12.3" in printed
    assert "50.0" in printed
    assert len(file.read_text().splitlines()) == 3
    assert script.main(arguments) == 0
    assert len(measured) == 1
    # A result without an ingredient that is asked for is measured again.
    assert set(script.read_results(file, ["label"])) == set()
