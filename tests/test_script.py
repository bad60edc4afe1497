"""A run is the plain PyTorch script that it exports: equal losses and weights, bit for bit.

Each script runs with an untouched generator, in a process of its own. A new interpreter pays 3 s for
its imports, so most scripts run in a child forked from a process that has imported PyTorch and
scikit-learn and done nothing else (`forked` in conftest.py). That a fork is a fair stand-in is
itself tested: some of the same scripts run as `python script.py` too, marked slow.
"""

import ast
import dataclasses
import random

import pytest
import torch
from conftest import same

from toytrain import Config, ToytrainError, Trainer, make_data
from toytrain.config import FEATURES, FIELDS, limits
from toytrain.data import make_loaders
from toytrain.datasets import DATASETS
from toytrain.script import write_script

COUNT = 4 * len(DATASETS)


def draw_rows(rng):
    """Own points of two to four classes, their coordinates with all digits."""
    classes = rng.randint(2, 4)
    return ";".join(
        f"{rng.gauss(0, 2)!r},{rng.gauss(0, 2)!r},{number % classes}" for number in range(rng.randint(20, 90))
    )


def draw(rng, number):
    """A Config that can train; the number deals datasets, optimizers and activations in turn."""
    dataset = list(DATASETS)[number % len(DATASETS)]
    low, high = DATASETS[dataset].classes or (2, 2)
    optimizers, activations = limits("optimizer").choices, limits("activation").choices
    schedules = limits("schedule").choices
    try:
        config = Config(
            dataset=dataset,
            points=rng.randint(40, 120),
            noise=rng.choice([0, 0.1, 0.25]),
            classes=rng.randint(low, high),
            data_seed=rng.randint(0, 99),
            test_fraction=rng.choice([0.2, 0.5]),
            label_noise=rng.choice([0, 0, 0.1, 0.4]),
            imbalance=rng.choice([0, 0, 0.5]),
            rows=draw_rows(rng) if dataset == "own" else Config().rows,
            features=tuple(rng.sample(FEATURES, rng.randint(1, 4))),
            hidden=tuple(rng.choices(range(1, 20), k=rng.randint(1, 3))),
            activation=activations[number % len(activations)],
            dropout=rng.choice([0, 0, 0.3]),
            batch_norm=rng.random() < 0.3,
            batch_size=rng.choice([1, 2, 7, 16, 200]),
            shuffle=rng.random() < 0.8,
            drop_last=rng.random() < 0.4,
            optimizer=optimizers[number % len(optimizers)],
            learning_rate=rng.choice([1e-3, 0.01, 0.1]),
            momentum=rng.choice([0, 0.5, 0.9]),
            nesterov=rng.random() < 0.5,
            weight_decay=rng.choice([0, 0.01]),
            l1=rng.choice([0, 0, 0.001]),
            schedule=schedules[number % len(schedules)],
            step_size=rng.choice([1, 2]),
            gamma=rng.choice([0.1, 0.5]),
            t_max=rng.choice([1, 2, 3]),
            warmup_epochs=rng.choice([1, 2]),
            clip_norm=rng.choice([0, 0.05, 1]),
            seed=rng.randint(0, 2**32 - 1),
            epochs=rng.randint(1, 5),
            target_loss=rng.choice([0, 0, 0.65]),
            target_accuracy=rng.choice([0, 0, 0.6]),
            patience=rng.choice([0, 0, 1]),
        )
        make_loaders(config, make_data(config))
    except ToytrainError:
        return draw(rng, number)  # some settings do not go together
    return config


RNG = random.Random(2026)
DRAWN = {
    f"{number:02d}-{config.dataset}-{config.optimizer}-{config.activation}": config
    for number, config in ((number, draw(RNG, number)) for number in range(COUNT))
}
drawn = pytest.mark.parametrize("config", DRAWN.values(), ids=DRAWN)


def printed_losses(output):
    """The losses (steps,) of the line `losses = [...]`."""
    line = next(line for line in output.splitlines() if line.startswith("losses = "))
    return torch.tensor(ast.literal_eval(line.removeprefix("losses = ")), dtype=torch.float32)


def equals(snapshot, output, folder):
    """Whether a script printed the run's losses and saved its weights."""
    weights = torch.load(folder / "model.pth", weights_only=True)
    return torch.equal(printed_losses(output), snapshot.losses) and same(weights, snapshot.weights)


@drawn
def test_the_script_equals_the_run(config, forked, tmp_path):
    trainer = Trainer.from_config(config)
    if config.seed % 2:  # in half of the runs somebody edits weights
        trainer.edit_weight("layers.0.weight", (0, 0), 0.25)
        trainer.advance(steps=2)
        trainer.edit_weight("layers.0.bias", (0,), -0.1)
    snapshot = trainer.advance()
    assert snapshot.steps > 0
    assert equals(snapshot, forked(write_script(config, edits=trainer.edits), tmp_path), tmp_path)


def test_the_drawn_configs_end_for_every_reason():
    ended = {Trainer.from_config(config).advance().stopped for config in DRAWN.values()}
    for part in ("The test loss is", "The test accuracy is", "The test loss has not fallen"):
        assert any(part in sentence for sentence in ended)
    assert "" in ended


