"""The book page: appendix A step by step, its printed figures beside those that are computed here and now."""

from typing import Any

import streamlit as st

from pages.parts import book_words, controls, live, session
from pages.parts.figure_table import Row, table
from pages.parts.live import graph
from pages.parts.words import _, said
from toytrain import ToytrainError
from toytrain.book import EVALUATIONS, FIGURES, SECTIONS, Section, Settings
from toytrain.config import limits
from toytrain.engine import Reader

LOOK_EVERY = 0.4  # seconds between two looks while something is computed
SOURCES_WITHIN = 5.0  # seconds
CODE_HEIGHT = 420  # pixels
SIDEBAR = (
    "seed",
    "batch_size",
    "learning_rate",
    "epochs",
    "num_workers",
    "shuffle",
    "drop_last",
    "own_generator",
)
GRAPH = ("x1", "w1", "b", "y")


def ask_settings() -> None:
    """The widgets of the sidebar; what they say is read by `session.book_settings`."""
    names = book_words.settings()
    with st.sidebar:
        st.subheader(_("Settings"))
        st.caption(_("Change one, and see which figures move. What has been run is run again."))
        columns = st.columns(2)
        for place, name in enumerate(SIDEBAR):
            shared: dict[str, Any] = {
                "key": session.book_key(name), "persist_state": "session", "help": help_of(name),
            }  # fmt: skip
            default = getattr(Settings(), name)
            if isinstance(default, bool):
                st.checkbox(names[name], **shared)
            else:
                low, high = Settings.range_of(name)
                step: Any = {"learning_rate": 0.1}.get(name, 1)
                form = "%g" if isinstance(default, float) else None
                columns[place % 2].number_input(names[name], low, high, step=step, format=form, **shared)
        st.selectbox(names["evaluate"], EVALUATIONS,
                     format_func=lambda value: book_words.evaluations()[value],
                     key=session.book_key("evaluate"), persist_state="session",
                     help=_("To see how good the network is after each epoch. The figures say what that "
                            "does to the training."))  # fmt: skip
        st.checkbox(names["random_number"], key=session.book_key("random_number"), persist_state="session",
                    help=_("Draws a number from PyTorch's global generator, as any code might do."),
                    )  # fmt: skip
        st.button(_("As in the book"), on_click=session.set_book, args=(Settings(),), width="stretch",
                  disabled=not session.book_settings().changes())  # fmt: skip


def help_of(name: str) -> str | None:
    if name == "own_generator":
        return _("DataLoader(generator=torch.Generator().manual_seed(seed)).")
    return said(limits(name).help)


def show_head(reader: Reader, settings: Settings, rows: dict[str, list[Row]], drawn: int, busy: bool) -> None:
    """What can be run, how far it is, what has moved, and the table of contents."""
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.button(_("Run all"), key="book_run_all", type="primary", icon=":material/play_arrow:",
                  on_click=run, args=(list(SECTIONS),),
                  help=_("Computes every figure of the page; some sections start processes and take a few "
                         "seconds."))  # fmt: skip
        st.link_button(_("Train it on the train page"), session.address_of(settings.config),
                       help=_("Opens a run of these settings in a new tab: press Play there."))  # fmt: skip
        st.fragment(watch, run_every=LOOK_EVERY if busy else None)(drawn, busy)
        if not reader.running:
            st.markdown(summary([row for some in rows.values() for row in some]), width="content")
    show_changes(settings, rows)
    titles = book_words.titles()
    lines = [
        f"- [{section.number} · {titles[key]}](#{key}) {counts(rows[key])}"
        for key, section in SECTIONS.items()
    ]
    left, right = st.columns(2)
    half = (len(lines) + 1) // 2
    left.markdown("\n".join(lines[:half]))
    right.markdown("\n".join(lines[half:]))


def watch(drawn: int, was_busy: bool) -> None:
    """How far it is. Looked at again and again; the page itself is drawn anew only where there is news."""
    reader = session.reader()
    if reader.version != drawn or is_busy() != was_busy:
        st.rerun()
    if reader.running:
        done, total = reader.progress
        st.progress(done / total, _("{done} of {total} computed").format(done=done, total=total), width=260)


def show_changes(settings: Settings, rows: dict[str, list[Row]]) -> None:
    """What differs from the book, why that moves figures, and which moved."""
    changes = settings.changes()
    if not changes:
        return
    names, why = book_words.settings(), book_words.reasons()
    evaluations = book_words.evaluations()
    lines = [
        f"- **{names.get(name, name)} = {evaluations.get(value, value)}.** {why[name]}"
        for name, value in changes.items()
    ]
    titles = book_words.titles()
    moved = {key: [row.name for row in some if row.agrees is False] for key, some in rows.items()}
    places = [
        f"[{SECTIONS[key].number} · {titles[key]}](#{key}) ({len(some)})"
        for key, some in moved.items()
        if some
    ]
    if places:
        lines.append("\n" + _("Figures that moved: {places}").format(places=", ".join(places)))
    elif any(row.agrees for some in rows.values() for row in some):
        lines.append("\n" + _("No figure has moved."))
    else:
        lines.append("\n" + _("Press Run to see which figures move."))
    st.info("\n".join(lines))


