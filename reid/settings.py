"""What a training run can be told: one model of settings a part, paper values as defaults.

Source of the defaults: P. Khorramshahi et al., "Robust and Scalable Vehicle Re-Identification via Self-Supervision"
(SSBVER), CVPR Workshops 2023; where the paper gives no value, the authors' published script.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from common.settings import Settings

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)

Size = tuple[Annotated[int, Field(ge=1)], Annotated[int, Field(ge=1)]]
Fraction = Annotated[float, Field(ge=0.0, le=1.0)]
Range = tuple[Annotated[float, Field(gt=0.0)], Annotated[float, Field(gt=0.0)]]


class ModelConfig(Settings):
    """What is needed to build the network again; stored beside its weights."""

    backbone: str = Field(
        "resnet50_ibn", description="a ResNet of this project, vit_base, swin_base, ..., any timm name"
    )
    pooling: Literal["avg", "gem"] = Field("avg", description="how a feature map becomes a vector")
    gem_power: float = Field(
        3.0, gt=0, description="GeM's learned power at the start; above 1 favours strong responses"
    )
    last_stride: Literal[1, 2] = Field(1, description="of a ResNet's last stage; 1 keeps the map twice as fine")
    image_size: Size = Field((256, 256), description="height and width of the images that the network is given")
    mean: tuple[float, float, float] = Field(IMAGENET_MEAN, description="of RGB in [0, 1], subtracted")
    std: tuple[float, float, float] = Field(IMAGENET_STD, description="of RGB in [0, 1], divided by")
    bottleneck_bias: bool = Field(True, description="false freezes the shift of the bottleneck norm at 0 (script)")


class DataSettings(Settings):
    """Which images to train on."""

    name: str = Field("veri", description="veri, vehicleid, veriwild, cityflow, vric, folder or csv")
    root: str = Field("data", description="the data set's folder")
    options: dict[str, bool | int | float | str] = Field(
        {}, description="of the data set's own reader, e.g. size: large"
    )
    validation: Annotated[float, Field(ge=0.0, lt=1.0)] = Field(
        0.0, description="share of the training identities held out; 0: validate on the first split"
    )
    validation_queries: int = Field(0, ge=0, description="at most so many query images in a validation; 0: all")
    cache_gigabytes: float = Field(
        4.0,
        ge=0,
        description="keep decoded images in memory while they fit: those of validations, and those that are "
        "trained on where workers is 0; 0: never",
    )
    workers: int = Field(4, ge=0, description="processes that make batches; 0: the training process itself")


class SamplerSettings(Settings):
    """A batch is `identities` vehicles with `images` images each."""

    identities: int = Field(32, ge=2, description="P; over all processes together")
    images: int = Field(4, ge=2, description="K; an identity with fewer repeats some")


class ViewSettings(Settings):
    """The views of an image. Sizes of global views are the model's `image_size`."""

    recipe: Literal["paper", "script"] = Field(
        "paper",
        description="paper: both global views alike; script: view 1 uncropped, view 2 neither padded nor erased",
    )
    local: int = Field(4, ge=0, description="L, local views an image; the paper's best is 4")
    local_size: Size = Field((112, 112), description="height and width of a local view")
    global_area: Range = Field((0.8, 1.0), description="share of the image in a global view")
    local_area: Range = Field((0.1, 0.4), description="share of the image in a local view")
    aspect: Range = Field((0.75, 4 / 3), description="a crop's width to height, relative to the image's own")
    pad: int = Field(10, ge=0, description="black pixels round a global view before it is cropped back to its size")
    flip: Fraction = Field(0.5, description="probability of a mirrored view")
    jitter: tuple[float, float, float, float] = Field(
        (0.2, 0.2, 0.1, 0.02), description="largest change of brightness, contrast, saturation, hue (turns)"
    )
    erase: Fraction = Field(0.5, description="probability that a rectangle of a global view is erased")
    erase_area: Range = Field((0.02, 0.4), description="the rectangle's share of the view")
    erase_aspect: Range = Field((0.3, 3.3), description="the rectangle's height to width")

    @model_validator(mode="after")
    def _ordered(self) -> ViewSettings:
        for name in ("global_area", "local_area", "aspect", "erase_area", "erase_aspect"):
            low, high = getattr(self, name)
            if low > high:
                raise ValueError(f"{name} must be [smaller, larger], not [{low}, {high}]")
        if self.global_area[1] > 1 or self.local_area[1] > 1 or self.erase_area[1] > 1:
            raise ValueError("global_area, local_area and erase_area are shares: at most 1")
        return self


class LossSettings(Settings):
    """Equation 5: L = classification * L_c + triplet * L_t + self_supervision * L_s."""

    classification: float = Field(1.0, ge=0, description="lambda_c")
    triplet: float = Field(1.0, ge=0, description="lambda_t")
    self_supervision: float = Field(0.005, ge=0, description="lambda_s; 0 is the baseline")
    label_smoothing: float = Field(0.2, ge=0, lt=1, description="epsilon; mass taken from the true class")
    classifier_bias: bool = Field(True, description="B in z = W x + B; the script has none")


