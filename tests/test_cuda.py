"""A run on an NVIDIA GPU: the CPU's batches in the same order, and from graphs the bits of plain steps."""

import dataclasses

import pytest
import torch
from conftest import same
from test_fast_step import OPTIONS, parts, plain, plainly

from toytrain import Config, Trainer, checkpoint
from toytrain.fast_step import captured

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="PyTorch finds no NVIDIA GPU on this machine"),
]


def batches(device):
    trainer = Trainer.from_config(Config(points=100, batch_size=16, device=device))
    found = []
    for _ in range(2 * len(trainer.train_loader)):
        features, labels = trainer.next_batch()
        found.append((features.cpu(), labels.cpu()))
        trainer.record(torch.tensor(0.5))
    return found


def test_the_batches_come_in_the_order_of_the_cpu():
    for here, there in zip(batches("cuda"), batches("cpu"), strict=True):
        assert torch.equal(here[0], there[0])
        assert torch.equal(here[1], there[1])


def test_the_losses_are_those_of_the_cpu_but_for_rounding():
    here, there = (
        Trainer.from_config(Config(points=100, device=device)).advance(steps=30).losses
        for device in ("cuda", "cpu")
    )
    assert torch.allclose(here, there, atol=1e-4)


@pytest.mark.parametrize("config", OPTIONS.values(), ids=OPTIONS)
def test_500_steps_from_graphs_equal_500_plain_ones(config):
    config = dataclasses.replace(config, device="cuda")
    trainer = Trainer.from_config(config)
    trainer.advance(steps=500)
    assert trainer.why_plain == ""
    if config.schedule == "constant":
        assert trainer.fast_steps > 400
    assert same(parts(trainer), parts(plain(config)))


def test_a_learning_rate_set_on_the_way_holds_from_its_step_on():
    def slowed(train):
        trainer = train(Trainer.from_config(Config(points=100, device="cuda")), 200)
        trainer.set_learning_rate(0.01)
        return train(trainer, 200)

    assert same(parts(slowed(lambda run, steps: run.advance(steps=steps) and run)), parts(slowed(plainly)))


@pytest.mark.parametrize("optimizer", ["sgd", "adam", "rmsprop"])
def test_a_run_resumes_bit_for_bit_from_its_checkpoint(optimizer):
    config = Config(points=100, optimizer=optimizer, learning_rate=0.01, dropout=0.2, device="cuda")
    data = checkpoint.save(Trainer.from_config(config).advance(steps=203))
    resumed = Trainer.from_config(config)
    resumed.restore(checkpoint.load(data))
    resumed.advance(steps=200)
    assert same(parts(resumed), parts(plain(config, 403)))


@pytest.mark.parametrize(("before", "after"), [("cpu", "cuda"), ("cuda", "cpu")])
def test_a_run_goes_on_on_another_device(before, after):
    config = Config(points=100, optimizer="adam", device=before)
    snapshot = Trainer.from_config(config).advance(steps=100)
    config = dataclasses.replace(config, device=after)
    trainer = Trainer.from_config(config)
    trainer.restore(dataclasses.replace(snapshot, config=config))
    trainer.advance(steps=200)
    assert trainer.steps == 300
    assert trainer.fast_steps


def test_a_capture_that_fails_leaves_the_plain_step_and_its_bits(monkeypatch):
    def capture(step):
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.stream(torch.cuda.current_stream()), torch.cuda.graph(graph):
            step()[0].sum().item()  # waits for the GPU, which no capture permits

    monkeypatch.setattr(captured, "capture", capture)
    config = Config(points=100, device="cuda")
    trainer = Trainer.from_config(config)
    trainer.advance(steps=200)
    assert trainer.why_plain.startswith("The fast step failed (")
    assert same(parts(trainer), parts(plain(config, 200)))
