"""A visitor's session: the Config that the controls describe, and the run that goes on.

The only file that touches st.session_state and the address. The Config is the memory, not the
widgets; the address holds it together with the run's id, so that a reload finds both.

The controls may be ahead of the run: only the learning rate changes while a run lives, every other
change waits for Reset, unless the run has not trained a batch yet.
"""

import contextlib
import secrets
import weakref
from collections import Counter
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import urljoin, urlsplit

import streamlit as st

from toytrain import Config, ToytrainError, distributed, engine
from toytrain.book import Settings
from toytrain.config import FIELDS, as_query, parse
from toytrain.datasets import DATASETS, OWN
from toytrain.distributed import DistributedRun, Ranks
from toytrain.engine import LabRun, Reader, Run
from toytrain.rows import MOST_IN_ADDRESS, Point, close_gaps, read_rows, write_rows

from . import book_address, lesson_files
from .bench import Bench
from .lesson_files import Judged, Lesson
from .live.base import BASE
from .own_points import Draft, Upload
from .screen import CAN_HIDE, CAN_LOCK, SETTINGS, TEACHERS, Screen, in_order, trimmed
from .words import ENGLISH, LANGUAGES, _, said, speak

RUN = "run"  # the run's id in the address
WATCH = "watch"  # a stream token in the address: to look at a run, not to steer it
RANKS = "ranks"  # the id of a distributed run in the address
LESSON = "lesson"  # the name of a lesson in the address
DONE = "done"  # how many of its steps are done
PASSED = "passed"  # the lessons that are done to the end
SPEED = "speed"  # batches per second in the address
LANGUAGE = "lang"  # the code of a chosen language in the address
SPEEDS = (1, 5, 20, 100, 500, 0)  # 0: as fast as it goes
DEFAULT_SPEED = 100

OPEN_WITHIN = 5.0  # seconds for a warm worker to accept a Config or to refuse it
RESTORE_WITHIN = 20.0  # the same, where the engine may have to warm up first
MEMORY = "toytrain"
LIVE, GALLERY, PAD = "live", "gallery", "pad"  # keys of components
AT_NETWORK = ("hidden", "features")  # fields that can be changed at the network view
TOO_LONG = "too-many"  # stands in the address for own points that it cannot carry


