import pytest
import torch

from common.errors import InputError
from reid.models import ReidModel
from reid.settings import ModelConfig, MultiBranchConfig


def make_model(**options: object) -> ReidModel:
    return ReidModel(
        ModelConfig(
            architecture="multibranch",
            backbone="resnet18_ibn_quarter",
            image_size=(32, 32),
            multibranch=MultiBranchConfig(**options),  # type: ignore[arg-type]
        )
    ).eval()


def test_each_branch_has_a_last_stage_of_its_own() -> None:
    model = make_model(branches=3)
    body = model.backbone
    images = torch.randn(2, 3, 32, 32)
    with torch.no_grad():
        whole = body.network(images).mean(dim=(2, 3))
        found = model(images)
        torch.testing.assert_close(found, whole.repeat(1, 3))  # copies are equal at the start
        for parameter in body.copies[1].parameters():
            parameter.mul_(2)
        changed = model(images)
    assert torch.equal(changed[:, :256], found[:, :256])
    assert not torch.equal(changed[:, 256:], found[:, 256:])


def test_losses_take_turns() -> None:
    weights = [(b.name, b.classification, b.triplet) for b in make_model(branches=4).branches]
    assert weights == [("a", 0.5, 0.0), ("b", 0.0, 0.5), ("c", 0.5, 0.0), ("d", 0.0, 0.5)]
    both = [(b.classification, b.triplet) for b in make_model(branches=2, split_losses=False).branches]
    assert both == [(0.5, 0.5), (0.5, 0.5)]


def test_other_backbones_are_refused() -> None:
    with pytest.raises(InputError, match="multibranch is built around a ResNet"):
        ReidModel(ModelConfig(architecture="multibranch", backbone="test_vit"))
