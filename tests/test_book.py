"""The book's figures, and what breaks them, through this project's own classes.

Every figure is from appendix A of Raschka's *Build a Large Language Model (From Scratch)* or was
measured with plain PyTorch 2.13.0 on a CPU. Each experiment seeds PyTorch's global generator itself.
"""

import dataclasses

import pytest
import torch
import torch.nn.functional as F
from torch.utils.data import DataLoader

from toytrain import NeuralNetwork, ToyDataset, Trainer, checkpoint, compute_accuracy, make_data
from toytrain.data import make_loaders
from toytrain.script import write_script
from toytrain.task import CLASSIFICATION

X_TRAIN = torch.tensor([[-1.2, 3.1], [-0.9, 2.9], [-0.5, 2.6], [2.3, -1.1], [2.7, -1.5]])
Y_TRAIN = torch.tensor([0, 0, 0, 1, 1])
X_TEST = torch.tensor([[-0.8, 2.8], [2.6, -1.6]])
Y_TEST = torch.tensor([0, 1])


def close(values, figures, digits=4):
    """Whether the values are the figures, as exactly as the figures are printed."""
    return torch.allclose(torch.as_tensor(values), torch.tensor(figures), rtol=0, atol=0.6 * 10**-digits)


def rows(batch):
    """Which rows of X_train a batch holds."""
    return [X_TRAIN.tolist().index(example) for example in batch.tolist()]


@pytest.fixture
def trainer(book_config):
    return Trainer.from_config(book_config)


@pytest.fixture
def trained(trainer):
    return trainer.advance()


def losses_with(config, **changes):
    return Trainer.from_config(dataclasses.replace(config, **changes)).advance().losses


def losses_between_epochs(trainer, between):
    """The losses of three epochs with something done after each."""
    for _ in range(3):
        trainer.advance(steps=len(trainer.train_loader))
        between(trainer)
    return trainer.snapshot().losses


# The figures


def test_the_data_is_the_book_s(book_config):
    data = make_data(book_config)
    assert torch.equal(data.train.features, X_TRAIN)
    assert torch.equal(data.train.labels, Y_TRAIN)
    assert torch.equal(data.test.features, X_TEST)
    assert torch.equal(data.test.labels, Y_TEST)


def test_there_are_five_training_examples(book_config):
    assert len(make_data(book_config).train) == 5


@pytest.mark.parametrize(("num_inputs", "num_outputs", "count"), [(50, 3, 2213), (2, 2, 752)])
def test_the_network_has_as_many_parameters_as_in_the_book(num_inputs, num_outputs, count):
    model = NeuralNetwork(num_inputs, num_outputs)
    assert sum(p.numel() for p in model.parameters() if p.requires_grad) == count


def test_seed_123_gives_the_weights_of_the_book():
    torch.manual_seed(123)
    first_row = NeuralNetwork(50, 3).layers[0].weight[0]
    assert close(first_row[:3], [-0.0577, 0.0047, -0.0702])
    assert close(first_row[-3:], [0.0222, 0.1260, 0.0865])


def test_a_random_example_gives_the_logits_and_probabilities_of_the_book():
    torch.manual_seed(123)
    model = NeuralNetwork(50, 3)
    torch.manual_seed(123)
    logits = model(torch.rand((1, 50)))
    assert close(logits, [[-0.1262, 0.1080, -0.1792]])
    assert close(CLASSIFICATION.probabilities(logits), [[0.3113, 0.3934, 0.2952]])


def test_the_logistic_regression_of_a_3_and_a_4_has_the_loss_and_the_gradients_of_the_book():
    w1 = torch.tensor([2.2], requires_grad=True)
    b = torch.tensor([0.0], requires_grad=True)
    loss = F.binary_cross_entropy(torch.sigmoid(torch.tensor([1.1]) * w1 + b), torch.tensor([1.0]))
    loss.backward()
    assert close(loss, 0.0852)
    assert close(w1.grad, [-0.0898])
    assert close(b.grad, [-0.0817])


def test_the_loader_deals_the_batches_of_the_book_and_then_those_with_drop_last(book_config):
    whole, _ = make_loaders(dataclasses.replace(book_config, drop_last=False), make_data(book_config))
    full_only, _ = make_loaders(book_config, make_data(book_config))
    torch.manual_seed(123)
    assert [rows(features) for features, _ in whole] == [[3, 1], [0, 2], [4]]
    assert [rows(features) for features, _ in full_only] == [[0, 2], [3, 1]]


def test_training_prints_the_losses_of_the_book(trained):
    assert [f"{loss:.2f}" for loss in trained.losses] == ["0.75", "0.65", "0.44", "0.13", "0.03", "0.00"]


def test_training_gives_the_measured_losses_in_full_precision(trained):
    measured = [0.7487356663, 0.6450306177, 0.4422557950, 0.1256228089, 0.0269055996, 0.0043272399]
    assert close(trained.losses, measured, digits=7)


def test_each_batch_has_the_members_of_the_book(trainer):
    batches = []

    def note(model, inputs):
        if model.training:
            batches.append(rows(inputs[0]))

    trainer.model.register_forward_pre_hook(note)
    trainer.advance()
    assert batches == [[2, 1], [3, 0], [3, 4], [1, 2], [0, 4], [1, 2]]


