"""Settings of `python -m reid.pretrain`, the content of `configs/reid/{auto_encoder,parser}.yaml`."""

from __future__ import annotations

from pydantic import Field

from common.settings import Settings
from reid.settings import AutoEncoderConfig, DataSettings, Fraction, ParserConfig, Size


class PretrainSettings(Settings):
    """What both trainings have in common."""

    image_size: Size = Field((256, 256), description="height and width of the images in pixels")
    batch: int = Field(64, ge=2, description="images per step")
    epochs: int = Field(40, ge=1)
    steps_per_epoch: int = Field(0, ge=0, description="steps per epoch; 0: images / batch")
    learning_rate: float = Field(1e-3, gt=0, description="learning rate of Adam")
    milestones: tuple[float, ...] = Field((), description="epochs at which the rate is multiplied by `gamma`")
    gamma: float = Field(0.1, gt=0, le=1, description="factor at each milestone")
    flip: Fraction = Field(0.5, description="probability of a horizontal flip")
    seed: int = Field(0, ge=0)
    output: str = Field("runs/pretrain", description="output folder")
    device: str = Field("auto", description="auto, cpu, cuda, cuda:1")
    threads: int = Field(0, ge=0, description="CPU threads; 0: torch's default")
    workers: int = Field(4, ge=0, description="processes that prepare batches; 0: the training process itself")
    log_every: int = Field(10, ge=1, description="steps between lines of the log")
    save_every: int = Field(500, ge=1, description="steps between training states that a run can resume from")


class AutoEncoderSettings(PretrainSettings):
    """Training of SAVER's and EVER's auto-encoder on the training images of a data set; identities are not used."""

    auto_encoder: AutoEncoderConfig = AutoEncoderConfig()
    data: DataSettings = DataSettings()
    mean: tuple[float, float, float] = Field((0.5, 0.5, 0.5), description="as `model.mean` of the network that uses it")
    std: tuple[float, float, float] = Field((0.5, 0.5, 0.5), description="as `model.std` of the network that uses it")
    divergence: float = Field(1e-3, ge=0, description="lambda, weight of the KL divergence; higher blurs more")


class PartDataSettings(Settings):
    """Images and the masks of their parts."""

    root: str = Field(
        "data/sim-parts",
        description="folder with image_train/ and parts_train/ (and the same for test), as mtmc.simulate --reid "
        "--parts writes it; with polygons, the folder of the images",
    )
    polygons: str = Field("", description="JSON file with polygons instead of masks")
    validation: float = Field(
        0.1, gt=0, lt=1, description="fraction of the images held out if there is no image_test/ with parts_test/"
    )
    validation_images: int = Field(500, ge=1, description="maximum number of images in a validation")


class ParserSettings(PretrainSettings):
    """Training of PVEN's parser (the authors' values; the photometric augmentation is this project's)."""

    parser: ParserConfig = ParserConfig()
    pretrained: str = Field("imagenet", description="start of the encoder: imagenet or none")
    data: PartDataSettings = PartDataSettings()
    batch: int = Field(8, ge=2, description="images per step")
    learning_rate: float = Field(1e-4, gt=0, description="learning rate of the decoder")
    encoder_factor: float = Field(0.01, ge=0, description="learning rate of the encoder relative to the decoder's")
    milestones: tuple[float, ...] = (25,)
    crop: Fraction = Field(
        0.875, gt=0, description="side of the random square crop, relative to the image (224 of 256)"
    )
    jitter: Fraction = Field(0.4, description="strength of changes of brightness, contrast, colour and noise")
