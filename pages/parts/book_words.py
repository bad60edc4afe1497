"""What the book page says, by the keys of `toytrain.book`: its sections, figures and settings.

Section numbers and terms are the book's, so that a reader with the book open finds each step.
"""

from .words import _


def titles() -> dict[str, str]:
    """By section."""
    return {
        "autograd": _("Computation graphs and automatic differentiation"),
        "model": _("A multilayer neural network and its parameters"),
        "dataset": _("Dataset"),
        "dataloader": _("DataLoader"),
        "training": _("A typical training loop"),
        "accuracy": _("Predictions and accuracy"),
        "random_state": _("Random state: what breaks the figures"),
        "mistakes": _("Classic mistakes"),
        "saving": _("Saving and loading models"),
        "device": _("Devices: CPU and GPU"),
        "distributed": _("Training with multiple processes"),
    }


def about() -> dict[str, str]:
    """By section: what it is about, in Markdown."""
    return {
        "autograd": _(
            "A tensor is an array of numbers that PyTorch can compute gradients for. Logistic regression "
            "on one example: a weight, a bias, a sigmoid, a loss. Each operation is a node that remembers "
            "where its inputs came from. `loss.backward()` walks this graph from the loss back to the "
            "leaves and multiplies the local derivatives on the way, which is the chain rule. What it "
            "leaves behind, in `.grad`, says how the loss changes if a weight does."
        ),
        "model": _(
            "Two hidden layers of 30 and 20 neurons with ReLU between them. A parameter is a number that "
            "training may change: every weight and every bias counts. Their first values are drawn at "
            "random, so `torch.manual_seed` decides them, and the same seed gives the same network every "
            "time."
        ),
        "dataset": _(
            "A `Dataset` answers two questions: how many examples are there, and which is example number "
            "`index`? Five points to train on, two to test with; the first three belong to class 0, the last "
            "two to class 1."
        ),
        "dataloader": _(
            "A `DataLoader` deals the examples in batches. With `shuffle=True` it draws a new order for "
            "every epoch, from PyTorch's global generator. Five examples in batches of two leave one over: "
            "`drop_last=True` leaves that batch out. With `num_workers=1` another process loads the "
            "batches: the order is drawn before that, and stays."
        ),
        "training": _(
            "For every batch the same five lines: compute the logits, compare them with the labels, forget "
            "the old gradients, compute the new ones, take a step. What the book prints as `Train/Val "
            "Loss` is the loss of one training batch. The printed book counts batches from 000, its "
            "repository from 001 since 2026."
        ),
        "accuracy": _(
            "After training, the larger of the two logits of an example is its predicted class; `softmax` "
            "turns logits into probabilities and changes no prediction. `compute_accuracy` goes through a "
            "DataLoader: with `drop_last=True` it sees only four of the five training examples."
        ),
        "random_state": _(
            "PyTorch has one global generator of random numbers, and it is part of the experiment: the "
            "weights, the order of the batches and dropout all draw from it. Whoever draws a number "
            "between two epochs changes every batch that follows. An iterator of *any* DataLoader draws "
            "one, even with `shuffle=False`. Compare the losses from the third on: the first epoch is over "
            "by then."
        ),
        "mistakes": _(
            "The same training again, each time with one mistake in it. Not every mistake looks like one "
            "here: without `zero_grad` the five points are learned even faster, because all batches pull the "
            "same way. On data that are harder to separate the harm shows."
        ),
        "saving": _(
            "`state_dict()` holds every tensor of the network under its name, and that is all that "
            "`model.pth` contains: no class, no optimizer, no random state. Whoever loads it needs the same "
            "class first, and the names must match."
        ),
        "device": _(
            "Tensors that are computed together must live on one device; `.to(device)` moves them. The "
            "code takes a GPU where there is one and the CPU otherwise. The weights are drawn on the CPU "
            "before they move, so training gives the same losses to two digits on each."
        ),
        "distributed": _(
            "Several processes, each with a copy of the model and a shard of the data. After `backward()` "
            "DistributedDataParallel averages the gradients over all of them, so that the copies stay "
            "equal. The losses that the book prints here cannot be had again: its script sets the seed in "
            "the parent process only. These are those of its variant for torchrun, which sets it in each."
        ),
    }


