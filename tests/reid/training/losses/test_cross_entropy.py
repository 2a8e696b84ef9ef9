import torch
from timm.loss import LabelSmoothingCrossEntropy

from reid.training.losses import smoothed_cross_entropy


def test_agrees_with_timm() -> None:
    logits, labels = torch.randn(10, 7), torch.randint(0, 7, (10,))
    torch.testing.assert_close(
        smoothed_cross_entropy(logits, labels, 0.2), LabelSmoothingCrossEntropy(smoothing=0.2)(logits, labels)
    )


def test_target_is_that_of_equation_2() -> None:
    k, smoothing = 5, 0.2
    logits, label = torch.randn(1, k), torch.tensor([3])
    target = torch.full((k,), smoothing / k)
    target[3] = 1 - (k - 1) / k * smoothing
    expected = -(target * logits[0].log_softmax(dim=0)).sum()
    torch.testing.assert_close(smoothed_cross_entropy(logits, label, smoothing), expected)
