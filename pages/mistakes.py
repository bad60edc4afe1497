"""The mistakes page: make a classic mistake on purpose, or find the one that a run hides."""

import difflib

import streamlit as st

from pages.parts import bench as benches
from pages.parts import controls, lab_charts, live, session
from pages.parts.bench import Bench
from pages.parts.lab_charts import ALONE, RIGHT, WRONG, Shown
from pages.parts.words import _, said
from toytrain import ToytrainError
from toytrain.engine.lab_run import LabRun, Look
from toytrain.mistakes import MISTAKES
from toytrain.mistakes.probes import PROBES

LOOK_EVERY = 0.4  # seconds between two looks at an experiment that plays
LAB, MYSTERY = "lab", "mystery"


def choose_mode(bench: Bench) -> None:
    names = {LAB: _("Make a mistake"), MYSTERY: _("Find one")}
    mode = st.segmented_control(
        _("What to do"),
        names,
        default=MYSTERY if bench.case else LAB,
        format_func=lambda mode: names[mode],
        required=True,
        key="bench_mode",
        persist_state="session",
        label_visibility="collapsed",
    )
    if mode == MYSTERY and not bench.case:
        bench.open_case()
    elif mode == LAB:
        bench.case = 0


# Make a mistake


def choose_mistake(bench: Bench) -> None:
    names = list(MISTAKES)
    bench.name = st.selectbox(
        _("Mistake"),
        names,
        names.index(bench.name),
        format_func=lambda name: f"{names.index(name) + 1}. {said(MISTAKES[name].title)}",
        key="bench_mistake",
        persist_state="session",
        label_visibility="collapsed",
        width=420,
    )
    bench.on_book = bench.mistake.in_book and st.toggle(
        _("the book's five points"),
        bench.on_book,
        key=f"bench_book_{bench.name}",
        persist_state="session",
        help=_("Book, section A.7: two classes, batches of 2, three epochs. They hide some of the harm."),
    )


def show_mistake(bench: Bench, scripts: dict[str, str]) -> None:
    mistake = bench.mistake
    st.markdown(f"##### {said(mistake.title)}")
    st.markdown(said(mistake.happens))
    show_difference(scripts)
    st.markdown(_("**What to look for.** {text}").format(text=said(mistake.look)))
    st.markdown(_("**How to find it.** {text}").format(text=said(mistake.find)))


def show_difference(scripts: dict[str, str]) -> None:
    """The lines in which the two scripts differ, with the numbers they have in them."""
    right, wrong = (scripts[side].split("\n") for side in ("right", "wrong"))
    lines = []
    for line in list(difflib.unified_diff(right, wrong, n=1, lineterm=""))[2:]:
        if line.startswith("@@"):
            number = line.split("+")[1].split(" ")[0].split(",")[0]
            lines.append(_("@@ line {number} @@").format(number=number))
        else:
            lines.append(line[:1] + line[1:].replace("    ", "  "))
    st.code("\n".join(lines), language="diff", wrap_lines=True)


def show_downloads(scripts: dict[str, str], name: str) -> None:
    with st.popover(_("Download")):
        for label, side, file in (
            (_("The script with the mistake"), "wrong", f"{name}.py"),
            (_("The right script"), "right", f"{name}_right.py"),
        ):
            st.download_button(
                label, scripts[side], file, "text/x-python", on_click="ignore", width="stretch"
            )
        st.caption(_("What runs here is these two texts. The line that is wrong is marked."))


# Find one


def ask_guess(bench: Bench) -> None:
    st.markdown(_("##### Case {case}").format(case=bench.case))
    st.markdown(
        _(
            "This run hides one of the mistakes, or none. Let it play, look at its curves and choose "
            "measurements. Then say what you take it for."
        )
    )
    names = benches.guesses()
    guess = st.selectbox(
        _("The mistake is"),
        names,
        None,
        format_func=lambda name: names[name],
        placeholder=_("Choose one …"),
        key=f"bench_guess_{bench.case}",
    )
    left, right = st.columns(2)
    left.button(_("Guess"), type="primary", disabled=guess is None, width="stretch",
                on_click=bench.take_guess, args=(guess,))  # fmt: skip
    right.button(_("Another case"), on_click=bench.open_case, width="stretch")
    case = st.number_input(_("Number of the case"), 1, benches.MOST_CASES, bench.case,
                           key=f"bench_case_{bench.case}",
                           help=_("Whoever takes the same number looks at the same run."))  # fmt: skip
    if case != bench.case:
        bench.open_case(case)
        st.rerun()


