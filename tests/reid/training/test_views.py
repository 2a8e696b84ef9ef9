import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.errors import InputError
from common.settings import validate
from reid.settings import ViewSettings
from reid.views import _jitter, draw_box, make_views

PLAIN = ViewSettings(jitter=(0, 0, 0, 0), erase=0, flip=0, pad=0)


def _image(height: int, width: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)


@given(st.integers(1, 40), st.integers(1, 40), st.sampled_from(["paper", "script"]), st.integers(0, 99))
def test_any_image_gives_views_of_the_asked_sizes(height: int, width: int, recipe: str, seed: int) -> None:
    settings = ViewSettings(recipe=recipe, local=3, local_size=(9, 7), pad=4)
    image = _image(height, width)
    before = image.copy()
    views = make_views(image, settings, (16, 12), np.random.default_rng(seed))
    assert views.global_views.shape == (2, 16, 12, 3)
    assert views.local_views.shape == (3, 9, 7, 3)
    assert np.array_equal(image, before)
    again = make_views(image, settings, (16, 12), np.random.default_rng(seed))
    assert np.array_equal(views.global_views, again.global_views)
    assert np.array_equal(views.local_views, again.local_views)


@given(
    st.integers(1, 500),
    st.integers(1, 500),
    st.tuples(st.floats(0.05, 1), st.floats(0.05, 1)).map(sorted),
    st.integers(0, 99),
)
def test_a_box_has_its_share_and_lies_inside(height: int, width: int, area: list[float], seed: int) -> None:
    random = np.random.default_rng(seed)
    top, left, box_height, box_width = draw_box(height, width, (area[0], area[1]), (0.5, 2.0), random)
    share = box_height * box_width / (height * width)
    assert area[0] - 1e-9 <= share <= area[1] + 1e-9
    assert top >= 0
    assert left >= 0
    assert top + box_height <= height + 1e-6
    assert left + box_width <= width + 1e-6


def test_local_views_show_a_small_share_and_global_ones_a_large_one() -> None:
    # A ramp in both directions: the range of values in a view tells how much of the image it shows.
    ramp = np.zeros((200, 200, 3), np.uint8)
    ramp[..., 0] = np.linspace(0, 250, 200)[:, None]
    ramp[..., 1] = np.linspace(0, 250, 200)[None, :]
    shares = {"global": [], "local": []}
    for seed in range(40):
        views = make_views(ramp, PLAIN, (64, 64), np.random.default_rng(seed))
        for kind, images in zip(shares, views, strict=True):
            for view in images:
                extent = (view.max(axis=(0, 1)).astype(float) - view.min(axis=(0, 1)))[:2] / 250
                shares[kind].append(extent.prod())
    assert min(shares["global"]) > 0.75
    assert max(shares["global"]) <= 1.0
    assert min(shares["local"]) > 0.07
    assert max(shares["local"]) < 0.42


def test_two_global_views_differ() -> None:
    views = make_views(_image(50, 50), ViewSettings(), (32, 32), np.random.default_rng(0))
    assert not np.array_equal(*views.global_views)


def test_script_recipe_keeps_view_1_uncropped_and_view_2_unerased() -> None:
    settings = ViewSettings(recipe="script", jitter=(0, 0, 0, 0), erase=1, flip=0, pad=0, erase_area=(0.3, 0.4))
    image = np.full((40, 40, 3), 7, np.uint8)
    first, second = make_views(image, settings, (40, 40), np.random.default_rng(0)).global_views
    assert 0.25 < (first != 7).any(axis=2).mean() < 0.45
    assert (second == 7).all()


def test_padding_moves_the_image_over_black() -> None:
    settings = PLAIN.model_copy(update={"pad": 6, "global_area": (1.0, 1.0)})
    white = np.full((20, 20, 3), 255, np.uint8)
    views = [make_views(white, settings, (20, 20), np.random.default_rng(s)).global_views[0] for s in range(30)]
    black = [(v == 0).all(axis=2).mean() for v in views]
    assert max(black) > 0.1
    assert max(black) <= 1 - (14 / 20) ** 2


