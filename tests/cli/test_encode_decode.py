"""Files to codes and back, as typed."""

import json

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from tests.codec.codec_parts import FakeTeacher, small_codec, tones
from workbench import (
    Audio,
    AudioError,
    RecipeError,
    WeightsError,
    WorkbenchError,
    convert,
    load_codec,
    read_audio,
    write_audio,
)
from workbench.api.errors import UnknownComponent
from workbench.cli.main import build_app
from workbench.codec.archive import CodesArchive
from workbench.codec.fewer import FewerCodebooks
from workbench.pipeline import files
from workbench.pipeline.codecs import quickened

SMALL = "xcodec:weights=scratch,strides=[8,5,4],latent_dim=8,quantizer.codebooks=2," + (
    "quantizer.size=8,encoder.width=4,decoder.kind=istft,decoder.width=16,decoder.n_fft=160"
)


@pytest.fixture
def call(catalog):
    def invoke(*words):
        result = CliRunner().invoke(build_app(catalog), [str(word) for word in words])
        if result.exception and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result

    return invoke


@pytest.fixture
def codec_folder(tmp_path):
    """A small codec without a teacher at 8 kHz, in our own format."""
    folder = tmp_path / "codec"
    small_codec("spectral").save(folder)
    return folder


@pytest.fixture
def audio(tmp_path):
    """A folder of files in four formats at several rates, and two that can't be used."""
    folder = tmp_path / "audio"
    samples = tones(1, 9601)[0]
    write_audio(folder / "mono.wav", Audio(samples, 8000))
    write_audio(folder / "sub" / "stereo.flac", Audio(samples.repeat(2, 1), 44100))
    write_audio(folder / "sub" / "deep" / "music.mp3", Audio(samples, 16000))
    write_audio(folder / "mono.ogg", Audio(samples, 22050))
    (folder / "broken.wav").write_text("no audio")
    (folder / "notes.txt").write_text("not even meant to be")
    write_audio(folder / "sub" / "nan.wav", Audio(samples, 8000), "FLOAT")
    with (folder / "sub" / "nan.wav").open("r+b") as file:
        file.seek(-4, 2)
        file.write(np.float32("nan").tobytes())
    return folder


def test_a_folder_goes_to_codes_and_back(call, codec_folder, audio, tmp_path):
    out = tmp_path / "codes.npz"
    said = call("encode", audio, "--out", out, "--codec", codec_folder, "--threads", 1).output
    assert "4 files" in said
    assert "set aside: 2" in said
    assert "broken.wav" in said
    assert "sub/nan.wav: holds samples that are not finite" in said
    codec = load_codec(codec_folder)
    archive = np.load(out)
    names = {name[6:] for name in archive if name.startswith("codes/")}
    assert names == {"mono.wav", "mono.ogg", "sub/stereo.flac", "sub/deep/music.mp3"}
    for name in names:
        samples = convert(read_audio(audio / name), 8000, 1).samples
        assert torch.equal(
            torch.from_numpy(archive[f"codes/{name}"]).long(), codec.encode(samples[None]).values[0]
        )
    assert (archive["frame_rate"], archive["codebook_size"]) == (50.0, 16)
    assert (archive["sample_rate"], archive["channels"]) == (8000, 1)

    said = call("decode", out, "--out", tmp_path / "back").output
    assert "4 files" in said
    back = tmp_path / "back"
    found = {path.relative_to(back).as_posix() for path in back.rglob("*") if path.is_file()}
    assert found == {"mono.wav.wav", "mono.ogg.wav", "sub/stereo.wav", "sub/deep/music.wav"}
    original = convert(read_audio(audio / "mono.wav"), 8000, 1).samples
    decoded = read_audio(back / "mono.wav.wav").samples
    assert decoded.shape == original.shape
    expected = codec.decode(codec.encode(original[None]))[0, :, : original.shape[1]]
    assert torch.allclose(decoded, expected / max(1.0, float(expected.abs().max())), atol=1e-4)


def test_a_single_file_and_fewer_codebooks(call, codec_folder, audio, tmp_path):
    out = tmp_path / "one.npz"
    call("encode", audio / "mono.wav", "--out", out, "--codec", codec_folder, "--codebooks", 2)
    assert np.load(out)["codes/mono.wav"].shape == (2, 61)
    call("decode", out, "--out", tmp_path / "two.flac")
    call("decode", out, "--out", tmp_path / "one.flac", "--codebooks", 1)
    two, one = (read_audio(tmp_path / f"{name}.flac").samples for name in ("two", "one"))
    assert two.shape == one.shape == (1, 9601)
    assert not torch.equal(two, one)
    call("decode", out, "--out", tmp_path / "folder", "--format", "ogg")
    assert read_audio(tmp_path / "folder" / "mono.ogg").sample_rate == 8000
    for words, message in (
        (("--out", tmp_path / "x", "--codebooks", 3), "holds 2 codebooks"),
        (("--out", tmp_path / "x", "--format", "doc"), "format 'doc': allowed are"),
    ):
        with pytest.raises(WorkbenchError, match=message):
            call("decode", out, *words)


