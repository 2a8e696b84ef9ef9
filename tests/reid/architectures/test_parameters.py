"""The sizes of Table 5, on the meta device: nothing is computed and nothing takes memory."""

import pytest
import torch

from common.errors import InputError
from reid.architectures import Body
from reid.models import ReidModel
from reid.settings import GfdiaConfig, ModelConfig, TransReidConfig

VERI = 576  # training identities


def counts(config: ModelConfig) -> tuple[int, int]:
    """Length of the vector, and parameters of the deployed network."""
    with torch.device("meta"):
        model = ReidModel(config)
    return model.dims, sum(p.numel() for p in model.parameters())


def test_transreid() -> None:
    labels = TransReidConfig(cameras=20, viewpoints=8)
    config = ModelConfig(architecture="transreid", backbone="vit_base", transreid=labels)
    assert counts(config) == (3840, 93_206_784)
    with torch.device("meta"):
        model = ReidModel(config)
    assert isinstance(model.backbone, Body)
    assert model.backbone.paper_parameters(93_206_784, VERI) == 101_065_192  # the authors' module: parts never run
    # stride 16 and no labels: fewer positions, no table of embeddings
    plain = config.model_copy(update={"transreid": TransReidConfig(stride=16)})
    assert counts(plain) == (3840, 93_206_784 - 160 * 768 - (441 - 256) * 768)


def test_gfdia() -> None:
    config = ModelConfig(architecture="gfdia", backbone="resnet50")
    assert counts(config) == (4096, 56_755_840)
    shared = config.model_copy(update={"gfdia": GfdiaConfig(shared_stages=True)})
    assert counts(shared) == (4096, 34_692_736)
    with torch.device("meta"):
        model = ReidModel(config)
    assert isinstance(model.backbone, Body)
    assert model.backbone.paper_parameters(56_755_840, VERI) == 34_692_736
    auxiliary = model.backbone.make_auxiliary()
    assert auxiliary is not None
    assert sum(p.numel() for p in auxiliary.parameters()) == 9_969_665  # trains with it, is not deployed


def test_hrcn() -> None:
    config = ModelConfig(architecture="hrcn", backbone="resnet50_ibn")
    assert counts(config) == (3584, 53_342_084)
    with torch.device("meta"):
        body = ReidModel(config).backbone
    assert body.paper_parameters(53_342_084, VERI) == 55_406_468  # with VeRi's classifier
    parts = {
        "nodes": 8_273_664 + 2 * 3 * (256 + 512 + 1024),  # convolutions, and the norms after pooling
        "regions": 10_501_120 + 2 * 5 * 1024,
        "between": 2_494_976,
        "network": 23_508_032,
    }
    for name, count in parts.items():
        assert sum(p.numel() for p in getattr(body, name).parameters()) == count, name
    graphs = [*body.graphs, body.region_graph]
    assert sum(p.numel() for graph in graphs for p in (*graph.weights, *graph.biases)) == 4_849_664 + 5_632
    assert sum(p.numel() for output in (*body.level_output, *body.region_output) for p in output.parameters()) == (
        3_680_768
    )


@pytest.mark.parametrize(("architecture", "backbone"), [("hrcn", "resnet18"), ("transreid", "test_vit")])
def test_other_poolings_are_refused(architecture: str, backbone: str) -> None:
    content = {"architecture": architecture, "backbone": backbone, "pooling": "gem"}
    with pytest.raises(InputError, match=r"model\.pooling: .* does not pool by gem; set it to avg"):
        ReidModel(ModelConfig.model_validate(content))


@pytest.mark.parametrize("backbone", ["resnet50", "resnet50_ibn"])
def test_ssbver_counts_the_trunk_alone(backbone: str) -> None:
    dims, parameters = counts(ModelConfig(backbone=backbone))
    assert (dims, parameters - 2 * dims) == (2048, 23_508_032)
