"""PVEN's size, the features of its parts, and its vectors."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch
from torch.nn import functional as F

from common.errors import InputError
from reid.architectures.pven import Pven, part_features
from reid.export import export_model
from reid.extractor import Extractor
from reid.models import ReidModel, normalise
from reid.parts.distance import part_visibility
from reid.settings import ModelConfig, ParserConfig
from reid.train import read_settings
from reid.training.losses import batch_hard_triplet, batch_hard_triplet_of

SMALL = ModelConfig(
    architecture="pven",
    backbone="resnet18_ibn_quarter",
    image_size=(32, 32),
    mean=(0.5, 0.5, 0.5),
    std=(0.5, 0.5, 0.5),
    parser=ParserConfig(encoder="mobilenetv3_small_050", decoder=(8, 8, 8, 8, 8)),
)


def small() -> ReidModel:
    torch.manual_seed(0)
    model = ReidModel(SMALL)
    body = model.backbone
    assert isinstance(body, Pven)
    torch.nn.init.normal_(body.parser.head.weight, std=3.0)  # masks of some pixels each
    return model


def test_the_recipe_has_the_sizes_of_table_5(repository: Path) -> None:
    with torch.device("meta"):
        model = ReidModel(read_settings(repository / "configs/reid/veri_pven.yaml").model)
    count = sum(p.numel() for p in model.parameters())
    assert count == 58_053_061
    assert count + 2048 * 576 == 59_232_709  # the paper counts one classifier of VeRi
    body = model.backbone
    assert isinstance(body, Pven)
    assert count - sum(p.numel() for p in body.parser.parameters()) == 23_528_512
    assert model.dims == 10_240


def test_part_features_are_sums_over_their_masks() -> None:
    maps = torch.randn(1, 3, 2, 2)
    masks = torch.zeros(1, 4, 2, 2)
    masks[0, 0, 0, 0] = masks[0, 0, 1, 1] = masks[0, 2, 0, 1] = 1
    local, visibility = part_features(maps, masks)
    assert visibility.tolist() == [[3.0, 1.0, 2.0, 1.0]]
    for channel in range(3):
        x = maps[0, channel]
        assert float(local[0, 0, channel]) == pytest.approx(float(x[0, 0] + x[1, 1]) / 3)
        assert float(local[0, 2, channel]) == pytest.approx(float(x[0, 1]) / 2)
        assert float(local[0, 1, channel]) == 0.0


def test_vectors_are_made_of_the_whole_and_the_parts() -> None:
    model = small().train()
    body = model.backbone
    assert isinstance(body, Pven)
    masks = torch.tensor([[[[1, 0], [0, 0]], [[0, 1], [0, 0]], [[0, 0], [1, 1]], [[0, 0], [0, 0]]]] * 4).float()
    masks[2:, 3, 0, 0] = 1
    body.parser.masks = lambda images, size: masks  # type: ignore[method-assign]
    images = torch.randn(4, 3, 32, 32)
    with torch.no_grad():
        model(images)  # for the statistics of the batch norms
        model.eval()
        vector = model.embed(images)
        maps = body.network(images)
        local, seen = part_features(maps, masks)
        mean, variance = body.part_neck.running_mean, body.part_neck.running_var
        normed = F.batch_norm(local.flatten(1), mean, variance).unflatten(1, (4, -1))
        whole = F.batch_norm(maps.mean(dim=(2, 3)), model.bottleneck.running_mean, model.bottleneck.running_var)
    dims = body.network.dims
    torch.testing.assert_close(part_visibility(vector[:, dims:]), seen / seen.sum(1, keepdim=True))
    share = (seen / seen.sum(1, keepdim=True)).sqrt()[:, :, None]
    parts = F.normalize(normed, dim=2) * share * 0.5**0.5
    torch.testing.assert_close(vector[:, dims:], parts.flatten(1), rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(vector[:, :dims], F.normalize(whole, dim=1), rtol=1e-4, atol=1e-5)


def test_the_parser_sees_images_normalised_as_it_was_trained() -> None:
    body = Pven(SMALL)
    image = torch.full((1, 3, 1, 1), 0.8)
    shown = body._parser_scale * (image - 0.5) / 0.5 + body._parser_offset
    expected = (image.flatten() - torch.tensor([0.485, 0.456, 0.406])) / torch.tensor([0.229, 0.224, 0.225])
    torch.testing.assert_close(shown.flatten(), expected)


def test_the_parser_is_not_trained() -> None:
    model = small().train()
    model(torch.randn(2, 3, 32, 32)).sum().backward()
    body = model.backbone
    assert isinstance(body, Pven)
    assert not body.parser.training
    assert all(p.grad is None for p in body.parser.parameters())
    assert body.network.conv1.weight.grad is not None


def test_triplets_of_given_distances_equal_those_of_features() -> None:
    random = torch.Generator().manual_seed(0)
    features, labels = torch.randn(8, 5, generator=random), torch.tensor([0, 0, 1, 1, 2, 2, 2, 3])
    for margin in (None, 0.3):
        found = batch_hard_triplet_of(torch.cdist(features, features), labels, margin)
        torch.testing.assert_close(found, batch_hard_triplet(features, labels, margin))
    assert float(batch_hard_triplet_of(torch.zeros(2, 2), torch.tensor([0, 0]))) == 0.0


def test_exports_hold_vectors_and_visibilities(tmp_path: Path) -> None:
    model = small()
    model.train()(torch.randn(4, 3, 32, 32))
    path = tmp_path / "pven.onnx"
    assert export_model(model, path, "onnx") > 0.9999
    images = np.random.default_rng(0).integers(0, 256, (3, 3, 32, 32), np.uint8)
    vectors, visibility = onnxruntime.InferenceSession(str(path)).run(["embedding", "visibility"], {"images": images})
    with torch.no_grad():
        expected = model.embed(normalise(torch.from_numpy(images), model.config))
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1.0, rtol=1e-4)
    np.testing.assert_allclose(visibility, part_visibility(expected[:, model.branches[0].dims :]), atol=1e-4)
    extractor = Extractor.load(path)
    assert extractor.distance == "common_visible"
    assert extractor.notes == Extractor.check(path)
    assert "the cosine of its vectors approximates" in extractor.notes[0]
    np.testing.assert_allclose(extractor.embed_prepared(images), vectors, atol=0.02)


def test_generalised_mean_pooling_is_refused() -> None:
    with pytest.raises(InputError, match="pven averages"):
        ReidModel(SMALL.model_copy(update={"pooling": "gem"}))
