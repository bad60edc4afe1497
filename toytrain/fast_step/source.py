"""The traced step as Python source: what forward, loss, backward and optimizer really do.

make_fx, which PyTorch's compiler begins with, runs the model, the loss and torch.autograd.grad once and
notes every operation that reaches a kernel. Here the notes are written down as calls of PyTorch's own
functions: without what has no effect (detached copies, transposes of transposes), with results in memory
that is allocated once, and with the gradients in the one flat tensor that the optimizer takes.

The text is meant to be read; the page can show it beside Trainer.step. It expects `torch`, the flat
tensors `parameters` and `gradients`, the optimizer's state by torch's names, and `buffers` by key.
"""

import operator
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch._ops import OpOverload
from torch.fx import Graph, GraphModule, Node

from .layout import Names, places
from .updates import Update

aten = torch.ops.aten

# Operations that write into given memory, and those that return new memory, by the names of PyTorch's
# own functions, which take less time to call than torch.ops does.
INTO_MEMORY: dict[Any, str] = {
    aten.addmm.default: "torch.addmm",
    aten.mm.default: "torch.mm",
    aten.add.Tensor: "torch.add",
    aten.mul.Tensor: "torch.mul",
    aten.sum.dim_IntList: "torch.sum",
    aten.tanh.default: "torch.tanh",
    aten.sigmoid.default: "torch.sigmoid",
    aten._log_softmax.default: "torch._log_softmax",
    aten._log_softmax_backward_data.default: "torch._log_softmax_backward_data",
}
NEW_MEMORY: dict[Any, str] = {
    aten.relu.default: "torch.relu",
    aten.abs.default: "torch.abs",
    aten.sgn.default: "torch.sgn",
    aten.sum.default: "torch.sum",
    aten.native_batch_norm.default: "torch.native_batch_norm",
}
IN_PLACE: dict[Any, str] = {
    aten.add_.Tensor: "add_",
    aten.div_.Scalar: "div_",
    aten.bernoulli_.float: "bernoulli_",
}
VIEWS: dict[Any, str] = {aten.t.default: "t", aten.view.default: "view", aten.expand.default: "expand"}
SAME = (aten.detach.default, aten.alias.default)
# What the parts of a result are called; {} stands for the first part's name.
PARTS: dict[Any, tuple[str, ...]] = {
    aten.nll_loss_forward.default: ("mean_loss", "total_weight"),
    aten.native_batch_norm.default: ("normed", "{}_mean", "{}_inverse_deviation"),
    aten.native_batch_norm_backward.default: ("grad_normed", "grad_scale", "grad_shift"),
}
CONSTANTS = {aten.empty_like.default, aten.ones_like.default}
KNOWN = {*INTO_MEMORY, *NEW_MEMORY, *IN_PLACE, *VIEWS, *CONSTANTS}  # those with a name in torch
NAMES: dict[Any, str] = {aten.nll_loss_backward.default: "grad_log_softmax", aten.mm.default: "product"}


@dataclass(frozen=True)
class Traced:
    """A graph of operations, and what its nodes are."""

    module: GraphModule
    logits: Node
    loss: Node | None
    gradients: dict[str, Node]  # of the parameters, by key
    wishes: dict[Node, str]  # names that tell what a node is

    @property
    def graph(self) -> Graph:
        return self.module.graph


def write_step(
    model: torch.nn.Module, loss, update: Update, features: torch.Tensor, labels: torch.Tensor
) -> str:
    """Source that defines step(features, labels, learning_rate, number) -> loss for such a batch.

    `number` counts the optimizer's steps, this one included.
    """
    traced = _trace_step(model, loss, features, labels)
    writer = _Writer(model, traced, ("features", "labels"), taken=update.names)
    writer.prepared += [f"{name} = torch.empty_like(parameters)" for name in update.memory]
    return writer.text(
        f"One step on {len(features)} examples: the operations behind the five lines of Trainer.step.",
        "step(features, labels, learning_rate, number)",
        ["# self.optimizer.step(), for all parameters at once", *update.lines, "return loss.item()"],
    )


def write_evaluation(model: torch.nn.Module, features: torch.Tensor) -> str:
    """Source that defines evaluate(features) -> logits in eval mode, for features of this shape."""
    writer = _Writer(model, _trace_evaluation(model, features), ("features",))
    logits = writer.expressions[writer.traced.logits]
    title = f"The logits of {len(features)} examples in eval mode."
    return writer.text(title, "evaluate(features)", [f"return {logits}"])


# Tracing


