import pytest
import torch
from pytorch_metric_learning.distances import LpDistance
from pytorch_metric_learning.losses import TripletMarginLoss
from pytorch_metric_learning.miners import BatchHardMiner

from reid.training.losses import batch_hard_triplet


@pytest.mark.parametrize("seed", range(3))
def test_agrees_with_pytorch_metric_learning(seed: int) -> None:
    random = torch.Generator().manual_seed(seed)
    features = torch.randn(24, 16, generator=random).requires_grad_()
    labels = torch.arange(6).repeat_interleave(4)
    distance = LpDistance(normalize_embeddings=False)
    # Their "smooth" loss with margin 0 is log(1 + exp(positive - negative)).
    theirs = TripletMarginLoss(margin=0.0, smooth_loss=True, distance=distance, reducer=_Mean())
    expected = theirs(features, labels, BatchHardMiner(distance=distance)(features, labels))
    ours = batch_hard_triplet(features, labels)
    torch.testing.assert_close(ours, expected)
    gradients = [torch.autograd.grad(loss, features, retain_graph=True)[0] for loss in (ours, expected)]
    torch.testing.assert_close(gradients[0], gradients[1], rtol=1e-4, atol=1e-6)


def test_does_not_depend_on_the_order_of_the_batch() -> None:
    features, labels = torch.randn(12, 8), torch.arange(4).repeat(3)
    order = torch.randperm(12)
    torch.testing.assert_close(batch_hard_triplet(features, labels), batch_hard_triplet(features[order], labels[order]))


def test_anchors_without_positive_or_negative_are_left_out() -> None:
    features = torch.randn(5, 4)
    pairs = batch_hard_triplet(features[:4], torch.tensor([0, 0, 1, 1]))
    alone = batch_hard_triplet(features, torch.tensor([0, 0, 1, 1, 2]))
    assert torch.isfinite(alone)
    assert alone >= pairs  # the fifth image is a further negative, never an anchor
    lonely = features.clone().requires_grad_()
    loss = batch_hard_triplet(lonely, torch.arange(5))
    loss.backward()
    assert loss == 0
    assert lonely.grad is not None
    assert not lonely.grad.any()


def test_equal_features_have_a_finite_gradient() -> None:
    features = torch.ones(4, 3, requires_grad=True)
    loss = batch_hard_triplet(features, torch.tensor([0, 0, 1, 1]))
    loss.backward()
    torch.testing.assert_close(loss, torch.tensor(2.0).log())
    assert features.grad is not None
    assert features.grad.isfinite().all()


def test_distances_stay_exact_under_autocast() -> None:
    features, labels = torch.randn(16, 64) + 30, torch.arange(4).repeat(4)
    with torch.autocast("cpu", torch.bfloat16):
        under = batch_hard_triplet(features, labels)
    assert under.dtype == torch.float32
    torch.testing.assert_close(under, batch_hard_triplet(features, labels), rtol=0, atol=0)


class _Mean(torch.nn.Module):
    """A mean over triplets; the package's own leaves zero losses out."""

    def forward(self, losses: dict, *others: object) -> torch.Tensor:
        return losses["loss"]["losses"].mean()


def test_fixed_margin() -> None:
    features, labels = torch.randn(8, 5), torch.arange(8) // 2
    distances = torch.cdist(features, features)
    same = labels[:, None] == labels[None]
    furthest = (distances * same).amax(dim=1)
    nearest = distances.masked_fill(same, torch.inf).amin(dim=1)
    expected = (furthest - nearest + 0.3).clamp(min=0).mean()
    torch.testing.assert_close(batch_hard_triplet(features, labels, 0.3), expected)
    apart = torch.eye(4).repeat_interleave(2, dim=0) * 10
    assert batch_hard_triplet(apart, labels, 0.3) == 0