def show_answer(bench: Bench, scripts: dict[str, str]) -> None:
    names = benches.guesses()
    guess, answer = names[bench.guess], names[bench.answer]
    st.markdown(_("##### Case {case}").format(case=bench.case))
    if bench.guess == bench.answer:
        st.success(controls.escaped(_("Found: {answer}.").format(answer=answer)))
    else:
        st.warning(
            controls.escaped(_("It was: {answer}. You said: {guess}.").format(answer=answer, guess=guess))
        )
        if bench.guess in MISTAKES:
            missing = _("**{guess}** would have shown like this: {look}")
            st.markdown(missing.format(guess=guess, look=said(MISTAKES[bench.guess].look)))
    if bench.answer == benches.NO_MISTAKE:
        st.markdown(
            _(
                "All is right in this run: each step follows the gradient of its own batch, the loss that is "
                "printed is the true one, and the test points are points it has not seen."
            )
        )
    else:
        show_mistake(bench, scripts)
    st.button(_("Next case"), type="primary", on_click=bench.open_case)


# Both


def show_strip(bench: Bench, run: LabRun, scripts: dict[str, str]) -> None:
    over = run.status in ("finished", "failed")
    if run.playing:
        st.button(_("Pause"), key="bench_pause", icon=":material/pause:", type="primary", shortcut="P",
                  on_click=session.attempt, args=(run.pause,))  # fmt: skip
    else:
        st.button(_("Play"), key="bench_play", icon=":material/play_arrow:", shortcut="P", disabled=over,
                  type="secondary" if over else "primary",
                  on_click=session.attempt, args=(run.play,))  # fmt: skip
    st.button(_("Step batch"), key="bench_batch", shortcut="B", disabled=over, on_click=session.attempt,
              args=(run.step_batch,), help=_("One batch."))  # fmt: skip
    st.button(_("Step epoch"), key="bench_epoch", shortcut="E", disabled=over, on_click=session.attempt,
              args=(run.step_epoch,), help=_("To the end of the epoch."))  # fmt: skip
    st.button(_("Reset"), key="bench_reset", shortcut="X", on_click=session.attempt,
              args=(session.start_experiment_again,), type="primary" if over else "secondary",
              help=_("From the start, with the same seed."))  # fmt: skip
    if not bench.case:
        st.button(_("New seed"), key="bench_seed", shortcut="N", on_click=bench.new_seed,
                  help=_("A new run with other weights and another order of the batches."))  # fmt: skip
    speed = st.selectbox(
        _("Speed"),
        benches.SPEEDS,
        benches.SPEEDS.index(bench.speed),
        format_func=lambda speed: _("{speed} batches/s").format(speed=speed) if speed else _("max"),
        key="bench_speed",
        persist_state="session",
        width=165,
        label_visibility="collapsed",
        help=_("Batches per second at the most."),
    )
    if speed != run.speed:
        bench.speed = speed
        session.attempt(lambda: run.set_speed(speed))
    if not bench.case or bench.guess:
        show_downloads(scripts, bench.made)


