"""Time per generated step beside transformers' ``LlamaForCausalLM.generate``, in one process.

    python benchmarks/generation.py [--threads 2] [--sizes 2M,115M] [--rounds 5] [--model FOLDER]

Both sides have the same width, depth, heads, feed-forward width, vocabulary (4 codebooks of 1,024,
flattened) and sampling (top-k 50), random weights, batch 1, and go through their public interfaces.
A step's time is that between two tokens; the figure is the median over the steps of all rounds, and
the sides take turns, so that a busy machine slows both. Contexts are the position at the start of
the timed steps. Reduced precision is scored against float32 on the same inputs, as logits scaled to
a standard deviation of 2.5 (random weights; a trained model's own with ``--model``).
"""

from __future__ import annotations

import argparse
import statistics
import time
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

import torch
from torch import Tensor
from transformers import LlamaConfig, LlamaForCausalLM
from transformers.generation import BaseStreamer

from workbench.api.settings import SamplingSettings
from workbench.lm.config import LMConfig
from workbench.lm.decode import Decoder, InferenceModel
from workbench.lm.generate import Generator
from workbench.lm.matrices import Precision
from workbench.lm.storage import build_model, load_model
from workbench.lm.transformer import TransformerLM

SIZES = {
    "2M": LMConfig(width=160, depth=4, heads=4, ffn_multiple=2.667),
    "115M": LMConfig(width=768, depth=15, heads=12, ffn_multiple=2.75),
}
CODEBOOKS, CODEBOOK_SIZE = 4, 1024
CONTEXTS = (48, 1600)
STEPS = 64
TOP_K = 50
PRECISIONS: tuple[Precision, ...] = ("fp16", "int8")
LOGIT_STD = 2.5
TARGETS = {"2M": {48: 3.0, 1600: 3.0}, "115M": {48: 1.0, 1600: 1.4}}


class _Stopwatch(BaseStreamer):
    """Notes when each of Llama's tokens comes."""

    def __init__(self) -> None:
        self.times: list[float] = []

    def put(self, value: Tensor) -> None:
        """Called with the prompt first, then with every token."""
        del value
        self.times.append(time.perf_counter())

    def end(self) -> None:
        """Nothing is buffered."""


def intervals(times: list[float]) -> list[float]:
    """Milliseconds between the tokens; the first follows the prompt's reading and is left out."""
    return [1e3 * (b - a) for a, b in pairwise(times[1:])]


