"""The data page: every dataset at a glance, own points, and how the DataLoader deals them."""

from typing import Any

import pandas as pd
import streamlit as st

from pages.parts import controls, file_points, live, session, strip
from pages.parts.live import data_views
from pages.parts.own_points import as_csv, drawn_as_csv, shuffled_apart
from pages.parts.words import _, said
from toytrain import Config, ToytrainError
from toytrain.datasets import OWN
from toytrain.rows import FEWEST_POINTS, MOST_IN_ADDRESS, MOST_POINTS, read_rows, write_rows
from toytrain.rows import standardise as standardised

CSV = "text/csv"
LOOK_EVERY = 0.5  # seconds between two looks at a run that plays


def abouts() -> dict[str, str]:
    """What each dataset is, in a few words."""
    return {
        "book": _("The book's five training points and two test points (section A.6)"),
        "moons": _("Two half circles that reach into each other"),
        "circles": _("A circle within a circle"),
        "blobs": _("One Gaussian cloud per class"),
        "xor": _("Opposite quadrants share a class"),
        "spirals": _("One spiral arm per class"),
        "checkerboard": _("A board of four by four squares"),
        "linear": _("Two classes on either side of a straight line"),
        "imbalanced": _("Gaussian clouds of which the first holds nine points in ten"),
        "plane": _("Regression: the target rises evenly in one direction"),
        "gaussians": _("Regression: Gaussian hills and hollows"),
        OWN: _("Points of your own: drawn, typed or from a file"),
    }


# Datasets


def show_datasets(here: session.Session) -> None:
    """The gallery, and the points of the controls' settings on the plane."""
    left, right = st.columns([3, 2], gap="large")
    is_fixed = here.screen.fixes("dataset")
    try:
        previews = session.previews()
        found = session.points()
    except ToytrainError as error:
        st.error(controls.sentence(error))
        return
    with left:
        for preview in previews:
            preview["about"] = abouts()[preview["name"]]
            if "refusal" in preview:
                preview["refusal"] = said(preview["refusal"])
        data_views.show_gallery(previews, here.config.dataset, is_fixed)
        if not is_fixed:
            st.caption(_("Click a dataset to choose it. Its settings are on the left: the data have a seed "
                         "of their own, apart from that of the weights."))  # fmt: skip
        if here.config.dataset == OWN:
            st.caption(
                _("Own points can have their labels changed and their classes thinned out like any others.")
            )
    with right:
        data_views.show_plane(found, points_in_words(here.config, found))
        if found["flipped"]:
            st.caption(_("{changed} of {points} training labels are changed (crossed out on the plane); "
                         "no test label is.").format(changed=len(found["flipped"]),
                                                     points=found["train_points"]))  # fmt: skip
        st.download_button(_("Download as CSV"), lambda: as_csv(found), f"{here.config.dataset}.csv", CSV,
                           on_click="ignore", icon=":material/download:",
                           help=_("x1, x2, label or target, and whether the row is for training or testing."),
                           )  # fmt: skip


def points_in_words(config: Config, found: dict[str, Any]) -> str:
    train, everything = found["train_points"], len(found["points"])
    if found["task"] == "classification":
        return _(
            "{points} points of {dataset} in {classes} classes: {train} for training, {test} for testing"
        ).format(points=everything, dataset=config.dataset, classes=found["classes"], train=train,
                 test=everything - train)  # fmt: skip
    return _(
        "{points} points of {dataset} with a target each: {train} for training, {test} for testing"
    ).format(points=everything, dataset=config.dataset, train=train, test=everything - train)


# Own points


def show_own_points(here: session.Session) -> None:
    """The pad, the table and the upload; a run takes the points when asked to."""
    draft = here.draft
    if here.config.dataset == OWN:
        draft.follow(read_rows(here.config.rows))
    left, right = st.columns([1, 1], gap="large")
    with left:
        data_views.show_pad(draft.revision, draft.points, draft.extent(), MOST_POINTS)
    with right:
        by_table, by_file = st.tabs([_("Table"), _("CSV file")])
        with by_table:
            show_table(here)
        with by_file:
            file_points.show()
    with left:
        show_use(here)


def show_use(here: session.Session) -> None:
    """The button with which a run takes the points, and what there is to say of them."""
    points = here.draft.points
    is_used = here.config.dataset == OWN and here.config.rows == write_rows(points)
    with st.container(horizontal=True, vertical_alignment="center"):
        st.button(_("Use these points"), type="secondary" if is_used else "primary", key="use_points",
                  disabled=is_used or len(points) < FEWEST_POINTS, on_click=session.use_points)  # fmt: skip
        st.download_button(_("Download as CSV"), lambda: drawn_as_csv(points), "own.csv", CSV,
                           on_click="ignore", disabled=not points, icon=":material/download:")  # fmt: skip
        if file_points.are_far(points):
            scaled, scaling = standardised(points)
            st.button(_("Standardise"), key="standardise", on_click=session.put_points, args=(scaled,),
                      help=_("x1 and x2 become (x - mean) / standard deviation, which trains far better. "
                             "{scaling}").format(scaling=file_points.scaling_in_words(scaling)))  # fmt: skip
    for notice in here.notices:
        st.error(controls.escaped(notice))
    if is_used and not here.pending:
        st.success(_("The run has these {points} points.").format(points=len(points)))
        st.page_link("train.py", label=_("Train on them"), icon=":material/arrow_forward:")
    elif points and len(points) < FEWEST_POINTS:
        st.caption(_("{points} points are too few to train and to test: draw {least} or more.").format(
            points=len(points), least=FEWEST_POINTS))  # fmt: skip
    if len(write_rows(points)) > MOST_IN_ADDRESS:
        st.caption(_("So many points do not fit into an address: to share them, or to keep them until a "
                     "run has them, download the CSV."))  # fmt: skip


