"""Recipes: extending, overriding, typing, and every problem of a recipe at once."""

from __future__ import annotations

from dataclasses import is_dataclass
from pathlib import Path

import pytest

from workbench import RecipeError, Slot, load_catalog
from workbench.recipe.load import load_recipe, recipe_files, recipe_problems, to_dict, to_yaml
from workbench.recipe.schema import Recipe

PARTS = """
@dataclass
class FolderOptions:
    path: str = ""
    \"\"\"Where.\"\"\"

@dataclass
class JudgedOptions:
    judge: Slot = slot("semantic_encoder", "teacher")
    \"\"\"Which.\"\"\"

def parts(*names, config=Options):
    return [Component(name, name, config, build) for name in names]

@hookimpl
def workbench_corpora():
    return parts("tones") + parts("folder", config=FolderOptions)

@hookimpl
def workbench_codecs(): return parts("coder")

@hookimpl
def workbench_semantic_encoders(): return parts("teacher", "rival")

@hookimpl
def workbench_tasks(): return parts("going-on")

@hookimpl
def workbench_metrics(): return parts("distance") + parts("judged", config=JudgedOptions)
"""

BASE = """
seed: 5
corpus: {name: tones, options: {size: 8}}
encoder: {name: teacher, weight: 2}
codec:
  name: coder
  training: {steps: 100, learning_rate: 1e-3}
task: going-on
evaluation:
  metrics: [distance, {name: judged, options: {judge: rival}}]
"""


@pytest.fixture
def parts(fake_plugin):
    return load_catalog(fake_plugin("recipe_parts", PARTS))


@pytest.fixture
def write(tmp_path):
    def write(text: str, name: str = "base.yaml") -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    return write


def problems(path, catalog, *overrides):
    with pytest.raises(RecipeError) as caught:
        load_recipe(path, overrides, catalog)
    assert caught.value.exit_status == 2
    assert caught.value.source == str(path)
    return caught.value.problems


def test_a_recipe_becomes_plain_dataclasses(parts, write):
    recipe = load_recipe(write(BASE), [], parts)
    assert (recipe.name, recipe.seed, recipe.encoder.weight) == ("base", 5, 2.0)
    assert recipe.corpus.settings.size == 8
    assert recipe.corpus.options == {"size": 8, "mode": "fast"}
    assert recipe.codec.training.learning_rate == 1e-3
    assert recipe.evaluation.metrics[1].settings.judge.settings.size == 3
    assert [encoder.name for encoder in recipe.encoders] == ["teacher"]
    for held in (recipe.lm, recipe.lm.model, recipe.tracking, recipe.task, recipe.corpus.settings):
        assert is_dataclass(held)
    for held in (recipe.corpus.options, recipe.tracking.tags, recipe.evaluation.metrics):
        assert type(held) in (dict, list)


def test_a_codec_only_recipe_needs_neither_task_nor_teacher(parts, write):
    recipe = load_recipe(write("corpus: tones\ncodec: coder\n"), [], parts)
    assert not recipe.task.chosen
    assert recipe.encoders == []


@pytest.mark.parametrize(
    ("override", "get", "expected"),
    [
        ("seed=7", lambda r: r.seed, 7),
        ("codec.training.steps=20", lambda r: r.codec.training.steps, 20),
        ("codec.training.learning_rate=1e-4", lambda r: r.codec.training.learning_rate, 1e-4),
        ("codec.training.betas=[0.5, 0.9]", lambda r: r.codec.training.betas, [0.5, 0.9]),
        ("corpus.options.size=9", lambda r: r.corpus.settings.size, 9),
        ("corpus.options={mode: exact}", lambda r: r.corpus.settings.mode, "exact"),
        ("encoder=none", lambda r: r.encoders, []),
        ("encoder.name=rival", lambda r: (r.encoder.name, r.encoder.weight), ("rival", 2.0)),
        ("evaluation.metrics=[]", lambda r: r.evaluation.metrics, []),
        ("evaluation.metrics.1.options.judge=teacher", lambda r: len(r.evaluation.metrics), 2),
        ("evaluation.metrics[0]=judged", lambda r: r.evaluation.metrics[0].name, "judged"),
        (
            "task.options.mode=exact",
            lambda r: (r.task.name, r.task.settings.mode),
            ("going-on", "exact"),
        ),
        ("tracking.uri=http://host:5000", lambda r: r.tracking.uri, "http://host:5000"),
        ("tracking.tags.note=a=b", lambda r: r.tracking.tags, {"note": "a=b"}),
        ("description=", lambda r: r.description, ""),
        ("name=other", lambda r: r.name, "other"),
    ],
)
def test_overrides_are_typed_and_nested(parts, write, override, get, expected):
    if override == "description=":
        override = 'description=""'
    assert get(load_recipe(write(BASE), [override], parts)) == expected


