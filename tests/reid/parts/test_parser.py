"""The parser's maps and masks; its size is tested with PVEN's recipe."""

from __future__ import annotations

import pytest
import torch

from common.errors import InputError
from reid.parts.parser import CLASSES, PartParser
from reid.settings import ParserConfig

SMALL = ParserConfig(encoder="mobilenetv3_small_050", decoder=(16, 8, 8, 8, 8))


@pytest.mark.parametrize("size", [(64, 64), (48, 72)])
def test_maps_have_the_size_of_the_image(size: tuple[int, int]) -> None:
    parser = PartParser(SMALL).eval()
    assert parser(torch.zeros(2, 3, *size)).shape == (2, len(CLASSES), *size)


def test_a_pixel_belongs_to_its_first_class_of_at_least_one_half() -> None:
    parser = PartParser(SMALL)
    logits = torch.full((1, 5, 2, 2), -1.0)
    logits[0, 0, 0, 0] = 1.0  # background, though the front is as likely
    logits[0, 1, 0, 0] = 1.0
    logits[0, 2, 0, 1] = 0.0  # one half
    logits[0, 3, 1, 0] = logits[0, 4, 1, 0] = 2.0
    parser.forward = lambda images: logits  # type: ignore[method-assign]
    masks = parser.masks(torch.zeros(1, 3, 2, 2), (2, 2))
    expected = torch.zeros(1, 4, 2, 2)
    expected[0, 1, 0, 1] = 1
    expected[0, 2, 1, 0] = 1
    assert torch.equal(masks, expected)


def test_unknown_encoders_are_refused() -> None:
    with pytest.raises(InputError, match="resnet50"):
        PartParser(ParserConfig(encoder="resnet5o"))