def _trace_step(model: torch.nn.Module, loss, features: torch.Tensor, labels: torch.Tensor) -> Traced:
    parameters = dict(model.named_parameters())
    outputs: dict[str, torch.Tensor] = {}

    def step(features, labels):
        with _noting_outputs(model, outputs):
            logits = model(features)
        value = loss(logits, labels)
        # The gradients of the layers' outputs come about anyway; here they get their names.
        inner = [output for output in outputs.values() if output.requires_grad]
        return [logits, value, *outputs.values(), *torch.autograd.grad(value, [*parameters.values(), *inner])]

    with _unchanged(model, training=True), torch.enable_grad():
        module = _make_fx(step)(features, labels)
    logits, value, *rest = _simplified(module.graph)
    inner, gradients = rest[: len(outputs)], rest[len(outputs) :]
    of_parameters = dict(zip(parameters, gradients, strict=False))
    wishes = {logits: "logits", value: "loss"}
    for key, node in of_parameters.items():
        wishes.setdefault(node, f"grad_{key}")
    for key, node in zip(outputs, inner, strict=True):
        wishes.setdefault(node, key)
    differentiable = [
        node for node, tensor in zip(inner, outputs.values(), strict=True) if tensor.requires_grad
    ]
    for node, gradient in zip(differentiable, gradients[len(parameters) :], strict=True):
        wishes.setdefault(gradient, f"grad_{wishes[node]}")
    return Traced(module, logits, value, of_parameters, wishes)


def _trace_evaluation(model: torch.nn.Module, features: torch.Tensor) -> Traced:
    outputs: dict[str, torch.Tensor] = {}

    def evaluate(features):
        with _noting_outputs(model, outputs):
            logits = model(features)
        return [logits, *outputs.values()]

    with _unchanged(model, training=False), torch.no_grad():
        module = _make_fx(evaluate)(features)
    logits, *inner = _simplified(module.graph)
    wishes = {logits: "logits"}
    for key, node in zip(outputs, inner, strict=True):
        wishes.setdefault(node, key)
    return Traced(module, logits, None, {}, wishes)


def _make_fx(function):
    # Imported late: it brings parts of PyTorch's compiler, which a short run does not need.
    from torch.fx.experimental.proxy_tensor import make_fx

    return make_fx(function)


@contextmanager
def _noting_outputs(model: torch.nn.Module, outputs: dict[str, torch.Tensor]) -> Iterator[None]:
    """Note by key what each layer that holds no layers hands on; nothing twice."""

    def note(key: str, output: torch.Tensor) -> None:
        if not any(output is other for other in outputs.values()):
            outputs[key] = output

    handles = [
        layer.register_forward_hook(lambda _, __, output, key=key: note(key, output))
        for key, layer in model.named_modules()
        if not list(layer.children())
    ]
    try:
        yield
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


def _simplified(graph: Graph) -> list[Node]:
    """Take out of a graph what has no effect on a value; return the nodes of its results."""
    for node in graph.nodes:
        if node.target in SAME:
            node.replace_all_uses_with(node.args[0])
        elif node.target is aten.t.default and node.args[0].target is aten.t.default:
            node.replace_all_uses_with(node.args[0].args[0])
        elif node.target is aten.view.default and _is_bias_gradient(node.args[0]):
            # autograd keeps the dimension that it sums over, and then drops it.
            node.args[0].update_arg(2, False)
            node.args[0].meta["tensor_meta"] = node.meta["tensor_meta"]
            node.replace_all_uses_with(node.args[0])
    (output,) = (node for node in graph.nodes if node.op == "output")
    return list(output.args[0])


def _is_bias_gradient(node: Node) -> bool:
    """Whether a node sums over the examples, keeps that dimension, and is used once."""
    return node.target is aten.sum.dim_IntList and node.args[1:] == ([0], True) and len(node.users) == 1


# Writing