@dataclass
class Session:
    """What this visitor has before them. `refused` holds a sentence per field, `notices` the rest.

    `shown_again` counts how often a field's widget was made to show another value. `ranks` is the
    distributed run, `ranks_before` the one before it. `owner` is what the pool counts its runs by. `draft`
    holds own points before a run takes them, `upload` the file that some may come from. `reader`
    computes the figures of the book page, `book` is what that page's widgets say, `read` which sections were
    run before a reload. `chosen` is the data point picked last from the table of
    predictions, and the number of that pick. `bench` is the mistake lab, `page` the path of the page they are
    on.
    """

    config: Config
    run: Run
    speed: int = DEFAULT_SPEED
    arranged: Screen = field(default_factory=Screen)
    lesson: str = ""
    done: int = 0
    passed: tuple[str, ...] = ()
    judged: Judged = field(default_factory=Judged)
    half: dict[str, Any] | None = None
    half_asked: str = ""
    refused: dict[str, str] = field(default_factory=dict)
    notices: list[str] = field(default_factory=list)
    shown_again: Counter[str] = field(default_factory=Counter)
    ranks: DistributedRun | None = None
    ranks_before: DistributedRun | None = None
    reader: Reader | None = None
    book: Settings = field(default_factory=Settings)
    read: tuple[str, ...] = ()
    owner: str = ""
    chosen: dict[str, int] | None = None
    page: str = ""
    draft: Draft = field(default_factory=Draft)
    upload: Upload = field(default_factory=Upload)
    bench: Bench = field(default_factory=Bench)

    @property
    def screen(self) -> Screen:
        """What the page shows: what was arranged, and of that only what the lesson needs."""
        lesson = lesson_files.find(self.lesson, language()) if self.lesson else None
        if lesson is None:
            return self.arranged
        return replace(self.arranged, hide=in_order((*self.arranged.hide, *lesson.hidden), CAN_HIDE))

    @property
    def pending(self) -> dict[str, str]:
        """What the controls say and the run does not do yet, by field, as text."""
        return {
            name: _told(name, getattr(self.config, name))
            for name in FIELDS
            if name != "learning_rate" and getattr(self.config, name) != getattr(self.run.config, name)
        }

    @property
    def leaves_points_out(self) -> bool:
        """Whether there are more own points than an address can carry."""
        return self.config.dataset == OWN and len(self.config.rows) > MOST_IN_ADDRESS

    def key(self, name: str) -> str:
        """The key of a field's widget."""
        return f"field_{name}_{self.shown_again[name]}"

    def show_again(self, name: str) -> None:
        """Let a field's widget show the Config's value, after something else has changed it.

        By a new widget: the browser may already be sending the old one's value once more, which
        would count as a change back.
        """
        self.shown_again[name] += 1

    def start(self, config: Config, checkpoint: bytes | None = None, weights: bytes | None = None) -> None:
        """Replace the run by a new one, from a full checkpoint or a file's weights if one is given, once
        that is known to work.

        A ToytrainError that refuses it leaves everything as it was.
        """
        self.check_locked(config)
        pool = engine.pool()
        new = pool.open(config, self.speed, checkpoint, weights, self.owner)
        try:
            is_open = new.wait_until_open(OPEN_WITHIN if pool.warm else 0)
            if not is_open and (checkpoint or weights):  # only the worker can tell whether the file works
                raise ToytrainError(_("The training engine does not answer; try again in a moment."))
        except ToytrainError:
            pool.close(new)
            raise
        old, self.run, self.config = self.run, new, config
        self.half = None
        if old.viewers <= 1:  # nobody else watches it
            pool.close(old)
        self.notices.clear()

    def check_locked(self, config: Config) -> None:
        """A ToytrainError if the Config changes what the address locks, on whichever page it was made."""
        for name in FIELDS:
            # Own points are no control of their own: who locks the dataset means them too.
            is_locked = self.screen.locks("dataset" if name == "rows" else name)
            if is_locked and getattr(config, name) != getattr(self.config, name):
                raise self.locked(name)

    def locked(self, name: str) -> ToytrainError:
        """What refuses to change a field."""
        return ToytrainError(
            _("{name} is locked at {value} by the address of this page; it stays as it is.").format(
                name=name, value=_told(name, getattr(self.config, name))
            ),
            field=name,
            code="locked",
        )

    def refuse(self, error: ToytrainError) -> None:
        """Keep the sentence for the control it is about, or for the top of the page."""
        if error.field in SETTINGS and self.screen.shows(error.field):  # it has a widget
            in_use = _shown(getattr(self.config, error.field))
            self.refused[error.field] = f"{said(str(error))} " + _("In use: {value}.").format(value=in_use)
        else:
            self.notices.append(said(str(error)))


def open_page() -> Session:
    """The visitor's session; the first time, and after a reload, made from the address.

    Where the server has no room for it, the page says so and stops here.
    """
    try:
        if MEMORY not in st.session_state:
            st.session_state[MEMORY] = _from_address()
        session: Session = st.session_state[MEMORY]
        if engine.pool().get(session.run.id) is not session.run:
            _replace_run(session, _find(session.run.id, session.speed, session.notices, session.owner))
        elif session.run.refusal:
            # Found out late, because the engine was still warming up when the page was first drawn.
            engine.pool().close(session.run)
            _replace_run(session, None)
    except ToytrainError as error:
        st.error(said(str(error)))
        st.button(_("Try again"), type="primary")
        st.stop()
    _arrive(session, urlsplit(st.context.url or "").path)
    _write_address(session)
    return session


def _arrive(session: Session, page: str) -> None:
    """Make new widgets on another page: there Streamlit has no value for one of a key that it knows."""
    if page != session.page:
        session.page = page
        for name in FIELDS:
            session.show_again(name)


def opened() -> Session | None:
    """The visitor's session, if a page has opened one."""
    return st.session_state.get(MEMORY)


def is_presented() -> bool:
    """Whether the page is in large type: before it is opened, as the address says."""
    session = opened()
    return session.arranged.present if session else st.query_params.get("present") == "1"


def _replace_run(session: Session, run: Run | None) -> None:
    """Go on with another run of the same settings, or of those of them that work."""
    if run is None:
        session.config, run = _open_what_works(session.config, session.speed, session.notices, session.owner)
    session.run = run