def test_another_component_drops_the_options_of_the_one_it_replaces(parts, write):
    changed = ["corpus.name=folder", "corpus.options.path=music"]
    recipe = load_recipe(write(BASE), changed, parts)
    assert recipe.corpus.options == {"path": "music"}


def test_later_overrides_win(parts, write):
    assert load_recipe(write(BASE), ["seed=1", "seed=2"], parts).seed == 2


def test_a_recipe_extends_others_along_a_chain(parts, write):
    write(BASE, "deep/base.yaml")
    write("extends: ../deep/base.yaml\nseed: 6\nname: between\n", "middle/middle.yaml")
    top = write("extends: middle/middle.yaml\ncodec: {training: {steps: 1}}\n", "top.yaml")
    recipe = load_recipe(top, [], parts)
    assert (recipe.name, recipe.seed) == ("top", 6)
    assert (recipe.codec.training.steps, recipe.codec.training.learning_rate) == (1, 1e-3)
    assert recipe.corpus.settings.size == 8


def test_an_interpolation_is_resolved_before_types_are(parts, write):
    recipe = load_recipe(write(BASE + "lm: {training: {steps: '${seed}'}}\n"), [], parts)
    assert recipe.lm.training.steps == 5


def test_the_resolved_recipe_reads_back_equal(parts, write):
    recipe = load_recipe(write(BASE), ["seed=9"], parts)
    again = load_recipe(write(to_yaml(recipe), "again.yaml"), [], parts)
    assert again == recipe
    assert to_dict(again) == to_dict(recipe)


def test_the_plain_form_holds_every_default_and_nothing_internal(parts, write):
    values = to_dict(load_recipe(write(BASE), [], parts))
    assert values["encoder"]["options"] == {"size": 3, "mode": "fast"}
    assert set(values["encoder"]) == {"name", "options", "weight", "training"}
    assert values["lm"]["sampling"]["temperature"] == 1.0


def test_every_problem_of_a_recipe_is_named_at_once(parts, write):
    text = """
    colour: red
    corpus: {name: tonse}
    encoder: {name: teacher, weight: heavy, options: {sise: 2}}
    codec: {training: {stesp: 3, schedule: cosin}}
    lm: {sampling: {top_p: 2, temperature: -1}}
    evaluation: {metrics: [distance, {name: judged, options: {judge: rivla}}]}
    """
    found = problems(write(text), parts, "seed=none", "device=gpu", "oops")
    assert found == [
        "override 'oops': expected KEY=VALUE, as in codec.training.steps=500",
        "colour = 'red': unknown key. Allowed: name, description, seed, device, threads, results, "
        "corpus, encoder, more_encoders, codec, task, lm, evaluation, tracking, ablation",
        "seed = 'none': expected int",
        "corpus.name = 'tonse': there is no corpus 'tonse'; did you mean 'tones'? "
        "Allowed: folder, tones",
        "encoder.weight = 'heavy': expected float",
        "encoder.options.sise = 2: unknown key; did you mean 'size'? Allowed: size, mode",
        "codec.training.stesp = 3: unknown key; did you mean 'steps'? Allowed: steps, batch_size, "
        "segment_seconds, learning_rate, betas, weight_decay, warmup_steps, schedule, "
        "final_lr_ratio, clip_norm, precision, accumulate, ema_decay, checkpoint_seconds, "
        "validate_every, log_every, health_every",
        "codec.training.schedule = 'cosin': expected 'cosine', 'exponential' or 'constant'; "
        "did you mean 'cosine'?",
        "codec.name = '': a codec must be named. Allowed: coder",
        "lm.sampling.temperature = -1.0: must be at least 0",
        "lm.sampling.top_p = 2.0: must be in (0, 1]",
        "evaluation.metrics.1.options.judge.name = 'rivla': there is no semantic_encoder 'rivla'; "
        "did you mean 'rival'? Allowed: rival, teacher",
        "device = 'gpu': must be auto, cpu, cuda or cuda:N",
    ]


