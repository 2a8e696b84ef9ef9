"""Table 5: both counts of every recipe are those of the paper and of the authors' code."""

from __future__ import annotations

from pathlib import Path

import pytest

from reid.analyse.__main__ import main as analyse
from reid.analyse.efficiency import PUBLISHED, Cost
from reid.analyse.table5 import RECIPES, Size, as_markdown, size_of, table_rows
from reid.train import read_settings

COUNTS = {
    "TransReID": (101_065_192, 93_206_784, 3840),
    "GFDIA": (34_692_736, 56_755_840, 4096),
    "HRCN": (55_406_468, 53_342_084, 3584),
    "SAVER": (30_858_948, 30_858_948, 2048),
    "EVER": (23_508_032, 23_512_128, 2048),
    "PVEN": (59_232_709, 58_053_061, 10_240),
    "SSBVER": (23_508_032, 23_512_128, 2048),
}


@pytest.mark.parametrize("method", COUNTS)
def test_recipes_have_the_sizes_of_the_paper(method: str, repository: Path) -> None:
    config = read_settings(repository / "configs" / "reid" / f"{RECIPES[method]}.yaml").model
    # Small pictures are faster; TransReID has an embedding for each patch.
    size = size_of(config if method == "TransReID" else config.model_copy(update={"image_size": (64, 64)}))
    assert (size.as_paper, size.deployed, size.dims) == COUNTS[method]
    (published,) = [cost for cost in PUBLISHED if cost.method == method]
    rounding = 0.5 if method in ("SAVER", "TransReID") else 0.05
    assert size.as_paper / 1e6 == pytest.approx(published.parameters, abs=rounding)
    assert size.dims == published.dims
    assert size.gflop > 0.1


def test_rows_put_the_paper_beside_ours() -> None:
    size = Size(23_508_032, 23_512_128, 2048, 16.2)
    cost = Cost("EVER", "CPU, 1 threads, float32", 23.5, 2048, 20.0, 10.0, 200.0, 400.0)
    (row,) = table_rows({"EVER": size}, {"EVER": cost}, {"EVER": {"mAP": 0.5, "cmc1": 0.75}})
    assert (row["paper mAP"], row["paper CMC@1"], row["paper ms"]) == (80.4, 95.8, 4.55)
    assert (row["mAP"], row["CMC@1"], row["ms, batch 32"], row["GFLOP"]) == (50.0, 75.0, 10.0, 16.2)
    text = as_markdown([row], cost.source)
    assert "CPU, 1 threads, float32" in text
    cells = [line.split("|")[1:-1] for line in text.splitlines() if line.startswith("|")]
    assert {len(line) for line in cells} == {len(row)}
    assert [cell.strip() for cell in cells[2]][:3] == ["EVER", "80.4", "95.8"]


def test_columns_without_a_number_are_left_out() -> None:
    size = Size(1_000_000, 1_000_000, 8, 0.1)
    cost = Cost("own", "CPU", 1.0, 8, 1.0, 1.0, 1.0, 1.0)
    text = as_markdown(table_rows({"own": size}, {"own": cost}, {}), "CPU")
    assert "mAP" not in text
    assert "| paper " not in text


def test_batch_sizes_that_were_not_measured_are_left_out(repository: Path, tmp_path: Path) -> None:
    small = ["--set", "model.backbone=resnet18_ibn_quarter", "--set", "model.image_size=[32,32]", "--device", "cpu"]
    command = ["table5", "--only", "EVER", *small, "--threads", "1", "--output", str(tmp_path)]
    assert analyse([*command, "--batches", "1", "--seconds", "0.01"]) == 0
    text = (tmp_path / "table5.md").read_text()
    assert "ms, batch 1" in text and "MB, batch 1" in text and "batch 32" not in text
    assert analyse([*command, "--seconds", "0"]) == 0
    text = (tmp_path / "table5.md").read_text()
    assert "GFLOP" in text and "batch" not in text and "Measured" not in text
    assert (tmp_path / "figure7.png").is_file()
