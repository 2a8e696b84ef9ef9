"""Settings of a training run, one model per section, with the values of the paper as defaults.

Source of the defaults: P. Khorramshahi et al., "Robust and Scalable Vehicle Re-Identification via Self-Supervision"
(SSBVER), CVPR Workshops 2023; where the paper gives no value, the authors' published script.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from common.settings import Settings

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)
GLOBAL_VIEWS = 2
"""Global views of an image that self-supervision compares."""

Size = tuple[Annotated[int, Field(ge=1)], Annotated[int, Field(ge=1)]]
Fraction = Annotated[float, Field(ge=0.0, le=1.0)]
Range = tuple[Annotated[float, Field(gt=0.0)], Annotated[float, Field(gt=0.0)]]


class AutoEncoderConfig(Settings):
    """The auto-encoder of SAVER and EVER; the papers leave it open, so all of it is this project's."""

    channels: tuple[Annotated[int, Field(ge=1)], ...] = Field(
        (32, 64, 128, 256, 512), min_length=2, description="channels of the stages, each of which halves the resolution"
    )
    latent: int = Field(
        128,
        ge=1,
        description="channels of the latent map; more reconstruct finer details, which the residual then lacks",
    )


class ParserConfig(Settings):
    """The parser of PVEN, a U-Net."""

    encoder: str = Field(
        "seresnext50_32x4d", description="a timm network with five feature maps; small ones: mobilenetv3_small_050"
    )
    decoder: tuple[Annotated[int, Field(ge=1)], ...] = Field(
        (256, 128, 64, 32, 16), min_length=5, max_length=5, description="channels of the decoder's blocks"
    )


class TransReidConfig(Settings):
    """Choices of the architecture `transreid`; the defaults are the paper's for VeRi-776 without labels."""

    stride: int = Field(12, ge=1, description="pixels between patches of 16 x 16; below 16 they overlap: slower")
    jigsaw: bool = Field(True, description="the jigsaw branch with its four parts")
    shift: int = Field(8, ge=1, description="patch that comes first in the jigsaw; the paper: 8 for vehicles")
    cameras: int = Field(0, ge=0, description="cameras with an embedding of their own (20 for VeRi); 0: none")
    first_camera: int = Field(1, ge=0, description="number of the first of these cameras")
    viewpoints: int = Field(0, ge=0, description="viewpoints with an embedding of their own (8 for VeRi); 0: none")
    embedding_weight: float = Field(3.0, ge=0, description="lambda, weight of the embedding of camera and viewpoint")
    drop_path: float = Field(
        0.1, ge=0, lt=1, description="stochastic depth of the last block, linear from 0; raising it regularises more"
    )


class GfdiaConfig(Settings):
    """Choices of the architecture `gfdia`."""

    interest_backbone: str = Field("resnet18", description="the network whose map gives the attention")
    shared_stages: bool = Field(
        False, description="share stages 3 and 4 between the branches, as the paper counts; the authors' code does not"
    )


class MultiBranchConfig(Settings):
    """Choices of the architecture `multibranch`."""

    branches: int = Field(
        4, ge=2, le=16, description="branches, each with losses of its own; more are slower, and need more data"
    )
    groups: int = Field(
        1,
        ge=1,
        description="branches in one copy of the last stage, as groups of its channels: fewer parameters, a shorter "
        "vector; 1: a copy for each branch",
    )
    attention: int = Field(
        0, ge=0, description="branches, from the last on, that attend to the whole map in place of 3x3 convolutions"
    )
    split_losses: bool = Field(
        True, description="cross entropy on every other branch and the triplet loss on the others; false: both on all"
    )


