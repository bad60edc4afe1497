"""Several servers behind one proxy: each under a path of its own, and no run on two of them at once."""

import os
import re
import time
import tomllib

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
    assert {file.name for file in tmp_path.iterdir()} == {"a.alive", f"{OTHER}.pth", f"{OTHER}.of"}


def test_what_another_server_saves_last_is_what_is_opened(server, monkeypatch):
    one, two = server("a"), server("b")
    one.save(RUN, b"older")
    claim = two._claim

    def claim_late(run_id):
        one.save(RUN, b"newer")
        one.release(RUN)
        return claim(run_id)

    monkeypatch.setattr(two, "_claim", claim_late)
    assert two.load(RUN) == b"newer"


def test_a_run_that_nobody_saved_is_not_claimed(server, tmp_path):
    assert server("a").load(RUN) is None
    assert [file.name for file in tmp_path.iterdir()] == ["a.alive"]


@pytest.mark.parametrize("dead", [False, True])
def test_of_two_servers_that_claim_at_once_one_gets_the_run(server, monkeypatch, tmp_path, dead):
    first, one, two = server("first"), server("a"), server("b")
    first.save(RUN, b"trained here")
    if dead:
        dies(first)
    else:
        first.release(RUN)
    step = "_take_away" if dead else "_write"  # what comes after having seen that nobody has the run
    go_on = getattr(two, step)

    def too_late(*arguments):
        assert one.load(RUN) == b"trained here"
        return go_on(*arguments)

    monkeypatch.setattr(two, step, too_late)
    with pytest.raises(ToytrainError, match="on another server"):
        two.load(RUN)
    one.save(RUN, b"went on")
    assert (one.problem_of(RUN), one.load(RUN)) == ("", b"went on")
    assert not list(tmp_path.glob("*.tmp"))


def test_a_server_that_lost_a_run_says_so_and_leaves_it_alone(server):
    one, two = server("a"), server("b")
    one.save(RUN, b"trained here")
    dies(one)
    two.load(RUN)
    two.save(RUN, b"went on")
    for closed in (False, True):
        if closed:
            two.release(RUN)
        one.save(RUN, b"a fork")
        one.save(OTHER, b"another run")
        assert "taken it over" in one.problem_of(RUN)
        assert one.problem_of(OTHER) == two.problem_of(RUN) == ""
    one.release(RUN)
    assert one.load(RUN) == b"went on"
    one.save(RUN, b"went on here")
    assert (one.problem_of(RUN), one.load(RUN)) == ("", b"went on here")


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


def test_each_server_of_the_compose_file_has_its_name_its_path_and_its_place_in_the_proxy():
    compose, proxy = (ROOT / name for name in ("compose.yaml", "deploy/nginx.conf"))
    servers = re.findall(
        r"BASE_URL_PATH: (\w+), TOYTRAIN_REPLICA: (\w+), TOYTRAIN_ENTRANCE: /,", compose.read_text()
    )
    assert servers
    for path, name in servers:
        assert path == name
        assert f"location /{path}/ {{ proxy_pass http://{name}:8501; }}" in proxy.read_text()
    visitors = re.search(r"split_clients .*?\{(.*?)\}", proxy.read_text(), re.DOTALL)[1]
    assert re.findall(r"(\w+);", visitors) == [name for _, name in servers]


def test_the_proxy_lets_files_through_that_the_server_takes():
    taken = tomllib.loads((ROOT / ".streamlit/config.toml").read_text())["server"]["maxUploadSize"]
    let_through = re.search(r"client_max_body_size (\d+)m;", (ROOT / "deploy/nginx.conf").read_text())[1]
    assert int(let_through) > taken


def test_the_image_holds_the_app_and_nothing_of_it_is_kept_from_the_builder():
    copied = re.findall(r"^COPY (.+) \S+$", (ROOT / "Dockerfile").read_text(), re.MULTILINE)
    names = {name for line in copied for name in line.split()}
    assert names >= {"requirements.txt", "app.py", "classroom.toml", ".streamlit", "pages", "toytrain"}
    assert all((ROOT / name).exists() for name in names)
    sent = (ROOT / ".dockerignore").read_text().split("\n")
    assert {f"!{name}" for name in names} <= set(sent)
