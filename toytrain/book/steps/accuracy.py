"""A.7: what the trained network predicts, and how often it is right."""

import torch
from torch.utils.data import DataLoader

from .training import begin, compute_accuracy, train


def predict(settings):
    training = train(begin(settings), settings)
    training.model.eval()
    with torch.no_grad():
        outputs = training.model(training.data.train.features)
    return {
        "logits": outputs.tolist(),
        "probas": torch.softmax(outputs, dim=1).tolist(),
        "predictions": torch.argmax(outputs, dim=1).tolist(),
    }


def measure_accuracy(settings):
    training = train(begin(settings), settings)
    test_loader = DataLoader(training.data.test, batch_size=2, shuffle=False)
    return {
        "training_accuracy": compute_accuracy(training.model, training.train_loader),
        "test_accuracy": compute_accuracy(training.model, test_loader),
        "examples_seen_with_drop_last": sum(len(labels) for features, labels in training.train_loader),
    }


SHOWN = (compute_accuracy, predict, measure_accuracy)