@pytest.mark.parametrize(
    ("override", "problem"),
    [
        ("device=gpu", "device = 'gpu': must be auto, cpu, cuda or cuda:N"),
        ("seed=-1", "seed = -1: must be at least 0"),
        ("threads=-1", "threads = -1: must be at least 0"),
        ("encoder.weight=-1", "encoder.weight = -1.0: must be at least 0"),
        ("evaluation.items=1", "evaluation.items = 1: must be at least 2"),
        ("ablation.seeds=0", "ablation.seeds = 0: must be at least 1"),
        (
            "codec.training.betas=[1, 2]",
            "codec.training.betas = [1.0, 2.0]: must be two numbers in [0, 1)",
        ),
        (
            "codec.training.accumulate=3",
            "codec.training.accumulate = 3: must be a divisor of batch_size 8",
        ),
        ("lm.model.heads=3", "lm.model.width = 256: must be a multiple of heads 3"),
        ("codec=null", "codec = None: expected a mapping of name, options, training, codebooks"),
        ("evaluation.metrics=distance", "evaluation.metrics = 'distance': expected a list of Slot"),
        (
            "extends=other.yaml",
            "extends = 'other.yaml': unknown key. Allowed: name, description, "
            "seed, device, threads, results, corpus, encoder, more_encoders, codec, task, lm, "
            "evaluation, tracking, ablation",
        ),
        ("=3", "override '=3': expected KEY=VALUE, as in codec.training.steps=500"),
    ],
)
def test_a_wrong_override_is_one_problem(parts, write, override, problem):
    assert problems(write(BASE), parts, override) == [problem]


def test_an_override_that_is_not_yaml_says_so(parts, write):
    (problem,) = problems(write(BASE), parts, "corpus.options=[1")
    assert problem.startswith("override 'corpus.options=[1': not readable as YAML: ")


def test_further_teachers_need_a_first_one(parts, write):
    text = BASE + "more_encoders: [rival]\n"
    assert problems(write(text), parts, "encoder=none") == [
        "more_encoders = ['rival']: must be empty while encoder.name is 'none'"
    ]
    names = [encoder.name for encoder in load_recipe(write(text), [], parts).encoders]
    assert names == ["teacher", "rival"]


def test_a_missing_file_is_the_only_problem(parts, tmp_path):
    path = tmp_path / "nowhere.yaml"
    assert problems(path, parts, "seed=x") == [f"recipe = {str(path)!r}: there is no such file"]


def test_a_missing_parent_is_named_with_who_extends_it(parts, write, tmp_path):
    path = write("extends: nowhere.yaml\n")
    parent = str(tmp_path / "nowhere.yaml")
    assert problems(path, parts) == [f"extends (in base.yaml) = {parent!r}: there is no such file"]


def test_recipes_in_a_circle_are_named_in_order(parts, write):
    write("extends: second.yaml\n", "first.yaml")
    path = write("extends: first.yaml\n", "second.yaml")
    assert problems(path, parts) == [
        "extends = 'second.yaml': recipes extend each other in a circle: "
        "second.yaml -> first.yaml -> second.yaml"
    ]


