"""The fast step: the bits of the plain one over every option, and the plain one wherever it cannot be.

A run in this file trains fast after its first step (`at_once`), not only when it has become long.
"""

import copy
import dataclasses
import itertools
import math
from contextlib import contextmanager

import pytest
import torch
import torch.nn.functional as F
from conftest import same
from test_script import DRAWN, equals
from torch import nn
from torch.utils.data import DataLoader, Dataset, RandomSampler, SequentialSampler

from toytrain import Config, Trainer, checkpoint
from toytrain.config import limits
from toytrain.data import ToyDataset
from toytrain.engine.worker import Worker
from toytrain.fast_step import compiled, reasons, runner, traceable
from toytrain.script import write_script
from toytrain.trainer import WithL1

# 80 training examples in batches of 9: eight full batches and one of 8 make an epoch.
PLAIN = Config(points=100, batch_size=9)
BOOK = Config(dataset="book", batch_size=2, drop_last=True, learning_rate=0.5)


def with_(**changes):
    return dataclasses.replace(PLAIN, **changes)


OPTIONS = {
    "sgd": PLAIN,
    "momentum": with_(momentum=0.9),
    "nesterov": with_(momentum=0.9, nesterov=True),
    "adam": with_(optimizer="adam", learning_rate=0.01),
    "adamw": with_(optimizer="adamw", learning_rate=0.01),
    "rmsprop": with_(optimizer="rmsprop", learning_rate=0.01),
    "rmsprop, momentum": with_(optimizer="rmsprop", learning_rate=0.01, momentum=0.5),
    **{
        f"{name}, weight decay": with_(optimizer=name, learning_rate=0.01, weight_decay=0.01, momentum=0.5)
        for name in limits("optimizer").choices
    },
    **{name: with_(activation=name) for name in limits("activation").choices},
    **{
        f"{name}, dropout, batch norm": with_(activation=name, dropout=0.3, batch_norm=True)
        for name in limits("activation").choices
    },
    "dropout": with_(dropout=0.4),
    "batch norm": with_(batch_norm=True),
    "l1": with_(l1=0.001),
    **{
        f"{name} schedule": with_(schedule=name, step_size=3, gamma=0.7, t_max=5, warmup_epochs=7)
        for name in limits("schedule").choices[1:]
    },
    "clipping": with_(clip_norm=0.2),
    "clipping, adam, batch norm, l1": with_(
        clip_norm=0.5, optimizer="adam", learning_rate=0.01, batch_norm=True, l1=0.001
    ),
    "clipping, a schedule, momentum, one batch": with_(
        clip_norm=0.1, schedule="cosine", t_max=3, momentum=0.9, weight_decay=0.01, batch_size=1000
    ),
    "regression": with_(dataset="gaussians"),
    "regression, l1, adam": with_(dataset="gaussians", l1=0.001, optimizer="adam", learning_rate=0.01),
    "classes": with_(dataset="spirals", classes=5),
    "features": with_(features=("x1", "x2^2", "x1*x2", "sin(x1)", "sin(x2)")),
    "one feature": with_(features=("x2",)),
    "drop_last": with_(drop_last=True),
    "no last batch": with_(batch_size=10),
    "last batch of one": with_(batch_size=79),
    "batches of one": with_(batch_size=1),
    "one batch": with_(batch_size=1000),
    "not shuffled": with_(shuffle=False),
    "not shuffled, drop_last, dropout": with_(shuffle=False, drop_last=True, dropout=0.4),
    "one neuron": with_(hidden=(1,)),
    "many layers": with_(hidden=(63, 17, 5, 31, 2, 64), learning_rate=0.01),
    "book": BOOK,
    "the most": with_(
        dropout=0.2,
        batch_norm=True,
        optimizer="adamw",
        l1=0.001,
        weight_decay=0.1,
        hidden=(7, 13, 3),
        dataset="blobs",
        classes=4,
    ),
}
options = pytest.mark.parametrize("config", OPTIONS.values(), ids=OPTIONS)
SOME = ["sgd", "adam", "the most", "regression, l1, adam", "not shuffled, drop_last, dropout"]
some = pytest.mark.parametrize("config", [OPTIONS[name] for name in SOME], ids=SOME)


@pytest.fixture(autouse=True)
def at_once(monkeypatch):
    """Every run is long enough after one plain step, which makes the optimizer's state."""
    monkeypatch.setattr(runner, "WARM_UP", 1)


@pytest.fixture
def traces(monkeypatch):
    """The sources written so far, from an empty cache on."""
    written = []

    def write(*arguments):
        written.append(write_step(*arguments))
        return written[-1]

    write_step = compiled.write_step
    monkeypatch.setattr(compiled, "write_step", write)
    monkeypatch.setattr(compiled, "_sources", {})
    return written


