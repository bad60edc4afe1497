"""The traced step as Python source: what forward, loss, backward and optimizer really do.

The operations of a trace are written down as calls of PyTorch's own functions, with results in memory
that is allocated once, and with the gradients in the one flat tensor that the optimizer takes.

The text is meant to be read; the page can show it beside Trainer.step. It expects `torch`, the flat
tensors `parameters` and `gradients`, the optimizer's state by torch's names, and `buffers` by key.
"""

import operator
from collections.abc import Sequence
from typing import Any

import torch
from torch._ops import OpOverload
from torch.fx import Node

from .layout import Names, places
from .trace import Traced, aten, trace_evaluation, trace_step
from .updates import Update

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
# What the parts of a result are called; {} stands for the first part's name.
PARTS: dict[Any, tuple[str, ...]] = {
    aten.nll_loss_forward.default: ("mean_loss", "total_weight"),
    aten.native_batch_norm.default: ("normed", "{}_mean", "{}_inverse_deviation"),
    aten.native_batch_norm_backward.default: ("grad_normed", "grad_scale", "grad_shift"),
}
CLIPPING = ("every_gradient", "norm")  # the names that clipping uses
CONSTANTS = {aten.empty_like.default, aten.ones_like.default}
KNOWN = {*INTO_MEMORY, *NEW_MEMORY, *IN_PLACE, *VIEWS, *CONSTANTS}  # those with a name in torch
NAMES: dict[Any, str] = {aten.nll_loss_backward.default: "grad_log_softmax", aten.mm.default: "product"}


def write_step(
    model: torch.nn.Module,
    loss,
    update: Update,
    features: torch.Tensor,
    labels: torch.Tensor,
    clip_norm: float = 0.0,
) -> str:
    """Source that defines step(features, labels, learning_rate, number) -> loss for such a batch.

    `number` counts the optimizer's steps, this one included. `clip_norm` is that of the Trainer.
    """
    traced = trace_step(model, loss, features, labels)
    writer = _Writer(model, traced, ("features", "labels"), taken=(*update.names, *CLIPPING))
    clip = writer.clip(clip_norm) if clip_norm else []
    writer.prepared += [f"{name} = torch.empty_like(parameters)" for name in update.memory]
    return writer.text(
        f"One step on {len(features)} examples: the operations behind the five lines of Trainer.step.",
        "step(features, labels, learning_rate, number)",
        [*clip, "# self.optimizer.step(), for all parameters at once", *update.lines, "return loss.item()"],
    )


def write_evaluation(model: torch.nn.Module, features: torch.Tensor) -> str:
    """Source that defines evaluate(features) -> logits in eval mode, for features of this shape."""
    writer = _Writer(model, trace_evaluation(model, features), ("features",))
    logits = writer.expressions[writer.traced.logits]
    title = f"The logits of {len(features)} examples in eval mode."
    return writer.text(title, "evaluate(features)", [f"return {logits}"])


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
        self.expressions: dict[Node, str] = {traced.inputs[name]: name for name in inputs}
        self._names = Names("torch", "parameters", "gradients", "buffers", "step", "evaluate",
                            "learning_rate", "number", *inputs, *taken)  # fmt: skip
        self._lasting: set[str] = set()  # tensors that stay where they are from step to step
        self._functions: dict[Any, str] = {}
        self._given: dict[str, str] = {}  # what is prepared, by its text
        self._into: dict[Node, str] = {}  # where the gradients of the parameters belong
        self._alive = self._find_alive()
        self._write_names_of_operations()
        self._write_parameters(model)
        self._write_operations()

    def text(self, title: str, signature: str, end: Sequence[str]) -> str:
        """The whole source: a title, what is prepared once, the function."""
        body = "\n".join(f"    {line}" for line in [*self.lines, *end])
        head = [f"# {title}", *self.operations]
        return "\n".join([*head, *self.prepared, "", "", f"def {signature}:", body, ""])

    def clip(self, clip_norm: float) -> list[str]:
        """The lines of torch.nn.utils.clip_grad_norm_, with one multiplication for all gradients."""
        self.prepared.append(f"every_gradient = [{', '.join(self._into.values())}]")
        return [
            "# self.clip_gradients()",
            "norm = torch.linalg.vector_norm(torch.stack(torch._foreach_norm(every_gradient, 2.0)), 2.0)",
            f"gradients.mul_(torch.clamp({clip_norm!r} / (norm + 1e-6), max=1.0))",
        ]

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
        for place in places(model):
            part = f"parameters[{place.start}:{place.end}].view({_shape(place.shape)})"
            self.expressions[self.traced.inputs[place.key]] = self._prepare(place.key, part)
        for key, _ in model.named_buffers():
            self.expressions[self.traced.inputs[key]] = self._prepare(key, f"buffers[{key!r}]")
        if self.traced.gradients:
            self.prepared += ["", "# So is every gradient."]
        for place in places(model) if self.traced.gradients else ():
            part = f"gradients[{place.start}:{place.end}].view({_shape(place.shape)})"
            name = self._prepare(f"grad_{place.key}", part)
            node = self.traced.gradients[place.key]
            if node in self._into:
                raise NotImplementedError("two parameters with one gradient")
            self._into[node] = name
        self.prepared += ["", "# Prepared once: transposes, and memory that every step fills anew."]

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
        elif target is aten.ones_like.default and not node.meta["tensor"].shape:
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
    if node.meta["tensor"].is_contiguous():
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
    tensor = node.meta["tensor"]
    usual = tensor.dtype is torch.get_default_dtype()
    return _shape(tensor.shape) + ("" if usual else f", dtype={tensor.dtype}")
