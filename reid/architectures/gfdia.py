"""GFDIA: a global branch, and a branch on what a second network, trained by self-supervision, attends to.

M. Li, X. Huang, Z. Zhang, "Self-supervised Geometric Features Discovery via Interpretable Attention for Vehicle
Re-Identification and Beyond", ICCV 2021 (arXiv 2010.09221).
"""

from __future__ import annotations

import copy

import torch
from torch import nn
from torch.nn import functional as F

from common.errors import InputError
from reid.architectures.body import Body, require_average_pooling, require_square, without_autocast
from reid.architectures.trunk import load_resnet
from reid.backbones.resnet import RESNETS, ResidualBlock, ResNet, initialise
from reid.branches import Branch, ImageLabels
from reid.settings import ModelConfig

WINDOW = 7
"""Side of the neighbourhood in which a response is compared with others, in pixels of the map."""
_FLOOR = 1e-12
# The stages 3 and 4 of the second network keep its map at an eighth of the image, as the attention needs.
_INTEREST_STRIDES = (1, 2, 1, 1)
_TURNS = 4
_FIRST_SCALE = 10.0


class Gfdia(Body):
    """Geometric and global features of GFDIA, in this order.

    Args:
        config: `backbone` is a ResNet of this project (the paper: `resnet50`); `gfdia` has the other choices.

    Raises:
        InputError: a backbone is no such ResNet, or the images are not square.
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        require_average_pooling(config, "gfdia")
        for key, name in (("backbone", config.backbone), ("gfdia.interest_backbone", config.gfdia.interest_backbone)):
            if name not in RESNETS:
                raise InputError(f"model.{key}: gfdia needs a ResNet ({', '.join(RESNETS)}), not {name}")
        require_square(config.image_size, "gfdia, which turns images by 90 degrees,")
        self.name, self.interest_name = config.backbone, config.gfdia.interest_backbone
        shape = RESNETS[config.backbone]
        self.network = ResNet(shape, config.last_stride)
        self.geometric = (
            None if config.gfdia.shared_stages else nn.Sequential(*map(copy.deepcopy, self._upper_stages()))
        )
        self.interest = ResNet(RESNETS[self.interest_name], strides=_INTEREST_STRIDES)
        self.branches = (Branch("geometric", shape.dims, 0.5, 0.5), Branch("global", shape.dims, 0.5, 0.5))

    @property
    def trunk(self) -> nn.Module:
        """Everything: all of it is pretrained."""
        return self

    def load_trunk(self, source: str) -> None:
        main, _, interest = source.partition(",")
        if source != "imagenet" and not interest:
            raise InputError(
                f"pretrained: {source}: gfdia has two networks; give the files of {self.name} and "
                f"{self.interest_name}, separated by a comma, or a checkpoint of gfdia"
            )
        load_resnet(self.network, self.name, main)
        load_resnet(self.interest, self.interest_name, interest or main)
        if self.geometric is not None:
            for own, pretrained in zip(self.geometric, self._upper_stages(), strict=True):
                own.load_state_dict(pretrained.state_dict())

    def paper_parameters(self, deployed: int, identities: int) -> int:
        """With stages 3 and 4 shared, whether they are or not."""
        return deployed - sum(p.numel() for p in self.geometric.parameters()) if self.geometric else deployed

    def make_auxiliary(self) -> nn.Module:
        return RotationLoss(RESNETS[self.interest_name].dims)

    def forward(self, images: torch.Tensor, labels: ImageLabels | None = None) -> torch.Tensor:
        network = self.network
        shallow = network.layer1(network.maxpool(network.relu(network.bn1(network.conv1(images)))))
        shallow = network.layer2(shallow)
        attention = interpretable_attention(self.interest(images))
        geometric = shallow * attention.to(shallow.dtype)
        for stage in self.geometric or self._upper_stages():
            geometric = stage(geometric)
        whole = network.layer4(network.layer3(shallow))
        return torch.cat((geometric.mean(dim=(2, 3)), whole.mean(dim=(2, 3))), dim=1)

    def _upper_stages(self) -> tuple[nn.Module, nn.Module]:
        return self.network.layer3, self.network.layer4


def interpretable_attention(responses: torch.Tensor) -> torch.Tensor:
    """Soft detection of distinctive places in a feature map, without parameters.

    After M. Dusmanu et al., "D2-Net", CVPR 2019: alpha_c(p) = exp(b_c(p)/M) / sum over the window of exp(b_c/M), with M
    the image's largest response and exp(b_c/M) = 1 outside the map; beta_c(p) = b_c(p) / max_c b_c(p); the attention is
    max_c alpha_c beta_c, divided by its sum over the map.

    Args:
        responses: (n, c, h, w), before the ReLU that makes them b.

    Returns:
        (n, 1, h, w) float32, which sums to 1 for each image.
    """
    with without_autocast(responses.device):
        b = F.relu(responses.float())
        largest = b.amax(dim=(1, 2, 3), keepdim=True).clamp(min=_FLOOR)
        exponential = (b / largest).exp()
        margin = WINDOW // 2
        padded = F.pad(exponential, (margin,) * 4, value=1.0)
        alpha = exponential / (F.avg_pool2d(padded, WINDOW, stride=1) * WINDOW**2)
        beta = b / b.amax(dim=1, keepdim=True).clamp(min=_FLOOR)
        score = (alpha * beta).amax(dim=1, keepdim=True)
        return score / score.sum(dim=(2, 3), keepdim=True).clamp(min=_FLOOR)


class RotationLoss(nn.Module):
    """Cross entropy of guessing by which multiple of 90 degrees an image was turned; trains the second network.

    S. Gidaris et al., "Unsupervised Representation Learning by Predicting Image Rotations", ICLR 2018. Two more
    residual blocks of stride 2, average pooling, and a cosine classifier with a learned scale.

    Args:
        dims: channels of the second network's map.
    """

    def __init__(self, dims: int) -> None:
        super().__init__()
        self.blocks = nn.Sequential(*(ResidualBlock(dims, dims, 2, bottleneck=False, ibn=False) for _ in range(2)))
        self.weight = nn.Parameter(torch.empty(_TURNS, dims))
        self.scale = nn.Parameter(torch.tensor(_FIRST_SCALE))
        initialise(self.blocks.modules())
        nn.init.normal_(self.weight, std=0.01)

    def forward(self, model: nn.Module, images: torch.Tensor, progress: float = 0.0) -> torch.Tensor:
        """Turn each image by a random multiple of 90 degrees and compute the loss.

        Args:
            model: the `ReidModel` whose body is a `Gfdia`.
            images: (n, 3, h, h), normalised.
            progress: not used.
        """
        turns = torch.randint(_TURNS, (len(images),), device=images.device)
        turned = images
        for turn in range(1, _TURNS):
            chosen = (turns == turn)[:, None, None, None]
            turned = torch.where(chosen, torch.rot90(images, turn, dims=(2, 3)), turned)
        body = model.backbone
        assert isinstance(body, Gfdia)
        features = self.blocks(body.interest(turned)).mean(dim=(2, 3))
        with without_autocast(features.device):
            cosine = F.linear(F.normalize(features.float(), dim=1), F.normalize(self.weight, dim=1))
            return F.cross_entropy(self.scale * cosine, turns)
