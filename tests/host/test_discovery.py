"""Plugins are found through entry points; whatever is wrong with one is said by name."""

from __future__ import annotations

import sys

import pytest

from workbench import PluginError, load_catalog
from workbench.host.discovery import discover

ONE_CORPUS = """
@hookimpl
def workbench_corpora():
    return [Component("tones", "Sine tones", Options, build)]
"""


def reasons(limit):
    return [str(plugin) for plugin in load_catalog(limit).broken]


def test_a_plugin_is_found_by_its_entry_point_alone(fake_plugin):
    name = fake_plugin("found_by_entry_point", ONE_CORPUS, version="2.3")
    catalog = load_catalog(name)
    assert [c.name for c in catalog.components("corpus")] == ["tones"]
    assert str(catalog.provider("corpus", "tones")) == (
        "found_by_entry_point 2.3 (entry point 'found_by_entry_point')"
    )
    assert catalog.broken == ()


def test_each_discovery_has_a_manager_of_its_own(fake_plugin):
    name = fake_plugin("own_manager", ONE_CORPUS)
    first, second = discover(name), discover(name)
    assert first.manager is not second.manager
    first.manager.unregister(name=next(iter(first.providers)))
    assert len(second.manager.get_plugins()) == 1


def test_environment_limits_what_is_loaded(fake_plugin, monkeypatch):
    fake_plugin("limited_in", ONE_CORPUS)
    fake_plugin("limited_out", ONE_CORPUS)
    monkeypatch.setenv("WORKBENCH_PLUGINS", " limited_in ,")
    assert [p.entry_point for p in discover().providers.values()] == ["limited_in"]
    assert "limited_out" not in sys.modules
    monkeypatch.setenv("WORKBENCH_PLUGINS", "")
    assert not discover().providers


def test_limiting_to_a_plugin_that_is_not_installed_names_the_nearest(fake_plugin):
    fake_plugin("spelled_rightly", ONE_CORPUS)
    with pytest.raises(PluginError) as caught:
        discover("spelt_rightly")
    message = str(caught.value)
    assert message.startswith(
        "WORKBENCH_PLUGINS = 'spelt_rightly': no installed plugin is called 'spelt_rightly'; "
        "did you mean 'spelled_rightly'? Allowed: "
    )
    assert "spelled_rightly" in message.split("Allowed: ")[1].split(", ")


@pytest.mark.parametrize(
    ("name", "source", "reason"),
    [
        (
            "broken_import",
            "import a_library_nobody_has",
            "importing broken_import failed: ModuleNotFoundError: "
            "No module named 'a_library_nobody_has'",
        ),
        (
            "broken_name",
            "@hookimpl\ndef workbench_corpera(): return []",
            "there is no hook 'workbench_corpera'; did you mean 'workbench_corpora'? "
            "Allowed: workbench_codecs, workbench_commands, workbench_corpora, workbench_metrics, "
            "workbench_semantic_encoders, workbench_tasks",
        ),
        (
            "broken_foreign_name",
            "@hookimpl\ndef entirely_different(): return []",
            "there is no hook 'entirely_different'. "
            "Allowed: workbench_codecs, workbench_commands, workbench_corpora, workbench_metrics, "
            "workbench_semantic_encoders, workbench_tasks",
        ),
        (
            "broken_mark",
            "def workbench_corpora(): return []",
            "'workbench_corpora' is a hook but is not marked with @hookimpl",
        ),
        (
            "broken_newer",
            "WORKBENCH_API = 2",
            "it is written for version 2 of the plugin contract and this workbench has version 1; "
            "update the workbench",
        ),
        (
            "broken_older",
            "WORKBENCH_API = 0",
            "it is written for version 0 of the plugin contract and this workbench has version 1; "
            "update the plugin",
        ),
        (
            "broken_raise",
            "@hookimpl\ndef workbench_corpora(): raise ValueError('no luck')",
            "workbench_corpora failed: ValueError: no luck",
        ),
        (
            "broken_list",
            "@hookimpl\ndef workbench_corpora(): return 3",
            "workbench_corpora must return a list of Component; got 3",
        ),
        (
            "broken_item",
            "@hookimpl\ndef workbench_corpora(): return ['tones']",
            "workbench_corpora must return a list of Component; it holds 'tones'",
        ),
        (
            "broken_component_name",
            "@hookimpl\ndef workbench_corpora(): return [Component('none', '', Options, build)]",
            "workbench_corpora: 'none' can't name a component; allowed are small letters, digits, "
            "'_', '.' and '-', but not 'none'",
        ),
        (
            "broken_config",
            "@hookimpl\ndef workbench_corpora(): return [Component('tones', '', dict, build)]",
            "workbench_corpora: config of 'tones' must be a dataclass; got <class 'dict'>",
        ),
        (
            "broken_default",
            "@dataclass\nclass Bare:\n    path: str\n"
            "@hookimpl\ndef workbench_corpora(): return [Component('tones', '', Bare, build)]",
            "workbench_corpora: option 'path' of 'tones' has no default",
        ),
    ],
)
def test_a_broken_plugin_is_set_aside_with_its_distribution_and_reason(
    fake_plugin, name, source, reason
):
    fake_plugin(name, source)
    fake_plugin("healthy", ONE_CORPUS)
    catalog = load_catalog(f"{name},healthy")
    assert [str(plugin) for plugin in catalog.broken] == [
        f"{name} 1.0 (entry point {name!r}): {reason}"
    ]
    assert [c.name for c in catalog.components("corpus")] == ["tones"]


def test_a_hook_with_parameters_that_do_not_exist_is_set_aside(fake_plugin):
    name = fake_plugin("broken_parameters", "@hookimpl\ndef workbench_corpora(colour): return []")
    (reason,) = reasons(name)
    assert reason.startswith("broken_parameters 1.0 (entry point 'broken_parameters'): ")
    assert "colour" in reason


def test_one_module_under_two_entry_points_is_set_aside_once(fake_plugin, tmp_path):
    name = fake_plugin("twice_named", ONE_CORPUS)
    points = tmp_path / "site" / "twice_named-1.0.dist-info" / "entry_points.txt"
    points.write_text("[workbench]\ntwice_named = twice_named\ntwice_other = twice_named\n")
    (reason,) = reasons(name)
    assert "(entry point 'twice_other'): twice_named is registered already" in reason


def test_a_plugin_that_states_this_version_is_loaded(fake_plugin):
    name = fake_plugin("states_version", "WORKBENCH_API = 1" + ONE_CORPUS)
    assert reasons(name) == []


def test_names_imported_from_other_modules_are_not_taken_for_hooks(fake_plugin):
    fake_plugin("hook_lender", "def workbench_tool(): return 1", prelude=False)
    name = fake_plugin("hook_borrower", "from hook_lender import workbench_tool" + ONE_CORPUS)
    assert reasons(name) == []