def show_section(section: Section, reader: Reader, rows: list[Row], source: str) -> None:
    key = section.key
    title = book_words.titles()[key]
    st.subheader(f"{section.number} · {title}", anchor=key, divider="gray")
    st.markdown(book_words.about()[key])
    if key == "autograd":
        show_graph(reader)
    left, right = st.columns([6, 5], gap="medium")
    with left:
        if source:
            height: Any = CODE_HEIGHT if source.count("\n") > 24 else "content"
            st.code(source, language="python", wrap_lines=True, height=height)
        else:
            st.caption(_("The training engine is warming up …"))
    with right:
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            st.button(_("Run"), key=f"book_run_{key}", icon=":material/play_arrow:",
                      on_click=run, args=([key],),
                      help=_("Runs the code beside with the present settings."))  # fmt: skip
            if key == "distributed":
                st.toggle(_("real processes"), key="book_real", persist_state="session",
                          help=_("Joined by gloo, as on a cluster: takes some twenty seconds. Otherwise the "
                                 "ranks are model copies in one process, with the same figures to six "
                                 "decimals."))  # fmt: skip
            waiting = any(asked == key for asked, _name in reader.waiting)
            st.markdown(_("computing …") if waiting else summary(rows), width="content")
        for sentence in errors_of(section, reader):
            st.error(controls.escaped(said(sentence)))
        st.html(table(rows, title))
        if key == "distributed" and reader.has_real_ranks:
            st.caption(_("The losses came from processes of their own, joined by gloo."))
        show_log(section, reader)
        show_link(key)


def show_graph(reader: Reader) -> None:
    """The numbers of the graph, and its picture once they have been through autograd."""
    with st.container(horizontal=True, gap="small"):
        for name in GRAPH:
            low, high = Settings.range_of(name)
            st.number_input(name, low, high, step=0.1, format="%g", key=session.book_key(name), width=150,
                            persist_state="session")  # fmt: skip
    answer = reader.answers.get(("autograd", "logistic_regression"))
    computed = answer.computed if answer else {}
    graph.show({name: computed.get(name) for name in ("values", "gradients", "derivatives")})


def show_log(section: Section, reader: Reader) -> None:
    """What the code of a section prints."""
    answers = (reader.answers.get((section.key, experiment)) for experiment in section.experiments)
    lines = [line for answer in answers if answer for line in answer.computed.get("log", [])]
    if lines:
        with st.expander(_("What it prints")):
            st.code("\n".join(lines), language=None, wrap_lines=True)


def show_link(key: str) -> None:
    """Where this app goes on with what a section is about."""
    links = {
        "dataset": ("data.py", _("Look at other data, or bring your own, on the data page")),
        "accuracy": ("predict.py", _("Ask your own run for predictions on the predict page")),
        "mistakes": (
            "mistakes.py",
            _("Make each mistake yourself, right beside wrong, on the mistakes page"),
        ),
        "saving": ("checkpoint.py", _("Save your own run, or load a file, on the checkpoint page")),
        "distributed": ("distributed.py", _("Step the ranks one by one on the distributed page")),
    }
    if key in links:
        page, label = links[key]
        st.page_link(page, label=label, icon=":material/arrow_forward:")


def rows_of(section: Section, reader: Reader, settings: Settings) -> list[Row]:
    """The figures of a section with what has been computed of them so far."""
    names = book_words.figures()
    answers = {name: reader.answers.get((section.key, name)) for name in section.experiments}
    heeded = section.heeded(settings)
    rows = []
    for figure in FIGURES.values():
        if figure.section != section.key:
            continue
        answer = next((a for a in answers.values() if a and figure.key in a.computed), None)
        stale = bool(answer and answer.settings != heeded)
        value = answer.computed[figure.key] if answer else None
        rows.append(Row(figure, names[figure.key], value, stale=stale))
    return rows


def errors_of(section: Section, reader: Reader) -> list[str]:
    """Why figures of a section could not be computed, each reason once."""
    answers = (reader.answers.get((section.key, name)) for name in section.experiments)
    return list(dict.fromkeys(answer.error for answer in answers if answer and answer.error))


def summary(rows: list[Row]) -> str:
    """How many of the computed figures are the book's."""
    computed = [row for row in rows if row.agrees is not None]
    if not computed:
        return ""
    same = sum(bool(row.agrees) for row in computed)
    return _("{same} of {figures} figures as in the book").format(same=same, figures=len(computed))


def counts(rows: list[Row]) -> str:
    """The same in signs, for the table of contents."""
    same, moved = (sum(row.agrees is verdict for row in rows) for verdict in (True, False))
    return " ".join([f"✓ {same}"] * bool(same) + [f"✗ {moved}"] * bool(moved))


def run(sections: list[str]) -> None:
    session.reader().run(sections, session.book_settings(), session.book_real())


def is_busy() -> bool:
    """Whether something is being computed, or the code itself is not there yet."""
    return session.reader().running or not sources_so_far()


def sources_so_far() -> dict[str, str]:
    """The code of each section; none while no worker is warm."""
    try:
        return session.book_sources(SOURCES_WITHIN)
    except ToytrainError:
        return {}


live.fit_to_window()
here = session.open_page()
st.header(_("The book, figure by figure"))
st.markdown(
    _(
        "Appendix A of Sebastian Raschka's *Build a Large Language Model (From Scratch)*, step by step: "
        "the code as it runs here, and beside every printed figure the one that it has just computed."
    )
)
for notice in here.notices:
    st.warning(controls.escaped(notice))
ask_settings()
settings = session.book_settings()
session.follow_book(settings)
reader = session.reader()
drawn, busy = reader.version, is_busy()  # before the figures: what comes in meanwhile is news
rows = {key: rows_of(section, reader, settings) for key, section in SECTIONS.items()}
sources = sources_so_far()
show_head(reader, settings, rows, drawn, busy)
for key, section in SECTIONS.items():
    show_section(section, reader, rows[key], sources.get(key, ""))