def watched_run() -> Run | None:
    """The run that the address lets one watch. If it is gone, the page says so and stops here."""
    # A link to another page leaves the query behind: who came to watch goes on watching there.
    token = st.query_params.get(WATCH) or st.session_state.get(WATCH)
    if token is None:
        return None
    run = engine.pool().watched(token)
    if run is not None:
        st.session_state[WATCH] = st.query_params[WATCH] = token
    else:
        st.session_state.pop(WATCH, None)
        st.warning(_("The run that this address lets you watch has ended. Ask for a new address."))
        st.stop()
    return run


def saving_problem(run: Run) -> str:
    """The sentence that says why a run is not being saved, or nothing."""
    saved_runs = engine.pool().saved_runs
    return said(saved_runs.problem_of(run.id)) if saved_runs else ""


def share_address() -> str:
    """The address of this experiment without the run: it gives another person a run of their own."""
    session: Session = st.session_state[MEMORY]
    return address_of(session.config, session.arranged)


def watch_address() -> str:
    """The address at which others see this run and cannot touch it."""
    return f"{_home()}?{WATCH}={st.session_state[MEMORY].run.stream_token}"


def student_address() -> str:
    """The address of this experiment and this screen, without the teacher's panel and the large type."""
    session: Session = st.session_state[MEMORY]
    hide = in_order((*session.arranged.hide, TEACHERS), CAN_HIDE)
    return address_of(session.config, replace(session.arranged, hide=hide, present=False))


def address_of(config: Config, screen: Screen | None = None) -> str:
    """The address at which anybody gets a run of this Config, on this screen.

    It leads to where visitors come in, so that a class that opens it is spread over all servers.
    """
    home = urljoin(_home(), engine.pool().classroom.entrance)
    texts = _texts_of(config) | (screen.to_texts() if screen else {})
    if LANGUAGE in st.session_state:
        texts[LANGUAGE] = st.session_state[LANGUAGE]
    return f"{home}?{as_query(texts)}" if texts else home


def _home() -> str:
    parts = urlsplit(st.context.url or "")
    return f"{parts.scheme}://{parts.netloc}{BASE}/"


# The language


def language() -> str:
    """The code of the visitor's language: the chosen one, the address's, or the browser's."""
    if LANGUAGE in st.session_state:
        return st.session_state[LANGUAGE]
    if (named := st.query_params.get(LANGUAGE)) in LANGUAGES:
        return named
    browsers = (st.context.locale or "").partition("-")[0]
    return browsers if browsers in LANGUAGES else ENGLISH


def language_key() -> str:
    """The key of the language's widget."""
    st.session_state[f"{LANGUAGE}_shown"] = language()
    return f"{LANGUAGE}_shown"


def choose_language() -> None:
    """The language selector's callback."""
    st.session_state[LANGUAGE] = st.session_state[f"{LANGUAGE}_shown"]
    for key, value in st.session_state.items():
        if isinstance(value, str | int | list) and not isinstance(value, bool):
            st.session_state[key] = value  # else a list goes on showing its choice in the old language


speak(language)


# Controls


def widget_key(name: str) -> str:
    """The key of a field's widget, showing the Config's value unless it shows a refused one."""
    session: Session = st.session_state[MEMORY]
    key = session.key(name)
    if key not in st.session_state:
        st.session_state[key] = _shown(getattr(session.config, name))
    return key


def change(name: str) -> None:
    """A widget's callback: take its value into the Config, or keep a sentence that says why not."""
    session: Session = st.session_state[MEMORY]
    session.notices.clear()
    if _apply(session, name, _value_of_widget(session, name)):
        _apply_refused(session)


def change_at_network() -> None:
    """The live views' callback: hidden layers or features were changed at the network itself."""
    session: Session = st.session_state[MEMORY]
    session.notices.clear()
    for name, value in st.session_state[LIVE].change.items():
        if name in AT_NETWORK and _apply(session, name, tuple(value)):
            session.show_again(name)
            _apply_refused(session)


def _value_of_widget(session: Session, name: str) -> Any:
    return st.session_state[session.key(name)]


def _apply_refused(session: Session) -> None:
    """What was refused beside an old value may fit the new one."""
    for name in list(session.refused):
        _apply(session, name, _value_of_widget(session, name))


def _apply(session: Session, name: str, value: Any) -> bool:
    """Whether this value of a field is now the Config's."""
    try:
        if isinstance(value, str) and isinstance(FIELDS[name].default, tuple):
            value = parse(FIELDS[name], value)
        changed = {name: value}
        if name == "dataset":
            changed["classes"] = _classes_of(value, session.config.classes)
        _take(session, replace(session.config, **changed), name)
    except ToytrainError as error:
        error.field = name  # the one that was just changed, whatever it clashes with
        session.refuse(error)
        return False
    session.refused.pop(name, None)
    for other in changed:
        if other != name:
            session.show_again(other)
    return True