class ModelConfig(Settings):
    """Everything needed to rebuild the network; stored with its weights."""

    architecture: Literal["plain", "transreid", "gfdia", "hrcn", "multibranch", "pven", "saver"] = Field(
        "plain",
        description="plain: the backbone with pooling; else a method with more parts or branches",
    )
    backbone: str = Field(
        "resnet50_ibn", description="a ResNet of this project, vit_base, swin_base, ..., or any timm model"
    )
    pooling: Literal["avg", "gem"] = Field(
        "avg", description="pooling of the feature map: average or generalised mean (GeM)"
    )
    gem_power: float = Field(3.0, gt=0, description="initial exponent of GeM pooling; above 1 favours strong responses")
    last_stride: Literal[1, 2] = Field(
        1, description="stride of a ResNet's last stage; 1 doubles the resolution of the feature map"
    )
    image_size: Size = Field((256, 256), description="height and width of the network's input in pixels")
    mean: tuple[float, float, float] = Field(IMAGENET_MEAN, description="RGB mean in [0, 1], subtracted from the input")
    std: tuple[float, float, float] = Field(
        IMAGENET_STD, description="RGB standard deviation in [0, 1]; the input is divided by it"
    )
    bottleneck_bias: bool = Field(True, description="false fixes the bias of the batch-norm neck at 0 (script)")
    test_feature: Literal["after", "before"] = Field(
        "after", description="features that are ranked: after the batch-norm neck, or before it"
    )
    auto_encoder: AutoEncoderConfig = Field(AutoEncoderConfig(), description="of saver")
    parser: ParserConfig = Field(ParserConfig(), description="of pven")
    transreid: TransReidConfig = TransReidConfig()
    gfdia: GfdiaConfig = GfdiaConfig()
    multibranch: MultiBranchConfig = MultiBranchConfig()


class SourceSettings(Settings):
    """Another data set to train on, with a fixed share of every batch."""

    name: str = Field(description="as `data.name`")
    root: str = Field(description="the data set's folder")
    options: dict[str, bool | int | float | str] = Field(
        {}, description="options of the data set's reader, e.g. where: kind=motorcycle"
    )
    identities: int = Field(
        ge=1, description="vehicles of this set among the `sampler.identities` of a batch; the rest are of `data.root`"
    )


class DataSettings(Settings):
    """The training data."""

    name: str = Field("veri", description="veri, vehicleid, veriwild, cityflow, vric, roundabouthd, folder or csv")
    root: str = Field("data", description="the data set's folder")
    options: dict[str, bool | int | float | str] = Field(
        {}, description="options of the data set's reader, e.g. size: large"
    )
    also: tuple[SourceSettings, ...] = Field(
        (), description="further data sets, of which every batch holds a fixed number of vehicles"
    )
    validation: Annotated[float, Field(ge=0.0, lt=1.0)] = Field(
        0.0,
        description="fraction of the training identities held out for validation; 0: validate on the first test split",
    )
    validation_queries: int = Field(0, ge=0, description="maximum number of query images in a validation; 0: all")
    cache_gigabytes: float = Field(
        4.0,
        ge=0,
        description="memory for decoded images in GB: validation images, and training images if workers is 0; "
        "images are cached only if all of them fit; 0: no cache",
    )
    workers: int = Field(4, ge=0, description="processes that prepare batches; 0: the training process itself")


class SamplerSettings(Settings):
    """A batch has `identities` vehicles with `images` images each."""

    identities: int = Field(32, ge=2, description="P, summed over all processes")
    images: int = Field(4, ge=2, description="K; identities with fewer images repeat some")


