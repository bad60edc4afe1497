"""The book's sections: that each published figure is computed, that none is a constant of what computes it,
and what moves it. Oracles: the figures typed here from the book and its code, and plain PyTorch."""

import ast
import inspect
import json
import re
import subprocess
import sys
from dataclasses import replace

import pytest
import torch
from conftest import ROOT, same, wait_until

from toytrain import Config, ToytrainError, distributed
from toytrain.book import FIGURES, SECTIONS, Figure, Settings
from toytrain.book.ranks import RANKS, train_in_processes
from toytrain.book.run import run, sources
from toytrain.engine.worker import Worker

UNBROKEN = [0.7487, 0.6450, 0.4423, 0.1256, 0.0269, 0.0043]
EVERY_EXPERIMENT = [(key, name) for key, section in SECTIONS.items() for name in section.experiments]


@pytest.fixture(scope="module")
def compute():
    """What all experiments together compute with some Settings; each pair of them is asked for once."""
    known = {}

    def compute(**changes):
        key = tuple(sorted(changes.items()))
        if key not in known:
            known[key] = {}
            for section, experiment in EVERY_EXPERIMENT:
                known[key] |= run(section, experiment, Settings(**changes))
        return known[key]

    return compute


def test_every_figure_is_computed_and_is_the_book_s(compute):
    computed = compute()
    wrong = [key for key, figure in FIGURES.items() if not figure.agrees(computed.get(key))]
    assert wrong == []


def test_the_figures_are_those_of_the_book(compute):
    """Typed here once more: an error in the table of figures would be one in what a reader compares."""
    computed = compute()
    expected = {
        "loss_of_one_example": 0.0852,
        "gradient_of_w1": -0.0898,
        "gradient_of_b": -0.0817,
        "first_weights": [-0.0577, 0.0047, -0.0702],
        "last_weights": [0.0222, 0.1260, 0.0865],
        "logits_of_random_numbers": [-0.1262, 0.1080, -0.1792],
        "probas_of_random_numbers": [0.3113, 0.3934, 0.2952],
        "losses": UNBROKEN,
        "load_in_a_process": UNBROKEN,
        "evaluate_on_tensors": UNBROKEN,
        "evaluate_through_a_loader": [0.7487, 0.6450, 0.2540, 0.1128, 0.0578, 0.0336],
        "draw_a_random_number": [0.7487, 0.6450, 0.2638, 0.0383, 0.0110, 0.1225],
        "own_generator": [0.6717, 0.2700, 0.0064, 0.6727, 0.0159, 0.0207],
        "no_shuffling": [0.7450, 0.6538, 0.0369, 0.2446, 0.0062, 0.1178],
        "keep_the_last_batch": [0.7487, 0.6450, 0.4247, 0.0512, 0.1307, 0.0010, 0.0086, 0.0036, 0.0239],
        "resume": [0.4423, 0.1256, 0.0269, 0.0043],
        "reseed": [0.2638, 0.0383, 0.0110, 0.1225],
        "no_zero_grad": [0.7487, 0.6450, 0.7429, 0.0001, 0.0000, 0.0000],
        "zero_grad_after_backward": [0.7487, 0.6680, 0.5868, 0.7487, 0.6636, 0.7487],
        "softmax_before_cross_entropy": [0.7205, 0.5924, 0.6360, 0.4290, 0.3894, 0.3302],
        "floor_of_two_classes": 0.3133,
        "two_processes_rank_0": [0.663780, 0.227321, 0.134252],
        "not_wrapped_rank_1": [0.668005, 0.466799, 0.182783],
    }
    for key, figures in expected.items():
        assert torch.allclose(torch.tensor(computed[key]), torch.tensor(figures), rtol=0, atol=6e-5), key
    assert (computed["parameters_50_3"], computed["parameters_2_2"]) == (2213, 752)
    assert computed["rows_of_batches"] == [[[2, 1], [3, 0]], [[3, 4], [1, 2]], [[0, 4], [1, 2]]]
    assert computed["keys_matched"] == "<All keys matched successfully>"


