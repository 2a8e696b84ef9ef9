"""The names of weather, times of day and lens faults, without the packages that render them."""

from __future__ import annotations

from typing import Literal, get_args

Condition = Literal["overcast", "low-sun", "rain", "night", "motion-blur", "colour-cast", "poor-lens"]
CONDITIONS: tuple[Condition, ...] = get_args(Condition)
"""`overcast`: no sun, grey sky. `low-sun`: long shadows, warm light, blown highlights, glare against the sun.
`rain`: wet road with reflections, veil, streaks, drops on the lens, lamps on. `night`: street lamps, head and tail
lamps with glow, sensor noise, long exposure. `motion-blur`: long exposure by day. `colour-cast`: wrong white balance.
`poor-lens`: out of focus, darker corners, colour fringes, dirt."""
