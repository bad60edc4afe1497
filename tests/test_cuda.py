"""A run on an NVIDIA GPU: the batches of the CPU in the same order, by plain steps, and it says so."""

import pytest
import torch

from toytrain import Config, Trainer

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


def test_a_run_says_why_it_takes_plain_steps():
    trainer = Trainer.from_config(Config(points=100, device="cuda"))
    trainer.advance(steps=200)
    assert trainer.fast_steps == 0
    assert "this run is on cuda" in trainer.why_plain
