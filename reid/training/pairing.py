"""Which outputs of teacher and student are compared, where they are not those of one image (variants of SSBVER)."""

from __future__ import annotations

import torch

from common.errors import InputError


def other_images(labels: torch.Tensor, cameras: torch.Tensor | None = None) -> torch.Tensor:
    """For each image of a batch another one of the same vehicle, from another camera if there is one.

    The images of a vehicle are taken in turn, so that each is some image's partner where all cameras differ. An image
    that is its vehicle's only one is its own partner.

    Args:
        labels: (n,) vehicle of each image.
        cameras: (n,) camera of each image; None, or below 0: unknown, then the next image of the vehicle is taken.

    Returns:
        (n,) int64 rows.

    >>> other_images(torch.tensor([5, 5, 5, 8, 9, 9]), torch.tensor([1, 1, 2, 1, 1, 1])).tolist()
    [2, 2, 0, 3, 5, 4]
    """
    n = len(labels)
    place = torch.arange(n, device=labels.device)
    turn = (place[None, :] - place[:, None]) % n  # 0 is the image itself, which comes last
    turn = torch.where(turn == 0, n, turn)
    same = labels[:, None] == labels[None, :]
    elsewhere = torch.zeros_like(same)
    if cameras is not None:
        known = (cameras[:, None] >= 0) & (cameras[None, :] >= 0)
        elsewhere = known & (cameras[:, None] != cameras[None, :])
    cost = turn + (n + 1) * (~elsewhere).long() + 3 * (n + 1) * (~same).long()
    return cost.argmin(dim=1)


def gathered_by_device(outputs: torch.Tensor, devices: int) -> torch.Tensor:
    """Arrange outputs as data parallelism over several devices and a chunk into views would.

    Each device holds all views of its share of the images, view by view. Gathered device by device and cut into as many
    equal parts as there are views, a part is no longer a view: at the same place of two parts are different images.

    Args:
        outputs: (views, n, E), view by view.
        devices: among which the n images are divided.

    Returns:
        (views, n, E), the parts.

    Raises:
        InputError: the images cannot be divided among the devices.

    >>> images = torch.arange(4)[None, :, None] + torch.tensor([10, 20])[:, None, None]  # view and image as digits
    >>> gathered_by_device(images, 2)[:, :, 0].tolist()
    [[10, 11, 20, 21], [12, 13, 22, 23]]
    """
    n = outputs.shape[1]
    if n % devices:
        raise InputError(f"ssl.devices: {n} images of a batch cannot be divided among {devices} devices")
    by_device = outputs.reshape(len(outputs), devices, n // devices, *outputs.shape[2:])
    return by_device.transpose(0, 1).reshape(outputs.shape)
