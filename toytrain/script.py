"""Config -> the plain PyTorch script that the run equals, bit for bit on the same machine.

The script is readable by somebody with the book open and imports only torch (and NumPy and
scikit-learn where the data needs them). Functions that both sides share are copied by
`inspect.getsource`; layers and optimizer are written from the objects that really run.
"""

import inspect
import textwrap
from collections.abc import Mapping
from typing import Any

import torch

from .config import Config, as_query
from .data import ToyDataset, compute_features, flips_labels, thins_classes
from .datasets import DATASETS, OWN, flip_labels, thin_classes
from .edits import Edits, Place
from .model import NeuralNetwork
from .optimizers import optimizer_arguments
from .rows import MOST_IN_ADDRESS
from .schedules import schedule_arguments
from .task import TASKS, Task

EPOCHS_OF_AN_ENDLESS_RUN = 10
MOST_EPOCHS = 100_000  # of a run that a stop condition ends
WIDTH = 90  # of the lines that hold own points


INITIAL_WEIGHTS = "initial.pth"  # the file that the script of a run with initial weights loads


def write_script(
    config: Config,
    learning_rates: Mapping[int, float] | None = None,
    steps: int | None = None,
    has_initial_weights: bool = False,
    edits: Edits | None = None,
) -> str:
    """The script of a run: its Config, the changes of its learning rate and weights, and how far it came.

    `learning_rates` maps a step (batches trained before it) to the rate set there. `steps` ends the
    script after so many batches; without it `config.epochs` does. A run that started from a file's
    weights `has_initial_weights`: the script loads them from the bare state_dict INITIAL_WEIGHTS.
    `edits` maps a step to the weights set by hand there, those after the last batch included.
    """
    changes = {
        step: rate for step, rate in sorted((learning_rates or {}).items()) if steps is None or step < steps
    }
    edited = {
        step: places for step, places in sorted((edits or {}).items()) if steps is None or step <= steps
    }
    task = TASKS[config.task]
    run = "\n\n".join(
        [
            _make_data(config, task),
            _make_model(config, has_initial_weights),
            _train(config, task, changes, steps, edited),
            _finish(config, task),
        ]
    )
    if config.num_workers:
        # Where processes are spawned, each of them loads this file and must not train as well.
        run = 'if __name__ == "__main__":\n' + textwrap.indent(run, "    ")
    return f"{_head(config)}\n\n\n{_definitions(config, task)}\n\n\n{run}\n"


def _head(config: Config) -> str:
    return f'''"""A run of toytrain as a plain PyTorch script.

{_settings(config)}

Its losses are those of the run, bit for bit, on the same machine with torch {torch.__version__}.
"""

import numpy as np
import torch
import torch.nn.functional as F
from torch.utils.data import DataLoader, Dataset

# The number of threads is part of the result: sums are cut differently between two of them.
torch.set_num_threads(1)'''


def _settings(config: Config) -> str:
    """The settings as a query string. Many own points stand in the script once, below."""
    texts = config.to_texts()
    left_out = "" if len(texts.get("rows", "")) <= MOST_IN_ADDRESS else "&rows=…"
    if left_out:
        del texts["rows"]
    return as_query(texts) + left_out or "every setting at its default"


def _definitions(config: Config, task: Task) -> str:
    dataset = DATASETS[config.dataset]
    shared: list[Any] = [dataset.make] if dataset.make else []
    shared += [thin_classes] * thins_classes(config)
    shared += [dataset.split]
    shared += [flip_labels] * flips_labels(config)
    shared += [compute_features] * (config.features != ("x1", "x2"))
    shared += [ToyDataset, task.score]
    return "\n\n\n".join([inspect.getsource(item).rstrip() for item in shared] + [_network(config, task)])


def _network(config: Config, task: Task) -> str:
    with torch.random.fork_rng(devices=[]):
        layers = NeuralNetwork.from_config(config).layers
    lines = "\n".join(f"            torch.nn.{layer!r}," for layer in layers)
    return f"""class NeuralNetwork(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = torch.nn.Sequential(
{lines}
        )

    def forward(self, features):
        logits = self.layers(features)
        return logits"""


