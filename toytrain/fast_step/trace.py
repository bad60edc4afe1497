"""A trace: the operations that reach PyTorch's kernels while a model trains on one batch.

The model, the loss and torch.autograd.grad run once, under a mode that sees every operation with what
it takes and gives. Nothing of the run changes: no weight, no buffer, no random number.
"""

import operator
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch.fx import Graph, Node
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_map_only

aten = torch.ops.aten

SAME = (aten.detach.default, aten.alias.default)


@dataclass(frozen=True)
class Traced:
    """A graph of operations, and what its nodes are. A node's tensor is in node.meta["tensor"]."""

    graph: Graph
    inputs: dict[str, Node]  # parameters and buffers by key, and the batch
    logits: Node
    loss: Node | None
    gradients: dict[str, Node]  # of the parameters, by key
    wishes: dict[Node, str]  # names that tell what a node is


class Recorder(TorchDispatchMode):
    """Notes in `graph` every operation that reaches a kernel; `inputs` holds the tensors known before."""

    def __init__(self, tensors: dict[str, torch.Tensor]):
        super().__init__()
        self.graph = Graph()
        self._nodes: dict[int, Node] = {}  # by the tensor's id, which nobody else has while a node holds it
        self.inputs = {name: self._note(tensor, self.graph.placeholder(name.replace(".", "_")))
                       for name, tensor in tensors.items()}  # fmt: skip

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        found = function(*args, **kwargs)
        takes, names = tree_map_only(torch.Tensor, self.node, (args, kwargs))
        node = self.graph.create_node("call_function", function, takes, names, name=function._opname)
        if isinstance(found, torch.Tensor):
            self._note(found, node)
        elif isinstance(found, tuple):
            for index, part in enumerate(found):
                if isinstance(part, torch.Tensor):
                    self._note(part, self.graph.call_function(operator.getitem, (node, index)))
        else:
            raise NotImplementedError(f"{function} hands a number to Python")
        return found

    def node(self, tensor: torch.Tensor) -> Node:
        """The node whose result this tensor is."""
        if id(tensor) not in self._nodes:
            raise NotImplementedError("it takes a tensor that is neither of the model nor of the batch")
        return self._nodes[id(tensor)]

    def _note(self, tensor: torch.Tensor, node: Node) -> Node:
        node.meta["tensor"] = tensor
        self._nodes[id(tensor)] = node
        return node


def trace_step(model: torch.nn.Module, loss, features: torch.Tensor, labels: torch.Tensor) -> Traced:
    """Forward, loss and backward in train mode."""
    parameters = dict(model.named_parameters())
    tensors = {**parameters, **dict(model.named_buffers()), "features": features, "labels": labels}
    with (
        _unchanged(model, training=True),
        torch.enable_grad(),
        Recorder(tensors) as recorder,
        _outputs_of_layers(model) as outputs,
    ):
        logits = model(features)
        value = loss(logits, labels)
        # The gradients of the layers' outputs come about anyway; here they get their names.
        inner = {
            "logits" if output is logits else key: output
            for key, output in outputs.items()
            if output.requires_grad
        }
        gradients = torch.autograd.grad(value, [*parameters.values(), *inner.values()])
    names = ["logits", "loss", *(f"grad_{key}" for key in [*parameters, *inner]), *outputs]
    nodes = _simplified(recorder, [logits, value, *gradients, *outputs.values()])
    return Traced(
        recorder.graph,
        recorder.inputs,
        logits=nodes[0],
        loss=nodes[1],
        gradients=dict(zip(parameters, nodes[2:], strict=False)),
        wishes=_wishes(nodes, names),
    )


def trace_evaluation(model: torch.nn.Module, features: torch.Tensor) -> Traced:
    """Forward in eval mode."""
    tensors = {**dict(model.named_parameters()), **dict(model.named_buffers()), "features": features}
    with (
        _unchanged(model, training=False),
        torch.no_grad(),
        Recorder(tensors) as recorder,
        _outputs_of_layers(model) as outputs,
    ):
        logits = model(features)
    nodes = _simplified(recorder, [logits, *outputs.values()])
    wishes = _wishes(nodes, ["logits", *outputs])
    return Traced(recorder.graph, recorder.inputs, nodes[0], None, {}, wishes)


def _wishes(nodes: list[Node], names: list[str]) -> dict[Node, str]:
    """The first name of each node."""
    wishes: dict[Node, str] = {}
    for node, name in zip(nodes, names, strict=True):
        wishes.setdefault(node, name)
    return wishes


@contextmanager
def _outputs_of_layers(model: torch.nn.Module) -> Iterator[dict[str, torch.Tensor]]:
    """What each layer that holds no layers hands on, by key; nothing twice."""
    outputs: dict[str, torch.Tensor] = {}

    def note(key: str, output: torch.Tensor) -> None:
        if not any(output is other for other in outputs.values()):
            outputs[key] = output

    handles = [
        layer.register_forward_hook(lambda _, __, output, key=key: note(key, output))
        for key, layer in model.named_modules()
        if not list(layer.children())
    ]
    try:
        yield outputs
    finally:
        for handle in handles:
            handle.remove()


@contextmanager
def _unchanged(model: torch.nn.Module, training: bool) -> Iterator[None]:
    """The model in train or eval mode for a while, without a trace in modes, buffers and generator."""
    modes = [(module, module.training) for module in model.modules()]
    buffers = [(buffer, buffer.clone()) for buffer in model.buffers()]
    with torch.random.fork_rng(devices=[]):
        try:
            model.train(training)
            yield
        finally:
            for module, mode in modes:
                module.training = mode
            with torch.no_grad():
                for buffer, before in buffers:
                    buffer.copy_(before)


def _simplified(recorder: Recorder, results: list[torch.Tensor]) -> list[Node]:
    """Take out of a graph what has no effect on a value; the nodes of its results, in their order."""
    output = recorder.graph.output([recorder.node(tensor) for tensor in results])
    for node in recorder.graph.nodes:
        if node.target in SAME:
            node.replace_all_uses_with(node.args[0])
        elif node.target is aten.t.default and node.args[0].target is aten.t.default:
            node.replace_all_uses_with(node.args[0].args[0])
        elif node.target is aten.view.default and _is_bias_gradient(node.args[0]):
            # autograd keeps the dimension that it sums over, and then drops it.
            node.args[0].update_arg(2, False)
            node.args[0].meta["tensor"] = node.meta["tensor"]
            node.replace_all_uses_with(node.args[0])
    nodes: Any = output.args[0]
    return list(nodes)


def _is_bias_gradient(node: Node) -> bool:
    """Whether a node sums over the examples, keeps that dimension, and is used once."""
    return node.target is aten.sum.dim_IntList and node.args[1:] == ([0], True) and len(node.users) == 1