class _Writer:
    """Writes a traced graph down, node by node."""

    def __init__(
        self, model: torch.nn.Module, traced: Traced, inputs: Sequence[str], taken: Sequence[str] = ()
    ):
        self.traced = traced
        self._inputs = inputs
        self.operations: list[str] = []  # lines that give operations a short name
        self.prepared: list[str] = []  # lines that run once
        self.lines: list[str] = []  # lines of the function
        self.expressions: dict[Node, str] = {}
        self._names = Names("torch", "parameters", "gradients", "buffers", "step", "evaluate",
                            "learning_rate", "number", *inputs, *taken)  # fmt: skip
        self._lasting: set[str] = set()  # tensors that stay where they are from step to step
        self._functions: dict[Any, str] = {}
        self._given: dict[str, str] = {}  # what is prepared, by its text
        self._into: dict[Node, str] = {}  # where the gradients of the parameters belong
        self._alive = self._find_alive()
        self._write_names_of_operations()
        self._write_parameters(model)
        self._write_inputs()
        self._write_operations()

    def text(self, title: str, signature: str, end: Sequence[str]) -> str:
        """The whole source: a title, what is prepared once, the function."""
        body = "\n".join(f"    {line}" for line in [*self.lines, *end])
        head = [f"# {title}", *self.operations]
        return "\n".join([*head, *self.prepared, "", "", f"def {signature}:", body, ""])

    def _write_names_of_operations(self) -> None:
        """Short names for the operations that PyTorch offers under torch.ops only."""
        for node in self.traced.graph.nodes:
            target = node.target
            if node not in self._alive or not isinstance(target, OpOverload) or target in KNOWN:
                continue
            if target not in self._functions:
                self._functions[target] = self._names.give(target._opname)
                self.operations.append(f"{self._functions[target]} = torch.ops.{_in_place_of(target)}")
        if self.operations:
            self.operations[:0] = ["", "# Operations that PyTorch offers under torch.ops only."]

    def _write_parameters(self, model: torch.nn.Module) -> None:
        """Views of the flat tensors, under the parameters' own names; and the buffers."""
        self.prepared += ["", "# Every parameter is a part of one flat tensor."]
        names: dict[int, str] = {}
        for place, parameter in zip(places(model), model.parameters(), strict=True):
            part = f"parameters[{place.start}:{place.end}].view({_shape(place.shape)})"
            names[id(parameter)] = self._prepare(place.key, part)
        for key, buffer in model.named_buffers():
            names[id(buffer)] = self._prepare(key, f"buffers[{key!r}]")
        if self.traced.gradients:
            self.prepared += ["", "# So is every gradient."]
        for place in places(model) if self.traced.gradients else ():
            part = f"gradients[{place.start}:{place.end}].view({_shape(place.shape)})"
            name = self._prepare(f"grad_{place.key}", part)
            node = self.traced.gradients[place.key]
            if node in self._into:
                raise NotImplementedError("two parameters with one gradient")
            self._into[node] = name
        for node in self.traced.graph.nodes:
            if node.op == "get_attr":
                if id(getattr(self.traced.module, node.target)) not in names:
                    raise NotImplementedError(f"{node.target} is a tensor that the model does not name")
                self.expressions[node] = names[id(getattr(self.traced.module, node.target))]
        self.prepared += ["", "# Prepared once: transposes, and memory that every step fills anew."]

    def _write_inputs(self) -> None:
        placeholders = [node for node in self.traced.graph.nodes if node.op == "placeholder"]
        self.expressions |= zip(placeholders, self._inputs, strict=True)

    def _write_operations(self) -> None:
        """Every operation that has an effect, with the line of Trainer.step that it belongs to."""
        sections = {self.traced.logits: "loss = self.loss(logits, labels)"}
        if self.traced.loss is not None:
            sections[self.traced.loss] = "loss.backward()"
        self.lines.append("# logits = self.model(features)")
        for node in self.traced.graph.nodes:
            if node.op == "call_function" and node in self._alive and node not in self.expressions:
                self._write(node)
            if node in sections and self.traced.loss is not None:
                self.lines.append(f"# {sections[node]}")

    def _find_alive(self) -> set[Node]:
        """The nodes that a result depends on, and those that change a tensor, as a buffer of batch norm."""
        waiting = [self.traced.loss or self.traced.logits, *self.traced.gradients.values()]
        waiting += [node for node in self.traced.graph.nodes if _changes_a_tensor(node.target)]
        alive: set[Node] = set()
        while waiting:
            node = waiting.pop()
            if node not in alive:
                alive.add(node)
                waiting += node.all_input_nodes
        return alive

    def _write(self, node: Node) -> None:
        target = node.target
        if _changes_a_tensor(target) and self._argument(node.args[0]).split(".")[0] in self._inputs:
            raise NotImplementedError("the model or the loss overwrites its input")
        if target in VIEWS:
            self.expressions[node] = self._view(node)
            self._copy_gradient(node, self.expressions[node])
        elif target in IN_PLACE:
            changed, *rest = map(self._argument, node.args)
            self.lines.append(f"{changed}.{IN_PLACE[target]}({', '.join(rest)})")
            self.expressions[node] = changed
        elif target is aten.empty_like.default:
            self.expressions[node] = self._memory(node, f"{self._layer(node)}_mask")
        elif target is aten.ones_like.default and not node.meta["tensor_meta"].shape:
            text = f"torch.ones({_shape_and_dtype(node)})"
            self.expressions[node] = self._prepare("one", text)
        elif target in PARTS:
            self._write_parts(node)
        elif keyword := _memory_keyword(node):
            name = self.expressions[node] = self._into.get(node) or self._memory(node, self._wish(node))
            self.lines.append(self._call(node, INTO_MEMORY.get(target), f"{keyword}={name}"))
        else:
            name = self.expressions[node] = self._names.give(self._wish(node))
            function = NEW_MEMORY.get(target) or INTO_MEMORY.get(target)
            self.lines.append(f"{name} = {self._call(node, function)}")
            self._copy_gradient(node, name)

    def _write_parts(self, node: Node) -> None:
        """An operation with several results, which other nodes take by their index."""
        takers = {user.args[1]: user for user in node.users if user.target is operator.getitem}
        names: list[str] = []
        for index, wish in enumerate(PARTS[node.target]):
            taker = takers.get(index)
            wished = self.traced.wishes.get(taker) if taker and taker not in self._into else None
            names.append(self._names.give(wished or wish.format(names[0] if names else "")))
            if taker:
                self.expressions[taker] = names[-1]
        self.lines.append(f"{', '.join(names)} = {self._call(node, NEW_MEMORY.get(node.target))}")
        for index, name in enumerate(names):
            if index in takers:
                self._copy_gradient(takers[index], name)

    def _copy_gradient(self, node: Node, name: str) -> None:
        if node in self._into:
            self.lines.append(f"{self._into[node]}.copy_({name})")

    def _call(self, node: Node, function: str | None, *more: str) -> str:
        function = function or self._functions[node.target]
        named = [f"{key}={self._argument(value)}" for key, value in node.kwargs.items()]
        return f"{function}({', '.join([*map(self._argument, node.args), *named, *more])})"

    def _view(self, node: Node) -> str:
        """A view of something that lasts is taken once, of anything else in place."""
        base, *rest = map(self._argument, node.args)
        text = f"{base}.{VIEWS[node.target]}({', '.join(rest)})"
        return self._prepare(f"{base}_{VIEWS[node.target]}", text) if base in self._lasting else text

    def _memory(self, node: Node, wish: str) -> str:
        name = self._names.give(wish)
        self._lasting.add(name)
        self.prepared.append(f"{name} = torch.empty({_shape_and_dtype(node)})")
        return name

    def _prepare(self, wish: str, text: str) -> str:
        """The name of a lasting value, whose text runs once."""
        if text not in self._given:
            name = self._given[text] = self._names.give(wish)
            self._lasting.add(name)
            self.prepared.append(f"{name} = {text}")
        return self._given[text]

    def _wish(self, node: Node) -> str:
        return self.traced.wishes.get(node) or NAMES.get(node.target) or node.name

    def _layer(self, node: Node) -> str:
        """The key of the layer that a node of the forward pass belongs to: the next that is noted."""
        while node not in self.traced.wishes:
            node = node.next
        return self.traced.wishes[node]

    def _argument(self, value: Any) -> str:
        if isinstance(value, Node):
            return self.expressions[value]
        if isinstance(value, list | tuple):
            return f"[{', '.join(map(self._argument, value))}]"
        return repr(value)


def _changes_a_tensor(target: Any) -> bool:
    return isinstance(target, OpOverload) and target._schema.is_mutable


def _memory_keyword(node: Node) -> str:
    """By which keyword an operation takes the memory for its result; "" if it makes its own."""
    target: Any = node.target
    backward = _in_place_of(target) is not target
    if node.meta["tensor_meta"].memory_format is torch.contiguous_format:
        return "out" if target in INTO_MEMORY else "grad_input" if backward else ""
    if backward:
        raise NotImplementedError(f"{target} gives a result with gaps in it")
    return ""


def _in_place_of(target: OpOverload) -> OpOverload:
    """The form of a backward operation that writes into given memory, where there is one."""
    overloads = getattr(aten, target._opname)
    return overloads.grad_input if "grad_input" in overloads.overloads() else target


def _shape(shape: Sequence[int]) -> str:
    return ", ".join(map(str, shape)) or "()"


def _shape_and_dtype(node: Node) -> str:
    meta = node.meta["tensor_meta"]
    usual = meta.dtype is torch.get_default_dtype()
    return _shape(meta.shape) + ("" if usual else f", dtype={meta.dtype}")
