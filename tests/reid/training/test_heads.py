import pytest
import torch

from reid.training.heads import IdentityClassifier, SelfDistillationHead


@pytest.mark.parametrize("batch_norm", [True, False])
def test_logits_are_cosines(batch_norm: bool) -> None:
    head = SelfDistillationHead(8, (16, 16, 6), 40, batch_norm)
    logits = head(torch.randn(5, 8) * 50)
    assert logits.shape == (5, 40)
    assert logits.abs().max() <= 1 + 1e-6
    with torch.no_grad():
        before = head.eval()(torch.ones(1, 8))
        head.prototypes.mul_(3)  # the gain is fixed: only directions count
        torch.testing.assert_close(head(torch.ones(1, 8)), before)


def test_hidden_layers_are_as_many_as_asked() -> None:
    paper = SelfDistillationHead(4, (2048, 2048, 2048, 256), 16)
    assert [m.out_features for m in paper.mlp if isinstance(m, torch.nn.Linear)] == [2048, 2048, 2048, 256]
    assert sum(isinstance(m, torch.nn.GELU) for m in paper.mlp) == 3
    assert not any(isinstance(m, torch.nn.BatchNorm1d) for m in paper.mlp)


def test_logits_and_classes_stay_float32_under_autocast() -> None:
    head, classifier = SelfDistillationHead(8, (16, 6), 40), IdentityClassifier(8, 5)
    with torch.autocast("cpu", torch.bfloat16):
        assert head(torch.randn(2, 8)).dtype == torch.float32
        assert classifier(torch.randn(2, 8).bfloat16()).dtype == torch.float32


def test_classifier_bias_is_a_choice() -> None:
    assert IdentityClassifier(4, 3).bias is not None
    assert IdentityClassifier(4, 3, bias=False).bias is None
