"""Probes: what can be measured of a script while it runs, so that a mistake shows.

A probe is attached to a ScriptRun before its first batch and read after each batch, or after each epoch.
It changes no weight and no statistic of the model, and what it draws is not drawn from the run. PyTorch
is imported where it is needed: a page lists probes without it.
"""

import copy
import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..config import Config

if TYPE_CHECKING:
    from .script_run import ScriptRun

Read = Callable[[], tuple[float, ...]]

TIMES = 5  # the same evaluation
FRESH = 5000  # points, of which the share for testing is taken


@dataclass(frozen=True)
class Probe:
    """One measurement. `attach` returns what reads it: a number per curve; None where it has no meaning.

    Without `curves` there is one for each output. `floor` gives a loss below which the mistake that the
    probe is for cannot fall.
    """

    title: str
    about: str
    attach: Callable[["ScriptRun"], Read | None]
    curves: tuple[str, ...] = ()
    each_batch: bool = False
    is_log: bool = False
    floor: Callable[[Config], float] | None = None


def gradient(run: "ScriptRun") -> Read:
    """The bias of the first output: its gradient by this batch alone, and what the optimizer takes.

    No neuron that has gone silent can silence it.
    """
    own = taken = 0.0

    def keep_own(found):
        nonlocal own
        own = found[0].item()

    def keep_taken(optimizer, *_):
        nonlocal taken
        found = optimizer.param_groups[0]["params"][-1].grad
        taken = 0.0 if found is None else found[0].item()

    run.names["model"].layers[-1].bias.register_hook(keep_own)
    run.names["optimizer"].register_step_pre_hook(keep_taken)
    return lambda: (own, taken)


def update(run: "ScriptRun") -> Read:
    """The length of the last step, as a share of the length of all weights."""
    import torch

    parameters = list(run.names["model"].parameters())
    before = torch.cat([parameter.detach().flatten() for parameter in parameters])

    def read():
        nonlocal before
        now = torch.cat([parameter.detach().flatten() for parameter in parameters])
        step, before = (now - before).norm().item(), now
        return (step / max(now.norm().item(), 1e-12),)

    return read


def batches(run: "ScriptRun") -> Read:
    """The share of the commonest label in the batch."""

    def read():
        labels = run.local["labels"]
        return (labels.bincount().max().item() / len(labels),)

    return read


def held(run: "ScriptRun") -> Read:
    """How many tensors of the model the optimizer holds, and how many there are."""

    def read():
        names = run.names
        parameters = list(names["model"].parameters())
        own = {id(held) for group in names["optimizer"].param_groups for held in group["params"]}
        return sum(id(parameter) in own for parameter in parameters), len(parameters)

    return read


def scale(run: "ScriptRun") -> Read:
    """The standard deviation of the first two features over the training data."""

    def read():
        spread = run.names["train_ds"].features.std(dim=0).tolist()
        return spread[0], spread[-1]

    return read


def true_loss(run: "ScriptRun") -> Read:
    """The mean loss of the epoch's batches as the script has it, and the cross-entropy of the logits."""

    def read():
        losses = run.names["losses"][-run.batches :]
        return sum(losses) / len(losses), run.scores[-1][1]

    return read


def repeated(run: "ScriptRun") -> Read:
    """The test accuracy, evaluated several times: the lowest and the highest."""

    def read():
        data = run.names["test_ds"]
        found = [accuracy(twin(run), data.features, data.labels) for _time in range(TIMES)]
        return min(found), max(found)

    return read


def one_class(run: "ScriptRun") -> Read:
    """The test accuracy of all points at once, and of one class at a time."""

    def read():
        data = run.names["test_ds"]
        parts = [data.labels == label for label in data.labels.unique()]
        right = sum(
            accuracy(twin(run), data.features[part], data.labels[part]) * part.sum().item() for part in parts
        )
        return accuracy(twin(run), data.features, data.labels), right / len(data)

    return read


def predicted(run: "ScriptRun") -> Read:
    """How many training points each output is the greatest for."""

    def read():
        import torch

        model = twin(run).eval()
        with torch.no_grad():
            logits = model(run.names["train_ds"].features)
        return tuple(logits.argmax(dim=1).bincount(minlength=logits.shape[1]).tolist())

    return read


def neurons(run: "ScriptRun") -> Read:
    """Of the first hidden layer: how many neurons differ, and how many are 0 for every training point."""

    def read():
        import torch

        layers = twin(run).eval().layers
        depth = 1 + isinstance(layers[1], torch.nn.BatchNorm1d)
        with torch.no_grad():
            values = layers[: depth + 1](run.names["train_ds"].features)
        different = torch.unique(values.round(decimals=4), dim=1).shape[1]
        return different, (values == 0).all(dim=0).sum().item()

    return read


def batch_mean(run: "ScriptRun") -> Read | None:
    """Of the first batch norm's first neuron: the mean over the batch, and the running mean."""
    import torch

    norm = next(
        (layer for layer in run.names["model"].layers if isinstance(layer, torch.nn.BatchNorm1d)), None
    )
    if norm is None:
        return None
    mean = 0.0

    def keep(layer, inputs, output):
        nonlocal mean
        if torch.is_grad_enabled() and layer.training:
            mean = inputs[0][:, 0].mean().item()

    norm.register_forward_hook(keep)
    running: Any = norm.running_mean
    return lambda: (mean, running[0].item())


