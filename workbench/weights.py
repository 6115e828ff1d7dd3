"""The one place where weights come in: an embedded folder, a local folder or a Hugging Face id.

A trust boundary. Only tensors are read: safetensors, or pickles that ``torch.load`` accepts with
``weights_only=True``. Code that lies beside weights is never run, and a file that would need it is
refused by name.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import torch
from huggingface_hub.errors import StrictDataclassError
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from workbench.api.errors import ModelAbsent, WeightsError

SAFETENSORS = "model.safetensors"
PICKLE = "pytorch_model.bin"
_HUB_ID = re.compile(r"[\w.-]+/[\w.-]+")
_MAKE_SCALAR = np.float64(0).__reduce__()[0]
"""NumPy's function that a pickled number names."""
_NUMPY_SCALARS: list[Any] = [
    (_MAKE_SCALAR, "numpy.core.multiarray.scalar"),  # as NumPy 1 pickles it
    (_MAKE_SCALAR, "numpy._core.multiarray.scalar"),
    np.dtype,
    *{type(np.dtype(code)) for code in "?bhilqefdBHILQ"},
]
"""Plain numbers that training checkpoints hold beside tensors (a best score, say); no code."""
_MOST_NAMES = 6
"""Names that an error lists before it only counts."""


def weights_folder(source: str, embedded: Path | None = None) -> Path:
    """The folder that ``source`` names, fetched from the Hugging Face hub if it is an id.

    ``source`` is ``embedded`` (the plugin's own folder, given as ``embedded``), a local folder, or
    an id such as ``facebook/hubert-base-ls960``. A local folder goes before an id of that name.
    What is not shipped, or can't be fetched since the hub is out of reach, is a ``ModelAbsent``.
    """
    if source == "embedded":
        if embedded is None or not (embedded / SAFETENSORS).is_file():
            raise ModelAbsent(
                "weights 'embedded': this installation ships no embedded weights here"
                f"{f' (looked in {embedded})' if embedded else ''}; "
                "name a local folder or a Hugging Face id, or train some"
            )
        return embedded
    folder = Path(source).expanduser()
    if folder.is_dir():
        return folder
    if not _HUB_ID.fullmatch(source) or source.startswith("."):
        raise WeightsError(
            f"weights {source!r}: there is no such folder, and it is no Hugging Face id "
            "(owner/name) either"
        )
    return _fetch(source)


def _fetch(identifier: str) -> Path:
    """The hub's files for ``identifier``: safetensors where there are any, else the pickle."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

    texts = ["*.json", "*.txt"]
    try:
        folder = Path(snapshot_download(identifier, allow_patterns=[*texts, "model*.safetensors"]))
        if not any(folder.glob("model*.safetensors")):
            folder = Path(snapshot_download(identifier, allow_patterns=[*texts, "pytorch_model*"]))
    except (HfHubHTTPError, LocalEntryNotFoundError, OSError, ValueError) as error:
        unreachable = isinstance(error, (LocalEntryNotFoundError, ConnectionError))
        raise (ModelAbsent if unreachable else WeightsError)(
            f"weights {identifier!r}: there is no such folder, and the Hugging Face hub does not "
            f"give it ({type(error).__name__}: {str(error).splitlines()[0]})"
        ) from error
    return folder


def read_json(path: Path) -> dict[str, Any]:
    """The object that a JSON file holds; a :class:`WeightsError` names the file otherwise."""
    try:
        value = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise WeightsError(f"{path}: can't be read as JSON ({error})") from error
    if not isinstance(value, dict):
        raise WeightsError(f"{path}: expected an object, got {type(value).__name__}")
    return value


def read_tensors(path: Path) -> dict[str, Tensor]:
    """All tensors of a file, or of a folder's ``model.safetensors`` or ``pytorch_model.bin``.

    Sharded weights (``*.index.json``) are put together. Half-precision tensors come as float32.
    """
    if path.is_dir():
        files = _weight_files(path)
    elif path.is_file():
        files = [path]
    else:
        raise WeightsError(f"{path}: no such file")
    tensors: dict[str, Tensor] = {}
    for file in files:
        tensors.update(_read_file(file))
    return {
        name: tensor.float() if tensor.dtype in (torch.float16, torch.bfloat16) else tensor
        for name, tensor in tensors.items()
    }


def _weight_files(folder: Path) -> list[Path]:
    """The weight files of a folder in Hugging Face's layout."""
    for name in (SAFETENSORS, PICKLE):
        index = folder / f"{name}.index.json"
        if (folder / name).is_file():
            return [folder / name]
        if index.is_file():
            shards = sorted(set(read_json(index).get("weight_map", {}).values()))
            return [folder / Path(shard).name for shard in shards]
    raise WeightsError(f"{folder}: holds neither {SAFETENSORS} nor {PICKLE}")


