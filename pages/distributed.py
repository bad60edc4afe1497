"""The distributed page: one Config trained by several ranks, real processes or a replay of them."""

import math
from dataclasses import dataclass

import streamlit as st

from pages.parts import charts, controls, live, session
from pages.parts.shards import cards
from pages.parts.words import _
from toytrain import Config, ToytrainError
from toytrain.datasets import DATASETS
from toytrain.distributed import MOST_RANKS, DistributedRun, Plan, Ranks, Step, View

BOOK = Config(dataset="book", batch_size=2, drop_last=True, learning_rate=0.5, seed=123, epochs=3)
LOOK_EVERY = {"paused": 2.0}  # seconds between two looks at a run that has not ended, if not 0.5
ANSWER_WITHIN = 1.0  # seconds that a click waits for its steps; what takes longer is seen at the next look
SPEEDS = (1, 5, 20, 100, 0)  # steps per second; 0: as fast as it goes
EPOCHS_DEALT = (3, 10, 50)  # for how many epochs the cards are dealt, as far as they are needed
RANKS_BESIDE = 4
STEPS_BACK = 1000  # that can be looked at again
MOST_LOSSES = 20  # rows of the table


@dataclass(frozen=True)
class Setup:
    """What the next run will be."""

    config: Config
    ranks: Ranks
    kind: str


def mistakes() -> dict[str, str]:
    """What is switched wrongly -> what one sees."""
    return {
        "wrapped": _(
            "Without DistributedDataParallel no gradient is averaged: from the first step on the weights of "
            "the ranks differ and drift apart, while each rank's accuracy may well be 1.0."
        ),
        "set_epoch": _(
            "Without sampler.set_epoch(epoch) each epoch deals the same shards: compare the cards of two "
            "epochs."
        ),
        "seeded": _(
            "Without torch.manual_seed in each process every run has other weights and other losses: start "
            "it twice and compare with the run before. (DistributedDataParallel still gives all ranks rank "
            "0's weights.)"
        ),
        "loader_shuffle": _(
            "shuffle=True in the DataLoader beside a sampler is refused by PyTorch: the sampler alone "
            "decides which rows a rank gets."
        ),
    }


def ask_setup(here: session.Session) -> Setup:
    """The widgets of the sidebar; after a reload they show what the address's run was made of."""
    made = here.ranks
    known = made.ranks if made else Ranks()
    with st.sidebar:
        kind = st.radio(
            _("How the ranks run"),
            ["replay", "real"],
            index=int(made is not None and made.kind == "real"),
            format_func={"replay": _("Replay"), "real": _("Real processes")}.get,
            captions=[
                _("The ranks as model copies in one process: the same figures to six decimals, at once, "
                  "for any number of students."),
                _("A process per rank, joined by gloo or nccl as on a cluster. A server runs a few at a "
                  "time; others wait in a queue."),
            ],
            key="ranks_kind",
            persist_state="session",
        )  # fmt: skip
        mine = st.radio(
            _("Settings"),
            [False, True],
            index=int(made is not None and made.config != BOOK),
            format_func={False: _("The book's five points"), True: _("Those of the train page")}.get,
            help=_("Book, section A.9.3: two classes, batches of 2, three epochs."),
            key="ranks_mine",
            persist_state="session",
        )
        config = here.config if mine else BOOK
        world_size = st.number_input(
            _("ranks (world_size)"),
            1,
            MOST_RANKS,
            known.world_size,
            help=_(
                "How many processes train together. Each (a rank) has its own share of the training data, "
                "its shard, and takes batches of its own."
            ),
            key="ranks_world_size",
            persist_state="session",
        )
        st.caption(_("{rank} examples per rank and step, {all} in all").format(
            rank=config.batch_size, all=config.batch_size * world_size))  # fmt: skip
        switches = {
            name: st.toggle(
                label, getattr(known, name), help=about, key=f"ranks_{name}", persist_state="session"
            )
            for name, label, about in (
                (
                    "wrapped",
                    "DistributedDataParallel",
                    _("Wraps the model, and averages the gradients of all ranks."),
                ),
                ("set_epoch", "sampler.set_epoch", _("Deals each rank other rows in every epoch.")),
                ("seeded", "torch.manual_seed", _("In every process, before the model is made.")),
                (
                    "loader_shuffle",
                    "DataLoader(shuffle=True)",
                    _("A mistake: beside a sampler PyTorch refuses it."),
                ),
            )
        }
    return Setup(config, Ranks(world_size, **switches), kind)