def show_run(bench: Bench, run: LabRun, scripts: dict[str, str], drawn: str) -> None:
    """The curves. Looked at again and again, until the status is not what the buttons show."""
    measured = bool(bench.case) or not bench.mistake.raises
    top = st.container()
    probe = choose_probe(bench) if measured else bench.mistake.probe
    try:
        look = run.look(probe)
    except ToytrainError as error:
        if run.status == "closed":
            st.rerun()  # the page makes it anew
        st.warning(controls.escaped(controls.sentence(error)))
        st.button(_("Try again"))
        return
    if look.status != drawn:
        st.rerun()
    shown, config = sides(bench, look), bench.config
    with top:
        show_messages(shown, scripts if not bench.case or bench.guess else {}, look.message)
        left, right = st.columns(2, gap="small")
    loss = _("Loss of each batch: {figures}").format(figures=told(shown, newest_loss))
    accuracy = _("Test accuracy after each epoch: {figures}").format(figures=told(shown, newest_accuracy))
    with left:
        live.show_chart(lab_charts.losses(shown, config), "bench_losses", loss)
    with right:
        live.show_chart(lab_charts.accuracies(shown, config), "bench_accuracies", accuracy)
    if not measured:
        return
    if probe == "gradient":
        figure = lab_charts.gradients(shown, config)
    else:
        figure = lab_charts.readings(PROBES[probe], shown, config)
    live.show_chart(figure, "bench_probe", f"{said(PROBES[probe].title)}: {said(PROBES[probe].about)}")


def choose_probe(bench: Bench) -> str:
    """The measurement to show; at first that of the mistake, of a case the first of all."""
    names = list(PROBES)
    start = 0 if bench.case else names.index(bench.mistake.probe)
    left, right = st.columns([2, 3], gap="small", vertical_alignment="center")
    with left:
        probe = st.selectbox(_("Measurement"), names, start,
                             format_func=lambda name: said(PROBES[name].title),
                             key=f"bench_probe_{bench.case or bench.name}", persist_state="session",
                             label_visibility="collapsed")  # fmt: skip
    right.caption(said(PROBES[probe].about))
    return probe


def sides(bench: Bench, look: Look) -> list[Shown]:
    """What there is to see: right and wrong, but of a case only the run until it is guessed."""
    right = Shown(_("right"), RIGHT, look.right)
    wrong = Shown(_("wrong"), WRONG, look.wrong)
    if not bench.case:
        return [right, wrong]
    if not bench.guess:
        side = look.right if bench.answer == benches.NO_MISTAKE else look.wrong
        return [Shown(_("this run"), ALONE, side)]
    return [right] if bench.answer == benches.NO_MISTAKE else [right, wrong]


def show_messages(shown: list[Shown], scripts: dict[str, str], note: str) -> None:
    """Why a side has ended early, with the line at which it did."""
    if note:
        st.info(controls.escaped(note))
    for one in shown:
        if one.side.error and one.side.line:
            line = scripts["wrong"].split("\n")[one.side.line - 1].strip() if scripts else ""
            st.error(
                f"`{one.side.error}`  \n" + _("line {number}").format(number=one.side.line) + f": `{line}`"
            )
        elif one.side.error:
            st.warning(controls.escaped(f"{one.name}: {said(one.side.error)}"))


def told(shown: list[Shown], figure) -> str:
    """A figure of each side, in words."""
    return ", ".join(f"{one.name} {figure(one)}" for one in shown)


def newest_loss(one: Shown) -> str:
    return f"{one.side.losses[-1]:.3f}" if one.side.losses else "–"


def newest_accuracy(one: Shown) -> str:
    return f"{one.side.scores[-1][4]:.3f}" if one.side.scores else "–"


live.fit_to_window()
here = session.open_page()
bench = here.bench
with st.container(horizontal=True, vertical_alignment="center", gap="medium"):
    choose_mode(bench)
    if not bench.case:
        choose_mistake(bench)
    elif bench.tried:
        st.markdown(_("**{found}** of {tried} found").format(found=bench.found, tried=bench.tried))
run, scripts = session.experiment()
if here.notices:
    st.warning("\n".join(f"- {controls.escaped(notice)}" for notice in here.notices))
with st.container(horizontal=True, vertical_alignment="center", gap="small"):
    show_strip(bench, run, scripts)
left, right = st.columns([3, 2], gap="medium")
with right:
    if not bench.case:
        show_mistake(bench, scripts)
    elif bench.guess:
        show_answer(bench, scripts)
    else:
        ask_guess(bench)
with left:
    looking = st.fragment(show_run, run_every=LOOK_EVERY if run.playing else None)
    looking(bench, run, scripts, run.status)