def _make_data(config: Config, task: Task) -> str:
    def features(points: str) -> str:
        if config.features == ("x1", "x2"):
            return points
        return f"compute_features({points}, {list(config.features)})"

    if config.dataset == OWN:
        points = f"""{_literal(config.rows)}
X, y = rows[:, :2], rows[:, 2].astype(np.int64)
"""
    else:
        points = f"""X, y = {config.dataset}(points={config.points}, noise={config.noise}, \
classes={config.classes}, seed={config.data_seed})
"""
    thin = f"""kept_rows = thin_classes(y, imbalance={config.imbalance}, seed={config.data_seed})
X = X[kept_rows]
y = y[kept_rows]
"""
    flip = (
        f"y = flip_labels(y, train_rows, label_noise={config.label_noise}, "
        f"classes={config.classes}, seed={config.data_seed})\n"
    )
    return f"""{points}\
{thin if thins_classes(config) else ""}\
train_rows, test_rows = {DATASETS[config.dataset].split.__name__}(\
{task.groups_source}, test_fraction={config.test_fraction}, seed={config.data_seed})
{flip if flips_labels(config) else ""}\
X = torch.tensor(X, dtype=torch.float32)
y = {task.label_source}
train_ds = ToyDataset({features("X[train_rows]")}, y[train_rows])
test_ds = ToyDataset({features("X[test_rows]")}, y[test_rows])"""


def _literal(rows: str) -> str:
    """Own points as the lines of an array in the script."""
    together = ",\N{NO-BREAK SPACE}"  # no line ends within a point
    points = " ".join(f"[{row}]," for row in rows.replace(",", together).split(";"))
    lines = textwrap.fill(points, WIDTH, initial_indent="    ", subsequent_indent="    ",
                          break_long_words=False, break_on_hyphens=False)  # fmt: skip
    return f"rows = np.array([  # x1, x2, label\n{lines.replace(together, ', ')}\n])"


def _make_model(config: Config, has_initial_weights: bool) -> str:
    kind, arguments = optimizer_arguments(config)
    settings = ", ".join(f"{name}={value!r}" for name, value in arguments.items())
    # The weights are drawn on the CPU, so that they are the same on every device.
    device = f'device = torch.device("{config.device}")\n' if config.device != "cpu" else ""
    moved = ".to(device)" if device else ""
    # The warning comes from torch.optim itself, at the first step outside of a CUDA graph.
    counts = (
        "# capturable=True is part of the result, though PyTorch warns that it costs time here.\n"
        if "capturable" in arguments
        else ""
    )
    load = f'model.load_state_dict(torch.load("{INITIAL_WEIGHTS}", weights_only=True))\n'
    return f"""{device}torch.manual_seed({config.seed})
model = NeuralNetwork(){moved}
{load if has_initial_weights else ""}\
train_loader = DataLoader(
    train_ds,
    batch_size={config.batch_size},
    shuffle={config.shuffle},
    drop_last={config.drop_last},
    num_workers={config.num_workers},
)
{counts}optimizer = torch.optim.{kind.__name__}(model.parameters(), {settings}){_make_schedule(config)}"""


def _make_schedule(config: Config) -> str:
    """The line that makes the schedule of the learning rate; "" if it is constant."""
    found = schedule_arguments(config)
    if not found:
        return ""
    kind, arguments = found
    settings = ", ".join(f"{name}={value!r}" for name, value in arguments.items())
    return f"\nscheduler = torch.optim.lr_scheduler.{kind.__name__}(optimizer, {settings})"