def show_mistakes(ranks: Ranks) -> None:
    for name, sentence in mistakes().items():
        if getattr(ranks, name) != getattr(Ranks(), name):
            st.warning(controls.escaped(sentence))


def show_strip(setup: Setup, run: DistributedRun | None, permitted: bool) -> int:
    """The buttons and the speed, which is returned."""
    over = run is None or run.ended
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        st.button(_("Start ranks"), key="ranks_start", type="primary" if over else "secondary",
                  disabled=not permitted, on_click=session.attempt,
                  args=(lambda: session.start_ranks(setup.config, setup.ranks, setup.kind),))  # fmt: skip
        if run is not None and run.playing:
            st.button(_("Pause"), key="ranks_pause", icon=":material/pause:", type="primary",
                      on_click=session.attempt, args=(run.pause,))  # fmt: skip
        else:
            st.button(_("Play"), key="ranks_play", icon=":material/play_arrow:", disabled=over,
                      type="secondary" if over else "primary",
                      on_click=session.attempt, args=(run and run.play,))  # fmt: skip
        st.button(_("Step batch"), key="ranks_step", disabled=over, on_click=session.attempt,
                  args=(lambda: run and run.step(seconds=ANSWER_WITHIN),),
                  help=_("One batch on every rank."))  # fmt: skip
        st.button(_("Step epoch"), key="ranks_step_epoch", disabled=over, on_click=session.attempt,
                  args=(lambda: run and run.step_epoch(seconds=ANSWER_WITHIN),),
                  help=_("To the end of the epoch."))  # fmt: skip
        st.button(_("Stop"), key="ranks_stop", disabled=over, on_click=session.attempt,
                  args=(run and run.stop,),
                  help=_("Ends the processes; what was found stays on the page."))  # fmt: skip
        speed = st.selectbox(_("Speed"), SPEEDS, 1, key="ranks_speed", width=185, persist_state="session",
                             format_func=lambda speed: f"{speed or _('max')} {_('steps/s')}",
                             label_visibility="collapsed",
                             help=_("Steps per second at the most."))  # fmt: skip
        if run is not None:
            run.set_speed(speed)
            with st.popover(_("Download")):
                show_downloads(run)
    return speed


def show_downloads(run: DistributedRun) -> None:
    for label, data, name, about in (
        (_("Distributed script (.py)"), run.script, "toytrain_distributed.py",
         _("For torchrun: the plain script, and each line that DistributedDataParallel adds marked # NEW.")),
        (_("model.pth"), run.model, "model.pth", _("Rank 0's weights; they load anywhere.")),
        (_("Full checkpoint"), run.checkpoint, f"checkpoint-{run.id[:8]}.pth", _("Rank 0's run.")),
    ):  # fmt: skip
        st.download_button(label, data, name, "application/octet-stream", on_click="ignore", width="stretch",
                           help=about)  # fmt: skip
    st.caption(_("In a terminal:"))
    command = f"torchrun --nproc-per-node={run.ranks.world_size} toytrain_distributed.py"
    st.code(command, language=None, wrap_lines=True)


def show_run(run: DistributedRun, before: DistributedRun | None, drawn: str, speed: int) -> None:
    """How the run stands. Looked at again and again, until its status is not what the buttons show."""
    view = run.view()
    if view.status != drawn:
        st.rerun()
    show_status(view, run, speed)
    left, right = st.columns([2, 1], vertical_alignment="bottom")
    with left:
        step = run.step_at(choose_step(view)) if view.steps else None
    plan = plan_up_to(run.config, run.ranks, step.epoch if step else 0)
    if plan is None:
        st.caption(_("Cards are dealt for the first {epochs} epochs.").format(epochs=EPOCHS_DEALT[-1]))
    else:
        with right:
            epoch = choose_epoch(plan, step)
        show_ranks(plan, run.config, epoch, step)
    if step is None:
        return
    left, right = st.columns(2, gap="medium")
    with left:
        live.show_chart(charts.rank_losses(view.losses, view.single_losses), "ranks_losses",
                        _("The loss of each rank by step"))  # fmt: skip
    with right:
        live.show_chart(charts.gradients(step), "ranks_gradients",
                        _("One gradient on each rank, before and after averaging"))  # fmt: skip
        if plan and not run.ended:
            choose_gradient(plan, run)
    if plan:
        show_whole_shards(plan, run.config, epoch)
    show_losses(view, before)