class SelfSupervisionSettings(Settings):
    """The self-distillation of student and teacher. Used where `loss.self_supervision` is above 0."""

    objective: Literal["cross_entropy", "rmse"] = Field("cross_entropy", description="rmse: the variant of Table 6")
    pairs: Literal["sum", "mean"] = Field(
        "sum",
        description="over the 2 (1 + L) pairs of views: equation 4 sums; the script, whose lambda_s is 0.005, averages "
        "(the same as a sum with 0.0005 and four local views)",
    )
    hidden: tuple[Annotated[int, Field(ge=1)], ...] = Field(
        (2048, 2048, 2048, 256),
        min_length=1,
        description="widths of the head's hidden layers (script: 2048, 2048, 256); the last is L2-normalised",
    )
    batch_norm: bool = Field(False, description="batch norm in the head (script: for VeRi-Wild)")
    outputs: int = Field(65536, ge=2, description="E; the script has 1024 for VeRi, 16384 for VeRi-Wild")
    student_temperature: float = Field(0.1, gt=0, description="tau_s; lower: sharper predictions")
    teacher_temperature: tuple[float, float] = Field(
        (0.0005, 0.001), description="tau_t at the start and after the warm-up; lower: nearer to one-hot targets"
    )
    teacher_warmup_epochs: float = Field(10.0, ge=0, description="epochs from the first to the second temperature")
    center_momentum: float = Field(0.9, ge=0, lt=1, description="of the moving average that centres the teacher")


class TeacherSettings(Settings):
    """The averaged network, which is what is evaluated and shipped."""

    momentum: float = Field(
        0.9995, ge=0, lt=1, description="lambda; it averages about 1/(1-lambda) steps: lower it for short runs"
    )


class OptimiserSettings(Settings):
    """Paper: Adam with steps for ResNets, AdamW with a cosine for transformers and ConvNeXt."""

    name: Literal["adam", "adamw"] = "adam"
    learning_rate: float = Field(5e-4, gt=0, description="after the warm-up (script: 1e-3)")
    weight_decay: float = Field(1e-3, ge=0, description="Adam: added to the gradient; AdamW: decoupled")
    schedule: Literal["step", "cosine"] = "step"
    milestones: tuple[float, ...] = Field((40, 70, 100), description="epochs after which `gamma` multiplies (step)")
    gamma: float = Field(0.1, gt=0, le=1, description="factor at each milestone (step)")
    final_learning_rate: float = Field(1.6e-5, ge=0, description="at the last epoch (cosine)")
    warmup_epochs: float = Field(10.0, ge=0, description="linear from 1 %; 0: none")
    every: Literal["epoch", "step"] = Field("epoch", description="how often the rate changes")
    clip_gradient: float = Field(0.0, ge=0, description="largest L2 norm of all gradients together; 0: no limit")


class RunSettings(Settings):
    """How long, on what, and what is kept."""

    epochs: int = Field(120, ge=1)
    steps_per_epoch: int = Field(0, ge=0, description="0: training images / batch size")
    seed: int = Field(0, ge=0)
    output: str = Field("runs/reid", description="folder of the run: log.csv, checkpoints, TensorBoard")
    device: str = Field("auto", description="auto, cpu, cuda, cuda:1")
    precision: Literal["float32", "bfloat16"] = Field("bfloat16", description="of the network's forward and backward")
    channels_last: bool = Field(True, description="memory layout of images and convolutions")
    compile: bool = Field(False, description="torch.compile on the backbones: slow start, faster steps on GPUs")
    sync_batch_norm: bool = Field(False, description="batch norm statistics over all processes (GPUs only)")
    threads: int = Field(0, ge=0, description="CPU threads a process; 0: torch's choice")
    log_every: int = Field(10, ge=1, description="steps between two rows of log.csv")
    save_every: int = Field(500, ge=1, description="steps between two training states (resume)")
    validate_every: int = Field(5, ge=0, description="epochs between two validations; 0: only at the end")
    tensorboard: bool = True
    storage: Literal["float32", "float16"] = Field("float32", description="of the shipped weights")


class TrainSettings(Settings):
    """A whole training run: the content of a file in `configs/reid/`."""

    pretrained: str = Field("imagenet", description="imagenet, none, or the path of a backbone's weights")
    model: ModelConfig = ModelConfig()
    data: DataSettings = DataSettings()
    sampler: SamplerSettings = SamplerSettings()
    views: ViewSettings = ViewSettings()
    loss: LossSettings = LossSettings()
    ssl: SelfSupervisionSettings = SelfSupervisionSettings()
    teacher: TeacherSettings = TeacherSettings()
    optimiser: OptimiserSettings = OptimiserSettings()
    run: RunSettings = RunSettings()

    @property
    def self_supervised(self) -> bool:
        """SSBVER; false is the baseline."""
        return self.loss.self_supervision > 0
