"""The computation graph of the book's sections A.3 and A.4 as a picture that is stepped through.

graph.js draws it; the numbers come from autograd in a worker.
"""

from typing import Any

import streamlit as st

from ..words import _
from . import LOADER
from .routes import STATIC

_graph = st.components.v2.component("toytrain.graph", js=LOADER, isolate_styles=False)


def show(graph: dict[str, Any]) -> None:
    """Draw the graph with its `values`, `gradients` and `derivatives`, each by the names of nodes."""
    module = f"{STATIC}/graph.js"
    _graph(key="graph", data={"module": module, "graph": graph, "words": words()}, height="content")


def words() -> dict[str, str]:
    """Key -> text in the reader's language; {names} are filled in by the browser."""
    return {
        "title": _("The computation graph"),
        "first": _("To the start (Home)"),
        "back": _("One node back (left arrow)"),
        "next": _("One node on (right arrow)"),
        "last": _("To the end (End)"),
        "position": _("{number} of {total}"),
        "forward": _("forward"),
        "backward": _("backward"),
        "grad": _("grad"),
        "nothing": _("Press Run, and autograd fills in the values and the gradients."),
        "given": _("Given: the input x1, the weight w1, the bias b and the true label y."),
        "says_u": _("u = x1 × w1 = {x1} × {w1} = {u}"),
        "says_z": _("z = u + b = {u} + {b} = {z}"),
        "says_a": _("a = sigmoid(z) = sigmoid({z}) = {a}"),
        "says_loss": _("loss = binary_cross_entropy(a, y) = {loss}. Forward is over."),
        "says_start": _("loss.backward() begins at the loss: ∂loss/∂loss = 1"),
        "says_grad": _("∂loss/∂{node} = ∂{after}/∂{node} × ∂loss/∂{after} = {factor} × {before} = {grad}"),
        "says_leaf": _("It stays in {node}.grad: an optimizer takes its step with it."),
        "picture": _(
            "Computation graph: x1 and w1 give u, u and b give z, z gives a, a and y give the loss."
        ),
        "keys": _("Arrow keys step while the picture has the focus."),
    }
