"""The small tagger: what it learns, what it keeps, and what it refuses."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from workbench_tags.load import load_tagger
from workbench_tags.network import HOP, SAMPLE_RATE, clip_logits
from workbench_tags.plugin import TaggerOptions, TaggerSize
from workbench_tags.scenes import targets
from workbench_tags.training import SceneDraws
from workbench_tags.truth import SoundEvent, annotated, ordered_pairs

from workbench import (
    Audio,
    AudioDataset,
    Clip,
    Example,
    RecipeError,
    Tagger,
    TrainableEncoder,
    TrainingSession,
    TrainingSettings,
    WeightsError,
    WorkbenchError,
    load_catalog,
)
from workbench.audio.dataset import prepare

SIZE = TaggerSize(channels=6, width=24, blocks=1, mels=32, dropout=0.0)
KINDS = {"low": 300.0, "mid": 1200.0, "high": 4000.0}
SECONDS = 2.4


def tone(kind: str) -> torch.Tensor:
    time = torch.arange(int(0.6 * SAMPLE_RATE)) / SAMPLE_RATE
    return 0.3 * torch.sin(2 * torch.pi * KINDS[kind] * time)


def scene(first: str, second: str, seed: int) -> tuple[torch.Tensor, list[dict[str, object]]]:
    """Two tones of 0.6 s in turn, over a little noise."""
    generator = torch.Generator().manual_seed(seed)
    wav = 0.003 * torch.randn(int(SECONDS * SAMPLE_RATE), generator=generator)
    events: list[dict[str, object]] = []
    for kind, start in ((first, 0.32), (second, 1.44)):
        place = int(start * SAMPLE_RATE)
        wav[place : place + int(0.6 * SAMPLE_RATE)] += tone(kind)
        events.append({"kind": kind, "onset": start, "duration": 0.6, "background": False})
    return wav, events


def corpus(folder: Path, count: int = 40, known: bool = True) -> AudioDataset:
    generator = torch.Generator().manual_seed(0)

    def recordings() -> Iterator[tuple[Example, Audio]]:
        for number in range(count):
            order = [list(KINDS)[k] for k in torch.randperm(3, generator=generator)[:2].tolist()]
            wav, events = scene(order[0], order[1], number)
            split = "train" if number < count - 8 else "validation"
            details = {"events": events} if known else {}
            yield Example(f"item{number}", split, details=details), Audio(wav[None], SAMPLE_RATE)

    return prepare(folder, recordings(), SAMPLE_RATE, 1, "tones")


def session(folder: Path, steps: int) -> TrainingSession:
    settings = TrainingSettings(
        steps=steps, batch_size=8, segment_seconds=SECONDS, learning_rate=8e-3, warmup_steps=5,
        validate_every=1000,
    )  # fmt: skip
    return TrainingSession(settings, folder, 0)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Tagger, AudioDataset, Path]:
    folder = tmp_path_factory.mktemp("tagger")
    data = corpus(folder / "data")
    model = load_tagger(TaggerOptions(weights="random", size=SIZE, variety=0.2), seed=0)
    assert isinstance(model, TrainableEncoder)
    model.pretrain(data, session(folder / "run", 80))
    return model, data, folder


def test_it_learns_which_events_there_are_and_when(trained) -> None:
    model, data, folder = trained
    assert isinstance(model, Tagger)
    assert model.classes == ("high", "low", "mid")
    right = 0
    for clip in data.clips("validation"):
        tags = model.tag(data.read(clip)[0])
        first, second = (event.kind for event in annotated(clip.example))
        middle = round(0.62 * model.tag_rate), round(1.74 * model.tag_rate)
        heard = [model.classes[int(tags[frame].argmax())] for frame in middle]
        quiet = float(tags[:2].max()) < 0.5
        right += heard == [first, second] and quiet
    assert right >= 7
    lines = [json.loads(line) for line in (folder / "run" / "history.jsonl").open()]
    assert lines[-1]["validation_recall"] > 0.9
    assert lines[-1]["validation_precision"] > 0.9


def test_a_clip_is_classified_as_what_is_in_it(trained) -> None:
    model, _, _ = trained
    wav, _ = scene("low", "low", seed=99)
    shares = model.classify(wav)
    assert float(shares.sum()) == pytest.approx(1.0)
    assert model.classes[int(shares.argmax())] == "low"


def test_saved_weights_come_back(trained, tmp_path: Path) -> None:
    model, data, _ = trained
    model.save(tmp_path, half=True)
    loaded = load_tagger(TaggerOptions(weights=str(tmp_path)), seed=1)
    wav = data.read(data.clips("validation")[0])[0]
    assert loaded.classes == model.classes
    torch.testing.assert_close(loaded.tag(wav), model.tag(wav), atol=0.03, rtol=0)


def test_training_depends_on_the_seed_alone(tmp_path: Path) -> None:
    data = corpus(tmp_path / "data", count=16)
    states = []
    for name in ("one", "two"):
        model = load_tagger(TaggerOptions(weights="random", size=SIZE), seed=0)
        model.pretrain(data, session(tmp_path / name, 3))
        states.append(model.state_dict())
    assert all(torch.equal(states[0][key], states[1][key]) for key in states[0])


def test_processes_share_a_batch(tmp_path: Path) -> None:
    data = corpus(tmp_path / "data", count=16)
    model = load_tagger(TaggerOptions(weights="random", size=SIZE, variety=0.0), seed=0)
    model.set_classes(("high", "low", "mid"))

    class Part:
        round_batch_size = 8
        seed = 0
        device = torch.device("cpu")
        settings = TrainingSettings(segment_seconds=1.0)

        def __init__(self, rank: int, world: int) -> None:
            self.rank, self.world = rank, world

    whole = SceneDraws(data, model, Part(0, 1))(3)
    parts = [SceneDraws(data, model, Part(rank, 2))(3) for rank in (0, 1)]
    assert torch.equal(whole.wav, torch.cat([part.wav for part in parts]))
    assert torch.equal(whole.frames, torch.cat([part.frames for part in parts]))


def test_targets_say_what_is_heard_in_a_crop_and_when() -> None:
    events = [
        {"kind": "dog", "onset": 1.0, "duration": 0.5},
        {"kind": "rain", "onset": 0.0, "duration": 5.0, "background": True},
        {"kind": "bell", "onset": 4.0, "duration": 0.01},
        {"kind": "unheard-of", "onset": 0.0, "duration": 1.0},
    ]
    timed = Clip(Example("a", "train", details={"events": events}), "a.wav", 0)
    untimed = Clip(Example("b", "train", details={"labels": ["dog"]}), "b.wav", 0)
    classes = ("bell", "dog", "rain")
    clips, frames, known = targets([timed, untimed], [0.5, 0.0], 20, 10.0, classes)
    assert known.tolist() == [1.0, 0.0]
    assert clips.tolist() == [[0.0, 1.0, 1.0], [0.0, 1.0, 0.0]]  # the bell rings after the crop
    assert frames[0, :, 1].nonzero().flatten().tolist() == [5, 6, 7, 8, 9]
    assert bool((frames[0, :, 2] == 1).all())
    assert not frames[1].any()
    short, _, _ = targets([timed], [3.5], 10, 10.0, classes)
    assert short[0].tolist() == [1.0, 0.0, 1.0]  # however short it is


def test_order_is_that_of_events_that_follow_each_other() -> None:
    events = [
        SoundEvent("rain", 0.0, 5.0, background=True),
        SoundEvent("dog", 0.5, 1.0),
        SoundEvent("bell", 2.0, 3.0),
        SoundEvent("owl"),
    ]
    assert ordered_pairs(events) == [("dog", "bell")]


def test_a_clip_is_pooled_by_linear_softmax() -> None:
    shares = torch.tensor([0.9, 0.1, 0.1])
    pooled = clip_logits(torch.logit(shares)[None, :, None]).sigmoid()
    assert float(pooled) == pytest.approx(0.83 / 1.1, abs=1e-5)


@torch.no_grad()
def test_frames_are_those_of_whole_hops() -> None:
    model = load_tagger(TaggerOptions(weights="random", size=SIZE, classes=["a", "b"]), seed=0)
    for samples in (1, HOP - 1, HOP, 5 * HOP, 5 * HOP + 1):
        assert model.tag(torch.zeros(samples)).shape == (max(1, samples // HOP), 2)


def test_a_tagger_without_classes_says_so() -> None:
    model = load_tagger(TaggerOptions(weights="random", size=SIZE), seed=0)
    with pytest.raises(WeightsError, match="knows no classes: train it"):
        model.tag(torch.zeros(16_000))
    with pytest.raises(WeightsError, match="knows no classes"):
        model.classify(torch.zeros(16_000))


def test_a_corpus_that_names_no_events_is_named(tmp_path: Path) -> None:
    data = corpus(tmp_path / "data", count=10, known=False)
    model = load_tagger(TaggerOptions(weights="random", size=SIZE), seed=0)
    with pytest.raises(WorkbenchError, match="names no events in its training recordings"):
        model.pretrain(data, session(tmp_path / "run", 1))


def test_a_broken_config_is_named(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"tagger": "frames", "size": {"width": 8}}')
    with pytest.raises(WeightsError, match=r"config\.json is no tagger's"):
        load_tagger(TaggerOptions(weights=str(tmp_path)), seed=0)


def test_smoothing_is_a_share() -> None:
    with pytest.raises(RecipeError, match=r"smoothing = 2.0: must be from 0 to 1"):
        load_catalog().options("semantic_encoder", "tagger", {"smoothing": 2.0})
