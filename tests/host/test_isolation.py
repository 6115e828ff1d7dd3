"""Functions of another interpreter are called, and what goes wrong there is told here."""

from __future__ import annotations

import os
import sys
import textwrap

import numpy as np
import pytest

from workbench import Environment, ModelAbsent, PluginError, WorkbenchError, Worker

OWN = Environment("own", ("numpy", "not-installed-at-all==1"))
MODULE = """
import os, sys
import numpy as np

def add(one, two, times=1):
    print("noise on the standard output")
    return {"sum": (one + two) * times, "mean": np.float32((one + two).mean()), "name": "é"}

def where():
    return {"pid": os.getpid(), "path": sys.path[0], "packages": "PYTHONPATH" in os.environ}

def fail():
    raise KeyError("no such speaker")

def die():
    sys.stderr.write("out of luck\\n")
    sys.stderr.flush()
    os._exit(7)
"""


@pytest.fixture
def module(tmp_path):
    def write(text=MODULE):
        path = tmp_path / "worker.py"
        path.write_text(textwrap.dedent(text))
        return path

    return write


@pytest.fixture
def worker(module) -> Worker:
    return Worker(OWN, module(), sys.executable)


def test_arrays_numbers_and_texts_go_there_and_back(worker):
    one, two = np.arange(5, dtype=np.float32), np.ones(5, dtype=np.float32)
    told = worker.call("add", {"one": one, "two": two}, {"times": 3})
    assert told["sum"].dtype == np.float32
    np.testing.assert_array_equal(told["sum"], [3, 6, 9, 12, 15])
    assert told["mean"] == 3.0
    assert told["name"] == "é"


def test_it_runs_in_a_process_of_its_own_that_stays_and_sees_none_of_our_packages(
    module, monkeypatch
):
    monkeypatch.setenv("PYTHONPATH", "/ours")
    worker = Worker(OWN, module(), sys.executable)
    first, second = worker.call("where"), worker.call("where")
    assert first["pid"] == second["pid"] != os.getpid()
    assert not first["packages"]
    assert "workbench/host" not in first["path"]


def test_versions_of_the_requirements_are_known(worker):
    assert worker.versions == {"numpy": np.__version__, "not-installed-at-all": "unknown"}


def test_what_a_function_raises_is_told_and_the_worker_goes_on(worker):
    with pytest.raises(WorkbenchError, match=r"worker.py in environment 'own'[\s\S]*no such speak"):
        worker.call("fail")
    assert worker.call("where")["pid"]


def test_how_it_died_is_told_and_the_next_call_starts_another(worker):
    first = worker.call("where")["pid"]
    with pytest.raises(WorkbenchError, match=r"ended with status 7\nout of luck"):
        worker.call("die")
    assert worker.call("where")["pid"] != first


def test_a_library_that_is_not_there_is_an_absent_model(module):
    with pytest.raises(ModelAbsent, match=r"not-installed-at-all==1[\s\S]*No module named 'nope'"):
        Worker(OWN, module("import nope\n"), sys.executable)


def test_a_module_that_is_wrong_is_its_authors_fault(module):
    with pytest.raises(PluginError, match="ZeroDivisionError"):
        Worker(OWN, module("1 / 0\n"), sys.executable)


def test_an_interpreter_that_is_not_there_is_named(module):
    with pytest.raises(ModelAbsent, match="python = '/no/python'"):
        Worker(OWN, module(), "/no/python")


def test_its_process_ends_with_it(module):
    worker = Worker(OWN, module(), sys.executable)
    process = worker._process
    del worker
    assert process.poll() == 0


@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_a_forked_process_has_a_worker_of_its_own(worker):
    ours = worker.call("where")["pid"]
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(writing, str(worker.call("where")["pid"]).encode())
        os._exit(0)
    os.waitpid(child, 0)
    assert int(os.read(reading, 20)) != ours
    assert worker.call("where")["pid"] == ours
