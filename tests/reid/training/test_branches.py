"""Several branches with losses of their own, and the options around them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.nn import functional as F

from common.errors import InputError
from reid.branches import Branch, with_weights
from reid.datasets import ImageTable
from reid.settings import BranchLoss, TrainSettings
from reid.training.losses import batch_hard_triplet, smoothed_cross_entropy
from reid.training.objective import StudentOutput
from reid.training.trainer import Trainer

GFDIA = {
    "architecture": "gfdia",
    "backbone": "resnet18_ibn_quarter",
    "image_size": [32, 32],
    "gfdia": {"interest_backbone": "resnet18_ibn_quarter"},
}


@pytest.fixture
def trainer(
    tmp_path: Path,
    write_images: Callable[..., ImageTable],
    tiny_settings: Callable[..., TrainSettings],
    make_trainer: Callable[..., Trainer],
) -> Callable[..., Trainer]:
    """`trainer(loss={...}, ...)`: a run of GFDIA, two branches and an auxiliary loss."""

    def make(**changes: Any) -> Trainer:
        return make_trainer(write_images(tmp_path / "images"), tiny_settings(ssbver=False, model=GFDIA, **changes))

    return make


def test_the_losses_are_summed_with_the_weights_of_the_branches(trainer: Callable[..., Trainer]) -> None:
    weights = {"geometric": {"classification": 0.25, "center": 0}, "global": {"triplet": 3.0, "center": 2.0}}
    loss = {"branches": weights, "triplet_margin": 0.4, "center": 0.01, "auxiliary": 0.5, "smoothing_over": "others"}
    run = trainer(loss={"self_supervision": 0, **loss})
    seen: list[StudentOutput] = []
    run.student.register_forward_hook(lambda module, inputs, output: seen.append(output))
    centers = run.objective.centers["global"].centers.clone()
    losses, _ = run.train_step(run.maker[0])
    (output,) = seen
    labels = run.maker[0].labels.repeat(2)
    geometric, whole = output.features.detach().split(128, dim=1)
    entropies = []
    for name in ("geometric", "global"):
        logs = F.log_softmax(output.classes[name].detach(), dim=1)
        targets = torch.full_like(logs, 0.2 / 5)
        targets[range(len(labels)), labels] = 0.8
        entropies.append(-(targets * logs).sum(dim=1).mean())
    classification = 0.25 * entropies[0] + 0.5 * entropies[1]
    triplet = 0.5 * batch_hard_triplet(geometric, labels, 0.4) + 3.0 * batch_hard_triplet(whole, labels, 0.4)
    center = 2.0 * ((whole - centers[labels]) ** 2).sum(dim=1).mean()
    assert output.auxiliary is not None
    torch.testing.assert_close(losses.classification, classification)
    torch.testing.assert_close(losses.triplet, triplet)
    torch.testing.assert_close(losses.center, center)
    total = classification + triplet + 0.01 * center + 0.5 * output.auxiliary.detach()
    torch.testing.assert_close(losses.total.detach(), total)
    assert set(run.objective.centers) == {"global"}


def test_a_branch_without_cross_entropy_has_no_classifier(trainer: Callable[..., Trainer]) -> None:
    run = trainer(loss={"self_supervision": 0, "branches": {"geometric": {"classification": 0}}})
    assert list(run.student.classifier) == ["global"]  # type: ignore[arg-type]
    run.train_step(run.maker[0])
    with pytest.raises(InputError, match=r"loss\.branches: no branch 'glbal'; did you mean global"):
        with_weights([Branch("global", 4)], {"glbal": BranchLoss(triplet=1.0)})


def test_self_supervision_sees_the_features_of_all_branches(
    tmp_path: Path,
    write_images: Callable[..., ImageTable],
    tiny_settings: Callable[..., TrainSettings],
    make_trainer: Callable[..., Trainer],
) -> None:
    run = make_trainer(write_images(tmp_path / "images"), tiny_settings(model=GFDIA))
    losses, _ = run.train_step(run.maker[0])
    assert losses.self_supervision > 0
    assert run.student.encoder.projection is not None
    assert run.student.encoder.projection.mlp[0].in_features == 256


def test_one_view_is_the_first_of_two(trainer: Callable[..., Trainer]) -> None:
    one, two = (trainer(views={"local": 0, "pad": 2, "global_views": n}).maker[0] for n in (1, 2))
    assert len(two.global_views) == 2 * len(one.global_views)
    assert torch.equal(one.global_views, two.global_views[: len(one.global_views)])


def test_self_supervision_needs_two_views(tiny_settings: Callable[..., TrainSettings]) -> None:
    with pytest.raises(InputError, match=r"views\.global_views must be 2 with self-supervision"):
        tiny_settings(ssbver=True, views={"global_views": 1})


def test_the_backbone_is_frozen_at_the_start(trainer: Callable[..., Trainer]) -> None:
    """Neither its weights nor its statistics change; the neck and the classifiers learn."""
    optimiser = {"name": "sgd", "frozen_epochs": 0.5, "warmup_epochs": 0, "weight_decay": 0.1}
    run = trainer(optimiser=optimiser, teacher={"momentum": 0})
    before = {name: value.clone() for name, value in run.student.state_dict().items()}
    for number in range(2):
        run.train_step(run.maker[number])
    after = run.student.state_dict()
    for name, value in before.items():
        trained = not name.startswith("encoder.model.backbone.")
        assert torch.equal(value, after[name]) or trained, name
    assert not torch.equal(before["classifier.global.weight"], after["classifier.global.weight"])
    run.train_step(run.maker[2])
    name = "encoder.model.backbone.network.conv1.weight"
    assert not torch.equal(before[name], run.student.state_dict()[name])
    for averaged, own in zip(run.teacher.parameters(), run.student.encoder.parameters(), strict=True):
        assert torch.equal(averaged, own)  # momentum 0: the network itself


def test_biases_have_a_rate_of_their_own(trainer: Callable[..., Trainer]) -> None:
    run = trainer(optimiser={"bias_factor": 2.0, "warmup_epochs": 0})
    run.train_step(run.maker[0])
    rates = {id(p): group["lr"] for group in run.optimiser.param_groups for p in group["params"]}
    for name, parameter in run.student.named_parameters():
        if parameter.requires_grad:
            assert rates[id(parameter)] == (1e-3 if name.endswith("bias") else 5e-4), name


def test_layers_further_down_learn_more_slowly(
    tmp_path: Path,
    write_images: Callable[..., ImageTable],
    tiny_settings: Callable[..., TrainSettings],
    make_trainer: Callable[..., Trainer],
) -> None:
    from timm.optim import param_groups_layer_decay

    model = {"backbone": "test_vit", "image_size": [64, 64]}
    views = {"local": 0, "local_size": [64, 64]}
    settings = tiny_settings(ssbver=False, model=model, views=views, optimiser={"layer_decay": 0.5, "name": "adamw"})
    run = make_trainer(write_images(tmp_path / "images"), settings)
    found = {id(p): group["scale"] for group in run.optimiser.param_groups for p in group["params"]}
    network = run.student.encoder.model.backbone.network
    for group in param_groups_layer_decay(network, layer_decay=0.5):
        for parameter in group["params"]:
            assert found[id(parameter)] == group["lr_scale"]
    assert found[id(run.student.classifier.weight)] == 1.0
    wrong = tiny_settings(ssbver=False, optimiser={"layer_decay": 0.5})
    with pytest.raises(InputError, match=r"optimiser\.layer_decay: only for networks of timm"):
        make_trainer(write_images(tmp_path / "others"), wrong)


def test_smoothing_over_the_other_classes() -> None:
    logits, labels = torch.randn(4, 7), torch.tensor([0, 3, 6, 3])
    targets = torch.full((4, 7), 0.1 / 6)
    targets[range(4), labels] = 0.9
    expected = -(targets * F.log_softmax(logits, dim=1)).sum(dim=1).mean()
    torch.testing.assert_close(smoothed_cross_entropy(logits, labels, 0.1, "others"), expected)