def test_the_losses_are_those_of_plain_pytorch_in_a_fresh_process(compute, forked, tmp_path):
    script = """
import torch
X = torch.tensor([[-1.2, 3.1], [-0.9, 2.9], [-0.5, 2.6], [2.3, -1.1], [2.7, -1.5]])
y = torch.tensor([0, 0, 0, 1, 1])
test = torch.utils.data.TensorDataset(torch.tensor([[-0.8, 2.8], [2.6, -1.6]]), torch.tensor([0, 1]))
torch.set_num_threads(1)
torch.manual_seed(77)
L = torch.nn.Linear
model = torch.nn.Sequential(L(2, 30), torch.nn.ReLU(), L(30, 20), torch.nn.ReLU(), L(20, 2))
loader = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(X, y), batch_size=2, shuffle=True)
optimizer = torch.optim.SGD(model.parameters(), lr=0.3)
losses = []
for epoch in range(4):
    for features, labels in loader:
        loss = torch.nn.functional.cross_entropy(model(features), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    list(torch.utils.data.DataLoader(test))
print(losses)
"""
    plain = json.loads(forked(script, tmp_path))
    changes = {"seed": 77, "learning_rate": 0.3, "epochs": 4, "drop_last": False, "evaluate": "loader"}
    assert run("training", "training_loop", Settings(**changes))["losses"] == plain


# What moves


@pytest.mark.parametrize(
    ("changes", "stay"),
    [
        ({"seed": 124}, ["gradient_of_w1", "parameters_50_3", "training_examples", "keys_matched"]),
        ({"x1": 0.5}, ["losses", "first_weights"]),
        ({"learning_rate": 0.1}, ["batches", "first_weights", "rows_of_batches", "rows_of_rank_0"]),
        ({"evaluate": "loader"}, ["evaluate_through_a_loader", "batches", "one_process"]),
    ],
)  # fmt: skip
def test_a_change_moves_what_depends_on_it_and_nothing_else(compute, changes, stay):
    computed = compute(**changes)
    moved = {key for key, figure in FIGURES.items() if not figure.agrees(computed[key])}
    assert not moved & set(stay)
    book = compute()
    assert moved == {
        key for key in FIGURES if FIGURES[key].shown(book[key]) != FIGURES[key].shown(computed[key])
    }
    assert "losses" in moved or "x1" in changes
    if "x1" in changes:
        assert moved == {"loss_of_one_example", "gradient_of_w1", "gradient_of_b"}


def test_a_section_heeds_no_other_settings_than_it_says(compute):
    """Everything is changed at once but what a section heeds: its figures stay."""
    other = Settings(seed=7, batch_size=3, learning_rate=0.2, epochs=2, shuffle=False, drop_last=False,
                     own_generator=True, evaluate="loader", random_number=True,
                     x1=0.5, w1=1.0, b=0.3, y=0.2)  # fmt: skip
    for key, section in SECTIONS.items():
        kept = replace(other, **{name: getattr(Settings(), name) for name in section.heeds})
        for experiment in section.experiments:
            computed = run(key, experiment, kept)
            wrong = [
                name for name in computed if name in FIGURES and not FIGURES[name].agrees(computed[name])
            ]
            assert wrong == [], section


def test_a_setting_and_the_lesson_about_it_give_the_same_losses(compute):
    """Between epochs the figures of the lesson are those of the training with that setting."""
    for changes, lesson in (
        ({"evaluate": "loader"}, "evaluate_through_a_loader"),
        ({"evaluate": "tensors"}, "evaluate_on_tensors"),
        ({"random_number": True}, "draw_a_random_number"),
        ({"own_generator": True}, "own_generator"),
        ({"shuffle": False}, "no_shuffling"),
        ({"drop_last": False}, "keep_the_last_batch"),
    ):
        assert run("training", "training_loop", Settings(**changes))["losses"] == compute()[lesson]


def test_the_settings_are_a_run_of_the_train_page(book_config):
    assert Settings().config == book_config
    assert Settings(seed=5, shuffle=False).changes() == {"seed": 5, "shuffle": False}


@pytest.mark.parametrize(
    ("field", "value"),
    [("batch_size", 6), ("epochs", 0), ("epochs", 11), ("num_workers", 3), ("seed", -1), ("learning_rate", 0),
     ("x1", float("nan")), ("y", 2), ("evaluate", "often"), ("batch_size", True), ("epochs", 1.5)],
)  # fmt: skip
def test_a_setting_out_of_range_is_refused_by_its_name(field, value):
    with pytest.raises(ToytrainError, match=field) as refused:
        Settings(**{field: value})
    assert refused.value.field == field


