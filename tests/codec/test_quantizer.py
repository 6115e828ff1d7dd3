from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import torch
import torch.distributed as dist

from tests.codec.quantizer_process import train
from workbench.codec.config import QuantizerConfig
from workbench.codec.quantizer import Codebook, ResidualVectorQuantizer, kmeans


def ready(
    codebooks: int = 3, size: int = 8, dim: int = 4, **options: object
) -> ResidualVectorQuantizer:
    torch.manual_seed(1)
    config = QuantizerConfig(codebooks=codebooks, size=size, **options)  # type: ignore[arg-type]
    rvq = ResidualVectorQuantizer(config, dim)
    for codebook in rvq.codebooks:
        codebook.embed.normal_()
        codebook.embed_avg.copy_(codebook.embed)
        codebook.cluster_size.fill_(1)
        codebook.inited.fill_(1)
    return rvq


def test_codes_are_the_nearest_entries_of_what_is_left() -> None:
    rvq = ready(codebooks=2)
    x = torch.randn(1, 5, 4)
    codes = rvq.encode(x)
    first = torch.cdist(x[0], rvq.codebooks[0].embed).argmin(dim=1)
    left = x[0] - rvq.codebooks[0].embed[first]
    second = torch.cdist(left, rvq.codebooks[1].embed).argmin(dim=1)
    assert torch.equal(codes[0], torch.stack([first, second]))
    expected = rvq.codebooks[0].embed[first] + rvq.codebooks[1].embed[second]
    assert torch.allclose(rvq.decode(codes)[0], expected)


def test_fewer_codebooks_give_the_first_codes_of_more() -> None:
    rvq = ready()
    x = torch.randn(2, 7, 4)
    assert torch.equal(rvq.encode(x, 2), rvq.encode(x)[:, :2])


def test_training_pass_agrees_with_encode_and_decode() -> None:
    rvq = ready().eval()
    x = torch.randn(2, 7, 4)
    quantized = rvq(x)
    assert torch.equal(quantized.codes, rvq.encode(x))
    assert torch.allclose(quantized.vectors, rvq.decode(quantized.codes), atol=1e-6)


def test_gradient_passes_straight_through() -> None:
    rvq = ready().train()
    x = torch.randn(2, 5, 4, requires_grad=True)
    weight = torch.randn(2, 5, 4)
    (rvq(x).vectors * weight).sum().backward()
    assert x.grad is not None
    assert torch.allclose(x.grad, weight)


def test_commitment_pulls_latents_towards_their_entries_at_every_level() -> None:
    rvq = ready(codebooks=2, dropout=0.0).train()
    x = torch.randn(1, 3, 4, requires_grad=True)
    quantized = rvq(x)
    quantized.commitment.backward()
    first, both = rvq.decode(quantized.codes[:, :1]), rvq.decode(quantized.codes)
    expected = ((x - first) + (x - both)) * 2 / x.numel() / 2
    assert x.grad is not None
    assert torch.allclose(x.grad, expected, atol=1e-6)


def test_forward_passes_collect_and_update_moves_once() -> None:
    rvq = ready(codebooks=1, ema_decay=0.9, dead_threshold=0.0).train()
    codebook = rvq.codebooks[0]
    before = codebook.embed.clone()
    x, y = torch.randn(1, 20, 4), torch.randn(1, 20, 4)
    codes = torch.cat([rvq(x).codes, rvq(y).codes], dim=2)[0, 0]
    assert torch.equal(codebook.embed, before)
    rvq.update()
    rows = torch.cat([x, y], dim=1)[0]
    counts = torch.bincount(codes, minlength=8).float()
    sums = torch.zeros(8, 4).index_add_(0, codes, rows)
    size = 0.9 * torch.ones(8) + 0.1 * counts
    average = 0.9 * before + 0.1 * sums
    assert torch.allclose(codebook.cluster_size, size, atol=1e-5)
    assert torch.allclose(codebook.embed, average / size[:, None], atol=1e-3)
    moved = codebook.embed.clone()
    rvq.update()
    assert torch.equal(codebook.embed, moved)


def test_evaluation_collects_nothing() -> None:
    rvq = ready().eval()
    before = rvq.codebooks[0].embed.clone()
    rvq(torch.randn(1, 20, 4))
    rvq.encode(torch.randn(1, 20, 4))
    rvq.update()
    assert torch.equal(rvq.codebooks[0].embed, before)


def test_kmeans_finds_separate_clusters() -> None:
    centres = torch.tensor([[0.0, 0.0], [10.0, 0.0], [0.0, 10.0]])
    torch.manual_seed(3)
    rows = centres.repeat(50, 1) + 0.1 * torch.randn(150, 2)
    means, counts = kmeans(rows[torch.randperm(150)], 3, 20)
    found = torch.cdist(centres, means).min(dim=1).values
    assert float(found.max()) < 0.2
    assert counts.tolist() == [50, 50, 50]


