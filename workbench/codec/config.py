"""Everything that shapes an X-Codec and its training, as plain dataclasses without torch.

The defaults are the paper's (arXiv 2408.17175). Every size is free, so the same engine is the
published 16 kHz codec, a 44.1 kHz stereo one, or one small enough to train on a laptop.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, is_dataclass
from fractions import Fraction
from typing import Any, Literal, get_type_hints


def _require(condition: bool, message: str) -> None:
    if not condition:
        raise ValueError(message)


def _at_least(owner: object, low: float, *names: str) -> None:
    """Refuse values of the named fields (numbers, or lists of numbers) below ``low``."""
    for name in names:
        value = getattr(owner, name)
        values = value if isinstance(value, list) else [value]
        _require(
            all(v is None or v >= low for v in values),
            f"{name} must be at least {low}; got {value}",
        )


@dataclass
class EncoderConfig:
    """The acoustic encoder: waveform ``[B, C, T]`` to latents ``[B, latent_dim, F]``."""

    kind: Literal["dac", "spectral"] = "dac"
    """`dac`: strided convolutions with Snake, as in the paper. `spectral`: log-mel frames and
    ConvNeXt blocks at frame rate, many times cheaper on a CPU."""
    width: int = 64
    """`dac`: channels of the first convolution, doubled at each stride. `spectral`: block width."""
    blocks: int = 6
    """`spectral`: ConvNeXt blocks at frame rate."""
    n_fft: int = 1024
    """`spectral`: window of the spectrogram in samples; a multiple of its hop."""
    mel_bins: int = 80
    """`spectral`: mel bands."""
    frames_per_hop: int = 4
    """`spectral`: spectrogram frames in one codec frame (they are stacked)."""

    def __post_init__(self) -> None:
        _at_least(self, 1, "width", "n_fft", "mel_bins", "frames_per_hop")
        _at_least(self, 0, "blocks")


@dataclass
class DecoderConfig:
    """The acoustic decoder: latents ``[B, latent_dim, F]`` to waveform ``[B, C, F * hop]``."""

    kind: Literal["dac", "istft"] = "dac"
    """`dac`: transposed convolutions with Snake, as in the paper. `istft`: ConvNeXt blocks at
    frame rate and an inverse short-time Fourier transform (Vocos), many times cheaper."""
    width: int = 1024
    """`dac`: channels of the first convolution, halved at each stride. `istft`: block width."""
    blocks: int = 6
    """`istft`: ConvNeXt blocks at frame rate."""
    fine_width: int = 128
    """`istft`: width of the blocks after upsampling."""
    fine_blocks: int = 2
    """`istft`: ConvNeXt blocks at the rate of the inverse transform."""
    frames_per_hop: int = 4
    """`istft`: frames of the inverse transform in one codec frame."""
    n_fft: int = 640
    """`istft`: window of the inverse transform in samples; a multiple of its hop."""

    def __post_init__(self) -> None:
        _at_least(self, 1, "width", "fine_width", "n_fft", "frames_per_hop")
        _at_least(self, 0, "blocks", "fine_blocks")


@dataclass
class QuantizerConfig:
    """Residual vector quantisation with Euclidean codebooks learnt by moving averages."""

    codebooks: int = 8
    """Codebooks K at full bandwidth."""
    size: int = 1024
    """Entries in each codebook."""
    dim: int | None = None
    """Width at which vectors are quantised; None: acoustic and semantic widths together."""
    ema_decay: float = 0.99
    """Decay of the moving averages of the codebooks."""
    kmeans_step: int = 0
    """Training step at which codebooks are set by k-means; nothing is quantised before it."""
    kmeans_iterations: int = 50
    """Iterations of k-means."""
    kmeans_samples: int = 10_000
    """Most frames given to k-means."""
    dead_threshold: float = 2.0
    """Entries whose averaged count of uses a batch falls below this are replaced by frames of the
    batch. It must lie well below frames a batch / ``size``; 0 turns replacement off."""
    dropout: float = 1.0
    """Share of training steps that use a random number of codebooks instead of all."""
    dropout_choices: list[int] = field(default_factory=list)
    """Numbers of codebooks to draw from, e.g. ``[1, 2, 3, 4, 8]``; empty: 1 to K."""

    def __post_init__(self) -> None:
        _at_least(self, 1, "codebooks", "size", "kmeans_iterations", "kmeans_samples")
        _at_least(self, 0, "kmeans_step", "dead_threshold")
        _require(0 <= self.ema_decay < 1, f"ema_decay must be in [0, 1); got {self.ema_decay}")
        _require(0 <= self.dropout <= 1, f"dropout must be in [0, 1]; got {self.dropout}")
        _require(
            all(1 <= n <= self.codebooks for n in self.dropout_choices),
            f"dropout_choices must lie in 1 to {self.codebooks}; got {self.dropout_choices}",
        )


@dataclass
class SemanticConfig:
    """The convolutional branch around each teacher's features."""

    channel_ratios: list[int] = field(default_factory=lambda: [1, 1])
    """Width after each block, as a multiple of the branch's width."""
    strides: list[int] = field(default_factory=lambda: [1, 1])
    """Stride of each block; teacher frames come at the product of them times the frame rate."""
    dilations: list[int] = field(default_factory=lambda: [1, 1])
    """Dilation of each residual unit of a block."""
    kernel: int = 3
    """Kernel of the convolutions at both ends; odd."""
    unit_kernel: int = 3
    """Kernel of the residual units; odd."""
    width: int | None = None
    """Width of the branch; None: as wide as the teacher."""
    normalise: bool = False
    """Bring each teacher feature to mean 0 and variance 1 over the training corpus, so that one
    loss weight suits any teacher."""

    def __post_init__(self) -> None:
        _at_least(self, 1, "strides", "dilations", "kernel", "unit_kernel", "width")
        _require(
            len(self.strides) == len(self.channel_ratios) and len(self.strides) > 0,
            f"strides {self.strides} and channel_ratios {self.channel_ratios} must be equally many",
        )
        for name in ("kernel", "unit_kernel"):
            _require(getattr(self, name) % 2 == 1, f"{name} must be odd; got {getattr(self, name)}")