# Figures


def test_no_published_figure_stands_in_the_code_that_computes():
    texts = " ".join(figure.published for figure in FIGURES.values())
    published = {abs(float(number)) for number in re.findall(r"0\.[1-9]\d{3,}", texts)} | {2213, 752}
    found = set()
    for path in [*ROOT.glob("toytrain/book/**/*.py"), *ROOT.glob("pages/**/*.py")]:
        if path.name != "figures.py":
            found |= {
                node.value
                for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
                if isinstance(node, ast.Constant) and isinstance(node.value, int | float)
            }
    assert not published & found
    assert len(published) > 40


@pytest.mark.parametrize(
    ("published", "digits", "value", "agrees"),
    [
        ("0.0852", 4, 0.08518788963556290, True),
        ("0.0852", 4, 0.0853, False),
        ("0.0852", 4, float("nan"), False),
        ("1 2", 0, [1, 2], True),
        ("1 2", 0, [1, 2, 3], False),
        ("[1.0, 2.0] / [3.0]", 1, [[[1.0, 2.0]], [[3.0]]], True),
        ("[1.0, 2.0] [3.0]", 1, [[1.0, 2.0], [3.1]], False),
        ("0.50", 2, None, False),
        ("yes", 0, "no", False),
    ],
)
def test_a_figure_agrees_as_exactly_as_it_is_printed(published, digits, value, agrees):
    assert Figure("key", "section", published, digits).agrees(value) is agrees


def test_the_words_that_differ_are_marked():
    figure = Figure("key", "section", "0.75 0.65", 2)
    assert figure.marked([0.75, 0.6, 0.1]) == [("0.75", False), ("0.60", True), ("0.10", True)]
    assert figure.marked([0.75]) == [("0.75", False)]
    assert figure.marked([0.7501, 0.6499]) == [("0.75", False), ("0.65", False)]


# The code on the page is the code that runs


def test_the_source_shown_is_that_of_the_functions_that_run():
    shown = sources()
    assert shown.keys() == SECTIONS.keys()
    for key, section in SECTIONS.items():
        module = sys.modules[f"toytrain.book.steps.{key}"]
        for part in module.SHOWN:
            assert inspect.cleandoc(inspect.getsource(part)).splitlines()[0] in shown[key]
        assert all(hasattr(module, name) for name in section.experiments)


def test_each_figure_belongs_to_a_section_and_each_rank_experiment_too():
    assert {figure.section for figure in FIGURES.values()} == SECTIONS.keys()
    assert RANKS.keys() < set(SECTIONS["distributed"].experiments)


# Beside runs


def test_a_hosted_run_keeps_its_bits_beside_the_book():
    config = Config(dataset="moons", points=100, dropout=0.2)
    alone, beside = Worker(), Worker()
    for worker in (alone, beside):
        worker.handle("open", "run", {"config": config.to_dict()})
    for _ in range(30):
        alone.handle("step_batch", "run", {})
        beside.handle("step_batch", "run", {})
        before = torch.get_rng_state()
        for section, experiment in (("training", "training_loop"), ("distributed", "two_processes")):
            asked = {"section": section, "experiment": experiment, "settings": Settings().to_dict()}
            beside.handle("book", "", asked)
        assert torch.equal(torch.get_rng_state(), before)
    one, other = (worker.runs["run"].trainer.snapshot() for worker in (alone, beside))
    assert same(one.weights, other.weights)
    assert torch.equal(one.losses, other.losses)


def test_a_worker_refuses_what_would_hold_it_up():
    asked = {"section": "training", "experiment": "training_loop",
             "settings": Settings(num_workers=1).to_dict()}  # fmt: skip
    with pytest.raises(ValueError, match="hold up"):
        Worker().handle("book", "", asked)