def _take(session: Session, config: Config, name: str) -> None:
    """Let a Config reach the run if nothing is lost by that; otherwise keep it for Reset."""
    run = session.run
    if run.steps == 0 and not run.playing and not run.has_initial_weights and not run.edits:
        session.start(config)
        return
    session.check_locked(config)
    engine.pool().check(config, OPEN_WITHIN)
    if name == "learning_rate":
        run.set_learning_rate(config.learning_rate)
    session.config = config


# Buttons


def attempt(command) -> None:
    """Carry out a command of the run; what it refuses stands on top of the page."""
    session: Session = st.session_state[MEMORY]
    session.notices.clear()
    try:
        command()
    except ToytrainError as error:
        session.refuse(error)


def pause() -> None:
    """The live views' callback: a weight is about to be edited, so the run stands still."""
    run = st.session_state[MEMORY].run
    if run.playing:
        attempt(run.pause)


def edit_weight() -> None:
    """The live views' callback: a weight was set by hand."""
    session: Session = st.session_state[MEMORY]
    edit = st.session_state[LIVE].edit
    if edit["run"] == session.run.stream_token:  # else the run that was seen has been replaced since
        attempt(lambda: _edit_weight(session.run, edit["key"], tuple(edit["index"]), edit["value"]))


def _edit_weight(run: Run, key: str, index: tuple[int, ...], value: float) -> None:
    before = run.note
    place = f"{key}[{', '.join(map(str, index))}]"
    run.note = _("{place} was set to {value} by hand; the script sets it there too.").format(
        place=place, value=f"{value:g}"
    )
    try:
        run.edit_weight(key, index, value)
    except ToytrainError:
        run.note = before
        raise


def half_step() -> None:
    """Do the next part of a step; what it answers stands beside the views until something else trains."""
    session: Session = st.session_state[MEMORY]

    def go_on() -> None:
        session.half = session.run.half_step()

    attempt(go_on)


def half() -> dict[str, Any] | None:
    """Where the step stands that one goes through part by part (see engine/half_steps.py), or None."""
    session: Session = st.session_state[MEMORY]
    run = session.run
    if session.half is None and run.status == "paused" and session.half_asked != run.id:
        session.half_asked = run.id  # once per run: after a reload the engine may still stand within a step
        with contextlib.suppress(ToytrainError):
            session.half = run.begun_step()
    if session.half:
        is_whole = session.half["number"] == 3
        if run.playing or run.steps not in (session.half["step"], session.half["step"] + is_whole):
            session.half = None
    return session.half


def reset() -> None:
    """A new run from what the controls say: the same seed gives the same weights, a file's stay."""
    session: Session = st.session_state[MEMORY]
    attempt(lambda: _start_again(session))


def _start_again(session: Session) -> None:
    weights = session.run.initial_model() if session.run.has_initial_weights else None
    try:
        session.start(session.config, weights=weights)
    except ToytrainError as error:
        if error.code != "unfit":
            raise
        session.start(session.config)
        session.notices.append(_("The file's weights do not fit these settings: the seed drew new ones."))


def new_seed() -> None:
    """A new run with other weights and another order of the batches."""
    session: Session = st.session_state[MEMORY]
    config = session.config
    attempt(lambda: session.start(replace(config, seed=(config.seed + 1) % 2**32)))
    session.show_again("seed")


def use_rate(rate: float) -> None:
    """Let the run take this learning rate, as its widget does."""
    session: Session = st.session_state[MEMORY]
    attempt(lambda: _take(session, replace(session.config, learning_rate=rate), "learning_rate"))
    session.refused.pop("learning_rate", None)
    session.show_again("learning_rate")


def set_speed() -> None:
    """The speed selector's callback."""
    session: Session = st.session_state[MEMORY]
    session.speed = st.session_state[SPEED]
    attempt(lambda: session.run.set_speed(session.speed))


def permitted(name: str) -> str:
    """The range of a field on this server, in words."""
    return engine.pool().classroom.limits(name).describe()


def speed_key() -> str:
    """The key of the speed's widget."""
    if SPEED not in st.session_state:
        st.session_state[SPEED] = st.session_state[MEMORY].speed
    return SPEED


# What the page shows