class ViewSettings(Settings):
    """The views of an image. Global views have the model's `image_size`."""

    recipe: Literal["paper", "script"] = Field(
        "paper",
        description="paper: both global views alike; script: view 1 is not cropped, view 2 neither padded nor erased",
    )
    global_views: Literal[1, 2] = Field(
        2, description="global views per image; 1, the first one alone, is possible without self-supervision only"
    )
    interpolation: Literal["auto", "bilinear", "bicubic"] = Field(
        "auto",
        description="interpolation when a view is resized; auto: bilinear, or area when halving",
    )
    local: int = Field(4, ge=0, description="L, local views per image; 4 is best in the paper")
    local_size: Size = Field((112, 112), description="height and width of a local view in pixels")
    global_area: Range = Field(
        (0.8, 1.0), description="range of the fraction of the image area covered by a global view"
    )
    local_area: Range = Field((0.1, 0.4), description="range of the fraction of the image area covered by a local view")
    aspect: Range = Field(
        (0.75, 4 / 3), description="range of a crop's aspect ratio (width to height) relative to the image's"
    )
    pad: int = Field(
        10, ge=0, description="black pixels padded around a global view before a random crop back to its size"
    )
    flip: Fraction = Field(0.5, description="probability of a horizontal flip")
    jitter: tuple[float, float, float, float] = Field(
        (0.2, 0.2, 0.1, 0.02), description="maximum change of brightness, contrast, saturation and hue (in turns)"
    )
    tint: Fraction = Field(
        0.0, description="maximum change of each colour channel's gain, as by another camera's white balance"
    )
    degrade: Fraction = Field(
        0.0, description="probability that a view is reduced to a third to all of its size and compressed, or sharpened"
    )
    erase: Fraction = Field(0.5, description="probability of erasing a rectangle of a global view")
    erase_area: Range = Field((0.02, 0.4), description="range of the rectangle's fraction of the view area")
    erase_aspect: Range = Field((0.3, 3.3), description="range of the rectangle's aspect ratio (height to width)")
    erase_fill: Literal["mean", "noise"] = Field(
        "mean",
        description="what replaces the rectangle: ImageNet's mean colour, or per pixel a normal deviate in normalised "
        "units (clipped to 0..255, since views are stored as bytes)",
    )

    @model_validator(mode="after")
    def _ordered(self) -> ViewSettings:
        for name in ("global_area", "local_area", "aspect", "erase_area", "erase_aspect"):
            low, high = getattr(self, name)
            if low > high:
                raise ValueError(f"{name} must be [smaller, larger], not [{low}, {high}]")
        if self.global_area[1] > 1 or self.local_area[1] > 1 or self.erase_area[1] > 1:
            raise ValueError("global_area, local_area and erase_area are fractions: at most 1")
        return self


class BranchLoss(Settings):
    """Weights of the losses of one branch; None keeps the weight that the architecture gives."""

    classification: float | None = Field(None, ge=0, description="weight of its cross entropy; 0: no classifier")
    triplet: float | None = Field(None, ge=0, description="weight of its triplet loss")
    center: float | None = Field(None, ge=0, description="weight of its centre loss")


class LossSettings(Settings):
    """Equation 5: L = classification * L_c + triplet * L_t + self_supervision * L_s.

    With several branches L_c and L_t are the weighted sums over the branches.
    """

    classification: float = Field(1.0, ge=0, description="lambda_c")
    triplet: float = Field(1.0, ge=0, description="lambda_t")
    self_supervision: float = Field(0.005, ge=0, description="lambda_s; 0 trains the baseline")
    label_smoothing: float = Field(
        0.2, ge=0, lt=1, description="epsilon, the probability mass taken from the true class"
    )
    smoothing_over: Literal["all", "others"] = Field(
        "all",
        description="classes that share epsilon: all k (epsilon / k each), or the others (epsilon / (k - 1) each)",
    )
    triplet_margin: float | None = Field(
        None, ge=0, description="margin of the triplet loss, max(0, d_p - d_n + margin); none: the soft margin"
    )
    center: float = Field(
        0.0,
        ge=0,
        description="weight of the centre loss: mean squared distance of features to their class's centre",
    )
    center_learning_rate: float = Field(
        0.5, gt=0, description="learning rate of the centres, which have a gradient descent of their own"
    )
    auxiliary: float = Field(1.0, ge=0, description="weight of the architecture's auxiliary loss, if it has one")
    branches: dict[str, BranchLoss] = Field({}, description="weights by branch, for architectures with several")
    classifier_bias: bool = Field(True, description="whether z = W x + B has the bias B; the script has none")


