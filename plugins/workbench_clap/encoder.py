"""CLAP (arXiv 2211.06687): frames for a codec, embeddings of sounds and captions for a judge."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from workbench import (
    AudioDataset,
    RecipeError,
    TrainingSession,
    WeightsError,
    resample_in_graph,
    save_tensors,
)
from workbench_clap.checkpoint import Checkpoint, load
from workbench_clap.mel import ClapMel, fill_window, fused_views

if TYPE_CHECKING:
    from workbench_clap.plugin import ClapOptions, ClapPretraining


class ClapEncoder(nn.Module):
    """CLAP's audio tower as a semantic encoder, with both towers' embeddings beside it.

    The tower sees a window at a time (10 s, the embedded ones 5 s). Audio of any length is cut into
    windows; what is left is repeated to fill one, as in training, and only the frames of the audio
    itself are kept: F = ceil(T / samples per frame), for the last layer 15,000 samples at 48 kHz,
    the embedded ones 10,000 at 16 kHz. Frames are means over the tower's frequency axis.
    """

    def __init__(
        self, checkpoint: Checkpoint, layers: str | Sequence[int], pretraining: ClapPretraining
    ) -> None:
        super().__init__()
        self.model = checkpoint.model
        self.mel = ClapMel(checkpoint.mel)
        self.tokenizer = checkpoint.tokenizer
        self.pretraining = pretraining
        mel, config = checkpoint.mel, self._config
        self.embedding_dim = int(config.projection_dim)
        self.text_dim = int(config.text_config.hidden_size)
        self.fusion = bool(config.audio_config.enable_fusion)
        stages = len(config.audio_config.depths)
        self.layers = _check_layers(layers, stages)
        widths, frames = _geometry(config.audio_config)
        self.window_frames = max(frames[i] for i in self.layers) if self.layers else frames[-1]
        self.dim = sum(widths[i] for i in self.layers) if self.layers else widths[-1]
        self.sample_rate = mel.sample_rate
        self.frame_rate = self.window_frames * mel.sample_rate / mel.window
        self.eval()

    def forward(self, wav: Tensor) -> Tensor:
        """Features float32 ``[B, D, F]`` of mono audio float32 ``[B, T]`` at ``sample_rate``."""
        window = self.mel.settings.window
        parts = []
        for piece in torch.split(wav, window, dim=-1):
            features = self._window_features(piece)
            frames = math.ceil(piece.shape[-1] * self.window_frames / window)
            parts.append(features[..., :frames])
        return torch.cat(parts, dim=-1)

    def embed_audio(self, wav: Tensor, sample_rate: int) -> Tensor:
        """Unit vectors float32 ``[B, E]`` of mono audio float32 ``[B, T]`` at ``sample_rate``.

        A model with fusion takes in long audio as a whole; for one without, it is the direction of
        the mean over windows, where the reference takes one window at random.
        """
        wav = resample_in_graph(wav, sample_rate, self.sample_rate)
        window = self.mel.settings.window
        if wav.shape[-1] > window and self.fusion:
            frames = window // self.mel.settings.hop + 1
            mel = self.mel(wav)
            if mel.shape[1] > frames:
                return self._embed(fused_views(mel, frames), longer=True)
            return self._embed(self._views(mel), longer=False)
        parts = [
            self._embed(self._views(self.mel(fill_window(piece, window))), longer=False)
            for piece in torch.split(wav, window, dim=-1)
        ]
        return F.normalize(torch.stack(parts).mean(dim=0), dim=-1)

    def embed_text(self, texts: Sequence[str]) -> Tensor:
        """Unit vectors float32 ``[N, E]`` of N texts."""
        ids, mask = self._tokens(texts)
        model: Any = self.model
        output = model.get_text_features(ids, attention_mask=mask)
        embedding: Tensor = output.pooler_output
        return embedding

    @torch.no_grad()
    def read(self, texts: list[str]) -> list[Tensor]:
        """The text tower's last states float32 ``[S, text_dim]`` of each text, on the CPU."""
        ids, mask = self._tokens(texts)
        model: Any = self.model
        states = model.text_model(ids, attention_mask=mask).last_hidden_state.float().cpu()
        return [each[kept] for each, kept in zip(states, mask.bool().cpu(), strict=True)]

    def pretrain(self, data: AudioDataset, session: TrainingSession) -> None:
        """Train in place on the corpus' captions; see ``pretraining.py``."""
        from workbench_clap.pretraining import pretrain

        pretrain(self, data, session, self.pretraining)

    def save(self, folder: Path, half: bool = False) -> None:
        """Write a folder that ``weights`` can name, in transformers' layout for CLAP."""
        save_tensors(self.model, folder / "model.safetensors", half)
        described = json.loads(self._config.to_json_string(use_diff=False))
        preprocessor = self.mel.settings.to_config()
        for name, content in (("config", described), ("preprocessor_config", preprocessor)):
            text = json.dumps(content, indent=2, sort_keys=True)
            (folder / f"{name}.json").write_text(text + "\n")
        if self.tokenizer is not None:
            self.tokenizer.save(folder)

    def _tokens(self, texts: Sequence[str]) -> tuple[Tensor, Tensor]:
        """Token ids and attention mask ``[N, L]``, on the model's device."""
        if self.tokenizer is None:
            raise WeightsError(
                "these CLAP weights come without a tokenizer, so text can't be embedded; "
                "name one by the option tokenizer"
            )
        device = next(self.model.parameters()).device
        ids, mask = self.tokenizer(texts, self._config.text_config.vocab_size)
        return ids.to(device), mask.to(device)

    @property
    def _config(self) -> Any:
        return self.model.config

    def _views(self, mel: Tensor) -> Tensor:
        """``[B, 1 or 4, frames, mels]``: a model with fusion is given short audio four times."""
        return mel.unsqueeze(1).expand(-1, 4 if self.fusion else 1, -1, -1)

    def _embed(self, views: Tensor, longer: bool) -> Tensor:
        model: Any = self.model
        output = model.get_audio_features(views, is_longer=self._longer(views, longer))
        embedding: Tensor = output.pooler_output
        return embedding

    def _longer(self, views: Tensor, longer: bool) -> Tensor:
        return torch.full((len(views), 1), longer, device=views.device)

    def _window_features(self, wav: Tensor) -> Tensor:
        """``[B, D, window_frames]`` of at most a window of audio ``[B, T]``."""
        views = self._views(self.mel(fill_window(wav, self.mel.settings.window)))
        model: Any = self.model
        output = model.audio_model.audio_encoder(
            views, is_longer=self._longer(views, False), output_hidden_states=bool(self.layers)
        )
        if not self.layers:
            last: Tensor = output.last_hidden_state  # [B, D, frequencies, frames]
            return last.mean(dim=2)
        maps = [self._unfold(output.hidden_states[index]) for index in self.layers]
        repeats = [self.window_frames // part.shape[-1] for part in maps]
        stretched = [
            part.repeat_interleave(count, dim=-1) for part, count in zip(maps, repeats, strict=True)
        ]
        return torch.cat(stretched, dim=1)

    def _unfold(self, image: Tensor) -> Tensor:
        """``[B, D, frames]`` of a hidden state ``[B, D, H, W]``.

        HTSAT folds the long spectrum into a square: rows are parts of the time, and within each the
        frequencies; columns are the time within a part.
        """
        audio = self._config.audio_config
        parts = audio.spec_size // audio.num_mel_bins
        rows = torch.unflatten(image, 2, (parts, -1))
        return torch.flatten(rows.mean(dim=3), 2)


def build_encoder(options: ClapOptions, seed: int) -> ClapEncoder:
    """The encoder that ``options`` describe, on the CPU; ``seed`` makes random weights."""
    return ClapEncoder(load(options, seed), options.layers, options.pretraining)


def _geometry(audio: Any) -> tuple[list[int], list[int]]:
    """Width and frames a window of each hidden state: the patches', then each stage's."""
    parts = audio.spec_size // audio.num_mel_bins
    stages = len(audio.depths)
    halvings = [0, *(min(stage, stages - 1) for stage in range(1, stages + 1))]
    columns = audio.spec_size // audio.patch_stride[1]
    widths = [audio.patch_embeds_hidden_size * 2**halving for halving in halvings]
    return widths, [parts * columns // 2**halving for halving in halvings]


def _check_layers(layers: str | Sequence[int], stages: int) -> tuple[int, ...]:
    """Indices of hidden states; none at all for `last`."""
    if layers == "last":
        return ()
    allowed = f"'last' or a list of integers from {-stages - 1} to {stages}"
    if isinstance(layers, str) or not layers:
        raise RecipeError([f"layers: {layers!r} is not allowed; give {allowed}"], "encoder options")
    wrong = [index for index in layers if not -stages - 1 <= index <= stages]
    if wrong:
        raise RecipeError([f"layers: no hidden states {wrong}; give {allowed}"], "encoder options")
    return tuple(index % (stages + 1) for index in layers)
