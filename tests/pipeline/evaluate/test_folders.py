"""Files of two folders belong together by name; whatever is wrong is told at once."""

from __future__ import annotations

import pytest

from workbench import RecipeError
from workbench.pipeline.evaluate.folders import folder_systems, named_folders
from workbench.pipeline.evaluate.manifest import read_manifest


def problems(*arguments, **options):
    with pytest.raises(RecipeError) as error:
        folder_systems(*arguments, {}, **options)
    return error.value.problems


def test_systems_are_the_truth_each_folder_and_another_items_truth(folders):
    made = folder_systems(folders / "ref", {"good": folders / "good"}, {}, items=3)
    assert [(s.name, s.role) for s in made] == [
        ("ground truth", "truth"), ("good", "result"), ("another item", "floor")
    ]  # fmt: skip
    assert [item.id for item in made[1].items] == ["s0", "s1", "s10"]
    assert made[1].items[0].generated == folders / "good" / "s0.flac"
    assert made[2].items[0].generated == made[0].items[1].generated == folders / "ref" / "s1.wav"
    assert all(item.prompt is None and not item.continues for item in made[1].items)


def test_partners_that_are_missing_are_named_in_both_directions(folders):
    for name in ("s0", "s1", "s2", "s3", "s4", "s5", "s6"):
        (folders / "good" / f"{name}.flac").unlink()
    (folders / "good" / "s7.flac").rename(folders / "good" / "t7.flac")
    (folders / "bad" / "s3.wav").write_bytes(b"x")
    found = problems(folders / "ref", {"good": folders / "good"})
    where = f"--generated good={folders / 'good'}"
    assert found == [
        f"{where}: has no file for 's0', 's1', 's2', 's3', 's4' and 3 more of the reference",
        f"{where}: 't7' have no partner in the reference",
    ]
    (twice,) = problems(folders / "ref", {"bad": folders / "bad"})
    assert "s3.flac and s3.wav are both 's3'" in twice


def test_folders_and_files_that_are_no_audio_are_named(folders):
    (folders / "empty").mkdir()
    found = problems(folders / "nowhere", {"empty": folders / "empty"})
    assert "there is no such folder" in found[0]
    assert "holds no audio file" in found[1]
    (folders / "good" / "s1.flac").write_bytes(b"no audio")
    (broken,) = problems(folders / "ref", {"good": folders / "good"})
    assert "s1.flac: can't be read as audio" in broken


def test_prompts_are_paired_too(folders):
    made = folder_systems(folders / "ref", {"a": folders / "bad"}, {}, folders / "good")
    assert made[0].items[0].prompt == folders / "good" / "s0.flac"
    (folders / "good" / "s1.flac").unlink()
    (missing,) = problems(folders / "ref", {"a": folders / "bad"}, prompts=folders / "good")
    assert missing.startswith("--prompts")
    assert "'s1'" in missing


def test_systems_are_named_unless_there_is_one():
    assert list(named_folders(["some/dir"])) == ["generated"]
    assert [str(p) for p in named_folders(["a=x/y", "b=z"]).values()] == ["x/y", "z"]
    for wrong in (["x", "y"], ["a=x", "a=y"], ["ground truth=x"], ["=x"]):
        with pytest.raises(RecipeError, match="name"):
            named_folders(wrong)


def test_manifests_tell_what_is_known_of_files(tmp_path):
    lines = tmp_path / "texts.jsonl"
    lines.write_text(
        '{"path": "sub/a.wav", "text": "hello", "language": "en", "mood": "glad"}\n\n'
        '{"id": "utt.01", "caption": "rain"}\n'
    )
    found = read_manifest(lines)
    assert list(found) == ["sub/a", "utt.01"]
    assert (found["sub/a"].text, found["sub/a"].language) == ("hello", "en")
    assert found["sub/a"].details == {"mood": "glad"}
    assert (found["utt.01"].text, found["utt.01"].caption) == (None, "rain")
    table = tmp_path / "texts.tsv"
    table.write_text("path\ttext\na.wav\tone two\nb.flac\t\n")
    assert [example.text for example in read_manifest(table).values()] == ["one two", None]


def test_every_wrong_line_of_a_manifest_is_told(tmp_path):
    lines = tmp_path / "texts.jsonl"
    lines.write_text('{"text": "x"}\n[1]\n{"path": "a.wav"}\n{"path": "a.flac"}\n{no\n')
    with pytest.raises(RecipeError) as error:
        read_manifest(lines)
    said = error.value.problems
    assert [problem.split(":")[0] for problem in said] == ["line 1", "line 2", "line 4", "line 5"]
    with pytest.raises(RecipeError, match="no such file"):
        read_manifest(tmp_path / "nothing.csv")
