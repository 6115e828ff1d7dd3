"""The border at which weights come in: formats, places, and what is refused."""

from __future__ import annotations

import os
import pickle
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from workbench import ModelAbsent, WeightsError
from workbench.weights import load_tensors, read_tensors, strip_prefix, weights_folder


class Malicious:
    """Runs a command when it is unpickled."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.system, (f"touch {self.marker}",)


def plain_pickle(value: object, path: Path) -> None:
    path.write_bytes(pickle.dumps(value, protocol=2))


@pytest.mark.parametrize("write", [torch.save, plain_pickle])
def test_a_pickle_that_runs_code_is_refused_and_not_run(
    tmp_path: Path, write: Callable[[object, Path], None]
) -> None:
    marker, path = tmp_path / "ran", tmp_path / "pytorch_model.bin"
    write({"weight": torch.zeros(2), "extra": Malicious(marker)}, path)
    with pytest.raises(WeightsError, match=r"pytorch_model\.bin: refused"):
        read_tensors(tmp_path)
    assert not marker.exists()


def test_training_checkpoints_with_plain_numbers_are_read(tmp_path: Path) -> None:
    path = tmp_path / "best.pt"
    state = {"weight": torch.arange(3.0)}
    torch.save({"state_dict": state, "epoch": 3, "best": np.float64(0.5), "n": np.int64(1)}, path)
    assert torch.equal(read_tensors(path)["weight"], state["weight"])


def test_half_precision_comes_as_float32_and_integers_stay(tmp_path: Path) -> None:
    tensors = {"a": torch.ones(2).half(), "b": torch.ones(2).bfloat16(), "c": torch.tensor([1, 2])}
    save_file(tensors, tmp_path / "model.safetensors")
    kinds = {name: value.dtype for name, value in read_tensors(tmp_path).items()}
    assert kinds == {"a": torch.float32, "b": torch.float32, "c": torch.int64}


def test_shards_are_put_together(tmp_path: Path) -> None:
    for number in (1, 2):
        save_file({f"t{number}": torch.full((1,), number)}, tmp_path / f"m-{number}.safetensors")
    (tmp_path / "model.safetensors.index.json").write_text(
        '{"weight_map": {"t1": "m-1.safetensors", "t2": "m-2.safetensors"}}'
    )
    assert {name: int(value) for name, value in read_tensors(tmp_path).items()} == {
        "t1": 1,
        "t2": 2,
    }


def test_broken_and_missing_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=r"holds neither model\.safetensors nor"):
        read_tensors(tmp_path)
    (tmp_path / "model.safetensors").write_bytes(b"not a safetensors file")
    with pytest.raises(WeightsError, match=r"model\.safetensors: is no safetensors file"):
        read_tensors(tmp_path)
    torch.save([1, 2], tmp_path / "list.pt")
    with pytest.raises(WeightsError, match=r"list\.pt: expected named tensors, got list"):
        read_tensors(tmp_path / "list.pt")


def test_places(tmp_path: Path) -> None:
    assert weights_folder(str(tmp_path)) == tmp_path
    with pytest.raises(ModelAbsent, match="ships no embedded weights"):
        weights_folder("embedded", tmp_path)
    save_file({"a": torch.zeros(1)}, tmp_path / "model.safetensors")
    assert weights_folder("embedded", tmp_path) == tmp_path
    with pytest.raises(WeightsError, match="no such folder, and it is no Hugging Face id") as error:
        weights_folder("./no/such/folder")
    assert not isinstance(error.value, ModelAbsent)  # misspelt, most likely


def test_an_id_that_the_hub_does_not_give(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(ModelAbsent, match=r"nobody/nothing.*the Hugging Face hub does not give it"):
        weights_folder("nobody/nothing-at-all")


def test_an_id_that_the_hub_does_not_know_is_not_taken_for_absent(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    import httpx2
    from huggingface_hub.errors import RepositoryNotFoundError

    def unknown(*_args: object, **_options: object) -> None:
        response = httpx2.Response(404, request=httpx2.Request("GET", "https://example.org"))
        raise RepositoryNotFoundError("no such repository", response=response)

    monkeypatch.setattr("huggingface_hub.snapshot_download", unknown)
    with pytest.raises(WeightsError, match="no such repository") as error:
        weights_folder("nobody/mispelt")
    assert not isinstance(error.value, ModelAbsent)


def test_prefixes() -> None:
    tensors = {"hubert.a": torch.zeros(1), "lm_head.b": torch.zeros(1)}
    assert set(strip_prefix(tensors, "hubert.")) == {"a"}
    assert set(strip_prefix(tensors, "wavlm.")) == set(tensors)


def test_shapes_that_do_not_fit_are_named() -> None:
    with pytest.raises(WeightsError, match=r"'here' don't fit.*\n.*size mismatch for weight"):
        load_tensors(nn.Linear(2, 2), {"weight": torch.zeros(3, 2), "bias": torch.zeros(2)}, "here")
