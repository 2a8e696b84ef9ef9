import torch

from reid.training.losses import CenterLoss


def test_loss_and_centres_follow_the_gradient() -> None:
    torch.manual_seed(0)
    module = CenterLoss(3, 4, learning_rate=0.25)
    features, labels = torch.randn(5, 4, requires_grad=True), torch.tensor([0, 1, 1, 0, 1])
    before = module.centers.clone().requires_grad_()
    expected = sum((features[i] - before[label]) @ (features[i] - before[label]) for i, label in enumerate(labels)) / 5
    expected.backward()
    gradient, features.grad = features.grad, None
    loss = module(features, labels)
    loss.backward()
    torch.testing.assert_close(loss, expected)
    torch.testing.assert_close(features.grad, gradient)
    torch.testing.assert_close(module.centers, before.detach() - 0.25 * before.grad)
    assert torch.equal(module.centers[2], before[2])  # a class that the batch lacks