def test_codes_of_another_codec_are_refused(call, codec_folder, audio, tmp_path):
    out = tmp_path / "codes.npz"
    call("encode", audio / "mono.wav", "--out", out, "--codec", codec_folder)
    small_codec("spectral", seed=1).save(tmp_path / "other")
    with pytest.raises(WorkbenchError, match="codes of another codec"):
        call("decode", out, "--out", tmp_path / "x.wav", "--codec", tmp_path / "other")
    small_codec("spectral", seed=1).save(codec_folder)  # overwritten since
    with pytest.raises(WorkbenchError, match="codes of another codec"):
        call("decode", out, "--out", tmp_path / "x.wav")
    small_codec("spectral").save(tmp_path / "moved")
    call("decode", out, "--out", tmp_path / "x.wav", "--codec", tmp_path / "moved")


def test_a_component_with_options_is_built_again_for_decoding(call, audio, tmp_path):
    out = tmp_path / "codes.npz"
    call("encode", audio / "mono.wav", "--out", out, "--codec", "encodec:weights=random")
    stored = np.load(out)
    assert stored["codes/mono.wav"].shape == (8, 91)
    assert stored["sample_rate"] == 24000
    call("decode", out, "--out", tmp_path / "x.wav")
    assert read_audio(tmp_path / "x.wav").samples.shape == (1, 28803)
    call("encode", audio / "mono.wav", "--out", out, "--codec", SMALL)
    with pytest.raises(RecipeError, match=r"xcodec\.options\.latent = 1.*'latent_dim'"):
        call("encode", audio / "mono.wav", "--out", out, "--codec", "xcodec:latent=1")
    with pytest.raises(RecipeError, match="KEY=VALUE"):
        call("encode", audio / "mono.wav", "--out", out, "--codec", "xcodec:latent")


def test_teachers_of_a_folder_are_built_by_their_names(call, catalog, audio, tmp_path):
    from workbench import Context

    teacher = Context(catalog, "cpu", 0).build("semantic_encoder", "mert")
    small = (teacher,)
    codec = small_codec("spectral", small)
    codec.config.teachers[0].name = "mert"
    codec.save(tmp_path / "taught")
    out = tmp_path / "codes.npz"
    file = audio / "mono.wav"
    call("encode", file, "--out", out, "--codec", tmp_path / "taught")
    expected = codec.encode(convert(read_audio(file), 8000, 1).samples[None]).values[0]
    stored = torch.from_numpy(np.load(out)["codes/mono.wav"]).long()
    assert torch.equal(stored, expected)
    with pytest.raises(WeightsError, match="fingerprint"):
        call(
            "encode", file, "--out", out, "--codec", tmp_path / "taught",
            "--encoder", "mert:weights=random",
        )  # fmt: skip
    small_codec("spectral", (FakeTeacher(),)).save(tmp_path / "strange")
    with pytest.raises(UnknownComponent, match="'fake0'"):
        call("encode", file, "--out", out, "--codec", tmp_path / "strange")


def test_a_runs_codec_is_found_with_its_codebooks(call, codec_folder, audio, tmp_path):
    run = tmp_path / "results" / "runs" / "pair-123"
    run.mkdir(parents=True)
    options = {"weights": str(codec_folder)}
    codec = {"name": "xcodec", "options": options, "codebooks": 2}
    record = {"status": "finished", "seed": 0, "models": {"encoders": [], "codec": codec}}
    (run / "run.json").write_text(json.dumps(record))
    out = tmp_path / "codes.npz"
    for named in ("pair", run):
        words = ("--codec", named, "--results", tmp_path / "results")
        call("encode", audio / "mono.wav", "--out", out, *words)
        assert np.load(out)["codes/mono.wav"].shape == (2, 61)
    call("decode", out, "--out", tmp_path / "x.wav", "--codec", codec_folder)
    (run / "run.json").write_text(json.dumps({"status": "failed", "models": {}}))
    with pytest.raises(WorkbenchError, match=r"no codec yet \(status: failed\)"):
        call("encode", audio / "mono.wav", "--out", out, *words)
    with pytest.raises(UnknownComponent, match=r"no component .*dac.* no run 'nothing'"):
        call("encode", audio / "mono.wav", "--out", out, "--codec", "nothing")


