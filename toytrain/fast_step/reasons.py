"""Where the fast step may replace the plain one, and in words why it may not.

Only what is known to keep no state and to ask nothing of Python is accepted: a step is traced once,
so a branch, a counter or a hook in somebody's own code would be run once and then forgotten.
"""

from types import CodeType

import torch
import torch.nn.functional as F
from torch import nn
from torch.optim import lr_scheduler
from torch.optim import optimizer as torch_optimizer
from torch.utils.data import BatchSampler, DataLoader, RandomSampler, SequentialSampler, default_collate

from .. import schedules
from ..data import ToyDataset
from .run import Run
from .updates import UPDATES

LAYERS = (nn.Sequential, nn.Linear, nn.BatchNorm1d, nn.Dropout, nn.Flatten, nn.Identity, nn.ReLU, nn.Tanh,
          nn.Sigmoid, nn.GELU, nn.LeakyReLU, nn.ELU, nn.SiLU, nn.Softplus)  # fmt: skip
LOSSES = (F.cross_entropy, F.mse_loss)
SCHEDULES = tuple(kind for kind, _ in schedules.CLASSES.values())
HOOKS = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")
# Settings of optimizers that are not written as lines in `updates`, or that compute with other bits.
OTHER_WAYS = ("maximize", "foreach", "fused", "differentiable", "amsgrad", "centered")


def traceable(loss, *settings):
    """Mark a loss as made of PyTorch's operations on tensors alone: no state, no branch, no random number.

    `settings` is what the loss was made with; losses of equal code and equal settings are alike.
    """
    loss.traceable = (getattr(loss, "__code__", type(loss)), *settings)
    return loss


def loss_key(loss) -> object:
    """What losses that are alike have in common; None if the loss is not known to be traceable."""
    return loss if loss in LOSSES else getattr(loss, "traceable", None)


def reason_against(run: Run) -> str:
    """Why the fast step cannot replace the plain one for a run's objects; "" if it can."""
    return (
        _against_surroundings(run.device)
        or _against_model(run.model)
        or _against_loss(run.loss)
        or _against_optimizer(run.optimizer, run.model, run.device)
        or _against_schedule(run.schedule, run.optimizer)
        or _against_loader(run.train_loader)
        or _against_test_data(run.test_loader)
    )


def _against_surroundings(device: torch.device) -> str:
    if device.type not in ("cpu", "cuda"):
        return f"The fast step is for the CPU and for CUDA; this run is on {device.type}."
    if torch.get_default_device().type != "cpu":
        return "New tensors are not made on the CPU by default."
    if torch.is_autocast_enabled(device.type) or torch.is_anomaly_enabled():
        return "Autocast or anomaly detection is on."
    hooks = (getattr(nn.modules.module, f"_global{name}", None) for name in HOOKS)
    if any(hooks):
        return "A hook on all modules watches the plain step."
    return ""


def _against_model(model: nn.Module) -> str:
    for module in model.modules():
        if not (type(module) in LAYERS or _only_calls_its_layers(module)):
            return f"{type(module).__name__} is a class of its own, which may do other things at each step."
        if getattr(module, "inplace", False):
            return f"{type(module).__name__} overwrites its input (inplace=True)."
        if isinstance(module, nn.BatchNorm1d) and (module.momentum is None or module.running_mean is None):
            return "This batch norm counts its batches to weigh them, or keeps no statistics."
        if any(getattr(module, name) for name in HOOKS) or "forward" in vars(module):
            return f"A hook or a forward of its own watches {type(module).__name__}."
    return _against_parameters(list(model.parameters()))


def _against_parameters(parameters: list[nn.Parameter]) -> str:
    if not parameters or any(type(parameter) is not nn.Parameter for parameter in parameters):
        return "The model has parameters of a kind of their own."
    if any(parameter._backward_hooks or parameter._post_accumulate_grad_hooks for parameter in parameters):
        return "A hook watches the gradient of a parameter."
    if not all(parameter.requires_grad and parameter.is_contiguous() for parameter in parameters):
        return "Some parameters are frozen or lie in memory with gaps."
    if len({parameter.dtype for parameter in parameters}) > 1:
        return "The parameters are of several dtypes."
    return ""