@dataclass
class TeacherConfig:
    """One semantic teacher, as a saved codec remembers it. Filled in by the engine."""

    name: str = ""
    """Name of the component."""
    dim: int = 768
    """Width of its features."""
    weight: float = 1.0
    """Its share in the semantic loss."""
    sample_rate: int = 16000
    """Rate of its audio in Hz."""
    frame_rate: float = 50.0
    """Its feature frames a second."""
    padding: int | None = None
    """Zeros before and after its audio, in its samples; None: half of one of its frames."""
    receptive_field: int = 0
    """Samples behind one feature frame, where ``framing`` is ``transformers``."""
    fingerprint: str = ""
    """Hash of its weights: a codec made with one teacher refuses another."""
    options: dict[str, Any] = field(default_factory=dict)
    """The component's options, so that it can be built again."""


@dataclass
class TeachingConfig:
    """What the frozen teachers hear while the codec is trained.

    A teacher with attention says something else of a crop than of the recording around it. With
    ``recording``, what it says of a moment depends on the recording alone, so that it can be
    computed once and read back; with or without the store, training is the same.
    """

    hears: Literal["crop", "recording"] = "crop"
    """`crop`: each training crop by itself, as in the public code. `recording`: the recording that
    the crop is from, as when a file is encoded."""
    store: Literal["none", "fp32", "fp16"] = "none"
    """With `recording`: compute the features of all training recordings once and read them back,
    cropped in step with the audio. `fp16` takes half the disk and rounds to three digits."""
    window_seconds: float = 30.0
    """With `recording`: longer recordings are heard in windows of at most this length."""
    context_seconds: float = 2.0
    """With `recording`: audio heard before and after each window beside it, at its seams."""

    def __post_init__(self) -> None:
        _require(
            self.window_seconds > 0, f"window_seconds must be above 0; got {self.window_seconds}"
        )
        _at_least(self, 0, "context_seconds")
        _require(
            self.hears == "recording" or self.store == "none",
            f"store must be 'none' where hears is 'crop', since random crops don't come again; "
            f"got {self.store!r}",
        )


