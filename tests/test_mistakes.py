"""The mistake lab's core: the book's figures of each mistake, and scripts that give the lab's losses."""

import itertools
import math
import re
from dataclasses import replace

import pytest
import torch
from conftest import same

from toytrain import Config, ToytrainError, Trainer, mistakes
from toytrain.engine.worker import Worker
from toytrain.mistakes import MISTAKES, NAMES
from toytrain.mistakes.experiment import MOST_EPOCHS, Experiment
from toytrain.mistakes.probes import PROBES
from toytrain.mistakes.script_run import ScriptRun
from toytrain.mistakes.scripts import MARK, replace_lines, write_scripts

BREAKS = {
    "labels_from_one": "IndexError: Target 2 is out of bounds.",
    "model_on_another_device": "RuntimeError: .*(meta|cuda)",
}
# The book's table, and what breaks its figures: the mistake -> six losses on the five points.
NONE = (0.7487, 0.6450, 0.4423, 0.1256, 0.0269, 0.0043)
FIVE_POINTS = {
    "no_zero_grad": (0.7487, 0.6450, 0.7429, 0.0001, 0.0000, 0.0000),
    "zero_grad_too_late": (0.7487, 0.6680, 0.5868, 0.7487, 0.6636, 0.7487),
    "softmax_before_cross_entropy": (0.7205, 0.5924, 0.6360, 0.4290, 0.3894, 0.3302),
    "no_shuffle": (0.7450, 0.6538, 0.0369, 0.2446, 0.0062, 0.1178),
    "evaluation_draws": (0.7487, 0.6450, 0.2540, 0.1128, 0.0578, 0.0336),
}


def trained(name, config=None):
    """The experiment of a mistake, to its end."""
    experiment = Experiment(name, config)
    experiment.advance()
    return experiment


def short(name):
    """A mistake's own Config, with another seed and two epochs."""
    return replace(MISTAKES[name].config, seed=7, epochs=2)


def losses_printed(output):
    return [float(text) for text in re.search(r"losses = \[(.*)\]", output)[1].split(",") if text.strip()]


# The book's table, through the lab's own switch


@pytest.mark.parametrize("name", FIVE_POINTS)
def test_a_mistake_gives_the_books_losses_on_the_five_points(name, book_config):
    experiment = trained(name, book_config)
    assert list(experiment.wrong.losses) == pytest.approx(FIVE_POINTS[name], abs=5.1e-5)
    assert list(experiment.right.losses) == pytest.approx(NONE, abs=5.1e-5)


@pytest.mark.parametrize("name", [name for name in NAMES if MISTAKES[name].in_book])
def test_a_mistake_that_the_five_points_show_has_a_row_in_the_books_table(name):
    assert name in FIVE_POINTS or name in BREAKS


def test_labels_from_one_are_out_of_bounds_on_the_five_points(book_config):
    experiment = trained("labels_from_one", book_config)
    assert experiment.wrong.error == BREAKS["labels_from_one"]
    assert experiment.right.error == ""
    assert experiment.right.epoch == 3


def test_one_output_more_trains_silently_and_never_predicts_class_0():
    wrong = trained("one_output_too_many").wrong
    assert (wrong.error, wrong.diverged) == ("", "")
    last = wrong.readings["predicted"][-1]
    assert last[1] == 0
    assert min(last[2:]) > 0
    assert wrong.scores[-1][2] > 0.8


@pytest.mark.parametrize(("classes", "floor"), [(2, 0.3133), (3, 0.5514)])
def test_softmax_before_cross_entropy_has_a_floor_and_the_true_loss_has_not(classes, floor):
    config = Config(dataset="blobs", classes=classes, points=300, learning_rate=0.5, epochs=40)
    assert PROBES["true_loss"].floor(config) == pytest.approx(floor, abs=5e-4)
    wrong = trained("softmax_before_cross_entropy", config).wrong
    assert floor - 1e-3 < min(wrong.losses) < floor + 0.05
    assert wrong.scores[-1][1] < floor / 3


# A mistake is one line of the script


@pytest.mark.parametrize("name", NAMES)
def test_the_wrong_script_marks_one_line_and_the_right_one_none(name):
    for config in (MISTAKES[name].config, short(name)):
        right, wrong = write_scripts(MISTAKES[name], config)
        assert [line.endswith(MARK) for line in wrong.split("\n")].count(True) == 1
        assert MARK not in right