def test_flip_mirrors() -> None:
    settings = PLAIN.model_copy(update={"flip": 1.0, "global_area": (1.0, 1.0), "aspect": (1.0, 1.0)})
    image = _image(16, 16)
    assert np.array_equal(
        make_views(image, settings, (16, 16), np.random.default_rng(0)).global_views[0], image[:, ::-1]
    )


def test_jitter_stays_within_its_amounts_and_keeps_grey_grey_under_hue() -> None:
    grey = np.full((8, 8, 3), 100, np.uint8)
    for seed in range(20):
        random = np.random.default_rng(seed)
        brighter = _jitter(grey, (0.2, 0, 0, 0), random)
        assert 80 <= brighter.min() <= brighter.max() <= 120
        turned = _jitter(grey, (0, 0.1, 0.1, 0.5), random)
        assert abs(turned.astype(int) - 100).max() <= 1


@pytest.mark.parametrize("wrong", [{"local_area": [0.4, 0.1]}, {"global_area": [0.8, 1.2]}, {"erase": 2}])
def test_impossible_settings_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(InputError, match=next(iter(wrong))):
        validate(ViewSettings, wrong, "views")


def test_erasing_noise_is_normal_in_the_networks_units() -> None:
    settings = ViewSettings(
        recipe="script", local=0, flip=0, pad=0, erase=1, erase_area=(0.4, 0.4), erase_fill="noise", global_views=1
    )
    grey = np.full((200, 200, 3), 7, np.uint8)
    mean, std = (0.5, 0.4, 0.6), (0.1, 0.05, 0.02)
    (view,) = make_views(grey, settings, (200, 200), np.random.default_rng(0), mean=mean, std=std).global_views
    erased = view[(view != 7).any(axis=2)] / 255
    assert len(erased) == pytest.approx(0.4 * 200 * 200, rel=0.02)
    np.testing.assert_allclose(erased.mean(axis=0), mean, atol=0.005)
    np.testing.assert_allclose(erased.std(axis=0), std, atol=0.003)


def test_bicubic_views_differ_from_bilinear_ones() -> None:
    image = _image(20, 30)
    settings = ViewSettings(recipe="script", local=0, flip=0, pad=0, erase=0, interpolation="bicubic", global_views=1)
    (view,) = make_views(image, settings, (40, 60), np.random.default_rng(0)).global_views
    np.testing.assert_array_equal(view, cv2.resize(image, (60, 40), interpolation=cv2.INTER_CUBIC))


def test_tint_multiplies_each_channel_by_one_gain() -> None:
    grey = np.full((12, 12, 3), 100, np.uint8)
    settings = PLAIN.model_copy(update={"tint": 0.2, "local": 0})
    views = [make_views(grey, settings, (8, 8), np.random.default_rng(seed)).global_views for seed in range(40)]
    pixels = np.concatenate(views).reshape(-1, 64, 3)
    assert (pixels == pixels[:, :1]).all()
    assert pixels.min() >= 79 and pixels.max() <= 120
    assert (pixels[:, 0, 0] != pixels[:, 0, 2]).mean() > 0.8


def test_degrading_changes_details_but_not_the_mean_colour() -> None:
    image = cv2.GaussianBlur(_image(64, 64), (0, 0), 2.0)
    plain = PLAIN.model_copy(update={"global_area": (1.0, 1.0), "aspect": (1.0, 1.0), "local": 0})
    before = make_views(image, plain, (64, 64), np.random.default_rng(0)).global_views[0].astype(float)
    always = plain.model_copy(update={"degrade": 1.0})
    changes = []
    for seed in range(20):
        after = make_views(image, always, (64, 64), np.random.default_rng(seed)).global_views[0].astype(float)
        assert abs(after.mean() - before.mean()) < 4
        changes.append(np.abs(after - before).mean())
    assert min(changes) > 0.1


def test_degrading_and_tint_are_off_unless_asked_for() -> None:
    image, random, same = _image(30, 30), np.random.default_rng(1), np.random.default_rng(1)
    make_views(image, PLAIN, (16, 16), random)
    make_views(image, PLAIN.model_copy(update={"tint": 0.0, "degrade": 0.0}), (16, 16), same)
    assert random.random() == same.random()
