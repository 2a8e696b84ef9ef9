"""Figure 6: which pixels of a pair of images the similarity depends on (equation 6)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from matplotlib.figure import Figure
from torch.nn import functional as F

from common.errors import InputError
from reid.images import RgbImage
from reid.models import ReidModel, normalise
from reid.views import resize


@dataclass(frozen=True, slots=True)
class Saliency:
    """Of one pair and one network.

    Attributes:
        similarity: dot product of the two vectors of length 1.
        query: (h, w) float32, at the network's input resolution: over the channels, the largest absolute derivative of
            the similarity by a pixel's value in 0..255.
        gallery: (h, w) float32, the same for the gallery image.
    """

    similarity: float
    query: npt.NDArray[np.float32]
    gallery: npt.NDArray[np.float32]


def pair_saliency(model: ReidModel, query: RgbImage, gallery: RgbImage) -> Saliency:
    """m_q = grad_{I_q} f(I_q) . f(I_g) and m_g = grad_{I_g} f(I_q) . f(I_g), equation 6 of the paper.

    Gradients at the input, not Grad-CAM: nothing is up-sampled.

    Args:
        model: f is its L2-normalised embedding; left in evaluation mode.
        query: (h, w, 3) uint8 RGB of any size; resized to the network's input.
        gallery: likewise, another image.

    Raises:
        InputError: both are the same image: no change of a pixel makes two equal vectors more similar, so that the
            gradient is zero and what is drawn of it would be rounding errors.
    """
    model.eval()
    device = next(model.parameters()).device
    pair = np.stack([resize(image, model.config.image_size) for image in (query, gallery)])
    if np.array_equal(pair[0], pair[1]):
        raise InputError("--query and --gallery show the same image, whose saliency is zero; give two images")
    images = torch.from_numpy(pair).permute(0, 3, 1, 2).float().to(device).requires_grad_()
    vectors = F.normalize(model.embed(normalise(images, model.config)), dim=1)
    similarity = (vectors[0] * vectors[1]).sum()
    (gradient,) = torch.autograd.grad(similarity, images)
    maps: npt.NDArray[np.float32] = gradient.abs().amax(dim=1).cpu().numpy()
    return Saliency(float(similarity.detach()), maps[0], maps[1])


def draw_saliency(
    query: RgbImage, gallery: RgbImage, names: Sequence[str], found: Sequence[Saliency], percentile: float = 99.5
) -> Figure:
    """The two images, then one column a network: m_q above m_g, each brightened to its own `percentile`."""
    figure = Figure(figsize=(2.6 * (len(names) + 1), 5.4))
    grid = figure.subplots(2, len(names) + 1, squeeze=False)
    for row, (label, image) in enumerate((("query", query), ("gallery", gallery))):
        grid[row][0].imshow(resize(image, found[0].query.shape))
        grid[row][0].set_title(label)
    for column, (name, saliency) in enumerate(zip(names, found, strict=True), start=1):
        for row, (symbol, values) in enumerate((("m_q", saliency.query), ("m_g", saliency.gallery))):
            top = float(np.percentile(values, percentile)) or 1.0
            grid[row][column].imshow(np.clip(values / top, 0, 1), cmap="inferno", vmin=0, vmax=1)
            grid[row][column].set_title(f"${symbol}$ {name}\nsimilarity {saliency.similarity:.3f}", fontsize=9)
    for axis in grid.flat:
        axis.set_axis_off()
    return figure
