"""A.7 done wrongly: the classic mistakes on the five points, of which some look harmless there."""

from dataclasses import replace

import torch
import torch.nn.functional as F

from ...model import NeuralNetwork
from .training import begin, train


def step_without_zero_grad(training, features, labels):
    loss = F.cross_entropy(training.model(features), labels)
    loss.backward()  # adds to the gradients of all batches before
    training.optimizer.step()
    return loss


def step_with_zero_grad_after_backward(training, features, labels):
    loss = F.cross_entropy(training.model(features), labels)
    loss.backward()
    training.optimizer.zero_grad()  # throws away what backward() has just found
    training.optimizer.step()
    return loss


def step_with_softmax(training, features, labels):
    probas = torch.softmax(training.model(features), dim=1)
    loss = F.cross_entropy(probas, labels)  # takes logits, and applies softmax itself
    training.optimizer.zero_grad()
    loss.backward()
    training.optimizer.step()
    return loss


def no_zero_grad(settings):
    return train(begin(settings), settings, step=step_without_zero_grad).losses


def zero_grad_after_backward(settings):
    return train(begin(settings), settings, step=step_with_zero_grad_after_backward).losses


def softmax_before_cross_entropy(settings):
    return train(begin(settings), settings, step=step_with_softmax).losses


def sorted_data(settings):
    settings = replace(settings, shuffle=False)  # X_train is sorted by class
    return train(begin(settings), settings).losses


def floor_of_the_loss(settings):
    """The loss that softmax before cross_entropy cannot get below: that of a perfect answer."""
    perfect = [torch.eye(classes) for classes in (2, 3)]
    two, three = (F.cross_entropy(probas, torch.arange(len(probas))).item() for probas in perfect)
    return {"floor_of_two_classes": two, "floor_of_three_classes": three}


def labels_from_one(settings):
    training = begin(settings)
    training.data.train.labels += 1  # 1 and 2 in place of 0 and 1
    try:
        train(training, settings)
        answer = "no error"
    except IndexError as error:
        answer = f"IndexError: {error}"
    # With one output more there is no error, and class 0 is never predicted.
    training.model = NeuralNetwork(num_inputs=2, num_outputs=3)
    training.optimizer = torch.optim.SGD(training.model.parameters(), lr=settings.learning_rate)
    train(training, settings)
    predictions = torch.argmax(training.model(training.data.train.features), dim=1)
    return {
        "labels_from_one": answer,
        "class_0_with_an_output_too_many": (predictions == 0).sum().item(),
    }


SHOWN = (step_without_zero_grad, step_with_zero_grad_after_backward, step_with_softmax, floor_of_the_loss,
         labels_from_one)  # fmt: skip
