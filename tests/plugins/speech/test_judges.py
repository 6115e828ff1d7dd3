"""The small judges: what they learn, what they keep, and what they refuse."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from workbench_speech.body import even_out, hide
from workbench_speech.load import load_recogniser, load_voice_encoder
from workbench_speech.plugin import JudgeSize, RecogniserOptions, SpeakerOptions
from workbench_speech.utterances import played

from workbench import (
    Audio,
    AudioDataset,
    Example,
    TrainingSession,
    TrainingSettings,
    WeightsError,
    WorkbenchError,
)
from workbench.audio.dataset import prepare

RATE = 16_000
LETTERS = {"a": 400.0, "b": 900.0, "c": 1800.0, "d": 3300.0}
SIZE = JudgeSize(width=48, blocks=2, mels=32, dropout=0.0)


def spoken(text: str, noise: float, seed: int) -> torch.Tensor:
    """A language of four letters: each is a tone of 0.15 s with a short gap after it."""
    time = torch.arange(int(0.15 * RATE)) / RATE
    gap = torch.zeros(int(0.05 * RATE))
    parts = [torch.cat([0.3 * torch.sin(2 * torch.pi * LETTERS[c] * time), gap]) for c in text]
    wav = torch.cat(parts)
    return wav + noise * torch.randn(len(wav), generator=torch.Generator().manual_seed(seed))


def corpus(folder: Path, count: int = 60, text: bool = True) -> AudioDataset:
    """Random words of that language, spoken by a quiet and a noisy speaker."""
    generator = torch.Generator().manual_seed(0)

    def recordings() -> Iterator[tuple[Example, Audio]]:
        for number in range(count):
            letters = torch.randint(4, (5,), generator=generator).tolist()
            said = "".join("abcd"[letter] for letter in letters)
            noisy = number % 2
            example = Example(
                f"item{number}",
                "train" if number < count - 10 else "validation",
                text=said.upper() + "!" if text else None,
                language="es",
                speaker=("quiet", "noisy")[noisy] if text else None,
            )
            yield example, Audio(spoken(said, 0.05 * noisy + 0.001, number)[None], RATE)

    return prepare(folder, recordings(), RATE, 1, "letters")


def session(folder: Path, steps: int) -> TrainingSession:
    settings = TrainingSettings(
        steps=steps,
        batch_size=12,
        learning_rate=4e-3,
        warmup_steps=5,
        log_every=10,
        validate_every=1000,
    )
    return TrainingSession(settings, folder, 0)


def test_a_recogniser_learns_to_write_down_what_it_hears(tmp_path: Path) -> None:
    data = corpus(tmp_path / "data")
    model = load_recogniser(RecogniserOptions(weights="random", size=SIZE, variety=0.3), seed=0)
    model.pretrain(data, session(tmp_path / "run", 150))
    assert model.alphabet == "abcd"  # case and punctuation are gone
    held_out = data.clips("validation")
    said = [model.transcribe(data.read(clip)[0]) for clip in held_out]
    truth = [str(clip.example.text).lower().strip("!") for clip in held_out]
    right = sum(one == other for one, other in zip(said, truth, strict=True))
    assert right >= 8, list(zip(said, truth, strict=True))
    lines = [json.loads(line) for line in (tmp_path / "run" / "history.jsonl").open()]
    assert lines[-1]["validation_cer"] < 0.1

    model.save(tmp_path / "weights", half=True)
    loaded = load_recogniser(RecogniserOptions(weights=str(tmp_path / "weights")), seed=1)
    assert [loaded.transcribe(data.read(clip)[0]) for clip in held_out] == said


def test_a_recogniser_is_trained_on_smoothed_spectra_where_asked() -> None:
    options = RecogniserOptions(weights="random", size=SIZE, smoothing=0.7)
    model = load_recogniser(options, seed=0)
    assert model.smoothing == 0.7
    wav = torch.randn(6, 8000)
    torch.manual_seed(0)
    smoothed = model.body.spectrum(wav, smoothing=1.0)
    assert not torch.allclose(smoothed, model.body.spectrum(wav))
    with pytest.raises(ValueError, match=r"smoothing = 2: must be from 0 to 1"):
        RecogniserOptions(smoothing=2)


def test_a_speaker_encoder_learns_to_tell_voices_apart(tmp_path: Path) -> None:
    data = corpus(tmp_path / "data")
    options = SpeakerOptions(weights="random", size=SIZE, dim=8, variety=0.0)
    model = load_voice_encoder(options, seed=0)
    model.pretrain(data, session(tmp_path / "run", 60))
    held_out = data.clips("validation")
    voices = torch.stack([model.embed_speaker(data.read(clip)[0]) for clip in held_out])
    assert torch.allclose(voices.norm(dim=1), torch.ones(10))
    same = torch.tensor(
        [[a.example.speaker == b.example.speaker for a in held_out] for b in held_out]
    )
    cosines = voices @ voices.T
    apart = ~same
    same.fill_diagonal_(False)
    assert cosines[same].mean() > cosines[apart].mean() + 0.5


@torch.no_grad()
def test_padding_changes_neither_what_is_heard_nor_who() -> None:
    model = load_recogniser(RecogniserOptions(weights="random", size=SIZE), seed=0)
    model.set_alphabet("ab")
    voice = load_voice_encoder(SpeakerOptions(weights="random", size=SIZE), seed=0)
    wav = spoken("abca", 0.01, 0)[None]
    padded = torch.nn.functional.pad(wav, (0, 8000))
    lengths = torch.tensor([wav.shape[1]])
    frames = wav.shape[1] // 320
    reach = 3 * SIZE.blocks + 1  # frames at the end see what lies behind them
    alone, among = model.logits(wav), model.logits(padded, lengths)[:, :frames]
    torch.testing.assert_close(alone[:, :-reach], among[:, :-reach], rtol=1e-4, atol=1e-4)
    assert float(voice.embed(wav)[0] @ voice.embed(padded, lengths)[0]) > 0.99


def test_gain_and_a_fixed_filter_are_evened_out() -> None:
    mel = torch.randn(2, 50, 8)
    coloured = mel + torch.randn(1, 1, 8) * 3 + 5
    torch.testing.assert_close(even_out(mel, None), even_out(coloured, None))
    short = torch.cat([mel, 100 * torch.ones(2, 10, 8)], dim=1)
    cut = even_out(short, torch.tensor([50, 50]))
    torch.testing.assert_close(cut[:, :50], even_out(mel, None))
    assert bool((cut[:, 50:] == 0).all())


def test_random_weights_say_that_they_know_no_characters() -> None:
    model = load_recogniser(RecogniserOptions(weights="random", size=SIZE), seed=0)
    with pytest.raises(WeightsError, match="knows no characters: train it"):
        model.transcribe(torch.zeros(16000))


def test_a_corpus_that_cannot_teach_is_named(tmp_path: Path) -> None:
    data = corpus(tmp_path / "data", count=14, text=False)
    recogniser = load_recogniser(RecogniserOptions(weights="random", size=SIZE), seed=0)
    with pytest.raises(WorkbenchError, match="no training recordings with a text"):
        recogniser.pretrain(data, session(tmp_path / "run", 1))
    voice = load_voice_encoder(SpeakerOptions(weights="random", size=SIZE), seed=0)
    with pytest.raises(WorkbenchError, match="names 0 speakers"):
        voice.pretrain(data, session(tmp_path / "run", 1))


def test_one_judge_is_not_taken_for_another(tmp_path: Path) -> None:
    load_voice_encoder(SpeakerOptions(weights="random", size=SIZE), seed=0).save(tmp_path)
    with pytest.raises(WeightsError, match="a speaker, not a recogniser"):
        load_recogniser(RecogniserOptions(weights=str(tmp_path)), seed=0)


def test_what_is_hidden_is_one_stretch_of_time_and_one_of_bands() -> None:
    spectrum = torch.ones(20, 40, 30)
    hidden = hide(spectrum, 0.5) == 0
    silent, deaf = hidden.all(dim=2), hidden.all(dim=1)
    assert bool((hidden == (silent.unsqueeze(2) | deaf.unsqueeze(1))).all())
    for stretches, most in ((silent, 20), (deaf, 15)):
        assert int(stretches.sum(dim=1).max()) <= most
        assert int(stretches.sum(dim=1).float().mean() * 10) > 0
        starts = (stretches[:, 1:] & ~stretches[:, :-1]).sum(dim=1) + stretches[:, 0]
        assert int(starts.max()) == 1
    assert torch.equal(hide(spectrum, 0.0), spectrum)


def test_played_faster_is_shorter_and_higher() -> None:
    tone = spoken("a", 0.0, 0)[: int(0.15 * RATE)]
    faster = played(tone, 1.25)
    assert len(faster) == len(tone) / 1.25
    peak = int(torch.fft.rfft(faster, RATE).abs().argmax())
    assert abs(peak - 1.25 * LETTERS["a"]) < 5


@pytest.mark.parametrize("name", ["pace", "hidden"])
@pytest.mark.parametrize("value", [-0.1, 1.0])
def test_shares_beyond_their_range_are_refused(name: str, value: float) -> None:
    with pytest.raises(ValueError, match=f"{name} = {value}: must be in"):
        RecogniserOptions(**{name: value})
