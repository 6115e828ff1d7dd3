"""What each kind of component must be able to do.

A component need not inherit from these classes: having the members is enough.
Shape letters: B batch, C channels, T samples, F frames, K codebooks, D features.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from workbench.api.settings import Slot, TrainingSettings
from workbench.api.types import (
    Audio,
    Codes,
    EvaluationItem,
    Example,
    Figure,
    Request,
    Sequence,
    Split,
    TokenizedExample,
    Wish,
)

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor

    from workbench.audio.dataset import AudioDataset
    from workbench.lm.config import LMConfig
    from workbench.training.session import TrainingSession


class BuildContext(Protocol):
    """What ``Component.build`` is given besides its own options."""

    device: str
    """Torch device on which models are to live, e.g. ``"cpu"`` or ``"cuda:0"``."""
    seed: int
    """Seed of the run; anything random must depend on it alone."""
    encoders: tuple[tuple[str, SemanticEncoder, float], ...]
    """For a codec: the recipe's semantic encoders as (name, encoder, loss weight); else empty."""

    def build(self, kind: str, name: str, options: Mapping[str, Any] | None = None) -> Any:
        """Build another component, validating ``options`` against its dataclass."""
        ...


@runtime_checkable
class SemanticEncoder(Protocol):
    """A model whose features carry meaning; the codec's frozen teacher.

    It states its rates; the engine resamples, aligns frames, and keeps it frozen in eval mode.
    Implementations are ``torch.nn.Module`` objects, so that the engine can move and freeze them.
    """

    sample_rate: int
    """Rate in Hz at which it wants its audio."""
    frame_rate: float
    """Feature frames a second, nominal."""
    dim: int
    """Width D of its features."""

    def __call__(self, wav: Tensor) -> Tensor:
        """Features float32 ``[B, D, F]`` of mono audio float32 ``[B, T]`` at ``sample_rate``.

        F is the number of frames the model yields for T samples, at least 1.
        """
        ...


@runtime_checkable
class TrainableEncoder(SemanticEncoder, Protocol):
    """A semantic encoder that the workbench can also train, self-supervised, on a corpus."""

    def pretrain(self, data: AudioDataset, session: TrainingSession) -> None:
        """Train in place on ``data``, through ``session.fit`` so that a killed run resumes."""
        ...

    def save(self, folder: Path) -> None:
        """Write the weights to ``folder``, in a form that its ``weights`` option can name."""
        ...


@runtime_checkable
class LongFormEncoder(SemanticEncoder, Protocol):
    """A semantic encoder that can hear a stretch of a long recording as a part of the whole of it.

    Others hear each stretch by itself, with some audio around it.
    """

    def survey(self, blocks: Iterable[Tensor], samples: int) -> object:
        """What stretches need to know of a recording.

        It comes in ``blocks``, float32 ``[1, t]`` at ``sample_rate``, ``samples`` in all; where
        they are cut must not matter.
        """
        ...

    def within(self, wav: Tensor, survey: Any, start: int) -> Tensor:
        """Features float32 ``[1, D, F]`` of the stretch ``[1, T]`` from sample ``start`` on.

        ``start`` lies where a frame of the whole recording starts.
        """
        ...


@runtime_checkable
class Recogniser(Protocol):
    """A semantic encoder that can also write down what is said: the judge of ``error-rates``."""

    sample_rate: int
    """Rate in Hz at which it wants its audio."""

    def transcribe(self, wav: Tensor, language: str | None = None) -> str:
        """What is said in mono audio float32 ``[T]`` at ``sample_rate``.

        ``language`` is a language's code (``en``, ``cmn``), for models that want to be told.
        """
        ...


@runtime_checkable
class SpeakerEncoder(Protocol):
    """A semantic encoder that can also tell voices apart: the judge of ``speaker-similarity``."""

    sample_rate: int
    """Rate in Hz at which it wants its audio."""

    def embed_speaker(self, wav: Tensor) -> Tensor:
        """A vector float32 ``[E]`` of length 1 for the voice in mono audio float32 ``[T]``."""
        ...


@runtime_checkable
class Tagger(Protocol):
    """A semantic encoder that also says which sound events are audible: a judge of sounds.

    ``event-recall`` asks it for events in time, ``class-divergence`` for what a clip is.
    """

    sample_rate: int
    """Rate in Hz at which it wants its audio."""
    tag_rate: float
    """Segments a second, nominal."""
    classes: tuple[str, ...]
    """Names of its C classes."""

    def tag(self, wav: Tensor) -> Tensor:
        """Probabilities float32 ``[S, C]`` that each class is audible, segment by segment.

        Of mono audio float32 ``[T]`` at ``sample_rate``; S is at least 1. Several classes may be
        audible at once.
        """
        ...

    def classify(self, wav: Tensor) -> Tensor:
        """A distribution float32 ``[C]`` over the classes, of sum 1, for the whole of ``[T]``."""
        ...