def time_ours(generator: Generator, context: int) -> list[float]:
    """Step times of one continuation of ``context`` positions."""
    prompt = torch.randint(0, CODEBOOK_SIZE, (CODEBOOKS, context // CODEBOOKS))
    times = [0.0]  # there is no call for the prompt
    generator([prompt], STEPS // CODEBOOKS, progress=lambda *_: times.append(time.perf_counter()))
    return intervals(times)


def time_llama(model: LlamaForCausalLM, context: int) -> list[float]:
    """Step times of one ``generate`` call on ``context`` positions."""
    watch = _Stopwatch()
    prompt = torch.randint(1, CODEBOOKS * CODEBOOK_SIZE, (1, context))
    model.generate(
        prompt,
        attention_mask=torch.ones_like(prompt),
        max_new_tokens=STEPS,
        min_new_tokens=STEPS,
        do_sample=True,
        top_k=TOP_K,
        streamer=watch,
    )
    return intervals(watch.times)


def build_llama(config: LMConfig) -> LlamaForCausalLM:
    """The peer of the same shape."""
    torch.manual_seed(0)
    vocabulary = CODEBOOKS * CODEBOOK_SIZE
    settings = LlamaConfig(
        vocab_size=vocabulary,
        hidden_size=config.width,
        intermediate_size=config.ffn_width,
        num_hidden_layers=config.depth,
        num_attention_heads=config.heads,
        max_position_embeddings=config.context,
        bos_token_id=0,
        eos_token_id=0,
        pad_token_id=0,
    )
    return LlamaForCausalLM(settings).eval()


@dataclass(frozen=True)
class Effect:
    """What reduced precision does to the logits, over some hundred steps."""

    mean: float
    largest: float
    divergence: float
    agreement: float


@torch.inference_mode()
def effect(model: TransformerLM, precision: Precision) -> Effect:
    """Compare float32's and ``precision``'s logits step by step on the same codes."""
    steps = 128
    codes = torch.randint(0, model.config.codebook_size, (1, model.config.num_codebooks, steps))
    tokens = model.pattern.arrange(codes, model.vocabulary.absent)[0]
    rows = tokens + model.pattern.codebooks(len(tokens)) * (model.config.codebook_size + 1)
    logits = {}
    for each in ("fp32", precision):
        inference = InferenceModel(model, each)
        decoder = Decoder(inference, 1, steps + 1)
        decoder.prefill(torch.full((1, 1, model.pattern.width), model.vocabulary.nothing))
        drawn = [inference.logits(decoder.step(rows[s, None]), s + 1)[0] for s in range(steps)]
        logits[each] = torch.stack(drawn)[..., : model.config.codebook_size]
    exact, reduced = logits["fp32"], logits[precision]
    difference = (exact - reduced).abs()
    p, q = exact.log_softmax(-1), reduced.log_softmax(-1)
    return Effect(
        mean=float(difference.mean()),
        largest=float(difference.max()),
        divergence=float((p.exp() * (p - q)).sum(-1).mean()),
        agreement=float((exact.argmax(-1) == reduced.argmax(-1)).float().mean()),
    )


def run_size(name: str, rounds: int) -> None:
    """Print the rows of one size."""
    config = replace(
        SIZES[name], num_codebooks=CODEBOOKS, codebook_size=CODEBOOK_SIZE, context=2048
    )
    model = build_model(config, seed=0).eval()
    with torch.no_grad():  # hidden states are normalised, so a logit's deviation is its row's norm
        model.heads.mul_(LOGIT_STD / float(model.heads.norm(dim=-1).mean()))
    llama = build_llama(config)
    sampling = SamplingSettings(top_k=TOP_K)
    generators = {"fp32": Generator(model, sampling)}
    generators |= {p: Generator(model, sampling, precision=p) for p in PRECISIONS}
    ours, peer = (sum(p.numel() for p in m.parameters()) / 1e6 for m in (model, llama))
    print(
        f"\n{name}: width {config.width}, depth {config.depth}; "
        f"ours {ours:.1f} M, Llama {peer:.1f} M parameters"
    )
    for context in CONTEXTS:
        times: dict[str, list[float]] = {key: [] for key in ("Llama", *generators)}
        for round_ in range(rounds + 1):
            for key, generator in generators.items():
                fresh = time_ours(generator, context)
                times[key] += fresh if round_ else []  # the first round warms up
            times["Llama"] += time_llama(llama, context) if round_ else time_llama(llama, 48)
        medians = {key: statistics.median(values) for key, values in times.items()}
        for key, median in medians.items():
            ratio = medians["Llama"] / median
            target = f" (target {TARGETS[name][context]})" if key == "fp32" else ""
            print(
                f"  context {context:5d}  {key:6s} {median:8.3f} ms a step   {ratio:5.2f}x{target}"
            )
    for precision in PRECISIONS:
        print_effect(model, precision)


def print_effect(model: TransformerLM, precision: Precision) -> None:
    """Print one precision's effect on the logits."""
    seen = effect(model, precision)
    print(
        f"  {precision}: logits off by {seen.mean:.4f} in the mean, {seen.largest:.4f} at most; "
        f"KL {seen.divergence:.2e} nats; same likeliest token in {100 * seen.agreement:.1f} %"
    )


def main() -> None:
    """Run the sizes asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--sizes", default=",".join(SIZES))
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--model", type=Path, help="a trained model, to score reduced precision on")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    torch.manual_seed(0)
    print(f"torch {torch.__version__}, {arguments.threads} threads, batch 1, medians")
    for name in arguments.sizes.split(","):
        run_size(name, arguments.rounds)
    if arguments.model:
        print(f"\n{arguments.model.name}")
        model = load_model(arguments.model)
        for precision in PRECISIONS:
            print_effect(model, precision)


if __name__ == "__main__":
    main()
