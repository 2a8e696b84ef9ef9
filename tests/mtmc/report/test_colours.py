"""Colours of identities: stable, apart, grey for none."""

from __future__ import annotations

import numpy as np

from mtmc.report.colours import css_colours, identity_colours


def test_an_identity_keeps_its_colour_whoever_is_beside_it() -> None:
    alone = identity_colours([17])
    assert alone.shape == (1, 3) and alone.dtype == np.uint8
    np.testing.assert_array_equal(identity_colours(np.arange(100))[17], alone[0])


def test_neighbours_look_different() -> None:
    colours = identity_colours(np.arange(300)).astype(int)
    for step in (1, 2, 3, 5, 8):
        assert (np.abs(colours[step:] - colours[:-step]).max(axis=1) > 30).all()


def test_no_identity_is_grey() -> None:
    red, green, blue = identity_colours([-1])[0].tolist()
    assert red == green == blue
    assert css_colours([-1, 0])[0] == f"#{red:02x}{red:02x}{red:02x}"
    assert identity_colours([]).shape == (0, 3)