def parts(trainer):
    """All that a run is made of, the last gradients included."""
    snapshot = trainer.snapshot()
    return [
        snapshot.losses,
        snapshot.tests,
        snapshot.weights,
        snapshot.optimizer_state,
        snapshot.schedule_state,
        snapshot.random_state,
        snapshot.epoch_random_state,
        [
            snapshot.steps,
            snapshot.epoch,
            snapshot.batch,
            snapshot.learning_rate,
            snapshot.diverged,
            snapshot.stopped,
        ],
        [parameter.grad for parameter in trainer.model.parameters()],
    ]


def plainly(trainer, steps):
    """Trained by Trainer.step alone: what everything here is compared with."""
    end = trainer.steps + steps
    while trainer.steps < end and not trainer.ended:
        trainer.step()
    return trainer


def plain(config, steps=500):
    return plainly(Trainer.from_config(config), steps)


def fast(config, steps=500):
    """Trained by `advance`; all but the first step by the fast step, those of its trial too."""
    trainer = Trainer.from_config(config)
    trainer.advance(steps=steps)
    assert trainer.why_plain == ""
    assert trainer.fast_steps >= steps - 1 - runner.TRIAL
    return trainer


# Equal bits


@options
def test_500_fast_steps_equal_500_plain_ones(config):
    assert same(parts(fast(config)), parts(plain(config)))


@pytest.mark.parametrize("config", DRAWN.values(), ids=DRAWN)
def test_500_fast_steps_of_a_drawn_config_equal_500_plain_ones(config):
    config = dataclasses.replace(config, epochs=0, target_loss=0, target_accuracy=0, patience=0)
    assert same(parts(fast(config)), parts(plain(config)))


@pytest.mark.parametrize(
    "ends", [{"target_loss": 0.2}, {"target_accuracy": 0.85}, {"patience": 3, "dropout": 0.4}], ids=str
)
def test_a_stop_condition_ends_a_fast_run_where_it_ends_a_plain_one(ends):
    config = with_(schedule="step", step_size=9, gamma=0.5, momentum=0.9, **ends)
    trainer = Trainer.from_config(config)
    snapshot = trainer.advance()
    assert trainer.fast_steps > 0
    assert snapshot.finished
    assert f"epoch {snapshot.epoch}" in snapshot.stopped
    assert same(parts(trainer), parts(plain(config, 10_000)))


@some
def test_a_fast_run_s_checkpoint_holds_what_plain_steps_would_have_stored(config):
    def stored(trainer):
        data = checkpoint.load(checkpoint.save(trainer.snapshot()))
        return [data.weights, data.optimizer_state, data.random_state, data.losses]

    assert same(stored(fast(config, 103)), stored(plain(config, 103)))


@some
def test_a_fast_run_is_the_script_that_it_exports(config, forked, tmp_path):
    trainer = fast(config, 200)
    script = write_script(trainer.config, steps=trainer.steps)
    assert equals(trainer.snapshot(), forked(script, tmp_path), tmp_path)


def by_hand(make_optimizer, *layers, dtype=torch.float32, loss=F.cross_entropy, fast=True):
    """A Trainer of the two moons from objects that no Config describes."""
    data = Trainer.from_config(PLAIN).data
    torch.manual_seed(123)
    layers = layers or (nn.Linear(2, 13), nn.ReLU(), nn.Linear(13, 2))
    model = nn.Sequential(*copy.deepcopy(layers)).to(dtype)
    for parameter in model.parameters():  # the layers were made without a seed
        nn.init.uniform_(parameter, -0.5, 0.5)
    train, test = (ToyDataset(part.features.to(dtype), part.labels) for part in (data.train, data.test))
    trainer = Trainer(
        model,
        make_optimizer(model.parameters()),
        loss,
        DataLoader(train, batch_size=9, shuffle=True),
        DataLoader(test, batch_size=9),
    )
    trainer.fast = fast
    return trainer


def sgd(parameters):
    return torch.optim.SGD(parameters, lr=0.1)


def equals_plain_steps(make):
    """Whether 300 steps are fast ones and equal plain ones."""
    trainer = make()
    trainer.advance(steps=300)
    reached = trainer.fast_steps > 250
    return reached and same(parts(trainer), parts(plainly(make(), 300)))


