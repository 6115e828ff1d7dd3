"""Corpus stage: every recording at the codec's rate and channel count, unusable ones set aside."""

from __future__ import annotations

from collections.abc import Iterator

from workbench.api.errors import AudioError, WorkbenchError
from workbench.api.protocols import Codec, Corpus, SharedCorpus
from workbench.api.types import SPLITS, Audio, Example, Split
from workbench.audio.dataset import AudioDataset, prepare
from workbench.pipeline.experiment import Experiment
from workbench.pipeline.store import StageFolder
from workbench.training.progress import StepProgress


def prepare_corpus(experiment: Experiment, codec: Codec) -> tuple[AudioDataset, str]:
    """The prepared corpus and its stage's key."""
    slot = experiment.recipe.corpus
    corpus: Corpus = experiment.context().build("corpus", slot.name, slot.options)
    fingerprint = corpus.fingerprint()
    inputs = {
        "corpus": experiment.identity("corpus", slot),
        "fingerprint": fingerprint,
        "sample_rate": codec.sample_rate,
        "channels": codec.channels,
    }

    def build(folder: StageFolder) -> dict[str, object]:
        shares = corpus.crop_shares() if isinstance(corpus, SharedCorpus) else None
        layout = (codec.sample_rate, codec.channels)
        data = prepare(folder.path, recordings(corpus), *layout, fingerprint, shares)
        seconds = {split: round(data.seconds(split), 3) for split in SPLITS}
        return {"seconds_of_audio": seconds, "skipped": len(data.skipped)}

    stage = experiment.stage("corpus", inputs, build)
    return AudioDataset(stage.path), stage.key


def recordings(corpus: Corpus) -> Iterator[tuple[Example, Audio | AudioError]]:
    """Every example with its recording, or with the reason why there is none."""
    examples = [example for split in SPLITS for example in corpus.examples(split)]
    with StepProgress("corpus", 0, len(examples)) as progress:
        for example in examples:
            try:
                audio: Audio | AudioError = corpus.audio(example)
            except AudioError as error:
                audio = error
            yield example, audio
            progress.advance()


def require_split(data: AudioDataset, split: Split, purpose: str) -> None:
    """Complain where a split that is needed holds nothing."""
    if data.clips(split):
        return
    counts = ", ".join(f"{name} {len(data.clips(name))}" for name in SPLITS)
    reasons = "".join(f"\n  - {entry.id}: {entry.reason}" for entry in data.skipped[:5])
    raise WorkbenchError(
        f"the corpus has no usable {split} recordings, which {purpose} needs (usable: {counts}; "
        f"skipped: {len(data.skipped)}). Add some, or change the corpus' split options.{reasons}"
    )