def screen_key(part: str) -> str:
    """The key of the widget for `hide`, `lock` or `task` of the screen."""
    key = f"screen_{part}"
    if key not in st.session_state:
        value = getattr(st.session_state[MEMORY].arranged, part)
        st.session_state[key] = list(value) if isinstance(value, tuple) else value
    return key


def change_screen(part: str) -> None:
    """Such a widget's callback."""
    value = st.session_state[f"screen_{part}"]
    take = {
        "hide": lambda: in_order(value, CAN_HIDE),
        "lock": lambda: in_order(value, CAN_LOCK),
        "task": lambda: trimmed(value),
    }
    _show(**{part: take[part]()})


def hide_settings() -> None:
    """Hide every field, beside what is hidden already."""
    hidden = st.session_state[MEMORY].arranged.hide
    _show_again(hide=in_order((*hidden, *SETTINGS), CAN_HIDE))


def show_everything() -> None:
    """Nothing hidden, nothing locked, no task."""
    _show_again(hide=(), lock=(), task="")


def present() -> None:
    """Large type for the projector, or back."""
    _show(present=not st.session_state[MEMORY].arranged.present)


def _show(**parts: Any) -> None:
    session: Session = st.session_state[MEMORY]
    session.arranged = replace(session.arranged, **parts)


def _show_again(**parts: Any) -> None:
    """The same where the widgets have to follow."""
    _show(**parts)
    for part in parts:
        st.session_state.pop(f"screen_{part}", None)


# Lessons


def start_lesson(name: str) -> None:
    """Begin a lesson: a run of its settings, and only the controls that it needs."""
    session: Session = st.session_state[MEMORY]
    lesson = lesson_files.find(name, language())
    if lesson is None:
        session.notices.append(_("The lesson {name} is not there.").format(name=name[:60]))
        return
    session.notices.clear()
    try:
        session.start(lesson.config)
    except ToytrainError as error:
        session.refuse(error)
        return
    session.lesson, session.done = name, 0
    session.refused.clear()
    for field_name in FIELDS:
        session.show_again(field_name)


def leave_lesson() -> None:
    """All controls again; the run stays."""
    session: Session = st.session_state[MEMORY]
    session.lesson, session.done = "", 0


def look_at_lesson(lesson: Lesson) -> bool:
    """Whether the run has just done the lesson's next step; that is noted."""
    session: Session = st.session_state[MEMORY]
    run = session.run
    if session.lesson != lesson.name or session.done >= len(lesson.steps):
        return False
    step = lesson.steps[session.done]
    what = (weakref.ref(run), run.history, step)  # where one of them is another, judging begins anew
    if session.judged.what != what:
        session.judged = Judged(what)
    tests = run.tests_after(session.judged.epochs)
    moments = lesson_files.moments(run.config, run.frame.header, tests, run.learning_rate, session.judged)
    if not step.is_done(moments):
        return False
    session.done += 1
    if session.done == len(lesson.steps) and lesson.name not in session.passed:
        session.passed += (lesson.name,)
    return True


def _lesson_of(texts: dict[str, str], notices: list[str]) -> tuple[Lesson | None, int, tuple]:
    """The lesson of an address, how many of its steps are done, and the names of the lessons passed."""
    known = {lesson.name: lesson for lesson in lesson_files.all_lessons(language())[0]}
    passed = tuple(dict.fromkeys(name for name in texts.pop(PASSED, "").split(",") if name in known))
    name, done = texts.pop(LESSON, ""), texts.pop(DONE, "0")
    lesson = known.get(name)
    if name and lesson is None:
        notices.append(_("In the address: the lesson {name} is not there.").format(name=name[:60]))
    if lesson is None:
        return None, 0, passed
    if not (done.isdecimal() and len(done) < 3 and int(done) <= len(lesson.steps)):
        notices.append(_("In the address: done = {done} is no number of steps here. It was left out.")
                       .format(done=done[:60]))  # fmt: skip
        done = "0"
    return lesson, int(done), passed


# Files


def inspect(data: bytes) -> dict[str, Any]:
    """What a checkpoint holds (see Worker.inspect), or the ToytrainError that refuses it."""
    return engine.pool().inspect(data, OPEN_WITHIN)


def checkpoint_name() -> str:
    """The name of the run's full checkpoint as a download.

    Streamlit samples files above 1 MiB to tell them apart, and their names: no two runs share one.
    """
    return f"checkpoint-{st.session_state[MEMORY].run.stream_token[:8]}.pth"