def show_status(view: View, run: DistributedRun, speed: int) -> None:
    words = {
        "queued": _("Waiting, {ahead} runs are before this one").format(ahead=view.ahead),
        "starting": _("Starting"),
        "paused": _("Paused"),
        "playing": _("Training"),
        "finished": _("Finished"),
        "diverged": _("Diverged"),
        "failed": _("Failed"),
        "stopped": _("Stopped"),
    }
    parts = [words[view.status]]
    if view.kind == "real" and view.pids and not run.ended:
        parts.append(_("processes {pids}").format(pids=", ".join(map(str, view.pids))))
    if view.seconds_to_start is not None:
        parts.append(_("up after {seconds:.1f} s").format(seconds=view.seconds_to_start))
    if view.status == "playing" and not speed:
        parts.append(_("{rate:,.0f} steps/s").format(rate=view.steps_per_second))
    st.caption(" · ".join(parts))
    if view.message:
        (st.error if view.status == "failed" else st.info)(controls.sentence(view.message))
    if view.steps:
        show_figures(view)


def show_figures(view: View) -> None:
    scores = [f"{train:.2f}/{test:.2f}" for train, test in view.scores]
    figures = (
        (_("steps"), f"{view.steps:,}", _("Batches trained by each rank.")),
        (_("epochs"), str(view.epoch), _("Completed.")),
        (_("train/test score per rank"), "  ".join(scores), _("On the whole sets, not on a shard.")),
        (_("ranks differ by"), difference(view.spread),
         _("The largest difference of a weight between two ranks.")),
        (_("one process differs by"), difference(view.difference),
         _("The largest difference of a weight from a single process that trains on the same global batches, "
           "measured on this run after this step. With dropout or batch norm it is large by nature: each "
           "rank draws and normalises for itself.")),
    )  # fmt: skip
    with st.container(horizontal=True, gap="medium"):
        for label, value, about in figures:
            st.markdown(f"{label}  \n`{value}`", help=about, width="content")


def choose_step(view: View) -> int:
    """The number of the step to show: the newest, or while the run stands still any of the latest."""
    first = max(1, view.steps - STEPS_BACK + 1)
    if view.status == "playing" or first == view.steps:
        return view.steps
    return st.slider(_("Step shown"), first, view.steps, view.steps)


def choose_epoch(plan: Plan, step: Step | None) -> int:
    """The epoch whose cards are shown: that of the step, or one near to it."""
    now = step.epoch if step else 0
    near = range(len(plan.epochs))[max(0, now - 2) : now + 3]
    chosen = st.segmented_control(_("Shards of epoch"), near, default=now, required=True,
                                  format_func=lambda epoch: str(epoch + 1), key=f"ranks_epoch_{now}",
                                  help=_("A card is a row of the training data in the colour of its class; "
                                         "together they are what a rank gets in an epoch, its shard. A star: "
                                         "repeated, so that all shards are equally long. Struck out: left "
                                         "out by drop_last."))  # fmt: skip
    return now if chosen is None else chosen


def plan_up_to(config: Config, ranks: Ranks, epoch: int) -> Plan | None:
    """The shards as far as the epoch, None beyond what is dealt for the page."""
    for epochs in EPOCHS_DEALT:
        if epoch < epochs:
            return session.plan(config, ranks, epochs)
    return None