@pytest.mark.parametrize(
    ("kind", "settings"),
    [
        (torch.optim.SGD, {"lr": 0.1, "momentum": 0.9, "dampening": 0.3, "weight_decay": 0.01}),
        (torch.optim.SGD, {"lr": 0.1, "momentum": 0.9, "nesterov": True, "weight_decay": 0.01}),
        (torch.optim.Adam, {"lr": 0.01, "betas": (0.5, 0.99), "eps": 1e-3}),
        (torch.optim.Adam, {"lr": 0.01, "weight_decay": 0.1, "decoupled_weight_decay": True}),
        (torch.optim.AdamW, {"lr": 0.01, "betas": (0.0, 0.9)}),
        (torch.optim.RMSprop, {"lr": 0.01, "alpha": 0.5, "eps": 1e-3, "momentum": 0.1}),
    ],
)
def test_settings_of_an_optimizer_that_no_config_has_give_equal_bits(kind, settings):
    assert equals_plain_steps(lambda: by_hand(lambda parameters: kind(parameters, **settings)))


@pytest.mark.parametrize(
    "layers",
    [
        (nn.Linear(2, 5, bias=False), nn.ELU(0.7), nn.Linear(5, 2)),
        (nn.Linear(2, 5), nn.SiLU(), nn.Dropout(0.5), nn.Linear(5, 2, bias=False)),
        (nn.Linear(2, 5), nn.Softplus(2), nn.Linear(5, 2)),
        (nn.Linear(2, 5), nn.GELU("tanh"), nn.Flatten(), nn.Linear(5, 2)),
        (nn.Linear(2, 5), nn.BatchNorm1d(5, affine=False, momentum=0.3), nn.LeakyReLU(0.2), nn.Linear(5, 2)),
        (nn.Linear(2, 6), nn.Sequential(nn.Tanh(), nn.Linear(6, 6)), nn.Sigmoid(), nn.Linear(6, 2)),
    ],
    ids=lambda layers: type(layers[1]).__name__,
)
def test_layers_that_no_config_has_give_equal_bits(layers):
    assert equals_plain_steps(lambda: by_hand(sgd, *layers))


def test_a_network_in_double_precision_gives_equal_bits():
    assert equals_plain_steps(lambda: by_hand(sgd, dtype=torch.float64))


def test_a_loss_that_is_marked_as_traceable_gives_equal_bits():
    @traceable
    def smoothed(logits, labels):
        return F.cross_entropy(logits, labels, label_smoothing=0.1)

    assert equals_plain_steps(lambda: by_hand(sgd, loss=smoothed))


def test_two_marked_losses_of_one_name_are_not_taken_for_each_other():
    losses = [
        traceable(lambda logits, labels: F.cross_entropy(logits, labels)),
        traceable(lambda logits, labels: F.cross_entropy(logits, labels) * 2),
    ]
    for loss in losses:
        assert equals_plain_steps(lambda loss=loss: by_hand(sgd, loss=loss))


class Beside(nn.Module):
    """A model with a weight that only its loss uses."""

    def __init__(self):
        super().__init__()
        self.layers = nn.Linear(2, 2)
        self.beside = nn.Linear(1, 3, bias=False)

    def forward(self, x):
        return self.layers(x)


def test_a_gradient_that_is_one_number_for_all_weights_gives_equal_bits():
    def made():
        trainer = by_hand(sgd, Beside())
        weight = trainer.model[0].beside.weight
        trainer.loss = traceable(lambda logits, labels: F.cross_entropy(logits, labels) + weight.sum() / 8)
        return trainer

    assert equals_plain_steps(made)


def test_the_optimizer_counts_its_steps_as_far_as_pytorch_does():
    def late():
        trainer = plain(OPTIONS["adam"], 20)
        for state in trainer.optimizer.state.values():
            state["step"].fill_(2**24 - 50)  # the last whole numbers of float32 that can be counted up
        return trainer

    trainer = late()
    trainer.advance(steps=100)
    assert trainer.fast_steps > 80
    assert same(parts(trainer), parts(plainly(late(), 100)))


def test_a_run_ends_after_its_epochs_in_the_middle_of_a_slice():
    config = with_(epochs=30)
    trainer = Trainer.from_config(config)
    assert trainer.advance().finished
    assert same(parts(trainer), parts(plain(config)))
    assert trainer.steps == 30 * 9


def test_a_run_without_test_data_gives_equal_bits():
    def untested():
        trainer = Trainer.from_config(PLAIN)
        trainer.test_loader = None
        return trainer

    assert equals_plain_steps(untested)


# Stopping, changing, going on


@some
def test_a_fast_run_in_pieces_equals_one_of_plain_steps(config):
    trainer = Trainer.from_config(config)
    for steps in itertools.cycle((1, 8, 0, 3, 11, 40, 9)):
        trainer.advance(steps=min(steps, 500 - trainer.steps))
        if trainer.steps == 500:
            break
    assert trainer.fast_steps > 300
    assert same(parts(trainer), parts(plain(config)))


