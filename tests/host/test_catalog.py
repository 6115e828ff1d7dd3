"""Components are looked up by kind and name; what is missing or doubled is said in full."""

from __future__ import annotations

import pytest

from workbench import PluginError, RecipeError, UnknownComponent, load_catalog
from workbench.host.context import Context

CORPORA = """
@hookimpl
def workbench_corpora():
    return [
        Component("tones", "Sine tones", Options, build),
        Component("noise", "Coloured noise", Options, build),
    ]
"""

CODEC = """
class Fake:
    sample_rate = 16000
    channels = 1
    frame_rate = 50.0
    num_codebooks = 4
    codebook_size = 16

    def __init__(self, size, corpus):
        self.size = size
        self.corpus = corpus

    def encode(self, wav, lengths=None): ...
    def decode(self, codes): ...

class Corpus:
    def fingerprint(self): ...
    def examples(self, split): ...
    def audio(self, example): ...

def build_fake(options, context):
    return Fake(options.size, context.build("corpus", "silence"))

@hookimpl
def workbench_codecs():
    return [
        Component("fake", "A codec", Options, build_fake),
        Component("half", "Half a codec", Options, lambda options, context: Corpus()),
    ]

@hookimpl
def workbench_corpora():
    return [Component("silence", "Silence", Options, lambda options, context: Corpus())]
"""


def test_components_come_sorted_by_name(fake_plugin):
    catalog = load_catalog(fake_plugin("two_corpora", CORPORA))
    assert [c.name for c in catalog.components("corpus")] == ["noise", "tones"]
    assert catalog.get("corpus", "noise").summary == "Coloured noise"


def test_an_unknown_name_gives_the_nearest_and_all_allowed(fake_plugin):
    catalog = load_catalog(fake_plugin("near_names", CORPORA))
    with pytest.raises(UnknownComponent) as caught:
        catalog.get("corpus", "tonse")
    assert str(caught.value) == (
        "there is no corpus 'tonse'; did you mean 'tones'? Allowed: noise, tones"
    )
    assert caught.value.exit_status == 2


def test_an_unknown_name_that_is_near_none_gives_all_allowed(fake_plugin):
    catalog = load_catalog(fake_plugin("far_names", CORPORA))
    with pytest.raises(UnknownComponent) as caught:
        catalog.get("corpus", "xyz")
    assert str(caught.value) == "there is no corpus 'xyz'. Allowed: noise, tones"


def test_an_unknown_kind_gives_all_kinds(fake_plugin):
    catalog = load_catalog(fake_plugin("kinds", CORPORA))
    with pytest.raises(UnknownComponent) as caught:
        catalog.components("corpsu")
    assert str(caught.value) == (
        "there is no kind of component 'corpsu'; did you mean 'corpus'? "
        "Allowed: codec, corpus, metric, semantic_encoder, task"
    )


def test_an_unknown_name_mentions_the_plugins_that_are_broken(fake_plugin):
    fake_plugin("absent", "import a_library_nobody_has")
    catalog = load_catalog("absent")
    with pytest.raises(UnknownComponent) as caught:
        catalog.get("codec", "wanted")
    assert str(caught.value) == (
        "there is no codec 'wanted'. Allowed: nothing; a plugin that could not be loaded: "
        "absent 1.0 (entry point 'absent'): importing absent failed: ModuleNotFoundError: "
        "No module named 'a_library_nobody_has'"
    )


def test_a_doubled_name_names_both_distributions(fake_plugin):
    fake_plugin("first_dist", CORPORA)
    fake_plugin("second_dist", CORPORA, version="2.0")
    with pytest.raises(PluginError) as caught:
        load_catalog("first_dist,second_dist")
    assert str(caught.value) == (
        "two plugins provide the corpus 'tones': first_dist 1.0 (entry point 'first_dist') and "
        "second_dist 2.0 (entry point 'second_dist'); uninstall one of them or limit what is "
        "loaded with WORKBENCH_PLUGINS"
    )


def test_one_name_may_serve_two_kinds(fake_plugin):
    source = """
    @hookimpl
    def workbench_corpora(): return [Component("clap", "", Options, build)]
    @hookimpl
    def workbench_metrics(): return [Component("clap", "", Options, build)]
    """
    catalog = load_catalog(fake_plugin("two_kinds", source))
    assert catalog.get("corpus", "clap") is not catalog.get("metric", "clap")


def test_options_are_an_instance_of_the_components_dataclass(fake_plugin):
    catalog = load_catalog(fake_plugin("typed_options", CORPORA))
    options = catalog.options("corpus", "tones", {"size": 7})
    assert type(options) is catalog.get("corpus", "tones").config
    assert (options.size, options.mode) == (7, "fast")
    assert catalog.options("corpus", "tones").size == 3


def test_every_wrong_option_is_named_with_its_full_path(fake_plugin):
    catalog = load_catalog(fake_plugin("wrong_options", CORPORA))
    with pytest.raises(RecipeError) as caught:
        catalog.options("corpus", "tones", {"sise": 1, "size": "x"}, where="corpus.options")
    assert caught.value.problems == [
        "corpus.options.sise = 1: unknown key; did you mean 'size'? Allowed: size, mode",
        "corpus.options.size = 'x': expected int",
    ]


def test_context_builds_with_validated_options_and_passes_itself_on(fake_plugin):
    context = Context(load_catalog(fake_plugin("builds", CODEC)), device="cpu", seed=1)
    codec = context.build("codec", "fake", {"size": 9})
    assert codec.size == 9
    assert type(codec.corpus).__name__ == "Corpus"


def test_context_refuses_wrong_options(fake_plugin):
    context = Context(load_catalog(fake_plugin("builds_wrong", CODEC)), device="cpu", seed=1)
    with pytest.raises(RecipeError) as caught:
        context.build("codec", "fake", {"size": "large"})
    assert caught.value.problems == ["fake.options.size = 'large': expected int"]


def test_context_refuses_what_lacks_its_protocols_members(fake_plugin):
    context = Context(load_catalog(fake_plugin("builds_half", CODEC)), device="cpu", seed=1)
    with pytest.raises(PluginError) as caught:
        context.build("codec", "half")
    assert str(caught.value) == (
        "codec 'half' of builds_half 1.0 (entry point 'builds_half') built a Corpus without "
        "channels, codebook_size, decode, encode, frame_rate, num_codebooks, sample_rate"
    )
