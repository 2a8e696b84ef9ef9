"""Every spelling of a precision is understood, and an unsupported one is an error."""

import subprocess
import sys

import pytest

from common import devices
from common.devices import choose_device, normalise_precision, precisions_of, require_precision
from common.errors import InputError
from detection.loading import load_detector
from mtmc.config import load_config
from reid.extractor import Extractor


@pytest.fixture
def plain_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(devices, "_cpu_capabilities", lambda: frozenset({"FP32", "INT8"}))


@pytest.mark.parametrize(
    ("spelling", "name"),
    [
        ("fp32", "float32"), ("f32", "float32"), ("bf16", "bfloat16"), ("BFloat16", "bfloat16"), ("fp16", "float16"),
        ("half", "float16"), ("int8", "int8"), ("auto", "auto"),
    ],
)  # fmt: skip
def test_every_spelling_of_a_precision_is_accepted_everywhere(spelling: str, name: str) -> None:
    assert normalise_precision(spelling) == name
    assert load_config(None, [f"detection.precision={spelling}"]).detection.precision == name


def test_an_unknown_precision_is_an_error_everywhere() -> None:
    for attempt in (
        lambda: normalise_precision("bfloat6"),
        lambda: load_config(None, ["detection.precision=bfloat6"]),
        lambda: load_detector("x.pt", precision="bfloat6"),
        lambda: Extractor.load("baseline", "cpu", precision="bfloat6"),
    ):
        with pytest.raises(InputError, match="'bfloat6' is unknown; did you mean bfloat16"):
            attempt()


def test_a_precision_that_the_cpu_lacks_is_an_error_with_those_that_it_has(plain_cpu: None) -> None:
    assert precisions_of("cpu") == ("float32", "int8")
    with pytest.raises(InputError, match="bfloat16: this CPU does not compute in it; use float32 or int8"):
        require_precision("bfloat16", "cpu")


def test_a_cpu_with_bfloat16_supports_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(devices, "_cpu_capabilities", lambda: frozenset({"FP32", "BF16"}))
    require_precision("bfloat16", "cpu")
    assert devices.fastest_cpu_precision() == "bfloat16"


@pytest.mark.parametrize("name", ["tpu", "cuda:", "cuda:x", "CPU", ""])
def test_an_unknown_device_is_an_error(name: str) -> None:
    with pytest.raises(InputError, match=f"device '{name}' is unknown; there are auto, cpu"):
        choose_device(name)


def test_gpus_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    monkeypatch.setattr(devices, "gpu_driver_is_here", lambda: True)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert [choose_device(name) for name in ("auto", "cpu", "cuda", "cuda:1")] == ["cuda", "cpu", "cuda", "cuda:1"]
    assert choose_device("auto", local_rank=1) == "cuda:1"
    with pytest.raises(InputError, match="device 'cuda:2': torch finds 2 GPUs here"):
        choose_device("cuda:2")


def test_importing_it_imports_neither_torch_nor_openvino() -> None:
    code = "import sys, common.devices, common.versions; sys.exit('torch' in sys.modules or 'openvino' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