def test_fast_and_plain_steps_take_turns():
    config = OPTIONS["the most"]
    trainer = Trainer.from_config(config)
    while trainer.steps < 500:
        trainer.advance(steps=17)
        plainly(trainer, 5)
        trainer.fast = not trainer.fast
    assert trainer.fast_steps > 100
    assert same(parts(trainer), parts(plain(config, trainer.steps)))


def test_slices_of_seconds_equal_plain_steps():
    config = OPTIONS["dropout"]
    trainer = Trainer.from_config(config)
    while trainer.steps < 500:
        trainer.advance(seconds=0.002)
        trainer.snapshot().boundary(10)
    assert trainer.fast_steps > 300
    assert same(parts(trainer), parts(plain(config, trainer.steps)))


def test_a_slice_ends_at_the_batch_in_which_its_time_is_over(monkeypatch):
    trainer = fast(PLAIN, 50)
    clock = itertools.count()
    monkeypatch.setattr("time.perf_counter", lambda: next(clock))
    assert trainer.advance(seconds=4).steps == 54
    assert trainer.advance(seconds=0).steps == 55
    assert trainer.fast_steps == 46  # one step first, eight to try


def test_learning_rates_hold_from_the_step_on_that_they_were_set_for():
    rates = {0: 0.3, 7: 0.02, 100: 0.5, 101: 0.01, 433: 0.2}

    def changed():
        trainer = Trainer.from_config(OPTIONS["the most"])
        trainer.learning_rates |= rates
        return trainer

    trainer = changed()
    trainer.advance(steps=500)
    found = parts(trainer)
    stopping = Trainer.from_config(OPTIONS["the most"])
    for steps in [*rates, 500]:
        stopping.advance(steps=steps - stopping.steps)
        if steps in rates:
            stopping.set_learning_rate(rates[steps])
    assert min(trainer.fast_steps, stopping.fast_steps) > 400
    assert same(found, parts(plainly(changed(), 500)))
    assert same(parts(stopping), found)


@pytest.mark.parametrize("name", ["sgd", "the most", "rmsprop, momentum", "not shuffled"])
@pytest.mark.parametrize("stop", [102, 108, 112])  # in the midst, at the end and near the start of an epoch
def test_a_fast_run_resumes_bit_for_bit(name, stop):
    config = OPTIONS[name]
    stored = checkpoint.save(fast(config, stop).snapshot())
    again = Trainer.from_config(config)
    again.restore(checkpoint.load(stored))
    again.advance(steps=500 - stop)
    assert again.fast_steps > 350
    assert same(parts(again), parts(plain(config)))


def test_a_fast_run_goes_back_to_an_earlier_snapshot():
    trainer = fast(OPTIONS["the most"], 103)
    earlier, before = trainer.snapshot(), parts(plain(OPTIONS["the most"], 103))
    trainer.advance(steps=200)
    assert same([earlier.losses, earlier.weights, earlier.optimizer_state], [before[0], *before[2:4]])
    trainer.restore(earlier)
    trainer.advance(steps=397)
    assert same(parts(trainer), parts(plain(OPTIONS["the most"])))


def test_two_runs_of_one_worker_train_as_if_alone():
    configs = {"one": OPTIONS["dropout"], "other": OPTIONS["the most"]}
    worker = Worker()
    for run_id, config in configs.items():
        worker.open(run_id, config.to_dict(), until=math.inf)
    while min(run.trainer.steps for run in worker.runs.values()) < 500:
        worker.tick()
    for run_id, run in worker.runs.items():
        assert run.trainer.fast_steps > 400
        found = checkpoint.load(worker.checkpoint(run_id))
        expected = plain(configs[run_id], run.trainer.steps).snapshot()
        assert torch.equal(found.losses, expected.losses)
        assert same(found.weights, expected.weights)
        assert same(found.optimizer_state, expected.optimizer_state)
        assert same(found.random_state, expected.random_state)


def test_data_and_settings_changed_between_two_slices_are_seen():
    def changed(train):
        trainer = train(Trainer.from_config(with_(momentum=0.5)), 90)  # ten epochs
        trainer.train_loader.dataset.features *= 2
        trainer.optimizer.param_groups[0]["momentum"] = 0.2
        with torch.no_grad():
            trainer.model.layers[0].weight.add_(1)
        return train(trainer, 200)

    def advanced(trainer, steps):
        trainer.advance(steps=steps)
        assert trainer.fast_steps > 70
        return trainer

    assert same(parts(changed(advanced)), parts(changed(plainly)))


def test_a_copy_of_a_trainer_trains_on_its_own():
    trainer = fast(OPTIONS["adam"], 90)
    copied = copy.deepcopy(trainer)
    state = torch.get_rng_state()
    trainer.advance(steps=100)
    torch.set_rng_state(state)
    copied.advance(steps=100)
    assert same(parts(copied), parts(trainer))
    assert same(parts(copied), parts(plain(OPTIONS["adam"], 190)))