def adopt(data: bytes, config: Config, is_full: bool) -> None:
    """Go on from a file: a full checkpoint where it was, other weights as the start of a new run.

    A ToytrainError that refuses it leaves everything as it was.
    """
    session: Session = st.session_state[MEMORY]
    source = {"checkpoint" if is_full else "weights": data}
    try:
        session.start(config, **source)
    except ToytrainError as error:
        if error.field != "device":
            raise
        session.start(replace(config, device="cpu"), **source)
        session.notices.append(_("{error} The run goes on on the CPU.").format(error=said(str(error))))
    session.run.note = (
        _("This run goes on from your file, at batch {steps}; press Play.").format(steps=session.run.steps)
        if is_full
        else _("This run starts from the weights of your file; press Play.")
    )
    session.refused.clear()
    for name in FIELDS:
        session.show_again(name)


# Predictions


def choose_point(key: str, points: list[int]) -> None:
    """The callback of the table of predictions: trace the point in the chosen line."""
    session: Session = st.session_state[MEMORY]
    lines = st.session_state[key].selection.rows
    if lines and lines[0] < len(points):
        number = session.chosen["number"] + 1 if session.chosen else 1
        session.chosen = {"number": number, "point": points[lines[0]]}


# Own points and other data


def points() -> dict[str, Any]:
    """The points that a run of the controls' Config would have (see engine.data_views.points)."""
    session: Session = st.session_state[MEMORY]
    return engine.pool().points(session.config, RESTORE_WITHIN)


def previews() -> list[dict[str, Any]]:
    """Some points of every dataset (see engine.data_views.previews)."""
    session: Session = st.session_state[MEMORY]
    return engine.pool().previews(session.config, RESTORE_WITHIN)


def choose_dataset() -> None:
    """The gallery's callback: take the dataset that was clicked."""
    session: Session = st.session_state[MEMORY]
    name = st.session_state[GALLERY].choose
    changed = {"dataset": name, "classes": _classes_of(name, session.config.classes)}
    attempt(lambda: _take_data(session, replace(session.config, **changed)))
    for field_name in changed:
        session.show_again(field_name)


def draw() -> None:
    """The pad's callback: take what was drawn."""
    session: Session = st.session_state[MEMORY]
    attempt(lambda: session.draft.draw(st.session_state[PAD].drawn))


def put_points(points: tuple[Point, ...]) -> None:
    """Let other points take the place of those on the plane, from where a click on Undo brings them back."""
    session: Session = st.session_state[MEMORY]
    session.draft.put(points)


def use_points() -> None:
    """Let the points on the plane be the data of the next run: at once, if nothing is lost by that."""
    session: Session = st.session_state[MEMORY]
    attempt(lambda: _use(session))


def _use(session: Session) -> None:
    points, mapping = close_gaps(session.draft.points)
    _take_data(session, replace(session.config, dataset=OWN, rows=write_rows(points)))
    if any(label != number for label, number in mapping.items()):
        session.draft.put(points)
    session.refused.clear()
    for name in ("dataset", "classes"):
        session.show_again(name)


def _take_data(session: Session, config: Config) -> None:
    """Take other data, unless a teacher or a lesson has taken that choice away."""
    for name in ("dataset", "rows"):
        if session.screen.fixes("dataset") and getattr(config, name) != getattr(session.config, name):
            raise session.locked(name)
    _take(session, config, "dataset")


def read_table(file: Any) -> Upload:
    """The uploaded file as a table, read once."""
    session: Session = st.session_state[MEMORY]
    if session.upload.file_id != file.file_id:
        try:
            upload = Upload(file.file_id, engine.pool().read_table(file.getvalue(), RESTORE_WITHIN))
        except ToytrainError as error:
            upload = Upload(file.file_id, refusal=error)
        session.upload = upload
    return session.upload


# Distributed training


def start_ranks(config: Config, ranks: Ranks, kind: str) -> None:
    """A new distributed run in place of the one before, of which the losses stay to be compared."""
    session: Session = st.session_state[MEMORY]
    cluster = distributed.cluster()
    new = cluster.open(config, ranks, kind)
    if session.ranks_before is not None:
        cluster.close(session.ranks_before)
    if session.ranks is not None:
        session.ranks.cancel()
    session.ranks_before, session.ranks = session.ranks, new