def show_table(here: session.Session) -> None:
    """The points as numbers: rows can be typed, pasted and deleted."""
    draft = here.draft
    shown = pd.DataFrame(list(draft.in_table), columns=["x1", "x2", "label"])
    shown = shown.astype({"x1": "float64", "x2": "float64", "label": "Int64"})
    number = st.column_config.NumberColumn(required=True, format="%g")
    edited = st.data_editor(
        shown,
        key=draft.table_key,
        num_rows="dynamic",
        height=360,
        column_config={
            "x1": number,
            "x2": number,
            "label": st.column_config.NumberColumn(required=True, min_value=0, max_value=9, step=1),
        },
        alt=_("The points, one a row: x1, x2 and label"),
    )
    rows = edited.astype(object).where(edited.notna(), None).values.tolist()
    before = draft.points
    try:
        waiting = draft.type(rows)
    except ToytrainError as error:
        st.error(controls.sentence(error))
        return
    if draft.points != before:
        st.rerun()  # the plane stands above
    if waiting:
        st.caption(_("Rows that are not complete yet: {rows}. They wait.").format(rows=waiting))
    else:
        st.caption(_("Type, paste rows from a spreadsheet, or add one at the bottom; labels are 0 to 9."))


# DataLoader


def show_loader(here: session.Session) -> None:
    """The run's present epoch: its batches in order, and what a step does to them."""
    run = here.run
    with st.container(horizontal=True, vertical_alignment="center"):
        strip.play(here)
        strip.step_batch(here)
        strip.step_epoch(here)
        strip.reset(here)
    st.fragment(show_epoch, run_every=LOOK_EVERY if run.playing else None)(here, run.playing)


def show_epoch(here: session.Session, was_playing: bool) -> None:
    """The batches, again and again while the run plays."""
    run = here.run
    if was_playing and not run.playing:
        st.rerun()  # the buttons are others now
    try:
        epoch = run.deal_epoch()
    except ToytrainError as error:
        st.error(controls.sentence(error))
        return
    size = epoch["batch_size"]
    config = run.config
    st.caption(" ".join([
        _("Epoch {epoch}: {batches} batches of {size}, {done} trained. Samples seen: {samples}.").format(
            epoch=epoch["epoch"] + 1, batches=epoch["batches"], size=size, done=epoch["batch"],
            samples=f"{epoch['samples']:,}"),
        _("shuffle has moved {moved} of batch 1's {size} rows here from other batches; the next epoch "
          "deals anew.").format(moved=shuffled_apart(epoch["order"], size), size=min(size, epoch["in_epoch"]))
        if config.shuffle
        else _("Without shuffle every epoch deals the rows in the same order."),
        _("drop_last leaves out {rows} rows, which do not fill a batch.").format(
            rows=len(epoch["order"]) - epoch["in_epoch"])
        if config.drop_last
        else _("The last batch has {rows} rows; drop_last is off.").format(
            rows=(epoch["in_epoch"] - 1) % size + 1),
    ]))  # fmt: skip
    train = epoch["train_points"]
    scene = {name: epoch[name] for name in ("task", "classes", "extent", "train_points")}
    scene |= {name: epoch[name][:train] for name in ("points", "labels")}
    told = ("order", "in_epoch", "batch_size", "batch", "batches", "steps")
    data_views.show_batches(scene, {name: epoch[name] for name in told})


live.fit_to_window()
here = session.open_page()
controls.show(here.config, here.refused, here.screen)
views = {"datasets": _("Datasets"), "own": _("Own points"), "loader": _("DataLoader")}
view = st.segmented_control(_("View"), list(views), default="datasets", required=True, key="data_view",
                            format_func=views.__getitem__, label_visibility="collapsed",
                            persist_state="session")  # fmt: skip
if here.pending:
    with st.container(horizontal=True, vertical_alignment="center"):
        settings = ", ".join(f"{name} = {text}" for name, text in here.pending.items())
        st.info(controls.escaped(_("Reset starts a new run with {settings}; this one keeps its settings.")
                                 .format(settings=settings)), width="stretch")  # fmt: skip
        if view != "loader":
            strip.reset(here)
if here.notices and view != "own":
    st.warning("\n".join(f"- {controls.escaped(notice)}" for notice in here.notices))
{"datasets": show_datasets, "own": show_own_points, "loader": show_loader}[view](here)
