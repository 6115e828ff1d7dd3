"""The public face of the workbench: everything that users and plugin authors may import.

Names are resolved when they are first used, so that importing the workbench stays fast and brings
in no heavy library. A new name takes one line in each of the two lists below.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from workbench.api.environment import Environment as Environment
    from workbench.api.errors import AudioError as AudioError
    from workbench.api.errors import ItemLacks as ItemLacks
    from workbench.api.errors import ModelAbsent as ModelAbsent
    from workbench.api.errors import PluginError as PluginError
    from workbench.api.errors import RecipeError as RecipeError
    from workbench.api.errors import TrainingDiverged as TrainingDiverged
    from workbench.api.errors import UnknownComponent as UnknownComponent
    from workbench.api.errors import WeightsError as WeightsError
    from workbench.api.errors import WorkbenchError as WorkbenchError
    from workbench.api.protocols import BuildContext as BuildContext
    from workbench.api.protocols import ChoosingTask as ChoosingTask
    from workbench.api.protocols import Codec as Codec
    from workbench.api.protocols import Corpus as Corpus
    from workbench.api.protocols import LongFormEncoder as LongFormEncoder
    from workbench.api.protocols import Metric as Metric
    from workbench.api.protocols import PairingTask as PairingTask
    from workbench.api.protocols import PretrainedTask as PretrainedTask
    from workbench.api.protocols import ReadingTask as ReadingTask
    from workbench.api.protocols import Recogniser as Recogniser
    from workbench.api.protocols import SemanticEncoder as SemanticEncoder
    from workbench.api.protocols import SharedCorpus as SharedCorpus
    from workbench.api.protocols import SpeakerEncoder as SpeakerEncoder
    from workbench.api.protocols import StreamingCodec as StreamingCodec
    from workbench.api.protocols import Tagger as Tagger
    from workbench.api.protocols import Task as Task
    from workbench.api.protocols import TaughtCodec as TaughtCodec
    from workbench.api.protocols import TextAudioEncoder as TextAudioEncoder
    from workbench.api.protocols import TextReader as TextReader
    from workbench.api.protocols import TrainableCodec as TrainableCodec
    from workbench.api.protocols import TrainableEncoder as TrainableEncoder
    from workbench.api.protocols import VectorCodec as VectorCodec
    from workbench.api.settings import NO_COMPONENT as NO_COMPONENT
    from workbench.api.settings import LMSizes as LMSizes
    from workbench.api.settings import SamplingSettings as SamplingSettings
    from workbench.api.settings import Slot as Slot
    from workbench.api.settings import TrainingSettings as TrainingSettings
    from workbench.api.settings import slot as slot
    from workbench.api.settings import slots as slots
    from workbench.api.types import SPLITS as SPLITS
    from workbench.api.types import Audio as Audio
    from workbench.api.types import Codes as Codes
    from workbench.api.types import Component as Component
    from workbench.api.types import Condition as Condition
    from workbench.api.types import EvaluationItem as EvaluationItem
    from workbench.api.types import Example as Example
    from workbench.api.types import Figure as Figure
    from workbench.api.types import Request as Request
    from workbench.api.types import Sequence as Sequence
    from workbench.api.types import Skipped as Skipped
    from workbench.api.types import Split as Split
    from workbench.api.types import TokenizedExample as TokenizedExample
    from workbench.api.types import Wish as Wish
    from workbench.api.version import API_VERSION as API_VERSION
    from workbench.api.version import __version__ as __version__
    from workbench.audio.dataset import AudioDataset as AudioDataset
    from workbench.audio.dataset import Clip as Clip
    from workbench.audio.dataset import Crops as Crops
    from workbench.audio.encoder import WaveformEncoder as WaveformEncoder
    from workbench.audio.encoder import convolution_geometry as convolution_geometry
    from workbench.audio.encoder import wants_normalized as wants_normalized
    from workbench.audio.espeak import Espeak as Espeak
    from workbench.audio.espeak import EspeakVoice as EspeakVoice
    from workbench.audio.espeak import Speech as Speech
    from workbench.audio.espeak import TimedText as TimedText
    from workbench.audio.frames import FrameGrid as FrameGrid
    from workbench.audio.frames import LogMelFrames as LogMelFrames
    from workbench.audio.frames import MfccFrames as MfccFrames
    from workbench.audio.io import AUDIO_SUFFIXES as AUDIO_SUFFIXES
    from workbench.audio.io import decode_audio as decode_audio
    from workbench.audio.io import read_audio as read_audio
    from workbench.audio.io import write_audio as write_audio
    from workbench.audio.longform import Survey as Survey
    from workbench.audio.phonemes import LANGUAGES as LANGUAGES
    from workbench.audio.phonemes import language_code as language_code
    from workbench.audio.phonemes import phonemise as phonemise
    from workbench.audio.signal import convert as convert
    from workbench.audio.signal import log_mel as log_mel
    from workbench.audio.signal import mel_filterbank as mel_filterbank
    from workbench.audio.signal import resample as resample
    from workbench.audio.signal import resample_in_graph as resample_in_graph
    from workbench.audio.text import TextFrontEnd as TextFrontEnd
    from workbench.codec.batching import encode_by_length as encode_by_length
    from workbench.codec.config import XCodecConfig as XCodecConfig
    from workbench.codec.convnext import FrameNorm as FrameNorm
    from workbench.codec.convnext import convnext_stack as convnext_stack
    from workbench.codec.long import decode_stream as decode_stream
    from workbench.codec.long import encode_long as encode_long
    from workbench.codec.pretrained import load_codec as load_codec
    from workbench.codec.pretrained import scratch_codec as scratch_codec
    from workbench.codec.pretrained import trained_codec as trained_codec
    from workbench.codec.xcodec import XCodec as XCodec
    from workbench.evaluation.isolated import IsolatedMetric as IsolatedMetric
    from workbench.evaluation.isolated import Score as Score
    from workbench.evaluation.isolated import shared_worker as shared_worker
    from workbench.evaluation.judges import audio_hash as audio_hash
    from workbench.evaluation.judges import freeze_judge as freeze_judge
    from workbench.evaluation.judges import judge_key as judge_key
    from workbench.evaluation.probes import cluster_purity as cluster_purity
    from workbench.evaluation.probes import linear_probe as linear_probe
    from workbench.evaluation.probes import normalised_information as normalised_information
    from workbench.evaluation.provenance import metric_settings as metric_settings
    from workbench.evaluation.statistics import bootstrap_interval as bootstrap_interval
    from workbench.evaluation.statistics import mean_figure as mean_figure
    from workbench.evaluation.statistics import paired_difference as paired_difference
    from workbench.evaluation.statistics import set_figure as set_figure
    from workbench.host.catalog import Catalog as Catalog
    from workbench.host.catalog import load_catalog as load_catalog
    from workbench.host.context import Context as Context
    from workbench.host.hookspecs import hookimpl as hookimpl
    from workbench.host.isolation import Worker as Worker
    from workbench.lm.config import LMConfig as LMConfig
    from workbench.lm.generate import Generator as Generator
    from workbench.lm.refine import Refiner as Refiner
    from workbench.lm.transformer import TransformerLM as TransformerLM
    from workbench.training.clustering import kmeans as kmeans
    from workbench.training.clustering import nearest as nearest
    from workbench.training.doctor.monitors import BatchMonitor as BatchMonitor
    from workbench.training.doctor.monitors import Monitor as Monitor
    from workbench.training.doctor.monitors import Monitors as Monitors
    from workbench.training.doctor.monitors import TeacherMonitor as TeacherMonitor
    from workbench.training.loop import adamw as adamw
    from workbench.training.masked_prediction import HiddenStateFeatures as HiddenStateFeatures
    from workbench.training.masked_prediction import MaskedPrediction as MaskedPrediction
    from workbench.training.masked_prediction import Masking as Masking
    from workbench.training.masked_prediction import SpectrumTeacher as SpectrumTeacher
    from workbench.training.masked_prediction import UnitTeacher as UnitTeacher
    from workbench.training.pretraining import overlap_by as overlap_by
    from workbench.training.pretraining import reverberate_by as reverberate_by
    from workbench.training.pretraining import train_round as train_round
    from workbench.training.pretraining import vary_by as vary_by
    from workbench.training.session import Optimise as Optimise
    from workbench.training.session import Trainee as Trainee
    from workbench.training.session import TrainingSession as TrainingSession
    from workbench.training.smoothing import smooth_spectrum as smooth_spectrum
    from workbench.weights import load_tensors as load_tensors
    from workbench.weights import model_config as model_config
    from workbench.weights import read_json as read_json
    from workbench.weights import read_tensors as read_tensors
    from workbench.weights import save_tensors as save_tensors
    from workbench.weights import strip_prefix as strip_prefix
    from workbench.weights import weights_folder as weights_folder

_MODULES = {
    "Environment": "workbench.api.environment",
    "AudioError": "workbench.api.errors",
    "ModelAbsent": "workbench.api.errors",
    "ItemLacks": "workbench.api.errors",
    "PluginError": "workbench.api.errors",
    "RecipeError": "workbench.api.errors",
    "TrainingDiverged": "workbench.api.errors",
    "UnknownComponent": "workbench.api.errors",
    "WeightsError": "workbench.api.errors",
    "WorkbenchError": "workbench.api.errors",
    "BuildContext": "workbench.api.protocols",
    "ChoosingTask": "workbench.api.protocols",
    "Codec": "workbench.api.protocols",
    "Corpus": "workbench.api.protocols",
    "LongFormEncoder": "workbench.api.protocols",
    "Metric": "workbench.api.protocols",
    "ReadingTask": "workbench.api.protocols",
    "Recogniser": "workbench.api.protocols",
    "SemanticEncoder": "workbench.api.protocols",
    "PairingTask": "workbench.api.protocols",
    "PretrainedTask": "workbench.api.protocols",
    "SpeakerEncoder": "workbench.api.protocols",
    "SharedCorpus": "workbench.api.protocols",
    "StreamingCodec": "workbench.api.protocols",
    "Tagger": "workbench.api.protocols",
    "Task": "workbench.api.protocols",
    "TaughtCodec": "workbench.api.protocols",
    "TextAudioEncoder": "workbench.api.protocols",
    "TextReader": "workbench.api.protocols",
    "TrainableCodec": "workbench.api.protocols",
    "TrainableEncoder": "workbench.api.protocols",
    "VectorCodec": "workbench.api.protocols",
    "NO_COMPONENT": "workbench.api.settings",
    "LMSizes": "workbench.api.settings",
    "SamplingSettings": "workbench.api.settings",
    "Slot": "workbench.api.settings",
    "TrainingSettings": "workbench.api.settings",
    "slot": "workbench.api.settings",
    "slots": "workbench.api.settings",
    "SPLITS": "workbench.api.types",
    "Audio": "workbench.api.types",
    "Codes": "workbench.api.types",
    "Component": "workbench.api.types",
    "Condition": "workbench.api.types",
    "EvaluationItem": "workbench.api.types",
    "Example": "workbench.api.types",
    "Figure": "workbench.api.types",
    "Request": "workbench.api.types",
    "Sequence": "workbench.api.types",
    "Skipped": "workbench.api.types",
    "Split": "workbench.api.types",
    "TokenizedExample": "workbench.api.types",
    "Wish": "workbench.api.types",
    "API_VERSION": "workbench.api.version",
    "__version__": "workbench.api.version",
    "AudioDataset": "workbench.audio.dataset",
    "Clip": "workbench.audio.dataset",
    "Crops": "workbench.audio.dataset",
    "WaveformEncoder": "workbench.audio.encoder",
    "Survey": "workbench.audio.longform",
    "convolution_geometry": "workbench.audio.encoder",
    "wants_normalized": "workbench.audio.encoder",
    "Espeak": "workbench.audio.espeak",
    "EspeakVoice": "workbench.audio.espeak",
    "Speech": "workbench.audio.espeak",
    "TimedText": "workbench.audio.espeak",
    "FrameGrid": "workbench.audio.frames",
    "LogMelFrames": "workbench.audio.frames",
    "MfccFrames": "workbench.audio.frames",
    "AUDIO_SUFFIXES": "workbench.audio.io",
    "decode_audio": "workbench.audio.io",
    "read_audio": "workbench.audio.io",
    "write_audio": "workbench.audio.io",
    "LANGUAGES": "workbench.audio.phonemes",
    "language_code": "workbench.audio.phonemes",
    "phonemise": "workbench.audio.phonemes",
    "convert": "workbench.audio.signal",
    "log_mel": "workbench.audio.signal",
    "mel_filterbank": "workbench.audio.signal",
    "resample": "workbench.audio.signal",
    "resample_in_graph": "workbench.audio.signal",
    "TextFrontEnd": "workbench.audio.text",
    "encode_by_length": "workbench.codec.batching",
    "XCodecConfig": "workbench.codec.config",
    "FrameNorm": "workbench.codec.convnext",
    "convnext_stack": "workbench.codec.convnext",
    "decode_stream": "workbench.codec.long",
    "encode_long": "workbench.codec.long",
    "load_codec": "workbench.codec.pretrained",
    "scratch_codec": "workbench.codec.pretrained",
    "trained_codec": "workbench.codec.pretrained",
    "XCodec": "workbench.codec.xcodec",
    "IsolatedMetric": "workbench.evaluation.isolated",
    "Score": "workbench.evaluation.isolated",
    "shared_worker": "workbench.evaluation.isolated",
    "cluster_purity": "workbench.evaluation.probes",
    "linear_probe": "workbench.evaluation.probes",
    "normalised_information": "workbench.evaluation.probes",
    "audio_hash": "workbench.evaluation.judges",
    "freeze_judge": "workbench.evaluation.judges",
    "judge_key": "workbench.evaluation.judges",
    "metric_settings": "workbench.evaluation.provenance",
    "bootstrap_interval": "workbench.evaluation.statistics",
    "mean_figure": "workbench.evaluation.statistics",
    "paired_difference": "workbench.evaluation.statistics",
    "set_figure": "workbench.evaluation.statistics",
    "Catalog": "workbench.host.catalog",
    "load_catalog": "workbench.host.catalog",
    "Context": "workbench.host.context",
    "hookimpl": "workbench.host.hookspecs",
    "Worker": "workbench.host.isolation",
    "LMConfig": "workbench.lm.config",
    "Generator": "workbench.lm.generate",
    "Refiner": "workbench.lm.refine",
    "TransformerLM": "workbench.lm.transformer",
    "kmeans": "workbench.training.clustering",
    "nearest": "workbench.training.clustering",
    "BatchMonitor": "workbench.training.doctor.monitors",
    "Monitor": "workbench.training.doctor.monitors",
    "Monitors": "workbench.training.doctor.monitors",
    "TeacherMonitor": "workbench.training.doctor.monitors",
    "adamw": "workbench.training.loop",
    "HiddenStateFeatures": "workbench.training.masked_prediction",
    "MaskedPrediction": "workbench.training.masked_prediction",
    "Masking": "workbench.training.masked_prediction",
    "SpectrumTeacher": "workbench.training.masked_prediction",
    "UnitTeacher": "workbench.training.masked_prediction",
    "overlap_by": "workbench.training.pretraining",
    "reverberate_by": "workbench.training.pretraining",
    "train_round": "workbench.training.pretraining",
    "vary_by": "workbench.training.pretraining",
    "smooth_spectrum": "workbench.training.smoothing",
    "Optimise": "workbench.training.session",
    "Trainee": "workbench.training.session",
    "TrainingSession": "workbench.training.session",
    "load_tensors": "workbench.weights",
    "model_config": "workbench.weights",
    "read_json": "workbench.weights",
    "read_tensors": "workbench.weights",
    "save_tensors": "workbench.weights",
    "strip_prefix": "workbench.weights",
    "weights_folder": "workbench.weights",
}
"""Public names and the modules that hold them."""

__all__ = list(_MODULES)


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(_MODULES[name]), name)
    globals()[name] = value  # so that the next use is a plain look-up
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