def _only_calls_its_layers(module: nn.Module) -> bool:
    """Whether a forward names nothing but layers of its own and local variables, as the book's does.

    Then it can neither read nor keep anything from one step to the next.
    """
    own = type(module)
    code = getattr(own.forward, "__code__", None)
    changed = {"__call__", "__getattr__", "__getattribute__", "train", "parameters"} & vars(own).keys()
    return (
        nn.Module in own.__bases__
        and not changed
        and code is not None
        and not code.co_freevars
        and not own.forward.__defaults__
        and not any(isinstance(constant, CodeType) for constant in code.co_consts)
        and set(code.co_names) <= module._modules.keys()
    )


def _against_loss(loss) -> str:
    if loss_key(loss) is None:
        name = getattr(loss, "__name__", type(loss).__name__)
        return f"{name} is a loss of its own; mark it with toytrain.fast_step.traceable if it only computes."
    return ""


def _against_optimizer(optimizer: torch.optim.Optimizer, model: nn.Module, device: torch.device) -> str:
    name = type(optimizer).__name__
    if type(optimizer) not in UPDATES:
        return f"The fast step does not know the optimizer {name}."
    if len(optimizer.param_groups) != 1:
        return f"{name} has several groups of parameters."
    group = optimizer.param_groups[0]
    if {*map(id, group["params"])} != {*map(id, model.parameters())}:
        return f"{name} does not train exactly the parameters of the model."
    for setting in OTHER_WAYS:
        if group.get(setting):
            return f"{name} with {setting}=True computes in another way."
    # A CUDA graph needs the number of steps on the GPU; on the CPU there is no such way.
    if group.get("capturable", device.type == "cuda") != (device.type == "cuda"):
        return f"{name} with capturable={group['capturable']} computes in another way."
    if any(isinstance(value, torch.Tensor) for value in (*group.values(), *group.get("betas", ()))):
        return f"A setting of {name} is a tensor."
    # torch's schedules wrap the step, to be able to warn: that does nothing else.
    wrapped = vars(optimizer).get("step")
    if any(
        (
            wrapped is not None and not hasattr(wrapped, "_wrapped_by_lr_sched"),
            optimizer._optimizer_step_pre_hooks,
            optimizer._optimizer_step_post_hooks,
            torch_optimizer._global_optimizer_pre_hooks,
            torch_optimizer._global_optimizer_post_hooks,
        )
    ):
        return f"A hook or a method of its own watches the step of {name}."
    return ""


def _against_schedule(schedule: lr_scheduler.LRScheduler | None, optimizer: torch.optim.Optimizer) -> str:
    if schedule is not None and (type(schedule) not in SCHEDULES or schedule.optimizer is not optimizer):
        return f"The schedule {type(schedule).__name__} may look at more than the epoch."
    return ""


def _against_loader(loader: DataLoader) -> str:
    if type(loader) is not DataLoader or type(loader.dataset) is not ToyDataset:
        return "The DataLoader or its Dataset is of a class of its own."
    if loader.num_workers:
        return f"The DataLoader loads with num_workers = {loader.num_workers} processes."
    if loader.collate_fn is not default_collate or loader.pin_memory:
        return "The DataLoader collates or pins its batches in a way of its own."
    if type(loader.batch_sampler) is not BatchSampler or loader.generator is not None:
        return "The DataLoader has a batch_sampler or a generator of its own."
    return _against_sampler(loader.sampler) or _against_data(loader.dataset)


def _against_test_data(loader: DataLoader | None) -> str:
    if loader is None:
        return ""
    if type(loader.dataset) is not ToyDataset:
        return "The test Dataset is of a class of its own."
    return _against_data(loader.dataset)


def _against_sampler(sampler) -> str:
    if type(sampler) is SequentialSampler:
        return ""
    if type(sampler) is not RandomSampler or sampler.replacement or sampler.generator is not None:
        return "The DataLoader has a sampler of its own."
    if sampler._num_samples is not None:
        return "The sampler draws another number of examples than there are."
    return ""


def _against_data(dataset: ToyDataset) -> str:
    tensors = dataset.features, dataset.labels
    if not all(isinstance(tensor, torch.Tensor) and tensor.device.type == "cpu" for tensor in tensors):
        return "The Dataset does not hold tensors on the CPU."
    if dataset.features.requires_grad or len(dataset.features) != len(dataset.labels):
        return "The Dataset's features and labels do not fit together."
    return ""
