"""Names and files of detectors: what a person gets for a wrong one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from common import devices
from common.errors import InputError
from detection.loading import load_detector
from detection.ultralytics_package import ultralytics_module


@pytest.mark.parametrize(
    ("named", "options", "fault"),
    [
        ("nowhere/yolo.pt", {}, r"nowhere/yolo\.pt: no such detector; the folder nowhere does not exist"),
        ("{folder}/tinny.pt", {}, r"tinny\.pt: no such detector; did you mean tiny\.pt"),
        ("{folder}/notes.txt", {}, r"notes\.txt: not a detector; give \.pt, \.onnx, \.xml"),
        ("{folder}/empty", {}, r"empty: holds 0 OpenVINO networks"),
        ("{folder}/lone.xml", {}, r"lone\.bin: no such file of weights beside"),
        ("yolo11q", {}, r"nor a network of ultralytics; did you mean yolo11\w\.pt"),
        ("yolo11n.pt", {}, r"yolo11n\.pt: not here, and no folder to download it to"),
        (
            "torchvision:fasterrcnn_resnet50",
            {},
            r"no such detector did you mean fasterrcnn_resnet50_fpn",
        ),
        ("torchvision:ssdlite320_mobilenet_v3_large", {"precision": "int8"}, "float32 only"),
        ("torchvision:ssdlite320_mobilenet_v3_large", {"image_size": 300}, "one input size"),
        ("torchvision:ssdlite320_mobilenet_v3_large:{folder}/none.pth", {}, r"none\.pth: no such weights file"),
        ("x.pt", {"precision": "int4"}, "precision 'int4' is unknown; did you mean int8"),
        ("x.pt", {"score": 1.5}, "detector score 1.5"),
        ("{folder}/tiny.pt", {"device": "tpu"}, "device 'tpu' is unknown"),
        ("{folder}/tiny.pt", {"device": "cpu", "image_size": 8}, "image size 8: at least 32"),
        ("{folder}/tiny.onnx", {"device": "cuda"}, "runs on the CPU only"),
    ],
)
def test_a_mistake_is_named(tmp_path: Path, checkpoint: Path, named: str, options: dict[str, Any], fault: str) -> None:
    (tmp_path / "tiny.pt").write_bytes(checkpoint.read_bytes())
    (tmp_path / "tiny.onnx").write_bytes(b"")
    (tmp_path / "notes.txt").write_text("")
    (tmp_path / "lone.xml").write_text("")
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match=fault) as caught:
        load_detector(named.format(folder=tmp_path), **options)
    assert "\n" not in str(caught.value)


def test_names_are_downloaded_once(tmp_path: Path, checkpoint: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []

    def fetch(target: Path, **options: Any) -> str:
        calls.append(target)
        target.write_bytes(checkpoint.read_bytes())
        return str(target)

    monkeypatch.setattr(ultralytics_module("ultralytics.utils.downloads"), "attempt_download_asset", fetch)
    for name in ("yolo11n", "yolo11n.pt"):
        assert load_detector(name, device="cpu", cache_dir=tmp_path).key
    assert len(calls) == 1


def test_a_failed_download_says_how_to_get_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fetch(target: Path, **options: Any) -> str:
        target.write_bytes(b"half")
        raise ConnectionError("no network\nfurther lines")

    monkeypatch.setattr(ultralytics_module("ultralytics.utils.downloads"), "attempt_download_asset", fetch)
    with pytest.raises(InputError, match=r"yolo11n\.pt: not here, and its download failed \(no network\); fetch it"):
        load_detector("yolo11n", device="cpu", cache_dir=tmp_path)
    assert not list(tmp_path.rglob("yolo11n.pt"))


def test_a_gpu_that_is_not_there(checkpoint: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(InputError, match="device 'cuda': torch finds no GPUs"):
        load_detector(checkpoint, device="cuda")
    assert "openvino" in load_detector(checkpoint, device="auto").key


def test_a_gpu_gets_torch_in_float16(checkpoint: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda: True)
    monkeypatch.setattr(devices, "gpu_driver_is_here", lambda: True)
    key = load_detector(checkpoint, device="auto").key
    assert "torch" in key and "float16" in key
    with pytest.raises(InputError, match="int8: cuda does not compute in it; use float32 or bfloat16 or float16"):
        load_detector(checkpoint, device="cuda", precision="int8")