def test_what_cannot_be_done_is_said_and_leaves_nothing(call, codec_folder, audio, tmp_path):
    empty, out = tmp_path / "empty", tmp_path / "x.npz"
    empty.mkdir()
    several = tmp_path / "several.npz"
    call("encode", audio, "--out", several, "--codec", codec_folder)
    cases = {
        (audio / "broken.wav", "--out", out): "none of the 1 files can be used",
        (tmp_path / "nowhere.wav", "--out", out): "no such file",
        (empty, "--out", out): "holds no audio file",
        (audio / "mono.wav", "--out", tmp_path / "x.txt"): r"must be a file whose name ends in",
        (audio / "mono.wav", audio / "mono.wav", audio / "sub", "--out", out): None,
    }
    (audio / "sub" / "mono.wav").write_bytes((audio / "mono.wav").read_bytes())
    for words, message in cases.items():
        if message is None:
            with pytest.raises(WorkbenchError, match=r"two files would have the name 'mono\.wav'"):
                call("encode", *words, "--codec", codec_folder)
            continue
        with pytest.raises((AudioError, WorkbenchError), match=message):
            call("encode", *words, "--codec", codec_folder)
    assert not [path for path in tmp_path.iterdir() if "x." in path.name]
    with pytest.raises(WorkbenchError, match="holds 4 recordings; name a folder"):
        call("decode", several, "--out", tmp_path / "one.wav")
    for wrong in (audio / "mono.wav", tmp_path / "missing.npz"):
        with pytest.raises(WorkbenchError, match="is no archive of codes"):
            call("decode", wrong, "--out", tmp_path / "y.wav")


def test_names_that_lead_out_of_the_folder_are_refused(call, codec_folder, audio, tmp_path):
    from workbench.codec.archive import CodesArchive, write_archive

    good = tmp_path / "good.npz"
    call("encode", audio / "mono.wav", "--out", good, "--codec", codec_folder)
    archive = CodesArchive(good)
    for name in ("../outside.wav", "/outside.wav", "a/../../b.wav"):
        with write_archive(tmp_path / "bad.npz", archive.header) as writer:
            writer.add(name, archive.codes(archive.recordings[0]), 5)
        with pytest.raises(WorkbenchError, match="leads out of its folder"):
            call("decode", tmp_path / "bad.npz", "--out", tmp_path / "x")


def test_long_files_are_read_in_blocks(call, codec_folder, tmp_path, monkeypatch):
    """And get the codes of the whole, since this codec has no teacher."""
    monkeypatch.setattr(files, "HELD_SECONDS", 5.0)
    path = tmp_path / "long.wav"
    write_audio(path, Audio(tones(1, 44100 * 70)[0], 44100))
    out = tmp_path / "codes.npz"
    call("encode", path, "--out", out, "--codec", codec_folder)
    wav = convert(read_audio(path), 8000, 1).samples
    codes = load_codec(codec_folder).encode(wav[None])
    assert torch.equal(torch.from_numpy(np.load(out)["codes/long.wav"]).long(), codes.values[0])
    call("decode", out, "--out", tmp_path / "back.wav")
    back = read_audio(tmp_path / "back.wav").samples
    assert back.shape == wav.shape


@pytest.mark.parametrize("precision", ["bf16", "int8"])
def test_reduced_precision_reads_and_writes_the_same_archives(
    precision, call, codec_folder, audio, tmp_path
):
    exact, reduced = tmp_path / "exact.npz", tmp_path / "reduced.npz"
    call("encode", audio / "mono.wav", "--codec", codec_folder, "--out", exact)
    call(
        "encode", audio / "mono.wav", "--codec", codec_folder, "--out", reduced,
        "--precision", precision,
    )  # fmt: skip
    archives = [CodesArchive(path) for path in (exact, reduced)]
    assert archives[0].header == archives[1].header
    codes = [archive.codes(archive.recordings[0]) for archive in archives]
    same = codes[0] == codes[1]
    assert same.float().mean() > 0.8
    call("decode", reduced, "--out", tmp_path / "exact.wav")
    call("decode", reduced, "--out", tmp_path / "reduced.wav", "--precision", precision)
    wavs = [read_audio(tmp_path / f"{name}.wav").samples for name in ("exact", "reduced")]
    assert 0 < float((wavs[0] - wavs[1]).abs().max()) < 0.1


def test_precision_is_for_the_engines_own_codecs():
    other = FewerCodebooks(small_codec(), 1)
    assert quickened(other, "fp32", False) is other
    for wish in (("int8", False), ("fp32", True)):
        with pytest.raises(WorkbenchError, match="this codec is a FewerCodebooks"):
            quickened(other, *wish)
