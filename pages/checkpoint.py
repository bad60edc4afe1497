"""The checkpoint page: take the run along as a file, and go on from one."""

from typing import Any

import streamlit as st

from pages.parts import controls, live, session
from pages.parts.words import _
from toytrain import Config, ToytrainError
from toytrain.config import ACTIVATIONS, FEATURES, OPTIMIZERS
from toytrain.datasets import DATASETS

OCTETS = "application/octet-stream"
MOST_LETTERS = 40  # of a name in a file

LOAD_WEIGHTS = """
import torch

# NeuralNetwork is the class of the book, or of the downloaded script.
model = NeuralNetwork(num_inputs={inputs}, num_outputs={outputs})
state = torch.load("model.pth", weights_only=True)
print(model.load_state_dict(state))  # <All keys matched successfully>
model.eval()
with torch.no_grad():
    logits = model(torch.zeros(1, {inputs}))
print(logits)
"""
LOAD_FULL = """
import torch

# model and optimizer: those of the downloaded script.
state = torch.load("{name}", weights_only=True)
model.load_state_dict(state["model_state_dict"])
optimizer.load_state_dict(state["optimizer_state_dict"])
torch.set_rng_state(state["random_state"]["cpu"])
print(state["config"], state["steps"], state["losses"])
# Or let this app's command line go on with it:
# python -m toytrain --resume {name} --steps 100
"""
LOAD_SAFETENSORS = """
from safetensors import safe_open

with safe_open("model.safetensors", framework="pt") as file:
    print(file.metadata()["config"])
    state = {key: file.get_tensor(key) for key in file.keys()}
print(model.load_state_dict(state))
"""


def show_downloads(here: session.Session) -> None:
    """A button per format, and the lines that load it."""
    run = here.run
    st.subheader(_("Save this run"))
    sizes = layer_sizes(run.config)
    st.caption(_("{layers}, {steps} batches trained").format(layers=arrows(sizes), steps=f"{run.steps:,}"))
    name = session.checkpoint_name()
    weights = LOAD_WEIGHTS.format(inputs=sizes[0], outputs=sizes[-1])
    for label, data, file_name, about, code in (
        (_("model.pth"), run.model, "model.pth",
         _("The weights as a bare state_dict, as the book saves them (section A.8)."), weights),
        (_("Full checkpoint"), run.checkpoint, name,
         _("Weights, optimizer, settings, losses and random state: the run goes on from it bit for bit."),
         LOAD_FULL.format(name=name)),
        (_("safetensors"), run.safetensors, "model.safetensors",
         _("For other programs: the weights without a pickle, the settings as metadata."), LOAD_SAFETENSORS),
    ):  # fmt: skip
        button, caption = st.columns([1, 1], vertical_alignment="center")
        button.download_button(label, data, file_name, OCTETS, on_click="ignore", width="stretch",
                               icon=":material/download:")  # fmt: skip
        caption.caption(about)
        with st.expander(_("The lines that load it")):
            st.code(code.strip(), language="python", wrap_lines=True)


def show_upload(here: session.Session) -> None:
    """Ask for a file, show what is in it beside the present network, and offer to go on from it."""
    st.subheader(_("Load a file"))
    limit = st.get_option("server.maxUploadSize")
    file = st.file_uploader(
        _("A .pth or .pt file of up to {limit} MB: a state_dict, or a full checkpoint of this app.").format(
            limit=limit
        ),
        type=["pth", "pt"],
        max_upload_size=limit,
    )
    if file is None:
        st.caption(_("It may hold Linear layers in a chain, with 1 to 6 hidden layers of 1 to 64 neurons. "
                     "Nothing in the file is run, and your run stays as it is until you go on from the "
                     "file."))  # fmt: skip
        return
    data = file.getvalue()
    try:
        found = session.inspect(data)
        present = here.run.tensors()
    except ToytrainError as error:
        st.error(controls.sentence(error))
        return
    config = Config.from_dict(found["config"])
    show_contents(found, config, present)
    if not found["is_full"]:
        answered = ask_what_is_missing(config, here.config)
        if answered is None:
            return
        config = answered
    if st.button(_("Go on from this file"), type="primary"):
        try:
            session.adopt(data, config, found["is_full"])
        except ToytrainError as error:
            st.error(controls.sentence(error))
        else:
            st.switch_page("train.py")


