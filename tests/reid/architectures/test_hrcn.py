import numpy as np
import pytest
import torch

from common.errors import InputError
from reid.architectures.hrcn import Hrcn, RelationGraph, concentric_discs, relation_matrix
from reid.models import ReidModel
from reid.settings import ModelConfig


def matrix(x: np.ndarray) -> np.ndarray:
    """The adjacency of one set of nodes, entry by entry."""
    nodes, width = x.shape
    edges = np.zeros((nodes, nodes))
    for i in range(nodes):
        for j in range(nodes):
            weight = sum(x[i, k] * x[j, k] for k in range(width)) / width
            edges[i, j] = weight if weight > 0.001 else 0.0
        if edges[i].sum():
            edges[i] /= edges[i].sum()
        edges[i, i] += 1.0
    degree = edges.sum(axis=1)
    return edges / np.sqrt(degree[:, None] * degree[None, :])


def make_nodes() -> torch.Tensor:
    x = torch.rand(3, 4, 6, generator=torch.Generator().manual_seed(0), dtype=torch.float64).relu()
    x[0, 2] = 0.0  # a node without any edge
    x[1, 1] *= 1e-3  # edges below the limit
    return x


def test_relations() -> None:
    x = make_nodes()
    found = relation_matrix(x.float())
    np.testing.assert_allclose(found.numpy(), np.stack([matrix(sample.numpy()) for sample in x]), rtol=1e-5)


def test_graph() -> None:
    torch.manual_seed(0)
    graph = RelationGraph(4, 6).eval()
    x = make_nodes()
    with torch.no_grad():
        for norm in graph.norms:
            norm.running_mean.uniform_()
            norm.weight.uniform_()
        for bias in graph.biases:
            bias.normal_()
        found = graph(x.float())
    for sample, result in zip(x.numpy(), found.numpy(), strict=True):
        relations, state = matrix(sample), sample
        for weight, bias, norm in zip(graph.weights, graph.biases, graph.norms, strict=True):
            update = relations @ state @ weight.detach().numpy() + bias.detach().numpy()
            values = [t.detach().numpy()[:, None] for t in (norm.running_mean, norm.running_var, norm.weight)]
            update = (update - values[0]) / np.sqrt(values[1] + 1e-5) * values[2] + norm.bias.detach().numpy()[:, None]
            state = state + np.maximum(update, 0.0)  # edges stay those of the first state
        np.testing.assert_allclose(result, state, rtol=1e-4, atol=1e-6)


def test_discs_grow_from_the_centre() -> None:
    discs = concentric_discs(16, 16, 4, torch.device("cpu"))
    for number, disc in enumerate(discs, start=1):
        radius = number / 4 * 8
        for row in range(16):
            for column in range(16):
                inside = (row - 7.5) ** 2 + (column - 7.5) ** 2 <= radius**2
                assert disc[row, column] == inside
    assert (concentric_discs(8, 16, 4, torch.device("cpu"))[3].sum(dim=0) > 0).sum() == 8  # half of the shorter side


def test_nodes_come_from_the_last_three_blocks_of_each_stage_and_from_the_regions() -> None:
    with torch.device("meta"):
        body = ReidModel(ModelConfig(architecture="hrcn", backbone="resnet50_ibn")).backbone
        assert isinstance(body, Hrcn)
        maps = body._block_maps(torch.empty(2, 3, 256, 256))
    assert [[tuple(x.shape[1:]) for x in stage] for stage in maps] == [
        [(512, 32, 32)] * 3,
        [(1024, 16, 16)] * 3,
        [(2048, 16, 16)] * 3,
    ]
    assert [graph.norms[0].num_features for graph in body.graphs] == [3, 4, 4]
    assert body.region_graph.norms[0].num_features == 6
    assert [output.width for output in body.level_output] == [512, 256, 256, 512]
    assert [output.width for output in body.region_output] == [256] * 4 + [512] * 2


def test_regions_are_masked_maps() -> None:
    """The features of the discs depend on the pixels of the map inside them alone."""
    torch.manual_seed(0)
    body = ReidModel(ModelConfig(architecture="hrcn", backbone="resnet18_ibn_quarter", image_size=(64, 64))).backbone
    assert isinstance(body, Hrcn)
    body.eval()
    seen: dict[int, torch.Tensor] = {}
    for number, region in enumerate(body.regions):
        region.register_forward_pre_hook(lambda module, inputs, number=number: seen.update({number: inputs[0]}))
    images = torch.randn(1, 3, 64, 64)
    with torch.no_grad():
        body(images)
        last = body.network(images)
    discs = concentric_discs(4, 4, 4, torch.device("cpu"))
    for number in range(4):
        torch.testing.assert_close(seen[number], last * discs[number])
    torch.testing.assert_close(seen[4], last)


def test_other_backbones_are_refused() -> None:
    with pytest.raises(InputError, match=r"model\.backbone: hrcn is built around a ResNet"):
        ReidModel(ModelConfig(architecture="hrcn", backbone="vit_base"))
