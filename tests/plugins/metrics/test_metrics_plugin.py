import subprocess
import sys

import pytest

from workbench.api.errors import RecipeError
from workbench.host.context import Context

NAMES = {"frechet", "mel-distance", "si-sdr", "code-statistics"}


def test_metrics_are_registered(catalog):
    assert {component.name for component in catalog.components("metric")} >= NAMES


@pytest.mark.parametrize("name", ["mel-distance", "si-sdr", "code-statistics"])
def test_metrics_are_built_from_their_defaults(catalog, pieces, name):
    metric = Context(catalog, "cpu", 0).build("metric", name)
    for item in pieces(n=3):
        metric.update(item)
    metric.compute()


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("frechet", {"kinds": ["item", "sett"]}, "kinds = .*item, joint, set"),
        ("frechet", {"kinds": []}, "kinds = "),
        ("frechet", {"encoder": "mertt"}, "encoder.name = 'mertt'.*mert"),
        ("mel-distance", {"mels": [10]}, "mels = .*one number for each of fft_sizes"),
    ],
)
def test_wrong_options_are_named(catalog, name, options, message):
    with pytest.raises(RecipeError, match=message):
        catalog.options("metric", name, options)


def test_options_reach_the_metric(catalog):
    metric = Context(catalog, "cpu", 0).build(
        "metric", "mel-distance", {"fft_sizes": [64], "mels": [8]}
    )
    assert metric.resolutions == [(64, 8)]


def test_registering_imports_nothing_heavy():
    code = (
        "import sys, workbench_metrics.plugin as p; p.workbench_metrics();"
        "assert not {'torch', 'scipy', 'transformers'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
