import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.errors import InputError
from reid.training.sampler import IdentityBatches, MixedBatches


@st.composite
def sampled(draw: st.DrawFn) -> tuple[np.ndarray, int, int, int, int]:
    counts = draw(st.lists(st.integers(1, 7), min_size=2, max_size=12))
    labels = np.random.default_rng(draw(st.integers(0, 99))).permutation(np.repeat(np.arange(len(counts)), counts))
    identities = draw(st.integers(2, len(counts)))
    return labels, identities, draw(st.integers(2, 5)), draw(st.integers(0, 9)), draw(st.integers(0, 200))


@given(sampled())
def test_a_batch_has_p_identities_with_k_images_each(case: tuple[np.ndarray, int, int, int, int]) -> None:
    labels, identities, images, seed, number = case
    batches = IdentityBatches(labels, identities, images, seed)
    rows = batches.batch(number)
    groups = rows.reshape(identities, images)
    shown = labels[groups]
    assert (shown == shown[:, :1]).all()
    assert len(np.unique(shown[:, 0])) == identities
    for label, group in zip(shown[:, 0], groups, strict=True):
        assert len(np.unique(group)) == min(images, (labels == label).sum())
    assert np.array_equal(rows, IdentityBatches(labels, identities, images, seed).batch(number))


@given(sampled())
def test_every_identity_comes_up_equally_often(case: tuple[np.ndarray, int, int, int, int]) -> None:
    labels, identities, images, seed, _ = case
    batches = IdentityBatches(labels, identities, images, seed)
    deal = len(np.unique(labels)) // identities
    first_deal = np.concatenate([labels[batches.batch(i)[::images]] for i in range(deal)])
    assert len(np.unique(first_deal)) == len(first_deal)


def test_all_images_are_shown_in_time() -> None:
    labels = np.repeat(np.arange(6), 5)
    batches = IdentityBatches(labels, 3, 2, seed=0)
    seen = np.unique(np.concatenate([batches.batch(i) for i in range(60)]))
    assert len(seen) == len(labels)


def test_seeds_and_numbers_give_other_batches() -> None:
    labels = np.repeat(np.arange(20), 8)
    one, other = IdentityBatches(labels, 4, 4, 0), IdentityBatches(labels, 4, 4, 1)
    assert not np.array_equal(one.batch(0), one.batch(1))
    assert not np.array_equal(one.batch(0), other.batch(0))


def test_an_identity_with_a_single_image_repeats_it() -> None:
    labels = np.array([0, 1, 1, 1, 1])
    rows = IdentityBatches(labels, 2, 4, 0).batch(0)
    assert (rows == 0).sum() == 4


def test_fewer_identities_than_p_says_what_to_set() -> None:
    with pytest.raises(InputError, match=r"sampler\.identities.*needs 8.*has 3.*at most 3"):
        IdentityBatches([0, 1, 2], 8, 4, 0)


def test_an_epoch_shows_about_as_many_images_as_there_are() -> None:
    assert len(IdentityBatches(np.repeat(np.arange(10), 20), 4, 5, 0)) == 10
    assert len(IdentityBatches([0, 1], 2, 4, 0)) == 1


def test_a_mixed_batch_holds_a_fixed_number_of_vehicles_of_each_data_set() -> None:
    source = np.repeat([0, 1, 2], [40, 12, 6])
    labels = np.concatenate([np.arange(40) // 4, 10 + np.arange(12) // 2, 16 + np.arange(6) // 2])
    batches = MixedBatches(labels, source, [4, 3, 2], images=2, seed=0)
    assert (batches.identities, batches.images, len(batches)) == (9, 2, 5)
    for number in range(20):
        rows = batches.batch(number)
        assert np.bincount(source[rows]).tolist() == [8, 6, 4]
        pairs = labels[rows].reshape(9, 2)
        assert (pairs[:, 0] == pairs[:, 1]).all()
        assert len(np.unique(pairs[:, 0])) == 9
    with pytest.raises(InputError, match="needs 4 identities, the training data has 3"):
        MixedBatches(labels, source, [4, 3, 4], images=2, seed=0)