def figures() -> dict[str, str]:
    """By figure: what it is."""
    return {
        "loss_of_one_example": _("loss"),
        "gradient_of_w1": _("gradient of the loss with respect to w1"),
        "gradient_of_b": _("gradient of the loss with respect to b"),
        "parameters_50_3": _("trainable parameters of NeuralNetwork(50, 3)"),
        "parameters_2_2": _("trainable parameters of NeuralNetwork(2, 2)"),
        "first_weights": _("layers.0.weight, row 0: the first three"),
        "last_weights": _("layers.0.weight, row 0: the last three"),
        "logits_of_random_numbers": _("logits of X = torch.rand((1, 50)), seed set again"),
        "probas_of_random_numbers": _("the same after softmax"),
        "training_examples": _("len(train_ds)"),
        "batches": _("batches of an epoch, drop_last off"),
        "batches_with_drop_last": _("batches of the next epoch, drop_last on, seed not set again"),
        "batches_from_a_process": _("batches of an epoch with num_workers=1"),
        "first_log_line": _("the first line of the log"),
        "losses_as_printed": _("the loss of each batch"),
        "losses": _("the same in full (float32 holds about seven digits)"),
        "rows_of_batches": _("which rows of X_train each batch held, epoch by epoch"),
        "logits": _("logits of X_train after training"),
        "probas": _("the same after softmax"),
        "predictions": _("predicted classes (argmax)"),
        "training_accuracy": _("accuracy on train_loader"),
        "test_accuracy": _("accuracy on test_loader"),
        "examples_seen_with_drop_last": _("training examples that train_loader deals"),
        "as_in_the_book": _("nothing besides the training"),
        "load_in_a_process": _("num_workers=1"),
        "evaluate_on_tensors": _("evaluating on whole tensors between epochs"),
        "evaluate_through_a_loader": _("evaluating through a DataLoader between epochs"),
        "draw_a_random_number": _("one torch.rand(1) between epochs"),
        "own_generator": _("a generator of the DataLoader's own, same seed"),
        "no_shuffling": _("shuffle=False"),
        "keep_the_last_batch": _("drop_last=False"),
        "resume": _("resumed after epoch 1 with weights, optimizer and random state"),
        "reseed": _("resumed after epoch 1 with the seed set again"),
        "no_zero_grad": _("no zero_grad (looks better!)"),
        "zero_grad_after_backward": _("zero_grad between backward and step (never learns)"),
        "softmax_before_cross_entropy": _("softmax before cross_entropy"),
        "floor_of_two_classes": _("the loss that softmax keeps it above, 2 classes"),
        "floor_of_three_classes": _("the same for 3 classes"),
        "sorted_data": _("no shuffling of data sorted by class"),
        "labels_from_one": _("labels counted from 1"),
        "class_0_with_an_output_too_many": _(
            "labels from 1 and one output more: how often class 0 is predicted"
        ),
        "keys": _("keys of the state_dict"),
        "keys_matched": _("answer of load_state_dict"),
        "sum_on_a_device": _("tensor_1 + tensor_2 on the device"),
        "losses_on_a_device": _("the loss of each batch on the device"),
        "rows_of_one_rank": _("rows dealt to 1 process, epoch by epoch"),
        "rows_of_rank_0": _("rows dealt to rank 0 of 2"),
        "rows_of_rank_1": _("rows dealt to rank 1 of 2 (* = repeated)"),
        "full_batches_of_eight_ranks": _("full batches of a rank with 8 processes"),
        "one_process": _("losses of 1 process"),
        "two_processes_rank_0": _("losses of rank 0 of 2"),
        "two_processes_rank_1": _("losses of rank 1 of 2"),
        "two_processes_accuracy": _("training and test accuracy of both"),
        "not_wrapped_rank_0": _("rank 0, model not wrapped in DDP"),
        "not_wrapped_rank_1": _("rank 1, model not wrapped in DDP"),
        "not_wrapped_accuracy": _("training and test accuracy of both, not wrapped"),
        "no_set_epoch_rank_0": _("rank 0, set_epoch left out"),
        "no_set_epoch_rank_1": _("rank 1, set_epoch left out"),
    }


def settings() -> dict[str, str]:
    """By setting: what its widget is called, where that is not its name in code."""
    return {
        "seed": _("seed"),
        "batch_size": _("batch size"),
        "learning_rate": _("learning rate"),
        "epochs": _("epochs"),
        "num_workers": _("num workers"),
        "shuffle": "shuffle",
        "drop_last": "drop_last",
        "own_generator": _("a generator for the DataLoader"),
        "evaluate": _("Between epochs, evaluate"),
        "random_number": _("Between epochs, torch.rand(1)"),
    }


def evaluations() -> dict[str, str]:
    """By value of the setting `evaluate`."""
    return {
        "nothing": _("not at all"),
        "tensors": _("on whole tensors"),
        "loader": _("through a DataLoader"),
    }


def reasons() -> dict[str, str]:
    """By setting: why a change of it moves figures."""
    return {
        "seed": _(
            "The seed decides the first weights and the order of the batches: whatever draws a random number "
            "moves. What no random number goes into stays."
        ),
        "batch_size": _(
            "Other batches average other gradients, and an epoch has another number of steps. The order of "
            "the rows is the same permutation, cut elsewhere."
        ),
        "learning_rate": _(
            "The first loss of all is computed before any step and stays; from the second on the weights "
            "differ. No random number depends on it: the batches hold the same rows."
        ),
        "epochs": _(
            "The losses up to the shorter of the two trainings are the same; the rest is more, or less."
        ),
        "num_workers": _(
            "No figure moves: the order is drawn in the main process, the other process only fetches the "
            "rows."
        ),
        "shuffle": _(
            "No order is drawn, so the rows come as they are stored: sorted by class. The weights are the "
            "same, for they are drawn before."
        ),
        "drop_last": _(
            "The row that is left over in each epoch is trained on too, as a batch of its own: a loss more "
            "per epoch, and other weights from then on. The order of each epoch is the same."
        ),
        "own_generator": _(
            "The order comes from a generator that starts at the seed itself, and no longer from the "
            "global one, from which the weights were drawn first. Now nothing else can move the batches."
        ),
        "evaluate": _(
            "On whole tensors nothing is drawn, and no figure moves. The iterator of a DataLoader draws a "
            "base seed from the global generator, even with shuffle=False: then every epoch after the "
            "first is dealt in another order."
        ),
        "random_number": _(
            "One number more is drawn from the global generator after each epoch: the first epoch is as in "
            "the book, every later one is dealt in another order."
        ),
        "x1": _("Another input gives another graph: every value after it and every gradient moves."),
        "w1": _("Another weight gives another loss, and a gradient that belongs to it."),
        "b": _("Another bias gives another loss, and a gradient that belongs to it."),
        "y": _("With another label the loss pulls the other way: the gradients change their sign."),
    }