@pytest.mark.parametrize(
    ("text", "ending"),
    [
        ("extends: [a, b]\n", "extends = ['a', 'b']: expected the path of a recipe"),
        ("- a\n- b\n", "base.yaml': expected a mapping of keys to values"),
    ],
)
def test_a_file_of_the_wrong_shape_says_what_is_expected(parts, write, text, ending):
    (problem,) = problems(write(text), parts)
    assert problem.endswith(ending)


@pytest.mark.parametrize("text", ["a: [1\n", "a: 1\na: 2\n", "a: ${\n"])
def test_a_file_that_is_not_yaml_says_so(parts, write, text):
    (problem,) = problems(write(text), parts)
    assert "not readable as YAML" in problem or "base.yaml" in problem


def test_an_interpolation_without_a_target_is_named(parts, write):
    assert problems(write(BASE), parts, "results=${nowhere}") == [
        "results: Interpolation key 'nowhere' not found"
    ]


def test_the_plugins_that_are_broken_are_named_once_beside_unknown_components(fake_plugin, write):
    fake_plugin("recipe_parts_two", PARTS)
    fake_plugin("gone", "import a_library_nobody_has")
    catalog = load_catalog("recipe_parts_two,gone")
    found = problems(write(BASE), catalog, "encoder=absent", "task=absent")
    assert len(found) == 3
    assert found[2] == (
        "a plugin that could not be loaded: gone 1.0 (entry point 'gone'): importing gone failed: "
        "ModuleNotFoundError: No module named 'a_library_nobody_has'"
    )
    assert load_recipe(write(BASE), [], catalog).name == "base"


def test_each_arm_of_an_ablation_must_be_a_valid_recipe(parts, write):
    text = BASE + "ablation: {over: {encoder.name: [none, teacher, rivla]}, seeds: 3}\n"
    assert problems(write(text), parts) == [
        "ablation arm 'rivla': encoder.name = 'rivla': there is no semantic_encoder "
        "'rivla'; did you mean 'rival'? Allowed: rival, teacher"
    ]


def test_named_arms_are_read_and_never_mixed_with_a_grid(parts, write):
    arms = "arms: {plain: {encoder.name: none}, taught: {encoder.name: teacher, seed: 3}}"
    recipe = load_recipe(write(BASE + f"ablation: {{{arms}}}\n"), [], parts)
    assert list(recipe.ablation.choices()) == ["plain", "taught"]
    both = BASE + f"ablation: {{{arms}, over: {{encoder.name: [none, teacher]}}}}\n"
    assert "must be empty where 'over' is given" in problems(write(both), parts)[0]


def test_a_grid_gives_every_combination(parts, write):
    over = "over: {encoder.name: [none, teacher], seed: [1, 2]}"
    recipe = load_recipe(write(BASE + f"ablation: {{{over}}}\n"), [], parts)
    assert list(recipe.ablation.choices()) == [
        "encoder.name=none, seed=1",
        "encoder.name=none, seed=2",
        "encoder.name=teacher, seed=1",
        "encoder.name=teacher, seed=2",
    ]


def test_files_are_found_to_any_depth_and_in_order(tmp_path):
    for name in ("b.yaml", "sub/deep/a.yaml", "a.yaml", "notes.md"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    found = recipe_files([tmp_path, tmp_path / "b.yaml"])
    assert [str(path.relative_to(tmp_path)) for path in found] == [
        "a.yaml",
        "b.yaml",
        "sub/deep/a.yaml",
    ]


def test_problems_of_a_valid_recipe_are_none(parts, write):
    assert recipe_problems(write(BASE), parts) == []
    assert recipe_problems(write("corpus: tones\n"), parts) == [
        "codec.name = '': a codec must be named. Allowed: coder"
    ]


def test_the_schema_documents_every_field():
    from workbench.host.describe import describe_options

    def undocumented(options, where):
        for option in options:
            if not option.help:
                yield f"{where}{option.name}"
            yield from undocumented(option.options, f"{where}{option.name}.")

    assert list(undocumented(describe_options(Recipe), "")) == []
    assert list(undocumented(describe_options(Slot), "slot.")) == []
