"""What a class may take of a server: the teacher's file, and each limit where somebody comes to it."""

import dataclasses
import re
import subprocess
import sys
import tomllib

import pytest
from browser import wait_until
from conftest import ENVIRONMENT, ROOT
from streamlit.testing.v1 import AppTest

from pages.parts.session import MEMORY
from toytrain import Config, NeuralNetwork, ToytrainError, engine
from toytrain.classroom import Classroom, count_parameters
from toytrain.engine.worker import Worker

SMALL = Classroom(
    workers=1, runs_folder="", runs_per_session=2, runs_per_server=3, points=600, parameters=2000, steps=1000
)


@pytest.fixture
def read(tmp_path):
    """The settings that a text in the file and these variables give."""

    def read(text, **environment):
        file = tmp_path / "classroom.toml"
        file.write_text(text, encoding="utf-8")
        return Classroom.read(file, environment)

    return read


# The file


def test_the_file_that_comes_with_the_app_names_every_setting_with_its_default():
    values = tomllib.loads((ROOT / "classroom.toml").read_text(encoding="utf-8"))
    assert values == dataclasses.asdict(Classroom())


def test_the_comments_of_the_file_name_the_ranges():
    text = (ROOT / "classroom.toml").read_text(encoding="utf-8")
    for spec in dataclasses.fields(Classroom):
        if spec.name not in ("workers", "ranks", "runs_folder", "ray", "replica", "entrance"):
            comment = re.search(rf"((?:^#.*\n)+){spec.name} =", text, re.M)[1]
            assert f"{spec.metadata['low']} to {spec.metadata['high']}" in comment


def test_what_the_file_leaves_out_keeps_its_default(read, tmp_path):
    assert read("points = 800  # of each") == Classroom(points=800)
    assert read("") == Classroom.read(tmp_path / "absent.toml", {}) == Classroom()


def test_the_environment_goes_before_the_file(read):
    text = 'workers = 3\nranks = 2\nruns_folder = "here"'
    assert read(text) == Classroom(workers=3, ranks=2, runs_folder="here")
    found = read(text, TOYTRAIN_WORKERS="1", TOYTRAIN_RANKS="5", TOYTRAIN_RUNS="")
    assert found == Classroom(workers=1, ranks=5, runs_folder="")


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("points = 600\nparameters = many", ["line 2"]),
        ("\n\npoints = 50", ["line 3", "points = 50", "500 to 5000"]),
        ("points = 600\nsteps = 1.5", ["line 2", "steps = 1.5", "whole number"]),
        ("workers = true", ["line 1", "workers = True"]),
        ("# students\n  students = 30", ["line 2", "students", "runs_per_server"]),
        ("[runs]\npoints = 600", ["line 1", "runs"]),
        ("runs_folder = 3", ["line 1", "quotation marks"]),
    ],
)
def test_a_mistake_is_named_with_its_line_and_what_is_permitted(read, text, parts):
    with pytest.raises(ToytrainError) as refused:
        read(text)
    for part in ["classroom.toml", *parts]:
        assert part in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_mistake_in_the_environment_names_the_variable(read):
    with pytest.raises(ToytrainError, match=r"TOYTRAIN_WORKERS = two .* from 0 to 256"):
        read("", TOYTRAIN_WORKERS="two")


@pytest.mark.slow
def test_a_mistake_stops_the_start_with_one_sentence():
    command = [sys.executable, "-m", "streamlit", "run", "app.py", "--server.port", "0"]
    started = subprocess.run(
        command, cwd=ROOT, env={**ENVIRONMENT, "TOYTRAIN_RANKS": "0"}, capture_output=True, text=True,
        timeout=60,
    )  # fmt: skip
    assert started.returncode == 1
    assert "toytrain does not start: The environment variable TOYTRAIN_RANKS = 0" in started.stderr
    assert "Traceback" not in started.stderr


# Each limit


@pytest.mark.parametrize(
    "config",
    [
        Config(),
        Config(dataset="plane", hidden=(64,) * 6, batch_norm=True),
        Config(dataset="blobs", classes=10, features=("x1", "sin(x2)", "x1*x2"), hidden=(3, 1, 5)),
    ],
)
def test_parameters_are_counted_as_pytorch_counts_them(config):
    model = NeuralNetwork.from_config(config)
    assert count_parameters(config) == sum(parameter.numel() for parameter in model.parameters())


