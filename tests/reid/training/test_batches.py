import logging
import pickle
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from common.errors import InputError
from reid.datasets import ImageTable
from reid.settings import ViewSettings
from reid.training.batches import BatchMaker, DamageReport, ImageStore, iterate_batches
from reid.training.sampler import IdentityBatches

WriteImages = Callable[..., ImageTable]
VIEWS = ViewSettings(local=2, local_size=(8, 8), pad=1)


def _maker(table: ImageTable, gigabytes: float = 0.0, rank: int = 0, processes: int = 1, p: int = 4) -> BatchMaker:
    labels = table.classes()
    store = ImageStore(table.path.tolist(), gigabytes)
    return BatchMaker(store, labels, IdentityBatches(labels, p, 2, 0), VIEWS, (16, 16), rank, processes)


def test_shapes_and_layout(tmp_path: Path, write_images: WriteImages) -> None:
    batch = _maker(write_images(tmp_path))[0]
    assert batch.global_views.shape == (2 * 8, 3, 16, 16)
    assert batch.local_views.shape == (2 * 8, 3, 8, 8)
    assert batch.global_views.dtype == torch.uint8
    assert batch.global_views.is_contiguous(memory_format=torch.channels_last)
    assert batch.labels.tolist() == np.repeat(batch.labels[::2], 2).tolist()


@pytest.mark.parametrize("workers", [1, 2])
def test_batches_do_not_depend_on_workers_or_cache(tmp_path: Path, write_images: WriteImages, workers: int) -> None:
    table = write_images(tmp_path)
    alone = list(iterate_batches(_maker(table), 3, 7, workers=0))
    helped = list(iterate_batches(_maker(table, gigabytes=1.0), 3, 7, workers=workers))
    assert len(alone) == len(helped) == 4
    for a, b in zip(alone, helped, strict=True):
        assert torch.equal(a.global_views, b.global_views)
        assert torch.equal(a.local_views, b.local_views)
        assert torch.equal(a.labels, b.labels)


def test_processes_share_one_batch(tmp_path: Path, write_images: WriteImages) -> None:
    table = write_images(tmp_path)
    whole = _maker(table)[5]
    parts = [_maker(table, rank=rank, processes=2)[5] for rank in range(2)]
    assert torch.equal(torch.cat([p.labels for p in parts]), whole.labels)
    views = torch.cat([p.global_views.view(2, 4, 3, 16, 16) for p in parts], dim=1)
    assert torch.equal(views, whole.global_views.view(2, 8, 3, 16, 16))
    with pytest.raises(InputError, match="4 identities cannot be divided among 3"):
        _maker(table, processes=3)


def test_a_corrupt_image_is_passed_over_and_named_once(
    tmp_path: Path, write_images: WriteImages, caplog: pytest.LogCaptureFixture
) -> None:
    table = write_images(tmp_path, identities=4, images=3)
    Path(table.path[4]).write_bytes(b"no image")
    maker, report = _maker(table), DamageReport()
    with caplog.at_level(logging.WARNING):
        for number in range(12):
            batch = maker[number]
            assert batch.labels.bincount().tolist() == [2, 2, 2, 2]
            report.add(batch.unreadable)
    assert report.files == {table.path[4]}
    assert sum(str(table.path[4]) in message for message in caplog.messages) == 1


def test_an_identity_without_any_readable_image_gives_its_place_away(tmp_path: Path, write_images: WriteImages) -> None:
    table = write_images(tmp_path, identities=4, images=2)
    for path in table.path[table.identity == 2]:
        Path(path).unlink()
    batch = _maker(table)[0]
    assert 2 not in batch.labels
    assert len(batch.labels) == 8


def test_nothing_readable_at_all_is_an_error_that_names_a_file(tmp_path: Path, write_images: WriteImages) -> None:
    table = write_images(tmp_path, identities=4, images=2)
    for path in table.path:
        Path(path).write_bytes(b"")
    with pytest.raises(InputError, match=r"\.png: no image of batch 0"):
        _maker(table)[0]


def test_grey_and_one_pixel_images_are_trained_on(tmp_path: Path, write_images: WriteImages) -> None:
    from PIL import Image

    table = write_images(tmp_path, identities=4, images=2)
    Image.new("L", (30, 20), 77).save(table.path[0])
    Image.new("RGB", (1, 1), (255, 0, 0)).save(table.path[1])
    batch = _maker(table)[0]
    assert not batch.unreadable
    assert len(batch.labels.unique()) == 4


def test_large_sets_are_not_kept_in_memory(tmp_path: Path, write_images: WriteImages) -> None:
    table = write_images(tmp_path)
    kept, read = ImageStore(table.path.tolist(), 1.0), ImageStore(table.path.tolist(), 1e-6)
    for path in table.path:
        Path(path).unlink()
    assert kept.read(0).shape == (20, 20, 3)
    with pytest.raises(InputError):
        read.read(0)


def test_a_copy_for_a_worker_takes_no_images_along(tmp_path: Path, write_images: WriteImages) -> None:
    kept = ImageStore(write_images(tmp_path, side=200).path.tolist(), 1.0)
    copied = pickle.dumps(kept)
    assert len(copied) < kept.read(0).nbytes
    assert np.array_equal(pickle.loads(copied).read(3), kept.read(3))
