"""Conditions change pictures as they say, and nothing else."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from common.errors import InputError
from common.resources import resource
from common.settings import validate
from mtmc.scenarios.facts import read_scenario_file
from mtmc.simulation.assembly import assemble
from mtmc.simulation.condition_names import Condition
from mtmc.simulation.conditions import Conditions, allot, parse_mix
from mtmc.simulation.lens import Lens
from mtmc.simulation.light import Light
from mtmc.simulation.network import Network, Road
from mtmc.simulation.reid_set import simulate_reid
from mtmc.simulation.renderer import CameraRenderer, RenderedFrame
from mtmc.simulation.scenario import plan_scenario, simulate_scenario
from mtmc.simulation.sensor import Sensor
from mtmc.simulation.settings import SimulationSettings
from mtmc.simulation.vehicles import population

Film = Callable[..., RenderedFrame]
POSES = np.array([[24.0, 1.7, 0.0, np.pi], [22.0, -5.0, 0.0, 0.0]])
"""A vehicle that comes towards the camera, and one that leaves."""


@pytest.fixture(scope="module")
def film() -> Film:
    """Renders the same two vehicles on the same road under named conditions."""
    network = Network(np.array([[-50.0, 0], [250.0, 0]]), (Road(0, 1, 2),))
    lens = Lens(np.array([2.0, -8.0, 6.0]), 0.25, 0.2, 0.0, 400.0, 480, 270, -0.05)
    bodies = [assemble(v) for v in population(2, np.random.default_rng(4))]
    sun = np.array([0.3, 0.6, 0.742])

    @cache
    def renderer(names: tuple[Condition, ...]) -> CameraRenderer:
        drawn = Conditions.draw(names, np.random.default_rng(1)) if names else None
        return CameraRenderer(lens, network, Light(sun, 0.5, 0.66), seed=1, conditions=drawn)

    def render(*names: Condition, speed: float = 12.0, frame: int = 0) -> RenderedFrame:
        velocity = np.column_stack([np.cos(POSES[:, 3]), np.sin(POSES[:, 3])]) * speed
        return renderer(names).render(bodies, POSES, velocity=velocity, frame=frame)

    return render


def vehicle(frame: RenderedFrame, number: int) -> npt.NDArray[np.float64]:
    left, top, width, height = frame.box[number].astype(int)
    return frame.image[top : top + height, left : left + width].astype(float)


def sharpness(patch: npt.NDArray[np.float64]) -> float:
    return float(np.abs(np.diff(patch.mean(2), axis=1)).mean())


def test_night_is_dark_and_lamps_shine(film: Film) -> None:
    day, night = film().image.astype(float), film("night").image.astype(float)
    assert night.mean() < 0.5 * day.mean()
    oncoming = vehicle(film("night"), 0)
    assert oncoming.max() > 240  # its head lamps
    leaving = vehicle(film("night"), 1)
    assert (leaving[..., 0] - leaving[..., 1]).max() > 80  # its tail lamps


def test_rain_takes_contrast_and_falls_elsewhere_in_each_frame(film: Film) -> None:
    assert film("rain").image.std() < 0.8 * film().image.std()
    first, again, next_one = film("rain", frame=1), film("rain", frame=1), film("rain", frame=2)
    np.testing.assert_array_equal(first.image, again.image)
    assert (first.image != next_one.image).any()


def test_a_wet_road_mirrors_vehicles(film: Film) -> None:
    """Below a vehicle, the road changes with the vehicle's colour; on a dry road it is shadow only."""
    wet, dry = film("rain"), film("overcast")
    left, top, width, height = wet.box[1].astype(int)
    strip = slice(top + height + 1, top + height + 1 + height // 4), slice(left, left + width)
    assert np.abs(wet.image[strip].astype(float) - dry.image[strip]).mean() > 5


def test_a_low_sun_is_warm_and_blows_out_highlights(film: Film) -> None:
    day, evening = film().image.astype(float), film("low-sun").image.astype(float)
    brightest = [image[image.mean(2) > np.quantile(image.mean(2), 0.9)] for image in (day, evening)]
    warmth = [(colour[:, 0] - colour[:, 2]).mean() for colour in brightest]
    assert warmth[1] > warmth[0] + 10
    assert (evening.max(2) == 255).mean() > (day.max(2) == 255).mean()


def test_an_overcast_sky_is_grey(film: Film) -> None:
    sky = film("overcast").image[:20].astype(float).mean((0, 1))
    assert np.ptp(sky) < 15
    assert sky.mean() > 150


def test_motion_blurs_what_moves(film: Film) -> None:
    moving, standing = film("motion-blur"), film("motion-blur", speed=0.0)
    assert sharpness(vehicle(moving, 1)) < 0.9 * sharpness(vehicle(standing, 1))
    np.testing.assert_array_equal(standing.image, film().image)


def test_a_poor_lens_darkens_corners_and_defocuses(film: Film) -> None:
    day, poor = film().image.astype(float), film("poor-lens").image.astype(float)
    ratio = poor.mean(2) / np.maximum(day.mean(2), 1)
    assert ratio[-30:, :30].mean() < 0.9 * ratio[120:150, 220:260].mean()
    sensor = Sensor.draw(np.random.default_rng(1))
    assert Conditions.draw(["poor-lens"], np.random.default_rng(1)).sensor(sensor).blur > 1


def test_a_colour_cast_changes_white_and_night_is_noisy() -> None:
    sensor = Sensor.draw(np.random.default_rng(1))
    cast = Conditions.draw(["colour-cast"], np.random.default_rng(2)).sensor(sensor)
    ratio = np.array(cast.gains) / sensor.gains
    assert np.ptp(ratio) > 0.05
    assert Conditions.draw(["night"], np.random.default_rng(2)).sensor(sensor).noise > 1.5 * sensor.noise


@pytest.mark.parametrize("names", [("night",), ("rain",), ("low-sun",), ("night", "rain", "poor-lens")])
def test_boxes_are_those_of_a_clear_day(film: Film, names: tuple[Condition, ...]) -> None:
    day, other = film(), film(*names)
    np.testing.assert_array_equal(day.box, other.box)
    np.testing.assert_array_equal(day.visible, other.visible)
    np.testing.assert_array_equal(day.inside, other.inside)
    assert other.image.shape == day.image.shape
    assert (other.image != day.image).any()


def test_a_set_of_other_conditions_has_the_same_vehicles_and_boxes(small_reid: Path, tmp_path: Path) -> None:
    simulate_reid(tmp_path / "dark", seed=2, identities=12, workers=1, cameras=4, mix={("night",): 0.5, (): 0.5})
    for subset in ("train", "test", "query"):
        name = f"name_{subset}.txt"
        assert (tmp_path / "dark" / name).read_text() == (small_reid / name).read_text()
    listed = dict(line.partition(" ")[::2] for line in (tmp_path / "dark" / "conditions.txt").read_text().splitlines())
    assert set(listed.values()) == {"", "night"}
    darker = []
    for path in sorted((small_reid / "image_train").iterdir()):
        ours, theirs = (cv2.imread(str(p)) for p in (path, tmp_path / "dark" / "image_train" / path.name))
        assert ours.shape == theirs.shape
        if listed[path.name]:
            darker.append(theirs.mean() / ours.mean())
        else:
            assert np.abs(ours.astype(float) - theirs).mean() < 1
    assert np.median(darker) < 0.7


def test_a_camera_has_its_own_conditions_in_a_scenario(small_settings: SimulationSettings, tmp_path: Path) -> None:
    content = {"conditions": ["overcast"], "camera_conditions": {"c042": ["night", "rain"]}, "video": False}
    settings = SimulationSettings(**(small_settings.model_dump() | content))
    drawn = plan_scenario(settings).conditions
    assert [c.names for c in drawn if c] == [("overcast",), ("rain", "night")]
    simulate_scenario(settings, tmp_path / "root", 1, name="sim-tiny")
    lines = (tmp_path / "root" / "simulated_conditions" / "sim-tiny.txt").read_text().splitlines()
    assert lines == ["c041 overcast", "c042 night rain"]
    assert plan_scenario(small_settings).conditions == (None, None)


def test_the_scenario_of_hard_pictures_has_night_rain_and_riders() -> None:
    facts = read_scenario_file(resource("configs", "scenarios") / "sim-S07.yaml")
    assert facts.simulation
    assert list(facts.cameras) == facts.simulation.camera_names
    named = {name for camera in facts.cameras for name in facts.simulation.conditions_of(camera)}
    assert named >= {"night", "rain", "low-sun"}
    assert not facts.simulation.conditions_of("c047")
    assert facts.simulation.two_wheelers > 0
    short = read_scenario_file(resource("configs", "scenarios") / "sim-S07-short.yaml").simulation
    assert short == facts.simulation.model_copy(update={"seconds": 30.0})


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ({"conditions": ["nite"]}, "conditions"),
        ({"camera_conditions": {"c99": ["night"]}}, "no camera c99"),
        ({"camera_conditions": {"c041": ["fog"]}}, "camera_conditions"),
    ],
)
def test_unknown_names_in_a_scenario_are_refused(content: dict[str, object], said: str) -> None:
    with pytest.raises(InputError, match=said) as error:
        validate(SimulationSettings, content, "sim-X.yaml: simulation")
    assert "\n" not in str(error.value)


def test_a_mix_shares_out_what_is_not_given() -> None:
    assert parse_mix(["night=0.25", "rain"]) == {("night",): 0.25, ("rain",): 0.375, (): 0.375}
    assert parse_mix(["rain+night=0.4", "day=0.6"]) == {("rain", "night"): 0.4, (): 0.6}
    drawn = allot(parse_mix(["night=0.25", "rain"]), 40, np.random.default_rng(0))
    assert [drawn.count(names) for names in (("night",), ("rain",), ())] == [10, 15, 15]


@pytest.mark.parametrize(
    ("items", "said"),
    [
        (["nigth"], "unknown condition; did you mean night"),
        (["night", "night"], "named twice"),
        (["night+rain", "rain+night"], "named twice"),
        (["night=much"], "from 0 to 1"),
        (["night=1.5"], "from 0 to 1"),
        (["night=0.7", "rain=0.7"], "sum to 1.4"),
    ],
)
def test_a_wrong_mix_is_refused(items: list[str], said: str) -> None:
    with pytest.raises(InputError, match=said):
        parse_mix(items)