def test_the_logits_after_training_are_those_of_the_book(trained):
    book = [[2.8569, -4.1618], [2.5382, -3.7548], [2.0944, -3.1820], [-1.4814, 1.4816], [-1.7176, 1.7342]]
    assert close(trained.logits(X_TRAIN), book)


def test_the_probabilities_after_training_are_those_of_the_book(trained):
    book = [[0.9991, 0.0009], [0.9982, 0.0018], [0.9949, 0.0051], [0.0491, 0.9509], [0.0307, 0.9693]]
    assert close(trained.probabilities(X_TRAIN), book)


def test_the_predictions_after_training_are_those_of_the_book(trained):
    assert trained.predictions(X_TRAIN).tolist() == [0, 0, 0, 1, 1]


def test_the_trained_network_has_the_accuracies_of_the_book(trainer):
    trainer.advance()
    assert compute_accuracy(trainer.model, trainer.data.train) == 1.0
    assert compute_accuracy(trainer.model, trainer.data.test) == 1.0


def test_a_saved_model_loads_with_the_words_of_the_book(trained, tmp_path):
    (tmp_path / "model.pth").write_bytes(checkpoint.save_weights(trained))
    model = NeuralNetwork(2, 2)
    answer = model.load_state_dict(torch.load(tmp_path / "model.pth", weights_only=True))
    assert str(answer) == "<All keys matched successfully>"
    assert torch.equal(model(X_TRAIN), trained.logits(X_TRAIN))


def test_an_epoch_with_drop_last_sees_four_of_the_five_examples(trainer):
    assert sum(len(labels) for _, labels in trainer.train_loader) == 4


def test_the_exported_script_prints_the_log_lines_of_the_book(book_config, forked, tmp_path):
    lines = forked(write_script(book_config), tmp_path).splitlines()
    assert lines[0] == "Epoch: 001/003 | Batch 000/002 | Train/Val Loss: 0.75"
    assert lines[5] == "Epoch: 003/003 | Batch 001/002 | Train/Val Loss: 0.00"


# What breaks the figures, and what does not

UNBROKEN = [0.7487, 0.6450, 0.4423, 0.1256, 0.0269, 0.0043]


def test_nothing_changed_keeps_the_figures(book_config):
    assert close(losses_with(book_config), UNBROKEN)


def test_a_worker_process_keeps_the_figures(book_config):
    assert close(losses_with(book_config, num_workers=1), UNBROKEN)


def test_evaluating_on_plain_tensors_between_epochs_keeps_the_figures(trainer):
    losses = losses_between_epochs(trainer, lambda trainer: trainer.evaluate(trainer.data.train))
    assert close(losses, UNBROKEN)


@pytest.mark.parametrize("shuffle", [False, True])
def test_evaluating_through_another_loader_between_epochs_breaks_the_figures(trainer, shuffle):
    # How much a loader draws does not depend on its data: even an unshuffled one draws a base seed.
    loader = DataLoader(trainer.data.test, batch_size=2, shuffle=False)
    losses = losses_between_epochs(trainer, lambda trainer: [trainer.model(x) for x, _ in loader])
    assert close(losses, [0.7487, 0.6450, 0.2540, 0.1128, 0.0578, 0.0336])


def test_one_random_number_between_epochs_breaks_the_figures(trainer):
    losses = losses_between_epochs(trainer, lambda trainer: torch.rand(1))
    assert close(losses, [0.7487, 0.6450, 0.2638, 0.0383, 0.0110, 0.1225])


def test_a_generator_of_the_loader_s_own_breaks_the_figures(book_config, trainer):
    loader = DataLoader(
        ToyDataset(X_TRAIN, Y_TRAIN),
        batch_size=2,
        shuffle=True,
        drop_last=True,
        generator=torch.Generator().manual_seed(123),
    )
    own = Trainer(trainer.model, trainer.optimizer, F.cross_entropy, loader, epochs=3)
    assert close(own.advance().losses, [0.6717, 0.2700, 0.0064, 0.6727, 0.0159, 0.0207])


def test_not_shuffling_breaks_the_figures(book_config):
    losses = losses_with(book_config, shuffle=False)
    assert close(losses, [0.7450, 0.6538, 0.0369, 0.2446, 0.0062, 0.1178])


def test_keeping_the_last_batch_breaks_the_figures(book_config):
    losses = losses_with(book_config, drop_last=False)
    assert close(losses, [0.7487, 0.6450, 0.4247, 0.0512, 0.1307, 0.0010, 0.0086, 0.0036, 0.0239])


@pytest.fixture
def resumed(book_config, trainer):
    """A new Trainer that goes on from a checkpoint after epoch 1."""
    stored = checkpoint.save(trainer.advance(steps=2))
    again = Trainer.from_config(book_config)
    again.restore(checkpoint.load(stored))
    return again


def test_resuming_after_epoch_1_keeps_the_figures_bit_for_bit(trained, resumed):
    assert torch.equal(resumed.advance().losses, trained.losses)


def test_resuming_after_epoch_1_with_the_seed_set_again_breaks_the_figures(resumed):
    torch.manual_seed(123)
    assert close(resumed.advance().losses[2:], [0.2638, 0.0383, 0.0110, 0.1225])