def test_a_new_section_is_one_file_and_one_line(monkeypatch):
    from types import ModuleType

    from toytrain.book import Section

    module = ModuleType("toytrain.book.steps.tensors")
    module.shapes = lambda settings: {"shape": list(torch.zeros(2, 3).shape)}
    module.SHOWN = (Figure,)
    monkeypatch.setitem(sys.modules, module.__name__, module)
    monkeypatch.setitem(SECTIONS, "tensors", Section("tensors", "A.2", ("shapes",)))
    assert run("tensors", "shapes", Settings()) == {"shape": [2, 3]}
    assert "class Figure" in sources()["tensors"]


# A page's Reader


@pytest.fixture(scope="module")
def pool():
    from toytrain import engine

    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("TOYTRAIN_RUNS", "")
        yield engine.start(workers=1)
        engine.stop()


def test_a_reader_gets_every_figure_and_starts_processes_beside_the_workers(pool):
    reader = pool.reader()
    reader.run(SECTIONS, Settings())
    assert reader.running
    wait_until(lambda: not reader.running, 120)
    assert [answer.error for answer in reader.answers.values() if answer.error] == []
    computed = {key: value for answer in reader.answers.values() for key, value in answer.computed.items()}
    assert [key for key, figure in FIGURES.items() if not figure.agrees(computed.get(key))] == []
    assert reader.progress == (len(EVERY_EXPERIMENT), len(EVERY_EXPERIMENT))


def test_a_reader_that_is_asked_again_computes_both_with_the_settings_of_the_second_time(pool):
    reader = pool.reader()
    reader.run(["dataloader"], Settings(num_workers=1))
    reader.run(["model"], Settings(seed=5))
    wait_until(lambda: not reader.running, 60)
    assert {key for key, _ in reader.answers} == {"dataloader", "model"}
    assert all(answer.settings == Settings(seed=5) for answer in reader.answers.values())


def test_a_reader_follows_the_settings_with_the_sections_that_heed_them(pool):
    reader = pool.reader()
    reader.follow(Settings(seed=5))
    assert not reader.running
    reader.run(["autograd", "model", "dataset"], Settings())
    wait_until(lambda: not reader.running, 60)
    reader.follow(Settings(x1=0.3))
    assert {key for key, _ in reader.waiting} <= {"autograd"}
    wait_until(lambda: not reader.running, 60)
    assert reader.answers["autograd", "logistic_regression"].settings.x1 == 0.3
    reader.follow(Settings(x1=0.3))
    assert not reader.running


def test_what_cannot_be_computed_is_said_at_its_place(pool):
    reader = pool.reader()
    reader.run(["distributed"], Settings(batch_size=5))
    wait_until(lambda: not reader.running, 60)
    assert "full batch" in reader.answers["distributed", "two_processes"].error
    assert reader.answers["distributed", "one_process"].computed


def test_a_process_that_cannot_be_started_is_said_and_the_rest_is_computed(pool, monkeypatch):
    def refuse(*arguments, **named):
        raise OSError("no more processes")

    monkeypatch.setattr(subprocess, "Popen", refuse)
    reader = pool.reader()
    reader.run(["dataloader"], Settings())
    wait_until(lambda: not reader.running, 30)
    assert "press Run again" in reader.answers["dataloader", "list_batches_from_a_process"].error
    assert reader.answers["dataloader", "list_batches"].computed


def test_nothing_is_left_of_a_reader_that_is_stopped(pool):
    reader = pool.reader()
    reader.run(["dataloader"], Settings(num_workers=1))
    wait_until(lambda: reader._reading._process, 30)
    process = reader._reading._process
    reader.stop()
    process.wait(10)
    assert not reader.running


def test_ranks_that_are_runs_of_their_own_give_the_figures_of_the_book_too(monkeypatch):
    """On request they are processes, whose figures test_distributed tests: a replay will do here."""
    opened = []

    def open_replay(cluster, config, ranks, kind, **arguments):
        opened.append(kind)
        return really_open(cluster, config, ranks, "replay", **arguments)

    really_open = distributed.Cluster.open
    monkeypatch.setattr(distributed.Cluster, "open", open_replay)
    try:
        computed = train_in_processes("two_processes", Settings(), lambda: False)
    finally:
        distributed.stop()
    assert opened == ["real"]
    assert len(computed) == 3
    assert all(FIGURES[key].agrees(value) for key, value in computed.items())
