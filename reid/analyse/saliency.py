"""Figure 6: saliency of the similarity of two images (equation 6)."""

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
    """Saliency of one pair of images for one network.

    Attributes:
        similarity: dot product of the two unit vectors.
        query: (h, w) float32 at the network's input resolution: absolute derivative of the similarity with respect to
            the pixel value (0..255), maximum over the channels.
        gallery: (h, w) float32, the same for the gallery image.
    """

    similarity: float
    query: npt.NDArray[np.float32]
    gallery: npt.NDArray[np.float32]


def pair_saliency(model: ReidModel, query: RgbImage, gallery: RgbImage) -> Saliency:
    """m_q = grad_{I_q} f(I_q) . f(I_g) and m_g = grad_{I_g} f(I_q) . f(I_g), equation 6 of the paper.

    These are gradients at the input, not Grad-CAM: nothing is upsampled.

    Args:
        model: f is its L2-normalised embedding; put into evaluation mode.
        query: (h, w, 3) uint8 RGB of any size; resized to the network's input.
        gallery: likewise; a different image.

    Raises:
        InputError: the images are identical: the similarity is then at its maximum, and its gradient would be nothing
            but rounding errors.
    """
    model.eval()
    device = next(model.parameters()).device
    pair = np.stack([resize(image, model.config.image_size) for image in (query, gallery)])
    if np.array_equal(pair[0], pair[1]):
        raise InputError("--query and --gallery are identical, so the saliency is zero; give two different images")
    images = torch.from_numpy(pair).permute(0, 3, 1, 2).float().to(device).requires_grad_()
    vectors = F.normalize(model.embed(normalise(images, model.config)), dim=1)
    similarity = (vectors[0] * vectors[1]).sum()
    (gradient,) = torch.autograd.grad(similarity, images)
    maps: npt.NDArray[np.float32] = gradient.abs().amax(dim=1).cpu().numpy()
    return Saliency(float(similarity.detach()), maps[0], maps[1])


def draw_saliency(
    query: RgbImage, gallery: RgbImage, names: Sequence[str], found: Sequence[Saliency], percentile: float = 99.5
) -> Figure:
    """Plot the two images, then m_q above m_g in one column per network, each scaled to its `percentile`."""
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