def _read_file(path: Path) -> dict[str, Tensor]:
    """The tensors of one file, by its format; anything that could run code is refused."""
    try:
        if path.suffix == ".safetensors":
            return dict(load_file(path))
        with torch.serialization.safe_globals(_NUMPY_SCALARS):
            content = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError as error:
        raise WeightsError(f"{path}: no such file") from error
    except Exception as error:  # torch and safetensors raise many kinds for a bad file
        if isinstance(error, SafetensorError):
            raise WeightsError(f"{path}: is no safetensors file ({error})") from error
        raise WeightsError(
            f"{path}: refused, since it can't be read as tensors alone and loading more could run "
            f"code ({type(error).__name__}); convert it to safetensors where you trust it"
        ) from error
    for wrapper in ("state_dict", "model"):  # LAION's and fairseq's training checkpoints
        if isinstance(content, Mapping) and isinstance(content.get(wrapper), Mapping):
            content = content[wrapper]
    if not isinstance(content, Mapping):
        raise WeightsError(f"{path}: expected named tensors, got {type(content).__name__}")
    return {str(name): value for name, value in content.items() if isinstance(value, Tensor)}


def model_config(config_class: Any, values: Mapping[str, Any], source: str) -> Any:
    """A transformers configuration from the fields of ``config.json`` that ``config_class`` knows.

    What else a file holds (the class that wrote it, code to run, its writer's own options) is left
    out; whoever cares about an option looks at ``values``. ``source`` is for the error.
    """
    known = {field.name for field in fields(config_class)} - {"dtype", "architectures"}
    try:
        return config_class(**{name: value for name, value in values.items() if name in known})
    except (TypeError, ValueError, StrictDataclassError) as error:
        raise WeightsError(
            f"weights {source!r}: config.json is no {config_class.model_type}'s ({error})"
        ) from error


def strip_prefix(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """The tensors below ``prefix``, without it; all of them where no name starts with it.

    A model for a task (``HubertForCTC``, say) keeps its encoder below a prefix; what lies outside
    is the task's head and no part of the encoder.
    """
    below = {
        name[len(prefix) :]: value for name, value in tensors.items() if name.startswith(prefix)
    }
    return below or dict(tensors)


def load_tensors(
    module: nn.Module, tensors: Mapping[str, Tensor], source: str, optional: Collection[str] = ()
) -> None:
    """Load ``tensors`` into ``module``; every name must fit, or the error lists those that don't.

    ``optional`` names may be missing, and keep what the module was made with.
    """
    try:
        result = module.load_state_dict(dict(tensors), strict=False)
    except RuntimeError as error:  # shapes that don't fit; torch lists them all
        reason = str(error).replace("\n\t", "\n  ")
        raise WeightsError(f"weights {source!r} don't fit their configuration: {reason}") from error
    missing = [name for name in result.missing_keys if name not in optional]
    problems = []
    if missing:
        problems.append(f"missing {_listing(missing)}")
    if result.unexpected_keys:
        problems.append(f"unexpected {_listing(result.unexpected_keys)}")
    if problems:
        raise WeightsError(
            f"weights {source!r} don't fit {type(module).__name__}: {'; '.join(problems)}"
        )


def save_tensors(module: nn.Module, path: Path, half: bool = False) -> None:
    """Write ``module``'s state to a safetensors file, in float16 where ``half``."""
    path.parent.mkdir(parents=True, exist_ok=True)
    state = {
        name: (value.half() if half and value.is_floating_point() else value).detach().cpu().clone()
        for name, value in module.state_dict().items()
    }
    save_file(state, path, metadata={"format": "pt"})


def _listing(names: list[str]) -> str:
    shown = ", ".join(sorted(names)[:_MOST_NAMES])
    rest = len(names) - _MOST_NAMES
    return f"{len(names)} tensors: {shown}{f' and {rest} more' if rest > 0 else ''}"
