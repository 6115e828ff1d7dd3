"""Records what the authors' own package computes, for the test of the codec ``speechtokenizer``.

Run in an environment of its own (speechtokenizer 1.0.1 and what it asks for):
``python tests/plugins/speechtokenizer/record.py``. It rewrites ``reference.json`` beside it.
Nothing is downloaded: the model is a small one and its weights are made.
"""

from __future__ import annotations

import json
from pathlib import Path

import made
import torch
from speechtokenizer import SpeechTokenizer


def main() -> None:
    """Codes and decoded audio of the small model."""
    model = SpeechTokenizer(made.CONFIG)
    state = {
        n: torch.from_numpy(made.weights(n, tuple(t.shape))) for n, t in model.state_dict().items()
    }
    model.load_state_dict(state)
    model.eval()
    with torch.no_grad():
        codes = model.encode(torch.from_numpy(made.sound())[None, None])
        whole, first = model.decode(codes), model.decode(codes[:1])
    reference = {
        "shapes": {name: list(tensor.shape) for name, tensor in state.items()},
        "codes": codes[:, 0].tolist(),
        "whole": whole[0, 0, ::50].tolist(),
        "first": first[0, 0, ::50].tolist(),
    }
    text = json.dumps(reference, separators=(",", ":"))
    Path(__file__).with_name("reference.json").write_text(text + "\n")


if __name__ == "__main__":
    main()