# Divergence


def told(trainer):
    """What a diverged run shows: the state of its optimizer may be nan, which equals nothing."""
    return [trainer.diverged, trainer.steps, trainer.epoch, trainer.batch,
            *parts(trainer)[:3]]  # fmt: skip


@pytest.mark.parametrize("name", ["sgd", "momentum", "adam", "batch norm", "regression"])
@pytest.mark.parametrize("rate", [1e12, 3e38])  # the loss tells of bad weights at once, or a step late
def test_a_fast_run_diverges_at_the_step_and_with_the_weights_of_a_plain_one(name, rate):
    check_divergence(name, rate)


def check_divergence(name, rate):
    def diverging():
        trainer = Trainer.from_config(OPTIONS[name])
        trainer.learning_rates[303] = rate
        return trainer

    trainer = diverging()
    trainer.advance(steps=200)
    trainer.advance(steps=800)
    assert trainer.diverged
    assert trainer.fast_steps > 0
    assert all(tensor.isfinite().all() for tensor in trainer.snapshot().weights.values())
    assert same(told(trainer), told(plainly(diverging(), 1000)))


@pytest.mark.parametrize("pieces", [(200, 800), (200, 104, 800), (200, 103, 1, 800)])
def test_a_fast_run_keeps_finite_weights_where_the_loss_tells_too_late(pieces):
    def overflowing():
        trainer = Trainer.from_config(with_(dataset="gaussians", learning_rate=1e-6))
        trainer.train_loader.dataset.labels *= 1000  # steep enough for weights that are infinite
        trainer.learning_rates[303] = 3e38
        return trainer

    trainer = overflowing()
    for steps in pieces:
        trainer.advance(steps=steps)
        assert trainer.steps == 304 or trainer.model.layers[0].weight.isfinite().all()
    assert trainer.fast_steps > 150
    expected = plainly(overflowing(), 1000)
    assert same(told(trainer), told(expected))
    assert expected.steps == 304
    assert same(trainer.snapshot().weights, plainly(overflowing(), 303).snapshot().weights)


@pytest.mark.parametrize("seconds", [None, 0.002])
def test_a_run_that_diverges_by_itself_does_so_as_a_plain_one(seconds):
    config = Config(dataset="gaussians", activation="linear", learning_rate=0.65, points=100, batch_size=8)
    trainer = Trainer.from_config(config)
    while not trainer.ended:
        trainer.advance(steps=2000, seconds=seconds)
    expected = plain(config, 5000)
    assert same(told(trainer), told(expected))


def test_an_interrupted_slice_leaves_the_run_where_it_stood():
    trainer = fast(OPTIONS["the most"], 100)
    before = parts(trainer)
    task = trainer.task

    def interrupt(logits, labels):
        raise KeyboardInterrupt

    trainer.task = dataclasses.replace(task, score=interrupt)  # at the end of the epoch
    with pytest.raises(KeyboardInterrupt):
        trainer.advance(steps=50)
    assert same(parts(trainer), before)
    trainer.task = task
    trainer.advance(steps=400)
    assert same(parts(trainer), parts(plain(OPTIONS["the most"])))


def test_a_batch_that_cannot_be_trained_fails_where_the_plain_step_fails():
    def failing(train):
        trainer = train(Trainer.from_config(PLAIN), 90)
        trainer.train_loader.dataset.labels[7] = 2  # of two classes
        with pytest.raises(IndexError):
            train(trainer, 9)
        return trainer

    def advanced(trainer, steps):
        trainer.advance(steps=steps)
        assert trainer.fast_steps > 70
        return trainer

    assert same(parts(failing(advanced))[:6], parts(failing(plainly))[:6])


# Where the plain step stays


