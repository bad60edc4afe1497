"""The views of the data page, drawn in the browser: the gallery of datasets, points on the plane, the pad to
draw on, and the batches of an epoch. What they show comes with the page, not from a stream."""

from typing import Any

import streamlit as st

from .. import session
from . import LOADER, words
from .routes import STATIC

_gallery = st.components.v2.component("toytrain.gallery", js=LOADER, isolate_styles=False)
_plane = st.components.v2.component("toytrain.plane", js=LOADER, isolate_styles=False)
_pad = st.components.v2.component("toytrain.pad", js=LOADER, isolate_styles=False)
_batches = st.components.v2.component("toytrain.batches", js=LOADER, isolate_styles=False)


def show_gallery(previews: list[dict[str, Any]], chosen: str, is_fixed: bool) -> None:
    """A small picture of each dataset; a click chooses it, unless the choice is fixed."""
    data = _data("gallery.js", previews=previews, chosen=chosen, is_fixed=is_fixed)
    _gallery(key=session.GALLERY, data=data, on_choose_change=session.choose_dataset)


def show_plane(scene: dict[str, Any], alt: str) -> None:
    """Points on the plane: circles for training, diamonds for testing."""
    _plane(key="plane", data=_data("points.js", scene=scene, alt=alt))


def show_pad(revision: str, points: tuple, extent: tuple, most: int) -> None:
    """The plane to draw on."""
    data = _data("pad.js", revision=revision, points=points, extent=extent, most=most)
    _pad(key=session.PAD, data=data, on_drawn_change=session.draw)


def show_batches(scene: dict[str, Any], epoch: dict[str, Any]) -> None:
    """An epoch's batches in order, and the present ones on the plane."""
    _batches(key="batches", data=_data("batches.js", scene=scene, epoch=epoch))


def _data(module: str, **data: Any) -> dict[str, Any]:
    return {"module": f"{STATIC}/{module}", "words": words.words(), **data}
