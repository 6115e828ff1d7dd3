"""How like its prompt a voice sounds (SIM-O): cosine of two speaker embeddings."""

from __future__ import annotations

from workbench import EvaluationItem, Figure, ItemLacks, mean_figure, metric_settings
from workbench_speech.listening import Voices


class SpeakerSimilarity:
    """``speaker-similarity``: mean cosine between generated speech and its original prompt.

    Against the prompt's own audio, not its reconstruction (SIM-O of Voicebox, arXiv 2306.15687,
    section 5.1). Another item's speech, a system of every table, says what two voices score.
    """

    def __init__(self, voices: Voices, judge: str) -> None:
        self.voices = voices
        self.judge = judge
        self._scores: dict[str, float] = {}

    def update(self, item: EvaluationItem) -> None:
        """Take in one item, which must have a prompt."""
        if item.prompt is None or item.prompt.samples.shape[-1] == 0:
            raise ItemLacks(
                f"speaker-similarity: item {item.id!r} has no prompt; leave this metric out, or "
                "let the task give its model a prompt"
            )
        one, two = self.voices(item.generated), self.voices(item.prompt)
        self._scores[item.id] = float(one @ two)

    def compute(self) -> list[Figure]:
        """``speaker-similarity``, higher is better."""
        settings = metric_settings(
            "cosine of the voices of the audio and of its prompt, in the judge's space",
            version=1,
            models={self.judge: self.voices.fingerprint},
            heard_at=self.voices.judge.sample_rate,
        )
        return [mean_figure("speaker-similarity", self._scores, True, settings=settings)]