@dataclass
class LossConfig:
    """Weights of the generator's losses; 0 leaves a loss out. Defaults: the paper's public code."""

    mel: float = 0.0
    """L1 distance of log10 mel spectrograms at several resolutions (45 where it is used)."""
    stft: float = 1.0
    """Spectral convergence and log-magnitude distance at several resolutions."""
    pqmf: float = 1.0
    """The same on the sub-bands of a pseudo quadrature mirror filter bank."""
    adversarial: float = 1.0
    """Least-squares GAN loss; 0 trains without a discriminator."""
    feature_matching: float = 20.0
    """L1 distance of the discriminators' inner features."""
    commitment: float = 1.0
    """Squared distance of latents to their codebook entries."""
    semantic: float = 100.0
    """Squared distance of reconstructed to true teacher features."""
    balance: bool = False
    """Make the weights of the losses on the waveform (all but the last two) shares of its gradient
    instead, by EnCodec's balancer."""
    mel_windows: list[int] = field(default_factory=lambda: [512, 1024, 2048])
    """Windows of the mel distance in samples; the hop is a quarter."""
    mel_bins: list[int] = field(default_factory=lambda: [40, 80, 120])
    """Mel bands for each window."""
    stft_windows: list[int] = field(default_factory=lambda: [512, 1024, 2048])
    """Windows of the STFT distances in samples."""
    stft_hops: list[int] = field(default_factory=lambda: [120, 240, 300])
    """Hop for each of these windows."""
    pqmf_bands: int = 6
    """Sub-bands of the filter bank."""

    def __post_init__(self) -> None:
        weights = ("mel", "stft", "pqmf", "adversarial", "feature_matching", "commitment")
        _at_least(self, 0, *weights, "semantic")
        _at_least(self, 1, "mel_windows", "mel_bins", "stft_windows", "stft_hops")
        _at_least(self, 2, "pqmf_bands")
        for first, second in (("mel_windows", "mel_bins"), ("stft_windows", "stft_hops")):
            _require(
                len(getattr(self, first)) == len(getattr(self, second)),
                f"{first} {getattr(self, first)} and {second} {getattr(self, second)} "
                "must be equally many",
            )


@dataclass
class DiscriminatorConfig:
    """Which discriminators judge the decoder, and their sizes. An empty list leaves a kind out."""

    frequency_hops: list[int] = field(default_factory=lambda: [32, 64, 128, 256, 512, 1024])
    """Multi-frequency discriminator: hops of its spectra; the window is 4 hops."""
    frequency_width: int = 32
    """Channels of its convolutions."""
    periods: list[int] = field(default_factory=list)
    """Multi-period discriminator: e.g. ``[2, 3, 5, 7, 11]``."""
    period_width: int = 32
    """Channels of its first convolution."""
    stft_windows: list[int] = field(default_factory=list)
    """Multi-scale STFT discriminator: e.g. ``[2048, 1024, 512]``; the hop is a quarter."""
    stft_width: int = 32
    """Channels of its convolutions."""
    learning_rate: float | None = None
    """Peak learning rate; None: the generator's."""
    start_step: int = 0
    """First step that trains the discriminators and uses the adversarial losses."""

    def __post_init__(self) -> None:
        _at_least(self, 1, "frequency_hops", "periods", "stft_windows")
        _at_least(self, 1, "frequency_width", "period_width", "stft_width")
        _at_least(self, 0, "start_step")