def show_ranks(plan: Plan, config: Config, epoch: int, step: Step | None) -> None:
    """A column per rank: its batch on the plane, its loss, its weights, and the cards of its shard."""
    coloured = DATASETS[config.dataset].classes is not None
    world_size = len(plan.epochs[epoch])
    for first in range(0, world_size, RANKS_BESIDE):
        ranks = range(first, min(first + RANKS_BESIDE, world_size))
        for rank, column in zip(ranks, st.columns(len(ranks)), strict=True):
            with column.container(gap="xsmall"):
                title = _("**Rank {rank}**").format(rank=rank)
                if step is None:
                    st.markdown(title)
                    now = None
                else:
                    equal = _("weights equal") if step.equal else _("weights differ")
                    st.markdown(f"{title} · {_('loss')} `{step.losses[rank]:.6f}` · {equal}")
                    live.show_chart(charts.plane(plan, step.rows[rank], coloured), f"ranks_plane_{rank}",
                                    _("The batch of rank {rank}").format(rank=rank))  # fmt: skip
                    now = step.batch if step.epoch == epoch else None
                st.html(cards(plan, epoch, rank, now, coloured))


def show_whole_shards(plan: Plan, config: Config, epoch: int) -> None:
    coloured = DATASETS[config.dataset].classes is not None
    with st.expander(_("Every card of epoch {epoch}").format(epoch=epoch + 1)):
        for rank in range(len(plan.epochs[epoch])):
            st.markdown(_("**Rank {rank}**").format(rank=rank))
            st.html(cards(plan, epoch, rank, None, coloured, whole=True))


def choose_gradient(plan: Plan, run: DistributedRun) -> None:
    """Which gradient is reported from the next step on."""
    shapes = dict(plan.parameters)
    names = list(shapes)
    left, right = st.columns(2)
    name = left.selectbox(_("gradient of"), names, len(names) - 1, help=_("From the next step on."),
                          key="ranks_gradient", persist_state="session")  # fmt: skip
    last = math.prod(shapes[name]) - 1
    run.choose_gradient(name, right.number_input(_("entry"), 0, last, 0, key=f"ranks_entry_{name}"))


def show_losses(view: View, before: DistributedRun | None) -> None:
    """The losses in figures, the newest first, beside those of the run before."""
    with st.expander(_("Losses as numbers")):
        comparable = before is not None and before.ranks.world_size == len(view.losses)
        columns = {_("rank {rank}").format(rank=rank): losses for rank, losses in enumerate(view.losses)}
        columns[_("one process")] = view.single_losses
        for rank, losses in enumerate(before.view().losses if before and comparable else ()):
            columns[_("rank {rank}, run before").format(rank=rank)] = losses
        rows = [
            {_("step"): at + 1}
            | {name: losses[at] if at < len(losses) else None for name, losses in columns.items()}
            for at in reversed(range(max(0, view.steps - MOST_LOSSES), view.steps))
        ]
        figure = st.column_config.NumberColumn(format="%.6f")
        st.dataframe(rows, hide_index=True, placeholder="–", column_config=dict.fromkeys(columns, figure))


def difference(value: float | None) -> str:
    return "–" if value is None else f"{value:.2g}"


live.fit_to_window()
here = session.open_page()
setup = ask_setup(here)
run = here.ranks
for notice in here.notices:
    st.warning(controls.escaped(notice))
show_mistakes(setup.ranks)
try:
    with st.spinner(_("Dealing the shards …")):  # the first time the process that deals them has to start
        plan = plan_up_to(setup.config, setup.ranks, 0)
except ToytrainError as error:
    st.error(controls.sentence(error))
    plan = None
speed = show_strip(setup, run, permitted=plan is not None)
if run is not None:
    if setup != Setup(run.config, run.ranks, run.kind):
        st.info(_("Start ranks begins a run with the settings on the left; this one keeps its own."))
    looking = st.fragment(show_run, run_every=None if run.ended else LOOK_EVERY.get(run.status, 0.5))
    looking(run, here.ranks_before, run.status, speed)
elif plan is not None:
    st.caption(_("Start the ranks: they stand at step 0 until you press Play or Step batch."))
    epoch = choose_epoch(plan, None)
    show_ranks(plan, setup.config, epoch, None)
    show_whole_shards(plan, setup.config, epoch)