class SelfSupervisionSettings(Settings):
    """Self-distillation of student and teacher; used if `loss.self_supervision` is above 0."""

    objective: Literal["cross_entropy", "rmse"] = Field(
        "cross_entropy", description="rmse: L2 norm of the difference of student and teacher outputs (Table 6)"
    )
    pairs: Literal["sum", "mean"] = Field(
        "sum",
        description="reduction over the 2 (1 + L) pairs of views: equation 4 sums; the script, with lambda_s = 0.005, "
        "averages (with four local views the same as a sum with 0.0005)",
    )
    pairing: Literal["image", "vehicle", "devices"] = Field(
        "image",
        description="whose view the teacher sees: of the student's image (equation 4); of another image of the "
        "vehicle, from another camera if the batch has one; or what the script pairs on several GPUs (`devices`), "
        "where outputs are gathered device by device and cut into as many parts as there are views",
    )
    devices: int = Field(4, ge=2, description="GPUs of the script that `pairing: devices` imitates")
    hidden: tuple[Annotated[int, Field(ge=1)], ...] = Field(
        (2048, 2048, 2048, 256),
        min_length=1,
        description="widths of the head's hidden layers (script: 2048, 2048, 256); the last one is L2-normalised",
    )
    batch_norm: bool = Field(False, description="batch norm in the head (script: only for VeRi-Wild)")
    outputs: int = Field(
        65536, ge=2, description="E, outputs of the head; the script uses 1024 for VeRi and 16384 for VeRi-Wild"
    )
    student_temperature: float = Field(0.1, gt=0, description="tau_s; lower makes predictions sharper")
    teacher_temperature: tuple[float, float] = Field(
        (0.0005, 0.001), description="tau_t at the start and after the warm-up; lower brings targets closer to one-hot"
    )
    teacher_warmup_epochs: float = Field(
        10.0, ge=0, description="epochs of the linear change from the first to the second temperature"
    )
    center_momentum: float = Field(
        0.9, ge=0, lt=1, description="momentum of the moving average that centres the teacher's outputs"
    )


class TeacherSettings(Settings):
    """The teacher: the moving average of the student, which is evaluated and shipped."""

    momentum: float = Field(
        0.9995, ge=0, lt=1, description="lambda; averages over about 1/(1-lambda) steps, so lower it for short runs"
    )


class OptimiserSettings(Settings):
    """Paper: Adam with a step schedule for ResNets, AdamW with a cosine schedule for transformers and ConvNeXt."""

    name: Literal["adam", "adamw", "sgd"] = "adam"
    momentum: float = Field(0.9, ge=0, lt=1, description="momentum (sgd)")
    learning_rate: float = Field(5e-4, gt=0, description="learning rate after the warm-up (script: 1e-3)")
    weight_decay: float = Field(1e-3, ge=0, description="L2 penalty in the gradient; decoupled for AdamW")
    bias_factor: float = Field(1.0, gt=0, description="factor of the learning rate of all biases")
    layer_decay: float = Field(
        1.0,
        gt=0,
        le=1,
        description="factor of the learning rate per layer below the last; 1: the same everywhere; lower keeps the "
        "first layers closer to their start (timm networks only)",
    )
    frozen_epochs: float = Field(
        0.0,
        ge=0,
        description="epochs at the start with the pretrained backbone frozen, its batch norms included",
    )
    schedule: Literal["step", "cosine"] = "step"
    milestones: tuple[float, ...] = Field(
        (40, 70, 100), description="epochs at which the rate is multiplied by `gamma` (step schedule)"
    )
    gamma: float = Field(0.1, gt=0, le=1, description="factor at each milestone (step schedule)")
    final_learning_rate: float = Field(1.6e-5, ge=0, description="learning rate at the last epoch (cosine schedule)")
    plateau_epochs: float = Field(
        0.0,
        ge=0,
        description="epochs, warm-up included, at a constant rate before the cosine starts (cosine schedule)",
    )
    plateau_drop: float = Field(
        1.0, gt=0, le=1, description="factor of the rate at the end of the plateau, where the cosine starts"
    )
    warmup_epochs: float = Field(10.0, ge=0, description="epochs of linear warm-up to the rate; 0: no warm-up")
    warmup_start: float = Field(0.01, ge=0, le=1, description="fraction of the rate at which the warm-up starts")
    every: Literal["epoch", "step"] = Field("epoch", description="how often the rate is updated")
    clip_gradient: float = Field(0.0, ge=0, description="maximum global L2 norm of the gradients; 0: no clipping")