@pytest.mark.parametrize("name", NAMES)
def test_the_scripts_in_a_fresh_process_give_the_labs_losses_bit_for_bit(name, forked, tmp_path):
    experiment = trained(name, short(name))
    assert experiment.right.steps == 2 * experiment.right.batches
    for side in experiment.sides.values():
        if side.error:
            with pytest.raises(AssertionError, match=BREAKS[name]):
                forked(side.source, tmp_path)
            continue
        printed = torch.tensor(losses_printed(forked(side.source, tmp_path)))
        assert torch.equal(printed, torch.tensor(side.losses))


@pytest.mark.parametrize("name", [name for name in NAMES if not MISTAKES[name].given])
def test_the_right_side_is_the_run_of_its_config(name):
    right = Experiment(name, short(name)).right
    trainer = Trainer.from_config(right_config := short(name))
    while not right.ended:
        right.step()
    trainer.advance()
    assert right_config.epochs == trainer.epoch
    assert torch.equal(torch.tensor(right.losses), torch.tensor(trainer.losses))


@pytest.mark.parametrize("name", BREAKS)
def test_a_script_that_breaks_off_names_the_line(name):
    wrong = trained(name, short(name)).wrong
    assert re.match(BREAKS[name], wrong.error)
    assert wrong.losses.tolist() == []
    assert wrong.source.split("\n")[wrong.line - 1].strip() in (
        "logits = self.layers(features)",
        "loss = F.cross_entropy(logits, labels)",
    )


@pytest.mark.parametrize(
    "config",
    [
        Config(dataset="spirals", classes=3, features=("x1", "x2", "sin(x1)"), optimizer="adam", epochs=1),
        Config(dataset="blobs", classes=4, hidden=(4,), momentum=0.9, l1=0.001, epochs=1),
        Config(dataset="xor", batch_norm=True, dropout=0.2, weight_decay=0.01, drop_last=True, epochs=1),
    ],
    ids=lambda config: config.dataset,
)
@pytest.mark.parametrize("name", NAMES)
def test_every_mistake_can_be_made_on_other_settings(name, config):
    right, wrong = write_scripts(MISTAKES[name], config)
    compile(right, "right", "exec")
    compile(wrong, "wrong", "exec")
    assert wrong.count(MARK) == 1


def test_lines_that_are_not_in_the_script_once_are_an_error():
    config = Config()
    with pytest.raises(ValueError, match="0 times"):
        replace_lines("a = 1\n", ("b = 1", "b = 2"), config)
    with pytest.raises(ValueError, match="2 times"):
        replace_lines("a = 1\na = 1\n", ("a = 1", "a = 2"), config)


def test_replaced_lines_keep_their_indentation_and_the_rest_of_a_line():
    script = "if x:\n    model = Net(3)\n    go()\n"
    lines = ("model = ...\ngo()", "model = ...\nfor weight in model:\n    weight.zero_()")
    changed = "if x:\n    model = Net(3)\n    for weight in model:\n        weight.zero_()  # here\n"
    assert replace_lines(script, lines, Config(), mark="  # here") == changed


# What is measured changes nothing


@pytest.mark.parametrize("name", ["no_zero_grad", "eval_forgotten_dropout", "eval_forgotten_batch_norm"])
def test_no_probe_changes_a_bit(name):
    for source in write_scripts(MISTAKES[name], short(name)):
        watched, alone = ScriptRun(source), ScriptRun(source, probes=())
        while not alone.ended:
            watched.step()
            alone.step()
        assert torch.equal(torch.tensor(watched.losses), torch.tensor(alone.losses))
        assert watched.scores == alone.scores
        assert same(watched.names["model"].state_dict(), alone.names["model"].state_dict())
        assert watched.readings.keys() >= PROBES.keys() - {"batch_mean"}


def test_an_experiment_and_a_run_take_turns_and_change_no_bit_of_each_other():
    worker = Worker()
    config = short("eval_forgotten_dropout")
    worker.handle("open", "run", {"config": config.to_dict()})
    worker.handle("open_lab", "lab", {"mistake": "eval_forgotten_dropout", "config": config.to_dict(),
                                      "speed": 0.0, "until": 0})  # fmt: skip
    for _turn in range(26):
        worker.handle("step_batch", "run", {})
        worker.handle("step_batch", "lab", {})
    trainer = Trainer.from_config(config)
    trainer.advance()
    assert torch.equal(torch.tensor(worker.runs["run"].trainer.losses), torch.tensor(trainer.losses))
    found = worker.handle("look", "lab", {"probe": "gradient"})
    assert found["status"] == "finished"
    assert found["sides"]["right"]["losses"] == trainer.losses.tolist()
    assert (
        found["sides"]["wrong"]["losses"] == trained("eval_forgotten_dropout", config).wrong.losses.tolist()
    )
    assert len(found["sides"]["wrong"]["readings"]) == 26
    scripts = worker.handle("scripts", "lab", {})
    assert (scripts["right"], scripts["wrong"]) == write_scripts(MISTAKES["eval_forgotten_dropout"], config)


