"""Registers the corpora: embedded ones, folders, manifests, public data sets, mixtures."""

from __future__ import annotations

from typing import TYPE_CHECKING

from workbench import BuildContext, Component, hookimpl
from workbench_corpora.options import (
    FolderOptions,
    HuggingFaceOptions,
    ManifestOptions,
    MixtureOptions,
    SoundFolderOptions,
    SpeechFolderOptions,
    SyntheticMusicOptions,
    SyntheticSoundOptions,
    SyntheticSpeechOptions,
)

if TYPE_CHECKING:
    from workbench import Corpus


def _synthetic_music(options: SyntheticMusicOptions, _context: BuildContext) -> Corpus:
    from workbench_corpora.synthetic_music import SyntheticMusic

    return SyntheticMusic(options)


def _synthetic_sound(options: SyntheticSoundOptions, _context: BuildContext) -> Corpus:
    from workbench_corpora.synthetic_sound import SyntheticSound

    return SyntheticSound(options)


def _synthetic_speech(options: SyntheticSpeechOptions, _context: BuildContext) -> Corpus:
    from workbench_corpora.synthetic_speech import SyntheticSpeech

    return SyntheticSpeech(options)


def _folder(options: FolderOptions, _context: BuildContext) -> Corpus:
    from workbench_corpora.folder import Folder

    return Folder(options)


def _speech_folder(options: SpeechFolderOptions, _context: BuildContext) -> Corpus:
    from workbench_corpora.speech_folder import SpeechFolder

    return SpeechFolder(options)


def _manifest(options: ManifestOptions, _context: BuildContext) -> Corpus:
    from workbench_corpora.manifest import Manifest

    return Manifest(options)


def _huggingface(options: HuggingFaceOptions, _context: BuildContext) -> Corpus:
    from workbench_corpora.huggingface import HuggingFaceData

    return HuggingFaceData(options)


def _sound_folder(options: SoundFolderOptions, _context: BuildContext) -> Corpus:
    from workbench_corpora.sound_folder import SoundFolder

    return SoundFolder(options)


def _mixture(options: MixtureOptions, context: BuildContext) -> Corpus:
    from workbench_corpora.mixture import Mixture, Part

    return Mixture(
        [
            Part(
                label=f"{number}-{part.name}",
                corpus=context.build("corpus", part.name, part.options),
                weight=part.weight,
                share=part.share,
            )
            for number, part in enumerate(options.parts)
        ]
    )


@hookimpl
def workbench_corpora() -> list[Component]:
    """All corpora of this plugin."""
    return [
        Component(
            "synthetic-music",
            "Synthesised music in 24 keys with its score, made on the spot, the same everywhere",
            SyntheticMusicOptions,
            _synthetic_music,
        ),
        Component(
            "synthetic-sound",
            "Synthesised sound events and scenes of them, captioned, with the truth about each",
            SyntheticSoundOptions,
            _synthetic_sound,
        ),
        Component(
            "synthetic-speech",
            "Speech by espeak-ng in English, Spanish, Mandarin, with accents, voices and phonemes",
            SyntheticSpeechOptions,
            _synthetic_speech,
        ),
        Component(
            "folder",
            "All audio files below a folder (WAV, FLAC, Ogg, Opus, MP3, AIFF; any rate, channels)",
            FolderOptions,
            _folder,
        ),
        Component(
            "speech-folder",
            "LibriTTS, LibriSpeech, Multilingual LibriSpeech, AISHELL-3, Common Voice as published",
            SpeechFolderOptions,
            _speech_folder,
        ),
        Component(
            "manifest",
            "Recordings listed in a JSONL, CSV or TSV file, with texts, speakers, captions, times",
            ManifestOptions,
            _manifest,
        ),
        Component(
            "huggingface",
            "A data set of the Hugging Face Hub or on disk, streaming too (extra: huggingface)",
            HuggingFaceOptions,
            _huggingface,
        ),
        Component(
            "sound-folder",
            "AudioCaps, Clotho, ESC-50, FSD50K as published, with captions or labels",
            SoundFolderOptions,
            _sound_folder,
        ),
        Component(
            "mixture",
            "Several corpora as one, interleaved and weighted",
            MixtureOptions,
            _mixture,
        ),
    ]
