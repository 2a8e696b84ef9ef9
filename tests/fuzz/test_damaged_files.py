"""Files as a disk, a network or an editor may leave them: readers take them or refuse them in one line, no more.

FUZZ_EXAMPLES sets how many damaged files are tried per text reader (default 60; videos: a third).
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import av
import numpy as np
import onnx
import openvino
import pytest
import safetensors.torch
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper

from common.devices import openvino_core
from common.errors import InputError
from common.settings import read_yaml
from detection.loading import load_detector
from detection.mot_text import read_mot
from detection.video import open_video
from evaluation.submission import read_submission
from mtmc.association.links_file import read_links
from mtmc.config import load_config
from mtmc.scenarios.facts import CameraFacts, read_scenario_file
from mtmc.scenarios.footage import footage_in, read_footage
from mtmc.scenarios.ground_map import read_calibration
from mtmc.scenarios.roundabouthd import read_fitted_camera
from reid.datasets.files import read_label_xml, read_rows
from reid.extractor import Extractor
from reid.network_options import read_options
from tests.detection.constant_networks import ULTRALYTICS, per_class, write_network

EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "60"))
MOT = "1,-1,10,20.5,30,40,0.9,-1,-1,-1\n2,7,1e1,-5,3,4,1,-1,-1,-1\n3,7,10,-5,3,4,1,-1,-1,-1\n"
SUBMISSION = "41 1 1 10 20 30 40 -1 -1\n42 1 2 10 20 30 40 -1 -1\n"
SCENARIO = "name: S90\nfps: 10\ncameras:\n  c001: {start: 1.5, clock: [[1, 0], [100, 4]]}\n  c002: {}\n"
LINKS = (
    "zones:\n- {name: out, camera: c1, kind: exit, polygon: [[80, 0], [160, 0], [160, 96]]}\n"
    "- {name: in, camera: c2, kind: entry, polygon: [[0, 0], [80, 0], [80, 96]]}\n"
    "links:\n- {source: out, target: in, share: 0.9, travel_time: {min: 0.5, max: 4}}\n"
)
CALIBRATION = "Homography matrix: 1.2 0.1 3; 0.2 -1.5 4; 0.001 0.002 1\nReprojection error: 2.5\n"
SEQINFO = "[Sequence]\nname=c1\nimDir=img1\nframeRate=14\nseqLength=20\n"
SETTINGS = "association: {threshold: 0.4}\ndetection: {score: 0.2, classes: {object: car}}\n"
NETWORK = "colour: bgr\nmean: [0.5, 0.5, 0.5]\nsize: [256, 128]\n"
FITTED = (
    '{"gps_lat": 51.38, "gps_lon": -2.36, "focallength_x_px": 120.0, "focallength_y_px": 120.0, "center_x_px": 320, '
    '"center_y_px": 180, "image_height_px": 360, "image_width_px": 640, "elevation_m": 8, "tilt_deg": 65.0, '
    '"roll_deg": 1.0, "heading_deg": 90.0, "pos_x_m": 0, "pos_y_m": 0, "k1": -0.05, "k2": 0.01, "k3": 0.0, '
    '"projection": 0, "lens": 2}\n'
)
PAIRS = "0001_c001_1.jpg 1\n0002_c002_1.jpg 2\n"
LABELS = (
    '<?xml version="1.0" encoding="gb2312"?>\n<TrainingImages Version="1.0"><Items number="2">\n'
    '<Item imageName="0001_c001_00016450_0.jpg" vehicleID="0001" cameraID="c001" colorID="1" typeID="4" />\n'
    "</Items></TrainingImages>\n"
)
METADATA = "task: detect\nstride: 32\nimgsz: [160, 160]\nkpt_shape: [17, 3]\nnames: {0: car, 1: lorry, 2: person}\n"

INSERTED = [
    b"nan",
    b"-",
    b"1e999",
    b"\xff\xfe",
    b"\0",
    b"\xef\xbb\xbf",
    b"\r",
    b";",
    b"\t",
    b",,",
    b"{",
    b"&a *a",
    b"9" * 40,
]
READERS: dict[str, tuple[str, str, Callable[[Path], Any]]] = {
    "boxes": (MOT, "boxes.txt", read_mot),
    "submission": (SUBMISSION, "track1.txt", read_submission),
    "yaml": (SETTINGS, "any.yaml", read_yaml),
    "settings": (SETTINGS, "settings.yaml", lambda path: load_config(path, [])),
    "scenario": (SCENARIO, "S90.yaml", read_scenario_file),
    "links": (LINKS, "links.yaml", lambda path: read_links(path, ["c1", "c2"])),
    "calibration": (CALIBRATION, "calibration.txt", lambda path: read_calibration(path, (640, 360))),
    "sequence": (SEQINFO, "seqinfo.ini", lambda path: footage_in(path.parent)),
    "network": (NETWORK, "net.yaml", lambda path: read_options(path.with_suffix(".onnx"))),
    "fitted camera": (FITTED, "cam01_fitted_cam.json", lambda path: read_fitted_camera(path, (640, 360))),
    "re-id list": (PAIRS, "list.txt", lambda path: read_rows(path, 2)),
    "re-id labels": (LABELS, "label.xml", read_label_xml),
    "detector's metadata": (METADATA, "metadata.yaml", lambda path: load_detector(beside(path))),
}


def beside(metadata: Path) -> Path:
    """An OpenVINO network of three classes beside the metadata of its exporter."""
    path = metadata.with_name("net.xml")
    network = _network()
    path.write_bytes(network.with_suffix(".xml").read_bytes())
    path.with_suffix(".bin").write_bytes(network.with_suffix(".bin").read_bytes())
    return path


@cache
def _network() -> Path:
    folder = Path(tempfile.mkdtemp())
    bare = write_network(folder / "bare.onnx", {"output0": per_class(3, car=0)})
    openvino.save_model(openvino_core().read_model(bare), folder / "net.xml")
    return write_network(
        folder / "net.onnx", {"output0": per_class(3, car=0)}, ULTRALYTICS | {"names": ["car", "lorry", "person"]}
    )


@st.composite
def damaged(draw: st.DrawFn, whole: bytes) -> bytes:
    """`whole` cut off, with bits flipped, with stretches lost, repeated or replaced."""
    content = bytearray(whole)
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, max(len(content) - 1, 0)))
        kind = draw(st.sampled_from(["cut", "flip", "lose", "repeat", "insert"]))
        length = draw(st.integers(1, 40))
        if kind == "cut":
            del content[at:]
        elif kind == "flip" and content:
            content[at] ^= 1 << draw(st.integers(0, 7))
        elif kind == "lose":
            del content[at : at + length]
        elif kind == "repeat":
            content[at:at] = content[at : at + length]
        elif kind == "insert":
            content[at:at] = draw(st.sampled_from(INSERTED) | st.binary(max_size=8))
    return bytes(content)


def taken_or_refused(read: Callable[[Path], Any], path: Path) -> None:
    try:
        read(path)
    except InputError as error:
        assert str(error).strip()


@pytest.mark.parametrize("reader", READERS)
@settings(deadline=None, max_examples=EXAMPLES, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_damaged_text_is_taken_or_refused(reader: str, data: st.DataObject) -> None:
    text, name, read = READERS[reader]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / name
        path.write_bytes(data.draw(damaged(text.encode())))
        taken_or_refused(read, path)


def _extractor_network(path: Path) -> bytes:
    """A re-id network in ONNX that averages the colours of a crop."""
    image = helper.make_tensor_value_info("images", TensorProto.FLOAT, ["n", 3, 64, 32])
    vector = helper.make_tensor_value_info("features", TensorProto.FLOAT, ["n", 3, 1, 1])
    nodes = [helper.make_node("ReduceMean", ["images"], ["features"], axes=[2, 3], keepdims=1)]
    graph = helper.make_graph(nodes, "g", [image], [vector])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 8
    onnx.save(model, str(path))
    return path.read_bytes()


def _run_extractor(path: Path) -> None:
    if path.suffix == ".onnx":
        vectors = Extractor.load(path, threads=1).embed([np.zeros((20, 30, 3), np.uint8)])
        assert np.isfinite(vectors).all()
    else:
        Extractor.check(path)


def _run_detector(path: Path) -> None:
    (found,) = load_detector(path, precision="float32", threads=1).detect([np.zeros((160, 160, 3), np.uint8)])
    assert np.isfinite(found.box).all()
    assert (found.box[:, 2:] >= 0).all()


@pytest.mark.parametrize("kind", ["detector.onnx", "extractor.onnx", "extractor.safetensors", "extractor.pth"])
def test_a_damaged_network_runs_or_is_refused(tmp_path_factory: pytest.TempPathFactory, kind: str) -> None:
    folder = tmp_path_factory.mktemp("fuzz")
    whole = folder / kind
    if kind == "detector.onnx":
        content = _network().read_bytes()
    elif kind == "extractor.onnx":
        content = _extractor_network(whole)
    else:
        tensors = {f"module.backbone.layer{i}.0.conv1.weight": torch.zeros(4, 4, 1, 1) for i in range(1, 5)}
        if kind.endswith(".safetensors"):
            safetensors.torch.save_file(tensors, whole)
        else:
            torch.save({"state_dict": tensors, "epoch": 3}, whole)
        content = whole.read_bytes()
    read = _run_detector if kind.startswith("detector") else _run_extractor

    @settings(deadline=None, max_examples=max(EXAMPLES // 3, 1), suppress_health_check=[HealthCheck.too_slow])
    @given(content=damaged(content))
    def check(content: bytes) -> None:
        path = folder / f"damaged-{kind}"
        path.write_bytes(content)
        taken_or_refused(read, path)

    check()


def _clip(folder: Path, name: str, codec: str) -> bytes:
    path = folder / name
    with av.open(str(path), "w", format="mpegts" if path.suffix == ".ts" else None) as container:
        stream = container.add_stream(codec, rate=10)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        noise = np.random.default_rng(0)
        for _ in range(12):
            picture = noise.integers(0, 255, (48, 64, 3)).astype(np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="bgr24")))
        container.mux(stream.encode(None))
    return path.read_bytes()


CLIPS = [("a.mp4", "libx264"), ("a.avi", "mpeg4"), ("a.mkv", "libx264"), ("a.ts", "libx264")]


@pytest.mark.parametrize(("name", "codec"), CLIPS)
def test_a_damaged_video_is_read_as_far_as_it_goes_or_refused(
    tmp_path_factory: pytest.TempPathFactory, name: str, codec: str
) -> None:
    folder = tmp_path_factory.mktemp("fuzz")
    whole = _clip(folder, name, codec)

    def read(path: Path) -> None:
        footage = read_footage(path, CameraFacts(), fps=None, start=0.0)
        numbers = [number for number, picture in open_video(path, threads=1).frames() if picture.shape[2] == 3]
        assert numbers == sorted(set(numbers))
        assert np.isfinite(footage.clock.at([1, max(footage.frames, 1)])).all()

    @settings(deadline=None, max_examples=max(EXAMPLES // 3, 1), suppress_health_check=[HealthCheck.too_slow])
    @given(content=damaged(whole))
    def check(content: bytes) -> None:
        path = folder / f"damaged-{name}"
        path.write_bytes(content)
        taken_or_refused(read, path)

    check()