def test_nothing_is_quantised_before_the_kmeans_step() -> None:
    config = QuantizerConfig(codebooks=2, size=4, kmeans_step=2, dead_threshold=0.0)
    rvq = ResidualVectorQuantizer(config, 3).train()
    torch.manual_seed(0)
    for _ in range(2):
        x = torch.randn(2, 10, 3)
        quantized = rvq(x)
        assert torch.equal(quantized.vectors, x)
        assert quantized.codes.shape == (2, 0, 10)
        assert float(quantized.commitment) == 0
        rvq.update()
    assert rvq(torch.randn(2, 10, 3)).codes.shape == (2, 2, 10)
    assert all(bool(codebook.inited) for codebook in rvq.codebooks)


def test_kmeans_initialisation_lowers_the_error_below_random_entries() -> None:
    torch.manual_seed(0)
    x = torch.randn(4, 100, 3)
    rvq = ResidualVectorQuantizer(QuantizerConfig(codebooks=2, size=16), 3).train()
    error = float((rvq(x).vectors - x).square().mean())
    assert error < 0.1 * float(x.square().mean())


def test_dead_entries_become_frames_of_the_batch_and_stay() -> None:
    rvq = ready(codebooks=1, ema_decay=0.5, dead_threshold=0.4).train()
    codebook = rvq.codebooks[0]
    codebook.embed[0] += 1000.0
    codebook.embed_avg[0] += 1000.0
    codebook.cluster_size[0] = 0.1
    x = torch.randn(1, 40, 4)
    rvq(x)
    rvq.update()
    assert bool((codebook.embed[0] == x[0]).all(dim=1).any())
    alive = codebook.embed[0].clone()
    rvq(x)
    rvq.update()  # the average must agree with the fresh entry, or it would jump back
    assert float((codebook.embed[0] - alive).norm()) < 3


def test_threshold_zero_replaces_nothing() -> None:
    rvq = ready(codebooks=1, dead_threshold=0.0).train()
    codebook = rvq.codebooks[0]
    codebook.embed[0] = codebook.embed_avg[0] = 1000.0
    rvq(torch.randn(1, 40, 4))
    rvq.update()
    assert float(codebook.embed[0].min()) > 900


def test_dropout_draws_the_number_of_codebooks_from_the_choices() -> None:
    rvq = ready(codebooks=4, dropout=1.0, dropout_choices=[1, 3]).train()
    torch.manual_seed(0)
    drawn = {rvq(torch.randn(1, 4, 4)).codes.shape[1] for _ in range(30)}
    assert drawn == {1, 3}
    whole = ready(codebooks=4, dropout=0.0).train()
    assert {whole(torch.randn(1, 4, 4)).codes.shape[1] for _ in range(10)} == {4}


def test_a_single_process_uses_no_collective(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("a collective was called in a single process")

    for name in ("broadcast", "all_reduce", "all_gather"):
        monkeypatch.setattr(dist, name, refuse)
    rvq = ResidualVectorQuantizer(QuantizerConfig(codebooks=2, size=4), 3).train()
    rvq(torch.randn(2, 10, 3))
    rvq.update()


def test_two_processes_have_the_codebooks_of_one(tmp_path: Path) -> None:
    script = str(Path(__file__).with_name("quantizer_process.py"))
    command = [sys.executable, script]
    both = [subprocess.Popen([*command, str(rank), "2", str(tmp_path)]) for rank in (0, 1)]
    assert [process.wait() for process in both] == [0, 0]
    train(0, 1, str(tmp_path))
    first, second, alone = (torch.load(tmp_path / f"{name}.pt") for name in ("2-0", "2-1", "1-0"))
    for name, value in alone.items():
        assert torch.equal(first[name], second[name]), name
        assert torch.allclose(first[name], value, atol=1e-5), name


def test_ties_go_to_one_entry_whatever_the_batch() -> None:
    codebook = Codebook(3, 2)
    codebook.embed.copy_(torch.tensor([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]]))
    alone = codebook.nearest(torch.tensor([[1.0, 0.0]]))
    batch = codebook.nearest(torch.tensor([[0.0, 1.0], [1.0, 0.0]]))
    assert int(alone[0]) == int(batch[1])


def test_averages_that_weights_leave_out_are_made_of_entries_and_uses() -> None:
    trained = Codebook(6, 4)
    trained.initialise(torch.randn(50, 4), QuantizerConfig(codebooks=1, size=6))
    state = trained.state_dict()
    del state["embed_avg"]
    loaded = Codebook(6, 4)
    loaded.load_state_dict(state)
    torch.testing.assert_close(loaded.embed_avg, trained.embed_avg)
    batch = torch.randn(20, 4)
    for codebook in (trained, loaded):
        codebook.collect(batch, codebook.nearest(batch))
        codebook.update(decay=0.9, dead_threshold=0.0)
    torch.testing.assert_close(loaded.embed, trained.embed)


def test_weights_without_entries_are_still_refused() -> None:
    state = Codebook(6, 4).state_dict()
    del state["embed"], state["embed_avg"]
    with pytest.raises(RuntimeError, match="embed"):
        Codebook(6, 4).load_state_dict(state)