def test_a_step_of_the_wrong_side_is_the_same_share_of_an_epoch():
    experiment = Experiment("batch_norm_tiny_batches")
    assert experiment.wrong.batches > 10 * experiment.right.batches
    experiment.advance(steps=3)
    assert experiment.right.steps == 3
    shares = [side.steps / side.batches for side in experiment.sides.values()]
    assert shares[0] == pytest.approx(shares[1], abs=1 / experiment.wrong.batches)
    experiment.advance()
    assert experiment.wrong.epoch == experiment.right.epoch == experiment.config.epochs


@pytest.mark.parametrize("name", ["no_zero_grad", "learning_rate_too_low", "batch_norm_tiny_batches"])
def test_an_experiment_ends_also_where_a_side_diverges(name):
    config = Config(dataset="xor", learning_rate=100, optimizer="sgd", momentum=0.99, hidden=(8,), epochs=4)
    experiment = trained(name, config)
    assert experiment.finished
    for side in experiment.sides.values():
        assert side.epoch == 4 or side.diverged.startswith("Diverged at epoch")


# Bad input


@pytest.mark.parametrize(
    ("name", "config", "words"),
    [
        ("no_zero_gard", None, "no mistake called no_zero_gard"),
        ("no_zero_grad", Config(dataset="plane", epochs=1), "dataset with classes"),
        ("no_zero_grad", Config(), "epochs"),
        ("no_zero_grad", Config(epochs=MOST_EPOCHS + 1), "epochs"),
    ],
)
def test_an_experiment_that_cannot_be_made_says_why(name, config, words):
    with pytest.raises(ToytrainError, match=words):
        Experiment(name, config)


# A new mistake


def test_a_new_mistake_is_one_file_and_one_line(tmp_path, monkeypatch, book_config, forked):
    (tmp_path / "wandering.py").write_text(
        '''"""A random number is drawn between the epochs."""

from toytrain.config import Config
from toytrain.mistakes import Mistake

MISTAKE = Mistake(
    title="a random number between epochs",
    happens="It moves the generator.",
    look="Other losses from the second epoch on.",
    find="Leave it out.",
    right="""
        scores.append(...
    """,
    wrong="""
        scores.append(...
        torch.rand(1)
    """,
    config=Config(epochs=2),
    probe="batches",
)
''',
        encoding="utf-8",
    )
    monkeypatch.setattr(mistakes, "__path__", [*mistakes.__path__, str(tmp_path)])
    monkeypatch.setitem(MISTAKES, "wandering", mistakes.load("wandering"))  # what a line in NAMES does
    wrong = trained("wandering", book_config).wrong
    assert list(wrong.losses) == pytest.approx((0.7487, 0.6450, 0.2638, 0.0383, 0.0110, 0.1225), abs=5.1e-5)
    assert losses_printed(forked(wrong.source, tmp_path)) == wrong.names["losses"]
    assert f"torch.rand(1){MARK}" in wrong.source


@pytest.mark.parametrize("name", NAMES)
def test_a_mistake_says_all_that_a_page_shows(name):
    mistake = MISTAKES[name]
    assert all((mistake.title, mistake.happens, mistake.look, mistake.find))
    assert mistake.probe in PROBES
    assert bool(mistake.raises) == (name in BREAKS)
    assert not (mistake.raises and mistake.hides)
    assert math.isfinite(mistake.config.learning_rate)


# What the lab shows


def last(side, probe, curve=0):
    return side.readings[probe][-1][curve + 1]


def span(side, probe, curve=0):
    """Least and greatest reading of a curve."""
    values = [row[curve + 1] for row in side.readings[probe]]
    return min(values), max(values)


def mean_difference(side, probe):
    """How far apart the two curves of a probe are."""
    rows = side.readings[probe]
    return sum(abs(first - second) for _step, first, second in rows) / len(rows)


