"""A.9.1 and A.9.2: the same computation on the device that this machine has."""

import torch
import torch.nn.functional as F

from .training import begin, train


def choose_device():
    if torch.cuda.is_available():
        return torch.device("cuda")
    if torch.backends.mps.is_available():
        return torch.device("mps")
    return torch.device("cpu")


def add_on_a_device(settings):
    device = choose_device()
    tensor_1 = torch.tensor([1.0, 2.0, 3.0]).to(device)
    tensor_2 = torch.tensor([4.0, 5.0, 6.0]).to(device)
    return {"sum_on_a_device": (tensor_1 + tensor_2).tolist(), "log": [f"device = {device}"]}


def step_on_a_device(training, features, labels):
    features, labels = features.to(training.device), labels.to(training.device)
    logits = training.model(features)
    loss = F.cross_entropy(logits, labels)
    training.optimizer.zero_grad()
    loss.backward()
    training.optimizer.step()
    return loss


def train_on_a_device(settings):
    training = begin(settings)
    training.device = str(choose_device())
    training.model.to(training.device)  # the weights were drawn on the CPU: they are the same everywhere
    return {"losses_on_a_device": train(training, settings, step=step_on_a_device).losses}


SHOWN = (choose_device, add_on_a_device, step_on_a_device, train_on_a_device)