class Branching(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.Linear(2, 2)
        self.calls = 0

    def forward(self, x):
        self.calls += 1
        return self.layers(x)


class Remembering(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.Linear(2, 2)

    def forward(self, x, seen=[0]):  # noqa: B006 - what somebody may write
        seen += [1]
        return self.layers(x)


class Nested(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.Linear(2, 2)

    def forward(self, x):
        return (lambda logits: print(end="") or logits)(self.layers(x))


class Patient(torch.optim.SGD):
    pass


class OwnDataset(Dataset):
    def __init__(self, dataset):
        self.features, self.labels = dataset.features, dataset.labels

    def __getitem__(self, index):
        return self.features[index], self.labels[index]

    def __len__(self):
        return len(self.labels)


class OwnTrainer(Trainer):
    def step(self):
        return super().step()


def loader(trainer, **changes):
    """The Trainer with a DataLoader that differs in this."""
    settings = {"dataset": trainer.train_loader.dataset, "batch_size": 9, "shuffle": True} | changes
    if "sampler" in changes:
        del settings["shuffle"]
    trainer.train_loader = DataLoader(**settings)
    return trainer


def changed(trainer, change):
    change(trainer)
    return trainer


def of_a_config(change, **changes):
    return lambda: changed(Trainer.from_config(with_(**changes)), change)


def hook(*_):
    return None


def own_loss(logits, labels):
    return F.cross_entropy(logits, labels)


def freeze(trainer):
    trainer.model.layers[0].bias.requires_grad = False


def two_groups(parameters):
    first, *others = parameters
    return torch.optim.SGD([{"params": [first]}, {"params": others, "lr": 0.01}], lr=0.1)


def optimizer(kind, **settings):
    return lambda: by_hand(lambda parameters: kind(parameters, lr=0.01, **settings))


def of_the_loader(**changes):
    return lambda: loader(Trainer.from_config(PLAIN), **changes)


def as_own_trainer():
    made = Trainer.from_config(PLAIN)
    return OwnTrainer(made.model, made.optimizer, made.loss, made.train_loader, made.test_loader)


REASONS = {
    "switched off": (of_a_config(lambda t: setattr(t, "fast", False)), "switched off"),
    "a Trainer's own step": (as_own_trainer, "a step of its own"),
    "an own record": (of_a_config(lambda t: setattr(t, "record", t.record)), "a record of its own"),
    "a module that counts": (lambda: by_hand(sgd, Branching()), "Branching is a class of its own"),
    "a module that remembers": (lambda: by_hand(sgd, Remembering()), "Remembering is a class of its own"),
    "a module with a lambda": (lambda: by_hand(sgd, Nested()), "Nested is a class of its own"),
    "a layer that is not known": (lambda: by_hand(sgd, nn.Linear(2, 2), nn.PReLU()), "PReLU is a class"),
    "inplace": (lambda: by_hand(sgd, nn.Linear(2, 2), nn.ReLU(inplace=True)), "overwrites its input"),
    "batch norm that averages": (
        lambda: by_hand(sgd, nn.Linear(2, 2), nn.BatchNorm1d(2, momentum=None)),
        "batch norm counts",
    ),
    "a hook on a layer": (of_a_config(lambda t: t.model.layers[0].register_forward_hook(hook)), "A hook"),
    "a hook on a gradient": (
        of_a_config(lambda t: t.model.layers[0].weight.register_hook(hook)),
        "the gradient of a parameter",
    ),
    "a layer's own forward": (
        of_a_config(lambda t: setattr(t.model.layers[0], "forward", t.model.layers[0].forward)),
        "a forward of its own",
    ),
    "a frozen parameter": (of_a_config(freeze), "frozen"),
    "an own loss": (lambda: by_hand(sgd, loss=own_loss), "own_loss is a loss of its own"),
    "a loss as an object": (lambda: by_hand(sgd, loss=nn.CrossEntropyLoss()), "CrossEntropyLoss is a loss"),
    "an own loss and L1": (
        of_a_config(lambda t: setattr(t, "loss", WithL1(own_loss, t.model, 0.1))),
        "WithL1 is a loss of its own",
    ),
    "an own optimizer": (optimizer(Patient), "does not know the optimizer Patient"),
    "an optimizer that is not known": (optimizer(torch.optim.Adagrad), "the optimizer Adagrad"),
    "two groups": (lambda: by_hand(two_groups), "several groups"),
    "part of the parameters": (
        lambda: by_hand(lambda parameters: torch.optim.SGD(list(parameters)[:2], lr=0.1)),
        "does not train exactly",
    ),
    "amsgrad": (optimizer(torch.optim.Adam, amsgrad=True), "amsgrad=True"),
    "fused": (optimizer(torch.optim.Adam, fused=True), "fused=True"),
    "centered": (optimizer(torch.optim.RMSprop, centered=True), "centered=True"),
    "maximize": (optimizer(torch.optim.SGD, maximize=True), "maximize=True"),
    "a rate in a tensor": (
        lambda: by_hand(lambda parameters: torch.optim.SGD(parameters, lr=torch.tensor(0.1))),
        "is a tensor",
    ),
    "a schedule that is not known": (
        of_a_config(
            lambda t: setattr(t, "schedule", torch.optim.lr_scheduler.ExponentialLR(t.optimizer, 0.9))
        ),
        "The schedule ExponentialLR",
    ),
    "an own step of the optimizer": (
        of_a_config(lambda t: setattr(t.optimizer, "step", t.optimizer.step)),
        "a method of its own",
    ),
    "a hook on the optimizer": (
        of_a_config(lambda t: t.optimizer.register_step_post_hook(hook)),
        "A hook or a method",
    ),
    "an own Dataset": (
        of_the_loader(dataset=OwnDataset(Trainer.from_config(PLAIN).data.train)),
        "Dataset is of a class of its own",
    ),
    "processes that load": (of_the_loader(num_workers=1), "num_workers = 1"),
    "an own collate": (
        of_the_loader(collate_fn=lambda rows: tuple(map(torch.stack, zip(*rows, strict=True)))),
        "collates",
    ),
    "an own generator": (
        lambda: loader(Trainer.from_config(PLAIN), generator=torch.Generator().manual_seed(1)),
        "a generator of its own",
    ),
    "an own sampler": (of_the_loader(sampler=range(40)), "a sampler of its own"),
    "replacement": (
        of_the_loader(sampler=RandomSampler(range(80), replacement=True)),
        "a sampler of its own",
    ),
    "fewer examples": (of_the_loader(sampler=RandomSampler(range(80), num_samples=40)), "another number"),
    "an own test Dataset": (
        of_a_config(lambda t: setattr(t, "test_loader", DataLoader(OwnDataset(t.data.test)))),
        "The test Dataset",
    ),
}


@pytest.mark.parametrize(("make", "reason"), REASONS.values(), ids=REASONS)
def test_what_the_fast_step_cannot_do_the_plain_step_does_and_the_reason_is_said(make, reason):
    trainer = make()
    trainer.advance(steps=40)
    assert reason in trainer.why_plain
    assert trainer.fast_step_source == ""
    assert trainer.fast_steps == 0
    assert same(parts(trainer), parts(plainly(make(), 40)))


@contextmanager
def global_hook():
    handle = nn.modules.module.register_module_forward_hook(hook)
    try:
        yield
    finally:
        handle.remove()


@pytest.mark.parametrize(
    ("surroundings", "reason"),
    [(global_hook, "A hook on all modules"), (torch.autograd.detect_anomaly, "anomaly")],
)
@pytest.mark.filterwarnings("ignore:Anomaly Detection")
def test_where_somebody_watches_the_plain_step_trains(surroundings, reason):
    trainer = fast(PLAIN, 40)
    steps = trainer.fast_steps
    with surroundings():
        trainer.advance(steps=20)
        assert reason in trainer.why_plain
    assert trainer.fast_steps == steps
    assert same(parts(trainer), parts(plain(PLAIN, 60)))


def test_a_hook_set_while_a_run_lives_is_called_at_every_step():
    trainer = fast(PLAIN, 100)
    called = []
    trainer.model.layers[0].register_forward_hook(lambda *_: called.append(trainer.steps))
    trainer.advance(steps=9)
    assert called[:9] == list(range(100, 109))


def test_a_model_in_eval_mode_is_left_to_the_plain_step_until_the_epoch_ends():
    def evaluating(train):
        trainer = train(Trainer.from_config(OPTIONS["dropout"]), 40)
        trainer.model.eval()
        return train(trainer, 100)

    def advanced(trainer, steps):
        trainer.advance(steps=steps)
        return trainer

    found = evaluating(advanced)
    assert found.fast_steps > 100
    assert same(parts(found), parts(evaluating(plainly)))


def test_a_batch_that_comes_from_elsewhere_is_left_to_the_plain_step():
    def taken(train):
        trainer = train(Trainer.from_config(PLAIN), 40)
        trainer.next_batch()  # somebody looks at a batch, which then is not trained
        return train(trainer, 4)

    advanced = taken(lambda trainer, steps: changed(trainer, lambda t: t.advance(steps=steps)))
    assert same(parts(advanced), parts(taken(plainly)))


def test_a_step_that_cannot_be_traced_is_a_reason(monkeypatch):
    def fail(*_):
        raise RuntimeError("no such operation")

    monkeypatch.setattr(compiled, "write_step", fail)
    monkeypatch.setattr(compiled, "_sources", {})
    trainer = Trainer.from_config(PLAIN)
    trainer.advance(steps=40)
    assert trainer.why_plain == "The fast step could not be prepared (RuntimeError: no such operation)."
    assert same(parts(trainer), parts(plain(PLAIN, 40)))


def test_a_model_that_overwrites_its_input_cannot_be_traced():
    class Overwriting(nn.Module):
        def __init__(self):
            super().__init__()
            self.layers = nn.Linear(2, 2)

        def forward(self, x):
            x += 1
            return self.layers(x)

    trainer = by_hand(sgd, Overwriting())
    trainer.advance(steps=40)
    assert "overwrites its input" in trainer.why_plain


@pytest.mark.parametrize(
    ("lines", "reason"),
    [
        (("parameters.add_(gradients, alpha=-learning_rate * 1.0000001)",), "does not give the bits"),
        (("parameters.add_(no_such_name)",), "The fast step failed (NameError"),
    ],
)
def test_a_fast_step_with_other_bits_is_found_out_and_changes_nothing(lines, reason, monkeypatch):
    monkeypatch.setitem(compiled.UPDATES, torch.optim.SGD, lambda group: compiled.Update(lines))
    trainer = Trainer.from_config(OPTIONS["dropout"])
    trainer.advance(steps=100)
    assert reason in trainer.why_plain
    assert trainer.fast_steps == 0
    assert same(parts(trainer), parts(plain(OPTIONS["dropout"], 100)))


# What tracing costs


def test_a_run_of_single_steps_is_never_traced(traces):
    trainer = Trainer.from_config(PLAIN)
    for _ in range(50):
        trainer.advance(steps=1)
    assert traces == []


def test_a_short_run_is_never_traced_and_a_long_one_is(traces, monkeypatch):
    monkeypatch.undo()
    trainer = Trainer.from_config(PLAIN)
    trainer.advance(steps=runner.WARM_UP)
    assert trainer.fast_steps == 0
    trainer.advance(steps=100)
    assert trainer.fast_steps > 0


def test_runs_that_differ_in_numbers_only_share_their_source(traces):
    for seed in range(30):
        config = Config(seed=seed, data_seed=seed, learning_rate=0.01 * (seed + 1), points=400 + 40 * seed)
        fast(config, 50)
    sizes = {size for seed in range(30) for size in {32, int(0.8 * (400 + 40 * seed)) % 32} if size}
    assert len(traces) == len(sizes)


def test_runs_that_share_their_source_share_no_tensor(traces):
    one, other = (fast(with_(seed=seed, optimizer="adam"), 50) for seed in (1, 2))
    state = torch.get_rng_state()
    one.advance(steps=9)
    torch.set_rng_state(state)
    other.advance(steps=9)
    assert len(traces) == 2  # of nine and of eight examples
    for trainer in (one, other):
        assert not same(trainer.snapshot().weights, plain(with_(seed=3), 0).snapshot().weights)
    assert same(other.snapshot().losses[:50], plain(with_(seed=2, optimizer="adam"), 50).snapshot().losses)


def test_no_more_than_so_many_sources_are_kept(traces, monkeypatch):
    monkeypatch.setattr(compiled, "MOST_SOURCES", 4)
    for width in range(2, 8):
        fast(with_(hidden=(width,)), 30)
    assert len(compiled._sources) == 4
    assert same(parts(fast(with_(hidden=(2,)), 100)), parts(plain(with_(hidden=(2,)), 100)))


@some
def test_asking_for_the_source_changes_nothing(config):
    trainer = plain(config, 12)
    trainer.model.eval()
    before = copy.deepcopy([parts(trainer), [module.training for module in trainer.model.modules()]])
    assert trainer.fast_step_source
    assert same([parts(trainer), [module.training for module in trainer.model.modules()]], before)


# The source


@some
def test_the_source_tells_which_line_of_the_step_each_operation_belongs_to(config):
    lines = [line.strip() for line in Trainer.from_config(config).fast_step_source.splitlines()]
    sections = ["# logits = self.model(features)", "# loss = self.loss(logits, labels)", "# loss.backward()"]
    sections.append("# self.optimizer.step(), for all parameters at once")
    places = [lines.index(section) for section in sections]
    assert places == sorted(places)
    assert lines[places[0] - 1] == "def step(features, labels, learning_rate, number):"
    assert all(later - earlier > 1 for earlier, later in itertools.pairwise(places))


@some
def test_the_source_names_every_parameter_and_its_gradient(config):
    trainer = Trainer.from_config(config)
    source = trainer.fast_step_source
    body = source[source.index("def step") :]
    for key, parameter in trainer.model.named_parameters():
        name = key.replace(".", "_")
        assert f"\n{name} = parameters[" in source
        assert f"\ngrad_{name} = gradients[" in source
        assert f"grad_{name}" in body
        assert f".view({', '.join(map(str, parameter.shape))})" in source


def test_the_source_of_one_config_is_always_the_same(traces):
    texts = {Trainer.from_config(OPTIONS["the most"]).fast_step_source}
    compiled._sources.clear()
    texts.add(Trainer.from_config(OPTIONS["the most"]).fast_step_source)
    assert len(texts) == 1


def test_every_layer_and_optimizer_that_is_accepted_is_tried_here():
    tried = {type(layer) for config in OPTIONS.values() for layer in Trainer.from_config(config).model.layers}
    tried |= {nn.Sequential, nn.ELU, nn.SiLU, nn.Softplus, nn.Flatten}
    assert set(reasons.LAYERS) == tried
    assert {SequentialSampler, RandomSampler} == {
        type(Trainer.from_config(config).train_loader.sampler) for config in OPTIONS.values()
    }