@pytest.mark.slow
@pytest.mark.parametrize("config", list(DRAWN.values())[::7], ids=list(DRAWN)[::7])
def test_the_script_equals_the_run_in_a_new_interpreter(config, python, tmp_path):
    (tmp_path / "script.py").write_text(write_script(config), encoding="utf-8")
    output = python("script.py", cwd=tmp_path).stdout
    assert equals(Trainer.from_config(config).advance(), output, tmp_path)


@pytest.mark.parametrize("name", [name for name in FIELDS if name not in ("device", "num_workers")])
def test_the_drawn_configs_try_every_field(name):
    tried = {getattr(config, name) for config in DRAWN.values()}
    known = set(limits(name).choices or ())
    assert len(tried) > 1
    assert limits(name).count or known <= tried


@drawn
def test_the_script_imports_only_what_its_reader_has(config):
    imported = set()
    for node in ast.walk(ast.parse(write_script(config))):
        if isinstance(node, ast.Import):
            imported |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            imported.add(node.module.split(".")[0])
    assert imported <= {"torch", "numpy", "sklearn"}


@drawn
def test_the_script_names_the_config_it_came_from(config):
    query = ast.get_docstring(ast.parse(write_script(config))).splitlines()[2]
    assert Config.from_query(query) == config


def test_writing_a_script_draws_no_random_number():
    before = torch.get_rng_state()
    write_script(Config(dropout=0.5))
    assert torch.equal(torch.get_rng_state(), before)


def test_changes_of_the_learning_rate_are_in_the_script(forked, tmp_path):
    trainer = Trainer.from_config(Config(points=100, batch_size=8, epochs=3))
    trainer.advance(steps=4)
    trainer.set_learning_rate(0.5)
    trainer.advance(steps=9)
    trainer.set_learning_rate(0.003)
    snapshot = trainer.advance()
    script = write_script(trainer.config, snapshot.learning_rates)
    assert "{4: 0.5, 13: 0.003}" in script
    assert equals(snapshot, forked(script, tmp_path), tmp_path)


def test_a_learning_rate_set_before_the_first_batch_is_in_the_script(forked, tmp_path):
    trainer = Trainer.from_config(Config(points=50, optimizer="adam", epochs=2))
    trainer.set_learning_rate(0.01)
    snapshot = trainer.advance()
    script = write_script(trainer.config, snapshot.learning_rates)
    assert equals(snapshot, forked(script, tmp_path), tmp_path)


def test_a_learning_rate_that_no_batch_has_taken_is_not_in_the_script():
    trainer = Trainer.from_config(Config(points=50))
    trainer.advance(steps=3)
    trainer.set_learning_rate(0.5)
    assert "learning_rates" not in write_script(trainer.config, trainer.learning_rates, trainer.steps)


@pytest.mark.parametrize("steps", [1, 9, 10, 13])  # ten batches make an epoch
def test_the_script_ends_where_the_run_stands(steps, forked, tmp_path):
    trainer = Trainer.from_config(Config(points=100, batch_size=8, dropout=0.3))
    snapshot = trainer.advance(steps=steps)
    script = write_script(trainer.config, steps=snapshot.steps)
    assert equals(snapshot, forked(script, tmp_path), tmp_path)


def test_the_script_of_an_untrained_run_saves_the_first_weights(forked, tmp_path):
    trainer = Trainer.from_config(Config(points=50))
    script = write_script(trainer.config, steps=0)
    assert equals(trainer.snapshot(), forked(script, tmp_path), tmp_path)


def test_a_diverging_script_ends_at_the_batch_where_the_run_does(forked, tmp_path):
    config = Config(dataset="gaussians", activation="linear", learning_rate=100, points=100, epochs=50)
    snapshot = Trainer.from_config(config).advance()
    assert 0 < snapshot.steps < 50 * snapshot.batches
    output = forked(write_script(config), tmp_path)
    assert f"Diverged at epoch {snapshot.epoch + 1}, batch {snapshot.batch + 1}" in output
    assert snapshot.diverged.startswith(
        f"Diverged at epoch {snapshot.epoch + 1}, batch {snapshot.batch + 1}:"
    )
    assert torch.equal(printed_losses(output), snapshot.losses)


@pytest.mark.slow
def test_a_script_with_a_worker_process_equals_the_run_with_and_without_one(python, tmp_path):
    config = Config(points=60, dropout=0.2, num_workers=1, epochs=2)
    (tmp_path / "script.py").write_text(write_script(config), encoding="utf-8")
    output = python("script.py", cwd=tmp_path).stdout
    for num_workers in (0, 1):
        trainer = Trainer.from_config(dataclasses.replace(config, num_workers=num_workers))
        assert equals(trainer.advance(), output, tmp_path)


def test_a_script_with_worker_processes_trains_nothing_when_it_is_imported(forked, tmp_path):
    (tmp_path / "exported.py").write_text(write_script(Config(num_workers=1)), encoding="utf-8")
    assert forked("import sys; sys.path.insert(0, '.'); import exported", tmp_path) == ""