# Mistake -> by what one can tell it, in a side that makes it and not in one that does not.
SIGNS = {
    "no_zero_grad": lambda side: mean_difference(side, "gradient") > 0.05 and max(side.losses) > 1,
    "zero_grad_too_late": lambda side: (
        span(side, "gradient", 1) == (0, 0) and last(side, "held") > 0 and span(side, "neurons")[0] > 1
    ),
    "softmax_before_cross_entropy": lambda side: (
        min(side.losses) > 0.31 and last(side, "true_loss") > 2 * last(side, "true_loss", 1)
    ),
    "no_shuffle": lambda side: sum(row[1] == 1 for row in side.readings["batches"]) > len(side.losses) / 2,
    "eval_forgotten_dropout": lambda side: (
        span(side, "repeated")[0] < 0.95 and mean_difference(side, "repeated") > 0.01
    ),
    "eval_forgotten_batch_norm": lambda side: last(side, "one_class") - last(side, "one_class", 1) > 0.2,
    "no_grad_forgotten": lambda side: last(side, "memory") > 100,
    "one_output_too_many": lambda side: (
        len(side.readings["predicted"][-1]) == 4 and span(side, "predicted") == (0, 0)
    ),
    "learning_rate_too_high": lambda side: span(side, "update")[1] > 0.5 and max(side.losses) > 3,
    "learning_rate_too_low": lambda side: 0 < span(side, "update")[1] < 0.001,
    "batch_norm_tiny_batches": lambda side: mean_difference(side, "batch_mean") > 0.1,
    "weights_all_zero": lambda side: span(side, "neurons") == (1, 1),
    "data_not_scaled": lambda side: last(side, "scale", 1) > 100 and max(side.losses) > 100,
    "test_data_in_training": lambda side: (
        last(side, "fresh") - last(side, "fresh", 1) > 0.1 and side.scores[-1][4] > 0.9
    ),
    "optimizer_before_model": lambda side: span(side, "held") == (0, 0),
}


@pytest.mark.parametrize("name", [name for name in NAMES if MISTAKES[name].hides])
def test_what_hides_in_a_case_has_a_sign_and_a_right_run_has_none(name):
    experiment = trained(name, replace(MISTAKES[name].config, seed=77))
    assert SIGNS[name](experiment.wrong)
    shown = {other for other in SIGNS if has_sign(other, experiment.right)}
    assert shown == set()


def has_sign(name, side):
    """Whether a side shows the sign of a mistake; a probe that has no meaning on it shows none."""
    return MISTAKES[name].probe in side.readings and SIGNS[name](side)


@pytest.mark.parametrize("name", PROBES)
def test_a_probe_gives_a_number_for_each_of_its_curves(name):
    experiment = Experiment("batch_norm_tiny_batches", short("batch_norm_tiny_batches"))
    experiment.advance()
    rows = experiment.right.readings[name]
    steps = experiment.right.steps if PROBES[name].each_batch else 2
    assert {len(row) for row in rows} == {1 + (len(PROBES[name].curves) or 2)}
    assert len(rows) == steps


def test_the_memory_that_a_forgotten_no_grad_keeps_grows_evenly_and_is_bounded():
    experiment = trained("no_grad_forgotten")
    nodes = [row[1] for row in experiment.wrong.readings["memory"]]
    kept = [row[2] for row in experiment.wrong.readings["memory"]]
    assert {after - before for before, after in itertools.pairwise(nodes)} == {nodes[0]}
    assert kept[-1] < 4 * 1024
    assert {row[1:] for row in experiment.right.readings["memory"]} == {(0, 0.0)}
    assert experiment.right.losses == experiment.wrong.losses
    assert experiment.right.scores == experiment.wrong.scores


def test_on_more_data_than_the_five_points_the_harm_shows():
    """The second column of the book's table; what its figures were measured on is not known."""
    found = {}
    for name in (
        "no_zero_grad",
        "softmax_before_cross_entropy",
        "no_shuffle",
        "one_output_too_many",
        "eval_forgotten_dropout",
    ):
        config = Config(dataset="moons", points=500, noise=0.15, learning_rate=0.5, epochs=20,
                        dropout=0.5 if "dropout" in name else 0)  # fmt: skip
        found[name] = trained(name, config)
        assert found[name].right.scores[-1][2] > (0.85 if "dropout" in name else 0.93)
    none = found["no_zero_grad"].right
    assert none.scores[0][1] > 2 * none.scores[-1][1]
    assert found["no_zero_grad"].wrong.scores[-1][2] < 0.75  # it looked better on the five points
    softmax = found["softmax_before_cross_entropy"].wrong
    assert none.scores[-1][1] < softmax.scores[-1][1] < softmax.scores[0][1] / 2  # the true loss, later
    assert found["no_shuffle"].wrong.scores[0][1:3] == (pytest.approx(1.3, abs=0.3), 0.5)
    assert found["no_shuffle"].wrong.scores[-1][2] > 0.75
    assert found["one_output_too_many"].wrong.readings["predicted"][-1][1] == 0
    dropout = found["eval_forgotten_dropout"].wrong
    assert any(row[1] < row[2] for row in dropout.readings["repeated"])