def show_contents(found: dict[str, Any], config: Config, present: list[dict[str, Any]]) -> None:
    """What the file is, and each of its tensors beside the one of the present network."""
    layers = arrows(layer_sizes(config))
    if found["is_full"]:
        st.success(_("A full checkpoint: {layers}, {steps} batches trained.").format(
            layers=layers, steps=f"{found['steps']:,}"))  # fmt: skip
    else:
        st.success(_("Weights: {layers}.").format(layers=layers))
    st.caption("\n".join(f"- {controls.sentence(note)}" for note in found["notes"]))
    rows = []
    in_file, in_present = by_layer(found["tensors"]), by_layer(present)
    for name in in_file | in_present:
        there, here = in_file.get(name), in_present.get(name)
        sizes = [size(tensor["shape"]) if tensor else "–" for tensor in (there, here)]
        rows.append({
            _("layer"): name,
            _("in the file"): shortened(there["key_in_file"]) if there else "–",
            _("shape"): sizes[0],
            _("here"): sizes[1],
            _("fits"): _("yes") if sizes[0] == sizes[1] else _("no"),
            _("least"): there["least"] if there else None,
            _("mean"): there["mean"] if there else None,
            _("greatest"): there["greatest"] if there else None,
        })  # fmt: skip
    misfit = next((row for row in rows if row[_("fits")] == _("no")), None)
    if misfit:
        st.info(_("It differs from the present network, first at {layer}: {there} in the file, {here} here. "
                  "Going on from it takes the network of the file.").format(
                      layer=misfit[_("layer")], there=misfit[_("shape")], here=misfit[_("here")],
                  ))  # fmt: skip
    number = st.column_config.NumberColumn(format="%.4f", width="small")
    st.dataframe(
        rows,
        hide_index=True,
        placeholder="–",
        height="content",
        column_config={_("least"): number, _("mean"): number, _("greatest"): number},
        alt=_("The tensors of the file, each beside the one of the present network"),
    )


def ask_what_is_missing(config: Config, present: Config) -> Config | None:
    """The Config of a new run from bare weights: what they do not hold is asked for, the rest is the
    present one's. None while an answer does not fit."""
    st.markdown(_("**A state_dict does not hold these. What were they?**"))
    names = [name for name, dataset in DATASETS.items() if fits(dataset, config)]
    inputs = len(config.features)
    left, middle, right = st.columns(3)
    with left:
        dataset = st.selectbox(_("dataset"), names, index=place(present.dataset, names))
    with middle:
        activation = st.selectbox(_("activation"), ACTIVATIONS,
                                  index=place(present.activation, ACTIVATIONS))  # fmt: skip
    with right:
        kinds = tuple(OPTIMIZERS)
        optimizer = st.selectbox(_("optimizer"), kinds, index=place(present.optimizer, kinds))
    features = st.pills(
        _("features: choose {inputs}, one for each input of the network").format(inputs=inputs),
        FEATURES,
        selection_mode="multi",
        default=present.features if len(present.features) == inputs else config.features,
    )
    if len(features) != inputs:
        st.error(_("The network has {inputs} inputs, but {chosen} features are chosen; choose {inputs}.")
                 .format(inputs=inputs, chosen=len(features)))  # fmt: skip
        return None
    asked = {"dataset": dataset, "activation": activation, "optimizer": optimizer, "features": features}
    read = {name: getattr(config, name) for name in ("classes", "hidden", "batch_norm")}
    try:
        return Config.from_dict({**present.to_dict(), **read, **asked})
    except ToytrainError as error:
        st.error(controls.sentence(error))
        return None


def fits(dataset, config: Config) -> bool:
    """Whether a dataset has the task and the number of classes of the file's network."""
    low, high = dataset.classes or (2, 2)
    return dataset.task == config.task and low <= config.classes <= high


def place(present: str, choices) -> int:
    return list(choices).index(present) if present in choices else 0


def layer_sizes(config: Config) -> tuple[int, ...]:
    """Inputs, hidden layers, outputs."""
    outputs = config.classes if DATASETS[config.dataset].classes else 1
    return (len(config.features), *config.hidden, outputs)


def by_layer(tensors: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """The tensors by the layer of the network that they belong to: 'hidden 1, Linear weight'."""
    last = sum(len(tensor["shape"]) == 2 for tensor in tensors)  # each Linear has one matrix
    named, number, kind = {}, 0, ""
    for tensor in tensors:
        part = tensor["key"].rpartition(".")[2]
        if part == "weight":
            kind = "Linear" if len(tensor["shape"]) == 2 else "BatchNorm1d"
            number += kind == "Linear"
        layer = _("output") if number == last else _("hidden {number}").format(number=number)
        named[f"{layer}, {kind} {part}"] = tensor
    return named


def arrows(sizes) -> str:
    return " → ".join(map(str, sizes))


def size(shape: tuple[int, ...]) -> str:
    return " × ".join(map(str, shape)) or _("one number")


def shortened(name: str) -> str:
    return name if len(name) <= MOST_LETTERS else name[: MOST_LETTERS - 1] + "…"


live.fit_to_window()
here = session.open_page()
left, right = st.columns([2, 3], gap="large")
with left:
    show_downloads(here)
with right:
    show_upload(here)