def memory(run: "ScriptRun") -> Read:
    """What the kept scores keep in their turn: nodes of computation graphs, and KiB of activations."""
    nodes, kept = 0, 0
    counted = 0

    def read():
        nonlocal nodes, kept, counted
        scores = run.names["scores"]
        own = {tensor.data_ptr() for tensor in run.names["model"].parameters()}
        own |= {run.names[name].features.data_ptr() for name in ("train_ds", "test_ds")}
        for score in scores[counted:]:
            more = graph([number.grad_fn for number in score if getattr(number, "grad_fn", None)], own)
            nodes, kept = nodes + more[0], kept + more[1]
        counted = len(scores)
        return nodes, kept / 1024

    return read


def fresh(run: "ScriptRun") -> Read:
    """The accuracy on test data, and on points of which the script knows nothing."""
    data, _, _ = run.source.partition("\ntorch.manual_seed(")
    data = re.sub(r"seed=(\d+)\)", lambda found: f"seed={(int(found[1]) + 1) % 2**32})", data)
    names: dict[str, Any] = {"__name__": "toytrain_fresh"}
    exec(compile(re.sub(r"\(points=\d+", f"(points={FRESH}", data), "fresh", "exec"), names)
    points = names["test_ds"]

    def read():
        return run.scores[-1][4], accuracy(twin(run).eval(), points.features, points.labels)

    return read


def accuracy(model: Any, features: Any, labels: Any) -> float:
    """Share of the points that a model gets right, in the mode it is in."""
    import torch

    with torch.no_grad():
        return (model(features).argmax(dim=1) == labels).float().mean().item()


def twin(run: "ScriptRun") -> Any:
    """A copy of the model as it stands, in the mode it is in; what happens to it does not reach the run."""
    return copy.deepcopy(run.names["model"])


def graph(roots: list[Any], own: set[int]) -> tuple[int, int]:
    """Nodes of a computation graph, and bytes of what they keep beside the tensors at `own`."""
    seen: set[Any] = set()
    kept: dict[int, int] = {}
    waiting = list(roots)
    while waiting:
        node = waiting.pop()
        if node in seen:
            continue
        seen.add(node)
        waiting += [previous for previous, _index in node.next_functions if previous is not None]
        for name in dir(node):
            if name.startswith("_saved_"):
                saved = getattr(node, name)
                if hasattr(saved, "data_ptr") and saved.data_ptr() not in own:
                    kept[saved.data_ptr()] = saved.numel() * saved.element_size()
    return len(seen), sum(kept.values())


PROBES = {
    "gradient": Probe(
        "Gradient of one bias",
        "The first output's bias in the latest batches. Dark: what this batch alone says. Pale: what step() "
        "takes.",
        gradient,
        ("from this batch alone", "what the optimizer takes"),
        each_batch=True,
    ),
    "update": Probe(
        "Length of a step",
        "How far a step moves all weights together, as a share of their own length.",
        update,
        ("step / weights",),
        each_batch=True,
        is_log=True,
    ),
    "batches": Probe(
        "Labels in the batch",
        "The share of the commonest label in each batch; 1 is a batch of one class.",
        batches,
        ("share of the commonest label",),
        each_batch=True,
    ),
    "predicted": Probe(
        "Predicted classes",
        "For how many training points each output is the greatest.",
        predicted,
    ),
    "true_loss": Probe(
        "Printed loss and true loss",
        "Printed: the mean of an epoch's batch losses. True: the cross-entropy of the logits on the training "
        "data.",
        true_loss,
        ("printed", "true"),
        floor=lambda config: math.log(1 + (config.classes - 1) / math.e),
    ),
    "repeated": Probe(
        "Same evaluation five times",
        "The test accuracy, evaluated five times in the mode in which the script evaluates.",
        repeated,
        ("lowest", "highest"),
    ),
    "one_class": Probe(
        "One class at a time",
        "The accuracy of the same test points, all at once and one class at a time.",
        one_class,
        ("all at once", "one class at a time"),
    ),
    "fresh": Probe(
        "Fresh points",
        "The accuracy on the test data, and on points that the script has never had.",
        fresh,
        ("test data", "fresh points"),
    ),
    "neurons": Probe(
        "Neurons of the first layer",
        "How many of them differ from one another, and how many are 0 for every training point.",
        neurons,
        ("that differ", "always 0"),
    ),
    "scale": Probe(
        "Spread of the features",
        "The standard deviation of the first and the last feature over the training data.",
        scale,
        ("first feature", "last feature"),
        is_log=True,
    ),
    "held": Probe(
        "Tensors that the optimizer holds",
        "How many of the model's tensors the optimizer can change.",
        held,
        ("held by the optimizer", "in the model"),
    ),
    "memory": Probe(
        "Graphs that are kept",
        "What the list of scores keeps: nodes of computation graphs, and their activations in KiB.",
        memory,
        ("nodes", "KiB"),
    ),
    "batch_mean": Probe(
        "Mean in batch norm",
        "The first neuron's mean over the batch, with which it is trained, and the running mean, with "
        "which it is evaluated.",
        batch_mean,
        ("over this batch", "running mean"),
        each_batch=True,
    ),
}