@dataclass
class XCodecConfig:
    """An X-Codec. The defaults are the published 16 kHz model.

    Fields marked internal are not set by recipes.
    """

    sample_rate: int = 16000
    """Rate of the audio in Hz, in and out."""
    channels: int = 1
    """Audio channels, in and out."""
    strides: list[int] = field(default_factory=lambda: [8, 5, 4, 2])
    """Strides of the encoder; their product is the hop (samples in one frame of codes)."""
    decoder_strides: list[int] = field(default_factory=list)
    """Strides of the `dac` decoder, with the same product; empty: as the encoder's."""
    latent_dim: int = 256
    """Width of the acoustic latents."""
    framing: Literal["whole", "transformers"] = field(default="whole", metadata={"internal": True})
    """How audio that isn't a multiple of the hop is framed. `whole`: zeros at its end, so that
    F = ceil(T / hop). `transformers`: as transformers' XcodecModel does, for its checkpoints. Not
    set by hand."""
    weight_norm: bool = True
    """Weight normalisation of the `dac` convolutions while training, as in the public code."""
    encoder: EncoderConfig = field(default_factory=EncoderConfig)
    """The acoustic encoder."""
    decoder: DecoderConfig = field(default_factory=DecoderConfig)
    """The acoustic decoder."""
    quantizer: QuantizerConfig = field(default_factory=QuantizerConfig)
    """The quantiser."""
    semantic: SemanticConfig = field(default_factory=SemanticConfig)
    """The semantic branches; without a teacher there are none."""
    teaching: TeachingConfig = field(default_factory=TeachingConfig)
    """What the teachers hear in training."""
    losses: LossConfig = field(default_factory=LossConfig)
    """Loss weights."""
    discriminator: DiscriminatorConfig = field(default_factory=DiscriminatorConfig)
    """The discriminators of adversarial training."""
    teachers: list[TeacherConfig] = field(default_factory=list, metadata={"internal": True})
    """The semantic teachers. Not set by hand: the recipe's encoders fill it in."""

    def __post_init__(self) -> None:
        _at_least(self, 1, "sample_rate", "channels", "strides", "decoder_strides", "latent_dim")
        _require(len(self.strides) > 0, "strides must hold at least one number")
        if self.decoder_strides:
            _require(
                math.prod(self.decoder_strides) == self.hop,
                f"decoder_strides {self.decoder_strides} and strides {self.strides} must have the "
                "same product",
            )
        for part, config in (("encoder", self.encoder), ("decoder", self.decoder)):
            if config.kind != "dac":
                self._check_frames(part, config.frames_per_hop, config.n_fft)

    def _check_frames(self, part: str, frames_per_hop: int, n_fft: int) -> None:
        _require(
            self.hop % frames_per_hop == 0,
            f"{part}.frames_per_hop must divide the hop {self.hop}; got {frames_per_hop}",
        )
        fine_hop = self.hop // frames_per_hop
        _require(
            n_fft % 2 == 0 and n_fft % fine_hop == 0 and n_fft >= 2 * fine_hop,
            f"{part}.n_fft must be even and a multiple, at least twice, of its hop {fine_hop} "
            f"(= hop / frames_per_hop); got {n_fft}",
        )

    @property
    def hop(self) -> int:
        """Samples in one frame of codes."""
        return math.prod(self.strides)

    @property
    def frame_rate(self) -> float:
        """Frames of codes a second."""
        return self.sample_rate / self.hop

    @property
    def teacher_grid(self) -> int:
        """Frames of codes after which a frame of every teacher starts, too.

        Audio that is heard from a multiple of it on has its teacher frames where the whole has
        them.
        """
        finer = self.frame_rate * math.prod(self.semantic.strides)
        ratios = [
            Fraction(teacher.frame_rate / finer).limit_denominator(1000)
            for teacher in self.teachers
        ]
        return math.lcm(1, *(ratio.denominator for ratio in ratios))

    @property
    def semantic_widths(self) -> list[int]:
        """Width of each branch at its output, one for each teacher."""
        ratio = self.semantic.channel_ratios[-1]
        return [int((self.semantic.width or teacher.dim) * ratio) for teacher in self.teachers]

    @property
    def fused_dim(self) -> int:
        """Acoustic and semantic widths together."""
        return self.latent_dim + sum(self.semantic_widths)

    @property
    def quantized_dim(self) -> int:
        """Width at which vectors are quantised."""
        return self.quantizer.dim or self.fused_dim


def config_to_dict(config: XCodecConfig) -> dict[str, Any]:
    """Plain JSON values of ``config``."""
    return asdict(config)


def config_from_dict(values: Mapping[str, Any]) -> XCodecConfig:
    """The inverse of :func:`config_to_dict`; raises ``ValueError`` on keys it doesn't know."""
    built = _build(XCodecConfig, values)
    assert isinstance(built, XCodecConfig)
    return built


def _build(kind: type, values: Mapping[str, Any]) -> object:
    hints = get_type_hints(kind)
    unknown = set(values) - {entry.name for entry in fields(kind)}
    _require(not unknown, f"{kind.__name__} has no {', '.join(sorted(unknown))}")
    arguments: dict[str, Any] = {}
    for name, value in values.items():
        hint = hints[name]
        if is_dataclass(hint):
            value = _build(hint, value)  # type: ignore[arg-type]
        elif name == "teachers":
            value = [_build(TeacherConfig, entry) for entry in value]
        arguments[name] = value
    return kind(**arguments)