def plan(config: Config, ranks: Ranks, epochs: int) -> distributed.Plan:
    """The shards of the first epochs; a ToytrainError where these ranks cannot train this Config."""
    return distributed.cluster().plan(config, ranks, epochs)


# The mistake lab


def experiment() -> tuple[LabRun, dict[str, str]]:
    """The experiment of what is chosen on the bench, which the address then holds, and its scripts.

    Where there can be none, the page says so and stops here.
    """
    session: Session = st.session_state[MEMORY]
    try:
        with st.spinner(_("Preparing both scripts …"), show_time=False):
            run = session.bench.experiment(session.owner)
            scripts = run.scripts()
    except ToytrainError as error:
        st.error(said(str(error)))
        st.button(_("Try again"), type="primary")
        st.stop()
    _write_address(session)
    return run, scripts


def start_experiment_again() -> None:
    """The same experiment from its seed."""
    session: Session = st.session_state[MEMORY]
    session.bench.start_again(session.owner)


# The book


def reader() -> Reader:
    """The visitor's Reader, with what it has computed so far; after a reload it computes that again."""
    session: Session = st.session_state[MEMORY]
    if session.reader is None:
        session.reader = engine.pool().reader()
        if session.read:
            session.reader.run(session.read, session.book)
    return session.reader


def follow_book(settings: Settings) -> None:
    """Compute anew what these Settings change; the address then holds them, and what has been run."""
    session: Session = st.session_state[MEMORY]
    session.book = settings
    reader().follow(settings)
    _write_address(session)


def book_key(name: str) -> str:
    """The key of the widget of one of the book page's Settings."""
    key = f"book_{name}"
    if key not in st.session_state:
        st.session_state[key] = getattr(st.session_state[MEMORY].book, name)
    return key


def book_settings() -> Settings:
    """What the widgets of the book page say."""
    return Settings(**{name: st.session_state[book_key(name)] for name in Settings().to_dict()})


def book_real() -> bool:
    """Whether the book's ranks are to be processes."""
    return bool(st.session_state.get("book_real"))


def book_sources(seconds: float) -> dict[str, str]:
    """The code of each section; empty while the engine is warming up."""
    return engine.pool().book_sources(seconds)


def set_book(settings: Settings) -> None:
    """Let the widgets of the book page show these Settings."""
    for name, value in settings.to_dict().items():
        st.session_state[f"book_{name}"] = value


# The address


def _from_address() -> Session:
    texts = {name: st.query_params[name] for name in st.query_params}
    notices: list[str] = []
    bench = Bench.from_texts(texts, notices)
    book, read = book_address.take_from(texts, notices)
    session = _session_of_address(texts)
    session.bench, session.book, session.read = bench, book, read
    session.notices += notices
    if run_id := st.query_params.get(RANKS):
        session.ranks = distributed.cluster().get(run_id)
        if session.ranks is None:
            session.notices.append(_("The distributed run of this address has ended; start another."))
    return session


def _session_of_address(texts: dict[str, str]) -> Session:
    texts.pop(RANKS, None)
    owner = secrets.token_hex(8)
    notices: list[str] = []
    if (named := texts.pop(LANGUAGE, None)) in LANGUAGES:
        st.session_state[LANGUAGE] = named
    elif named is not None:
        notices.append(_(
            "In the address: lang = {code} is not permitted; permitted is one of {codes}. It was left out."
        ).format(code=named[:60], codes=", ".join(LANGUAGES)))  # fmt: skip
    run_id = texts.pop(RUN, None)
    speed = _speed_of(texts.pop(SPEED, str(DEFAULT_SPEED)), notices)
    screen = Screen.take_from(texts, notices)
    lesson, done, passed = _lesson_of(texts, notices)
    name = lesson.name if lesson else ""
    if lesson and not texts and not run_id:
        texts = lesson.config.to_texts()  # the address of a lesson is its name
    points_are_elsewhere = texts.get("rows") == TOO_LONG
    if points_are_elsewhere:
        del texts["rows"]
    config = _config_of(texts, notices)
    run = _find(run_id, speed, notices, owner) if run_id else None
    if run is not None:
        # The address leaves defaults out, and the learning rate is what the run has come to.
        config = replace(config if texts else run.config, learning_rate=run.chosen_learning_rate)
        if points_are_elsewhere:
            config = replace(config, rows=run.config.rows)
        return Session(config, run, int(run.speed), screen, name, done, passed, notices=notices, owner=owner)
    if points_are_elsewhere:
        notices.append(
            _(
                "The points of this experiment are too many for an address: "
                "upload them as CSV on the page Data."
            )
        )
    config, run = _open_what_works(config, speed, notices, owner)
    return Session(config, run, speed, screen, name, done, passed, notices=notices, owner=owner)


