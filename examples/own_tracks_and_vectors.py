"""Associate tracks and appearance vectors that come from elsewhere.

    python examples/own_tracks_and_vectors.py

The tracks here are made up: forty vehicles drive past two cameras, which are about twenty seconds apart. Replace them
with yours: one row per box, and one vector per track.
"""

import numpy as np

import mtmc

VEHICLES, BOXES, TRAVEL_SECONDS, FPS = 40, 40, 20.0, 10.0
random = np.random.default_rng(1)

# Columns of boxes: camera, track, seconds, box. In both cameras, vehicles cross a 400 x 300 picture in four seconds.
passed_west = np.cumsum(random.uniform(3, 9, VEHICLES))
passed_east = passed_west + TRAVEL_SECONDS + random.normal(0, 1.5, VEHICLES)
starts = np.concatenate([passed_west, passed_east])
step = np.arange(BOXES)
camera = np.repeat(["west", "east"], VEHICLES * BOXES)
track = np.tile(np.repeat(np.arange(1, VEHICLES + 1), BOXES), 2)
seconds = (starts[:, None] + step / FPS).ravel()
left = np.tile(9.0 * step, 2 * VEHICLES)
box = np.column_stack([left, np.full_like(left, 150), np.full_like(left, 40), np.full_like(left, 30)])

# One vector per track: similar for the same vehicle. Any extractor's vectors will do.
looks = random.normal(size=(VEHICLES, 64))
vectors = {
    (name, number): looks[number - 1] + 0.8 * random.normal(size=64)
    for name in ("west", "east")
    for number in range(1, VEHICLES + 1)
}

identity = mtmc.associate(camera, track, seconds, box, frame_size=(400, 300), vectors=vectors)

# The same vehicle has the same track number in both cameras here, so the result can be checked.
of_track = {(c, t): i for c, t, i in zip(camera.tolist(), track.tolist(), identity.tolist(), strict=True)}
correct = sum(of_track["west", number] == of_track["east", number] for number in range(1, VEHICLES + 1))
print(f"{correct} of {VEHICLES} vehicles were recognised in the second camera")
