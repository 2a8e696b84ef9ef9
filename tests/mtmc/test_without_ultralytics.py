"""The whole job without ultralytics, whose licence (AGPL-3.0) does not suit everybody: importing it is made to fail."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

HEIGHT, WIDTH, STRIDE = 96, 160, 4
_BLOCKER = """
import importlib.abc, sys

class Blocker(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "ultralytics":
            raise ModuleNotFoundError("No module named 'ultralytics'", name="ultralytics")

sys.meta_path.insert(0, Blocker())
"""
Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def run_without(tmp_path: Path, repository: Path) -> Run:
    """`python ARGUMENTS` in an interpreter (and in its worker processes) that cannot import ultralytics."""
    (tmp_path / "blocked").mkdir()
    (tmp_path / "blocked" / "sitecustomize.py").write_text(_BLOCKER)
    search = os.pathsep.join([str(tmp_path / "blocked"), str(repository)])

    def run(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, *map(str, arguments)]
        return subprocess.run(
            command, cwd=tmp_path, env={**os.environ, "PYTHONPATH": search}, capture_output=True, text=True, check=False
        )

    return run


@pytest.fixture
def red_detector(tmp_path: Path) -> Path:
    """An ONNX network with YOLO's output that finds the red rectangles of the tiny scenario."""
    rows, columns = HEIGHT // STRIDE + 1, WIDTH // STRIDE + 1
    y, x = np.mgrid[:rows, :columns] * STRIDE
    boxes = np.stack([x, y, np.full_like(x, 40), np.full_like(x, 24)]).reshape(1, 4, -1).astype(np.float32)
    # Red minus green, averaged over a window of the rectangles' size around each point of a grid.
    window = np.zeros((1, 3, 24, 40), np.float32)
    window[0, 0], window[0, 1] = 1 / (24 * 40), -1 / (24 * 40)
    constants = {"window": window, "boxes": boxes, "gain": np.float32([60]), "bias": np.float32([-34])}
    pads = [12, 20, 12, 20]
    nodes = [
        helper.make_node("Conv", ["images", "window"], ["mean"], strides=[STRIDE, STRIDE], pads=pads),
        helper.make_node("Mul", ["mean", "gain"], ["scaled"]),
        helper.make_node("Add", ["scaled", "bias"], ["logit"]),
        helper.make_node("Sigmoid", ["logit"], ["score"]),
        helper.make_node("Reshape", ["score", "shape"], ["scores"]),
        helper.make_node("Concat", ["boxes", "scores"], ["output0"], axis=1),
    ]
    initializers = [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()]
    initializers.append(numpy_helper.from_array(np.array([1, 1, rows * columns], np.int64), "shape"))
    graph = helper.make_graph(
        nodes,
        "red",
        [helper.make_tensor_value_info("images", TensorProto.FLOAT, [1, 3, HEIGHT, WIDTH])],
        [helper.make_tensor_value_info("output0", TensorProto.FLOAT, [1, 5, rows * columns])],
        initializers,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    helper.set_model_props(model, {"names": "{0: 'car'}", "stride": "32"})
    path = tmp_path / "red.onnx"
    onnx.save(model, path)
    return path


def test_the_whole_job_runs_without_ultralytics(
    run_without: Run, red_detector: Path, make_cityflow: Callable[..., Path], links_file: Path, tmp_path: Path
) -> None:
    done = run_without(
        "-m", "mtmc.run", "--data-root", make_cityflow(), "--scenario", "X01", "--detector", red_detector,
        "--reid", "baseline", "ssbver", "--links", links_file, "--output", tmp_path / "out",
        "--cache", tmp_path / "cache", "--workers", "2", "--set", "detection.image_size=160",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    figures = json.loads((tmp_path / "out" / "metrics.json").read_text())["extractors"]
    assert figures["baseline"]["idf1"] > 0.9 and figures["ssbver"]["idf1"] > 0.9


def test_whatever_needs_ultralytics_says_so_in_one_line(
    run_without: Run, make_cityflow: Callable[..., Path], tmp_path: Path
) -> None:
    done = run_without(
        "-m", "mtmc.run", "--data-root", make_cityflow(), "--scenario", "X01", "--detector", "yolo11n",
        "--reid", "none", "--cache", tmp_path / "cache", "--workers", "1",
    )  # fmt: skip
    assert done.returncode == 2, done.stderr
    error = done.stderr.strip().splitlines()[-1]
    assert error.startswith("error: ") and "mtmc[yolo]" in error and "torchvision:NAME" in error
