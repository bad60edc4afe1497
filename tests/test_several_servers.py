"""Several servers behind one proxy: each under a path of its own, and no run on two of them at once."""

import os
import time

import pytest
from conftest import ROOT

from toytrain import ToytrainError
from toytrain.engine import SavedRuns
from toytrain.engine.saved_runs import ALIVE_FOR

RUN, OTHER = "0" * 32, "f" * 32


@pytest.fixture
def server(tmp_path):
    """A server's view of the folder that all share; it has just told that it is alive."""

    def start(name):
        saved_runs = SavedRuns(tmp_path, name)
        saved_runs.tell_alive()
        return saved_runs

    return start


def dies(saved_runs):
    """Nothing has been heard of a server for longer than it may be silent."""
    long_ago = time.time() - ALIVE_FOR - 1
    os.utime(saved_runs.folder / f"{saved_runs.replica}.alive", (long_ago, long_ago))


def test_a_run_is_opened_only_by_the_server_that_has_it(server):
    one, two = server("a"), server("b")
    one.save(RUN, b"trained here")
    with pytest.raises(ToytrainError, match="on another server"):
        two.load(RUN)
    two.save(RUN, b"a fork")
    assert one.load(RUN) == b"trained here"


def test_a_run_that_was_closed_may_go_elsewhere(server):
    one, two = server("a"), server("b")
    one.save(RUN, b"trained here")
    two.release(RUN)  # it is not the other's to give away
    with pytest.raises(ToytrainError):
        two.load(RUN)
    one.release(RUN)
    assert two.load(RUN) == b"trained here"
    with pytest.raises(ToytrainError):
        one.load(RUN)


def test_the_runs_of_a_dead_server_are_taken_over_and_stay_where_they_went(server):
    one, two = server("a"), server("b")
    one.save(RUN, b"trained here")
    dies(one)
    assert two.load(RUN) == b"trained here"
    two.save(RUN, b"went on")
    again = server("a")
    again.save(RUN, b"the past")
    assert two.load(RUN) == b"went on"


def test_a_server_that_starts_again_has_its_runs(server):
    server("a").save(RUN, b"trained here")
    assert server("a").load(RUN) == b"trained here"


def test_a_server_without_a_name_leaves_nothing_but_runs(server, tmp_path):
    alone = server("")
    alone.save(RUN, b"trained here")
    alone.release(RUN)
    assert [file.name for file in tmp_path.iterdir()] == [f"{RUN}.pth"]
    assert SavedRuns(tmp_path).load(RUN) == b"trained here"


def test_what_is_removed_as_the_oldest_leaves_no_claim(tmp_path):
    saved_runs = SavedRuns(tmp_path, "a", most_files=1)
    saved_runs.save(RUN, b"old")
    os.utime(tmp_path / f"{RUN}.pth", (1, 1))
    saved_runs.save(OTHER, b"new")
    assert {file.name for file in tmp_path.iterdir()} == {f"{OTHER}.pth", f"{OTHER}.of"}


@pytest.mark.parametrize(("path", "base"), [("", ""), ("class", "/class"), ("/toy/a/", "/toy/a")])
def test_every_route_of_the_live_views_lies_under_the_path_of_the_server(python, path, base):
    code = (
        "import streamlit.config\n"
        f"streamlit.config.set_option('server.baseUrlPath', {path!r})\n"
        "from pages.parts.live.routes import ROUTES\n"
        f"assert all(route.path.startswith('{base}/live/') for route in ROUTES), ROUTES"
    )
    finished = python("-c", code, cwd=ROOT)
    assert finished.returncode == 0, finished.stderr