@runtime_checkable
class TextAudioEncoder(Protocol):
    """A semantic encoder that also puts recordings and captions into one space, as CLAP does.

    A recording lies near the captions that fit it: the judge of ``clap-score``, and a condition for
    language models.
    """

    embedding_dim: int
    """Width E of the space."""

    def embed_audio(self, wav: Tensor, sample_rate: int) -> Tensor:
        """Vectors float32 ``[B, E]`` of length 1, of mono audio float32 ``[B, T]`` at any rate."""
        ...

    def embed_text(self, texts: list[str]) -> Tensor:
        """Vectors float32 ``[N, E]`` of length 1, of N captions."""
        ...


@runtime_checkable
class TextReader(Protocol):
    """A frozen model that reads texts for language models to attend to: CLAP's text tower, T5.

    Implementations are ``torch.nn.Module`` objects. A semantic encoder may be one besides.
    """

    text_dim: int
    """Width D of its states."""

    def read(self, texts: list[str]) -> list[Tensor]:
        """States float32 ``[S, D]`` of each text, one for each token; S is at least 1.

        They don't depend on the other texts, and have no padding.
        """
        ...


@runtime_checkable
class Codec(Protocol):
    """Audio to discrete codes and back."""

    sample_rate: int
    """Audio rate in Hz, in and out."""
    channels: int
    """Audio channels C, in and out."""
    frame_rate: float
    """Code frames a second."""
    num_codebooks: int
    """Codebooks K at full bandwidth."""
    codebook_size: int
    """Entries in each codebook."""

    def encode(self, wav: Tensor, lengths: Tensor | None = None) -> Codes:
        """Codes ``[B, K, F]`` of audio float32 ``[B, C, T]``.

        ``lengths`` (int64 ``[B]``, samples) marks the valid part of padded items; an item's codes
        do not depend on the others in its batch.
        """
        ...

    def decode(self, codes: Codes) -> Tensor:
        """Audio float32 ``[B, C, T]`` of codes with any number of codebooks from 1 to K."""
        ...


@runtime_checkable
class VectorCodec(Codec, Protocol):
    """A codec that shows the vectors its codes stand for; what they hold can be probed.

    Of others, `workbench profile` can only tell which codes are alike.
    """

    def vectors(self, codes: Codes) -> Tensor:
        """Vectors float32 ``[B, D, F]`` that the decoder makes audio of, of codes ``[B, k, F]``.

        k is any number from 1 to K. Codebooks refine one another: what codebook k adds is the
        difference from the vectors of the first k - 1.
        """
        ...


@runtime_checkable
class StreamingCodec(Codec, Protocol):
    """A codec that handles audio of any length itself, in bounded memory.

    Others are given windows, with ten seconds on each side beside them.
    """

    def encode_long(self, read: Callable[[], Iterable[Tensor]], samples: int) -> Iterator[Tensor]:
        """Codes int64 ``[1, K, f]``, piece by piece, of one recording.

        ``read`` gives its audio float32 ``[1, C, t]`` in pieces of any length, ``samples`` in all,
        from the beginning each time it is called.
        """
        ...

    def decode_stream(self, pieces: Iterable[Tensor]) -> Iterator[Tensor]:
        """Audio float32 ``[B, C, t]`` as codes int64 ``[B, k, f]`` come in pieces of any length.

        Put together it is what ``decode`` gives for all codes, within 1e-5.
        """
        ...


@runtime_checkable
class TrainableCodec(Codec, Protocol):
    """A codec that the workbench can train."""

    def fit(self, data: AudioDataset, session: TrainingSession) -> None:
        """Train in place on ``data``, through ``session.fit`` so that a killed run resumes."""
        ...

    def save(self, folder: Path) -> None:
        """Write configuration and weights to ``folder``, which its ``weights`` option can name."""
        ...


@runtime_checkable
class TaughtCodec(TrainableCodec, Protocol):
    """A trainable codec that can hear its frozen teachers once, before it is trained."""

    def feature_inputs(self, settings: TrainingSettings) -> Mapping[str, Any]:
        """What stored features depend on, beside the audio and the teachers' weights: JSON values.

        Empty where its options ask for none.
        """
        ...

    def write_features(
        self, data: AudioDataset, settings: TrainingSettings, folder: Path
    ) -> Mapping[str, Any]:
        """Write the teachers' features of the training split to ``folder``; returns facts on them.

        Goes on where it was killed.
        """
        ...

    def fit(
        self, data: AudioDataset, session: TrainingSession, features: Path | None = None
    ) -> None:
        """Train, reading what :meth:`write_features` wrote to ``features`` where that is given."""
        ...