class RunSettings(Settings):
    """Length, device and outputs of the run."""

    epochs: int = Field(120, ge=1)
    steps_per_epoch: int = Field(0, ge=0, description="steps per epoch; 0: training images / batch size")
    seed: int = Field(0, ge=0)
    output: str = Field("runs/reid", description="output folder: log.csv, checkpoints, TensorBoard events")
    device: str = Field("auto", description="auto, cpu, cuda, cuda:1")
    precision: Literal["auto", "float32", "bfloat16"] = Field(
        "auto", description="arithmetic of the forward and backward passes; auto: by device and network"
    )
    channels_last: bool = Field(True, description="use the channels-last memory layout")
    compile: bool = Field(False, description="torch.compile the backbones: slower start, faster steps on GPUs")
    sync_batch_norm: bool = Field(False, description="synchronise batch norm statistics over all processes (GPUs only)")
    threads: int = Field(0, ge=0, description="CPU threads per process; 0: torch's default")
    log_every: int = Field(10, ge=1, description="steps between rows of log.csv")
    save_every: int = Field(500, ge=1, description="steps between checkpoints that a run can resume from")
    validate_every: int = Field(5, ge=0, description="epochs between validations; 0: only at the end")
    tensorboard: bool = True
    storage: Literal["float32", "float16"] = Field("float32", description="data type of the exported weights")


class TrainSettings(Settings):
    """All settings of a training run: the content of a file in `configs/reid/`."""

    pretrained: str = Field("imagenet", description="imagenet, none, or a file with the backbone's weights")
    pretrained_neck: bool = Field(
        False, description="also take pooling and batch-norm neck of `pretrained`, a checkpoint of this project"
    )
    pretrained_part: str = Field(
        "none",
        description="file of `reid.pretrain`: auto-encoder for saver and `excitation`, parser for pven; or none",
    )
    excitation: bool = Field(
        False, description="EVER: excite the first feature maps in training with the auto-encoder's residual"
    )
    model: ModelConfig = ModelConfig()
    data: DataSettings = DataSettings()
    sampler: SamplerSettings = SamplerSettings()
    views: ViewSettings = ViewSettings()
    loss: LossSettings = LossSettings()
    ssl: SelfSupervisionSettings = SelfSupervisionSettings()
    teacher: TeacherSettings = TeacherSettings()
    optimiser: OptimiserSettings = OptimiserSettings()
    run: RunSettings = RunSettings()

    @model_validator(mode="after")
    def _with_auto_encoder(self) -> TrainSettings:
        if self.excitation and self.model.architecture != "plain":
            raise ValueError("excitation is for the plain architecture; set one of the two back")
        if self.excitation and self.run.compile:
            raise ValueError("excitation cannot be compiled; set run.compile to false")
        if self.pretrained_part == "none" and self.excitation:
            raise ValueError("excitation needs pretrained_part, a file of python -m reid.pretrain auto-encoder")
        if self.pretrained_part != "none" and not self.excitation and self.model.architecture == "plain":
            raise ValueError("pretrained_part: nothing uses it; set excitation, or an architecture with such a part")
        return self

    @model_validator(mode="after")
    def _two_views(self) -> TrainSettings:
        if self.self_supervised and self.views.global_views < GLOBAL_VIEWS:
            raise ValueError("views.global_views must be 2 with self-supervision (loss.self_supervision above 0)")
        return self

    @property
    def self_supervised(self) -> bool:
        """Whether this run trains SSBVER rather than the baseline."""
        return self.loss.self_supervision > 0
