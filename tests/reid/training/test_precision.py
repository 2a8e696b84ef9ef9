import pytest
import torch

from reid.backbones import build_backbone
from reid.settings import ModelConfig
from reid.training import precision
from reid.training.precision import training_precision

CPU = torch.device("cpu")


@pytest.mark.parametrize(
    ("native", "backbone", "expected"),
    [
        (True, "resnet18_ibn_quarter", "bfloat16"),
        (True, "test_efficientnet", "float32"),  # depthwise convolutions
        (False, "resnet18_ibn_quarter", "float32"),
    ],
)
def test_auto_on_the_cpu_depends_on_processor_and_network(
    monkeypatch: pytest.MonkeyPatch, native: bool, backbone: str, expected: str
) -> None:
    monkeypatch.setattr(precision, "fastest_cpu_precision", lambda: "bfloat16" if native else "float32")
    network = build_backbone(ModelConfig(backbone=backbone, image_size=(32, 32)))
    assert training_precision("auto", network, CPU) == expected
    assert training_precision("bfloat16", network, CPU) == "bfloat16"
    assert training_precision("float32", network, CPU) == "float32"