class Corpus(Protocol):
    """A collection of recordings in three splits that share no recording."""

    def fingerprint(self) -> str:
        """A string that changes whenever the corpus' content does; cheap to compute."""
        ...

    def examples(self, split: Split) -> Iterable[Example]:
        """The examples of one split, always in the same order."""
        ...

    def audio(self, example: Example) -> Audio:
        """The recording, at its own rate; raises ``AudioError`` where it can't be used."""
        ...


@runtime_checkable
class SharedCorpus(Corpus, Protocol):
    """A corpus of several domains that says how much of each encoders and codecs are trained on."""

    def crop_shares(self) -> Mapping[str, float]:
        """Share of the training crops by domain, which ``details["domain"]`` of an example names.

        Shares count in relation to each other. Within a domain, longer recordings come more often.
        Empty: every moment of all recordings is equally likely, as with any other corpus.
        """
        ...


class Task(Protocol):
    """A kind of generation: what the language model is given and what it must produce."""

    metrics: tuple[str, ...]
    """Names of the metrics that suit this task, used where a recipe lists none."""

    def language_models(self, codec: Codec, lm: LMConfig) -> Mapping[str, LMConfig]:
        """The language models it trains, by role; ``lm`` holds the recipe's sizes."""
        ...

    def training_sequence(
        self, role: str, item: TokenizedExample, rng: np.random.Generator
    ) -> Sequence | None:
        """One training sequence drawn from ``item``, or None where the item is of no use."""
        ...

    def requests(self, items: Iterable[TokenizedExample], codec: Codec) -> list[Request]:
        """What to generate for held-out items, with the truth as reference."""
        ...

    def request(self, wish: Wish, codec: Codec) -> Request:
        """What to generate for a person's wish; ``WorkbenchError`` says what is missing from it."""
        ...

    def generate(
        self, generators: Mapping[str, Any], requests: list[Request], seed: int
    ) -> list[Tensor]:
        """Codes ``[K, frames]`` (prompt not included) for each request, in order.

        By role, ``generators`` holds a ``workbench.Generator``, or a ``workbench.Refiner`` for a
        model that fills in codebooks (``given_codebooks``).
        """
        ...


@runtime_checkable
class PairingTask(Protocol):
    """A task whose training sequences join two recordings: a speaker's prompt and sentence, say."""

    def pairing(self, example: Example) -> str | None:
        """What an example's partner must share with it; None: it goes without a partner."""
        ...

    def paired_sequence(
        self, role: str, item: TokenizedExample, partner: TokenizedExample, rng: np.random.Generator
    ) -> Sequence | None:
        """As ``training_sequence``, with another item of equal ``pairing``, drawn anew each time.

        An item that has no partner in its split goes to ``training_sequence``.
        """
        ...


@runtime_checkable
class PretrainedTask(Protocol):
    """A task that ships language models, for recipes that say ``lm.init: embedded``."""

    weights: Path
    """Folder that holds a model's folder for each role."""


@runtime_checkable
class ReadingTask(Protocol):
    """A task whose language models attend to texts, each of which is read once and kept."""

    reader: TextReader
    """What reads the texts."""

    def texts(self, example: Example) -> list[str]:
        """All texts that may be asked for with an example."""
        ...

    def remember(self, states: Mapping[str, Tensor]) -> None:
        """Take what was read, float32 ``[S, D]`` by text, so that it need not be read again.

        Texts that are not among them, a person's, are read when they are asked for.
        """
        ...


@runtime_checkable
class ChoosingTask(Protocol):
    """A task that has several results made for each request and keeps the best."""

    candidates: int
    """Results that are made for each request; 1: there is nothing to choose."""
    ranker: Slot
    """The semantic encoder that chooses. No metric may be judged by the same."""

    def rate(self, request: Request, audio: Audio) -> float:
        """How good a decoded result is; the highest is kept."""
        ...


class Metric(Protocol):
    """A score over a set of items."""

    def update(self, item: EvaluationItem) -> None:
        """Take one item in. Called once an item, in a fixed order."""
        ...

    def compute(self) -> list[Figure]:
        """The figures over all items seen, each with N and a 95 % interval."""
        ...