def _train(config: Config, task: Task, changes: Mapping[int, float], steps: int | None, edits: Edits) -> str:
    if steps is not None:
        length = (
            f"num_steps = {steps}  # how many batches the run had trained\n"
            "num_epochs = (num_steps + len(train_loader) - 1) // len(train_loader)\n"
        )
    elif config.epochs:
        length = f"num_epochs = {config.epochs}\n"
    elif _stops(config):
        length = f"num_epochs = {MOST_EPOCHS}  # at the most: train() returns before\n"
    else:
        length = f"num_epochs = {EPOCHS_OF_AN_ENDLESS_RUN}  # the run has no end of its own: your choice\n"
    rates = (
        f"learning_rates = {changes}  # batches trained before the change: the new rate\n" if changes else ""
    )
    change = """
            if len(losses) in learning_rates:
                for group in optimizer.param_groups:
                    group["lr"] = learning_rates[len(losses)]
"""
    edit = """
            edit_weights(len(losses))
"""
    best = "\n    best_loss, best_epoch = float('inf'), -1"
    last = "\nedit_weights(len(losses))"
    move = """
            features, labels = features.to(device), labels.to(device)
"""
    penalty = f"""
            weights = [layer.weight for layer in model.layers if isinstance(layer, torch.nn.Linear)]
            loss = loss + {config.l1!r} * sum(weight.abs().sum() for weight in weights)
"""
    clip = f"""
            torch.nn.utils.clip_grad_norm_(model.parameters(), max_norm={config.clip_norm!r})
"""
    stop = """
            if len(losses) == num_steps:
                return
"""
    schedule = "\n\n        scheduler.step()" if config.schedule != "constant" else ""
    return f"""{length}{rates}losses = []  # the loss of every batch
{_edit_weights(edits)}

def train():{best if config.patience else ""}
    for epoch in range(num_epochs):
        model.train()
        for batch_idx, (features, labels) in enumerate(train_loader):\
{change if changes else ""}{edit.rstrip() if edits else ""}{move if config.device != "cpu" else ""}
            logits = model(features)
            loss = {task.loss_source}{penalty if config.l1 else ""}
            if not torch.isfinite(loss):
                print(f"Diverged at epoch {{epoch + 1}}, batch {{batch_idx + 1}}")
                return

            optimizer.zero_grad()
            loss.backward(){clip.rstrip() if config.clip_norm else ""}
            optimizer.step()

            losses.append(loss.item())
            print(
                f"Epoch: {{epoch + 1:03d}}/{{num_epochs:03d}}"
                f" | Batch {{batch_idx:03d}}/{{len(train_loader):03d}}"
                f" | Train/Val Loss: {{loss:.2f}}"
            ){stop.rstrip() if steps is not None else ""}{schedule}{_stop(config, task)}


train(){last if edits else ""}"""


def _stops(config: Config) -> bool:
    """Whether there is a condition that ends the run after an epoch."""
    return bool(config.target_loss or config.target_accuracy or config.patience)


def _stop(config: Config, task: Task) -> str:
    """The stop conditions, as the end of an epoch; "" if there are none."""
    if not _stops(config):
        return ""
    moved = ".to(device)" if config.device != "cpu" else ""
    text = f"""

        model.eval()
        with torch.no_grad():
            logits, labels = model(test_ds.features{moved}), test_ds.labels{moved}
            test_loss = {task.loss_source}.item()
            test_score = {task.score.__name__}(logits, labels)"""
    if config.target_loss:
        text += f"""
        if test_loss <= {config.target_loss!r}:
            print(f"Ended after epoch {{epoch + 1}}: the test loss is {{test_loss:.4g}}")
            return"""
    if config.target_accuracy:
        text += f"""
        if test_score >= {config.target_accuracy!r}:
            print(f"Ended after epoch {{epoch + 1}}: the test {task.score_name} is {{test_score:.4g}}")
            return"""
    if config.patience:
        text += f"""
        if test_loss < best_loss:
            best_loss, best_epoch = test_loss, epoch
        elif epoch - best_epoch >= {config.patience}:
            print(f"Ended after epoch {{epoch + 1}}: no better test loss for {config.patience} epochs")
            return"""
    return text


def _edit_weights(edits: Edits) -> str:
    """The function that sets by hand what was set by hand; "" if nothing was."""
    if not edits:
        return ""
    blocks = []
    for step, places in edits.items():
        lines = [f"            {_entry(place)} = {value!r}" for place, value in places.items()]
        blocks.append("\n".join([f"        if step == {step}:", *lines]))
    return (
        '''

def edit_weights(step):
    """Set by hand what was set by hand after so many batches."""
    with torch.no_grad():
'''
        + "\n".join(blocks)
        + "\n"
    )


def _entry(place: Place) -> str:
    """One number of a parameter, as one writes it: model.layers[0].weight[3, 1]."""
    key, index = place
    layers, number, name = key.split(".")
    return f"model.{layers}[{number}].{name}[{', '.join(map(str, index))}]"


def _finish(config: Config, task: Task) -> str:
    moved = ".to(device)" if config.device != "cpu" else ""
    return f"""model.eval()
with torch.no_grad():
    for name, ds in [("Training", train_ds), ("Test", test_ds)]:
        logits = model(ds.features{moved})
        print(f"{{name}} {task.score_name}: {{{task.score.__name__}(logits, ds.labels{moved}):.4f}}")
print("losses =", losses)
torch.save(model.state_dict(), "model.pth")"""