def _find(run_id: str, speed: int, notices: list[str], owner: str) -> Run | None:
    """The run of that id: still there, or as it was last saved. Otherwise a notice says that it is gone."""
    pool = engine.pool()
    run = pool.get(run_id)
    if run is not None:
        run.owner = owner  # who has opened it last
        return run
    try:
        with st.spinner(_("Looking for the run of this address …")):
            run = pool.restore(run_id, RESTORE_WITHIN, speed, owner)
        if run is None:
            notices.append(_gone())
    except ToytrainError as error:
        notices.append(said(str(error)))
    return run


def _open_what_works(config: Config, speed: int, notices: list[str], owner: str) -> tuple[Config, Run]:
    """A run of the Config; a field that the data or the classroom refuses is named and takes its default.

    A ToytrainError where there is no room for any run.
    """
    pool = engine.pool()
    while True:
        run = None
        try:
            run = pool.open(config, speed, owner=owner)
            run.wait_until_open(OPEN_WITHIN if pool.warm else 0)
            return config, run
        except ToytrainError as error:
            if run is not None:
                pool.close(run)
            elif error.field is None:
                raise
            notices.append(said(str(error)))
            default = FIELDS[error.field].default if error.field in FIELDS else None
            if default is None or getattr(config, error.field) == default:
                config = Config()
            else:
                config = replace(config, **{error.field: default})


def _config_of(texts: dict[str, str], notices: list[str]) -> Config:
    """The Config of an address. What is refused is named, and only that falls back to its default."""
    texts = dict(texts)
    while True:
        try:
            return Config.from_texts(texts)
        except ToytrainError as error:
            named = error.field if error.field in texts else next(iter(texts))
            del texts[named]
            notices.append(_("In the address: {error} It was left out.").format(error=said(str(error))))


def _speed_of(text: str, notices: list[str]) -> int:
    if text in map(str, SPEEDS):
        return int(text)
    notices.append(
        _(
            "In the address: speed = {speed} is not permitted; permitted is one of {speeds}. It was left out."
        ).format(speed=text[:60], speeds=", ".join(map(str, SPEEDS)))
    )
    return DEFAULT_SPEED


def _texts_of(config: Config) -> dict[str, str]:
    """The settings as an address holds them; of more own points than it can carry only that they are."""
    texts = config.to_texts()
    return texts | {"rows": TOO_LONG} if len(texts.get("rows", "")) > MOST_IN_ADDRESS else texts


def _write_address(session: Session) -> None:
    wanted = _texts_of(session.config) | session.arranged.to_texts() | {RUN: session.run.id}
    if session.speed != DEFAULT_SPEED:
        wanted[SPEED] = str(session.speed)
    if LANGUAGE in st.session_state:
        wanted[LANGUAGE] = st.session_state[LANGUAGE]
    if session.ranks is not None:
        wanted[RANKS] = session.ranks.id
    wanted |= session.bench.to_texts()
    run = session.reader.asked if session.reader else session.read
    wanted |= book_address.to_texts(session.book, run)
    if session.lesson:
        wanted[LESSON] = session.lesson
        wanted |= {DONE: str(session.done)} if session.done else {}
    if session.passed:
        wanted[PASSED] = ",".join(session.passed)
    if st.query_params.to_dict() != wanted:
        st.query_params.from_dict(wanted)


def _gone() -> str:
    return _(
        "The run of this address has ended with the server, or was closed. Here are the same settings "
        "from the start: press Play."
    )


# Widgets


def _shown(value: Any) -> Any:
    """A value as its widget holds it: hidden sizes are written, features are picked from a list."""
    if isinstance(value, tuple):
        return list(value) if isinstance(value[0], str) else ", ".join(map(str, value))
    return value


def _told(name: str, value: Any) -> str:
    """A value as a sentence tells it: of own points the number."""
    if name == "rows":
        return _("{count} points").format(count=len(read_rows(value)))
    return str(_shown(value))


def _classes_of(dataset: str, classes: int) -> int:
    """The number of classes nearest to the present one that a dataset can have."""
    low, high = DATASETS[dataset].classes or (2, 2)
    return min(max(classes, low), high)
