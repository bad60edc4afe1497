"""A.3 and A.4: one example of logistic regression as a computation graph, and its gradients."""

import torch
import torch.nn.functional as F


def forward(x1, w1, b, y):
    u = x1 * w1
    z = u + b
    a = torch.sigmoid(z)
    loss = F.binary_cross_entropy(a, y)
    return u, z, a, loss


def logistic_regression(settings):
    x1 = torch.tensor([settings.x1])  # input feature
    y = torch.tensor([settings.y])  # true label
    w1 = torch.tensor([settings.w1], requires_grad=True)  # weight
    b = torch.tensor([settings.b], requires_grad=True)  # bias

    u, z, a, loss = forward(x1, w1, b, y)
    for node in (u, z, a, loss):
        node.retain_grad()  # autograd keeps the gradients of leaves only
    loss.backward()

    nodes = {"x1": x1, "w1": w1, "b": b, "y": y, "u": u, "z": z, "a": a, "loss": loss}
    return {
        "loss_of_one_example": loss.item(),
        "gradient_of_w1": nodes["w1"].grad.item(),
        "gradient_of_b": nodes["b"].grad.item(),
        "values": {name: node.item() for name, node in nodes.items()},
        "gradients": {name: node.grad.item() for name, node in nodes.items() if node.grad is not None},
        "derivatives": local_derivatives(x1, w1, b, y),
    }


def local_derivatives(x1, w1, b, y):
    """The factors of the chain rule: how each node changes with the node before it."""
    u, z, a, loss = forward(x1, w1, b, y)
    factors = {"loss a": (loss, a), "a z": (a, z), "z u": (z, u), "z b": (z, b), "u w1": (u, w1)}
    return {
        name: torch.autograd.grad(after, before, retain_graph=True)[0].item()
        for name, (after, before) in factors.items()
    }


SHOWN = (forward, logistic_regression)