def test_the_largest_network_of_a_config_is_permitted_unless_a_teacher_says_otherwise():
    largest = Config(
        dataset="blobs", classes=10, features=("x1", "x2", "x1^2", "x2^2", "x1*x2", "sin(x1)", "sin(x2)"),
        hidden=(64,) * 6, batch_norm=True, points=5000,
    )  # fmt: skip
    Classroom().check(largest)
    with pytest.raises(ToytrainError, match=r"parameters is larger .* 2,000") as refused:
        SMALL.check(dataclasses.replace(largest, points=600))
    assert refused.value.field == "hidden"


def test_points_are_limited_where_they_mean_something():
    with pytest.raises(ToytrainError, match=r"points = 601 .* 10 to 600") as refused:
        SMALL.check(Config(points=601))
    assert refused.value.field == "points"
    SMALL.check(Config(points=600))
    SMALL.check(Config(dataset="book", points=5000))


def test_a_run_ends_after_the_steps_of_the_class():
    worker = Worker()
    worker.handle("open", "a", {"config": Config(points=40).to_dict(), "most_steps": 7})
    worker.handle("play", "a", {})
    while worker.runs["a"].playing:
        worker.tick()
    assert worker.runs["a"].trainer.steps == 7
    assert worker.runs["a"].status == "finished"
    assert "A run ends after 7 batches" in worker.runs["a"].message


# On the page


@pytest.fixture(scope="module")
def started():
    pool = engine.start(classroom=SMALL)
    wait_until(lambda: pool.warm, 60, "the worker is warm")
    yield pool
    engine.stop()


@pytest.fixture
def pool(started):
    yield started
    for run in list(started.runs.values()):
        started.close(run)


def visit(**query):
    app = AppTest.from_file(str(ROOT / "pages/main.py"), default_timeout=30)
    app.query_params.update({name: [text] for name, text in query.items()})
    app.run()
    assert not app.exception
    return app


@pytest.mark.slow
def test_a_refused_value_is_explained_at_its_field_and_the_run_stays(pool):
    app = visit()
    run = app.session_state[MEMORY].run
    app.sidebar.number_input(key="field_points_0").set_value(700).run()
    assert "permitted is 10 to 600" in app.sidebar.error[0].value.replace("\\", "")
    app.sidebar.text_input(key="field_hidden_0").set_value("64, 64").run()
    assert any("2,000" in error.value.replace("\\", "") for error in app.sidebar.error)
    assert app.session_state[MEMORY].run is run
    assert app.session_state[MEMORY].config == Config()
    assert "10 to 600" in app.sidebar.number_input(key="field_points_0").help


@pytest.mark.slow
def test_an_address_over_the_limits_gives_what_is_permitted_and_says_so(pool):
    app = visit(points="5000", hidden="64,64,64", seed="7")
    assert app.session_state[MEMORY].config == Config(seed=7)
    notices = app.warning[0].value.replace("\\", "")
    assert "points = 5000" in notices
    assert "2,000" in notices


@pytest.mark.slow
def test_runs_of_one_session_are_limited_and_what_is_idle_makes_room(pool):
    first, second = (pool.open(Config(seed=seed), owner="me") for seed in (1, 2))
    third = pool.open(Config(seed=3), owner="me")
    assert list(pool.runs.values()) == [second, third]
    assert first.status == "closed"
    unlisten = [run.listen(lambda: None) for run in (second, third)]  # they are watched
    with pytest.raises(ToytrainError, match="You may have 2 runs at a time"):
        pool.open(Config(), owner="me")
    assert pool.open(Config(), owner="somebody else") in pool.runs.values()
    for stop in unlisten:
        stop()


@pytest.mark.slow
def test_a_full_server_says_so_and_lets_one_try_again(pool):
    runs = [pool.open(Config(seed=seed)) for seed in range(3)]
    unlisten = [run.listen(lambda: None) for run in runs]
    app = visit()
    assert "This server carries 3 runs" in app.error[0].value
    assert MEMORY not in app.session_state
    unlisten[0]()
    app.button[0].click().run()
    assert not app.error
    assert app.session_state[MEMORY].run in pool.runs.values()
