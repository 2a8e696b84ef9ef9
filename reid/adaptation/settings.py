"""Settings of an adaptation."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from common.settings import Settings
from reid.settings import SelfSupervisionSettings, ViewSettings


class AdaptSettings(Settings):
    """The defaults are for a few hundred tracks and a few hundred steps."""

    steps: int = Field(200, ge=1, description="maximum number of steps; it stops earlier if the check does not improve")
    vehicles: int = Field(12, ge=2, description="vehicles per batch")
    images: int = Field(2, ge=2, description="images of each vehicle in a batch")
    learning_rate: float = Field(
        1e-4, gt=0, description="of Adam; higher learns and forgets faster (4e-4 lost simulated vehicles in trials)"
    )
    weight_decay: float = Field(1e-4, ge=0, description="L2 penalty in the gradient")
    triplet: float = Field(1.0, ge=0, description="lambda_t, weight of the pairs known to be the same or different")
    self_supervision: float = Field(0.05, ge=0, description="lambda_s, weight of SSBVER's self-distillation; 0: none")
    momentum: float = Field(0.95, ge=0, lt=1, description="lambda of the teacher; averages over 1/(1-lambda) steps")
    keep: Annotated[float, Field(ge=0.0, le=1.0)] = Field(
        0.5,
        description="share of the weights that come from the start: 0 forgets most, 1 learns nothing",
    )
    margin: float = Field(
        0.05,
        ge=0,
        le=2,
        description="where the run has no identities: by how much the nearest track of another camera must be more "
        "similar than the second one to count as the same vehicle; higher joins fewer tracks, with fewer mistakes",
    )
    holdout: Annotated[float, Field(ge=0.0, lt=1.0)] = Field(
        0.2, description="fraction of the vehicles that the check uses and training does not see"
    )
    check_every: int = Field(20, ge=1, description="steps between checks on the vehicles held out")
    patience: int = Field(3, ge=1, description="stop after this many checks without improvement")
    seed: int = Field(0, ge=0)
    views: ViewSettings = ViewSettings(local=2, local_size=(48, 48), pad=4, erase=0.3, tint=0.1, degrade=0.3)
    ssl: SelfSupervisionSettings = SelfSupervisionSettings(
        pairs="mean", hidden=(1024, 1024, 256), outputs=1024, batch_norm=True, teacher_warmup_epochs=0
    )
