"""`python -m toytrain`: train a Config without a browser. Every field of Config is an option.

Started by torchrun, it is one rank of a distributed run.
"""

import argparse
import dataclasses
import json
import signal
import sys
from pathlib import Path
from typing import Any

from .config import Config, Limits, quoted
from .datasets import OWN
from .distributed import Ranks, torchrun
from .errors import ToytrainError
from .rows import write_rows
from .table import guess, read_table, take

# What a run that goes on from a checkpoint may do in another way, because no bit before depends on it.
MAY_CHANGE = {"learning_rate", "epochs", "target_loss", "target_accuracy", "patience"}


def main(arguments: list[str] | None = None) -> int:
    """Run the command line. Its exit status is 0, or 2 (130 after Ctrl-C) with one sentence on stderr."""
    try:
        _run(_parser().parse_args(arguments))
    except ToytrainError as error:
        if torchrun.tells(error):
            print(f"toytrain: {error}", file=sys.stderr)
        return 2
    except OSError as error:
        print(f"toytrain: {error.filename}: {error.strerror}.", file=sys.stderr)
        return 2
    except KeyboardInterrupt:  # before the first batch, or the second Ctrl-C
        print("toytrain: stopped before the files were written.", file=sys.stderr)
        return 130
    return 0


class _Parser(argparse.ArgumentParser):
    """argparse whose errors are one sentence too, and not the usage of thirty options."""

    def error(self, message):
        raise ToytrainError(f"{message}; see --help.")


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="python -m toytrain",
        description="Train a toy network and print the book's log lines. Ctrl-C ends the training "
        "and still writes the files asked for.",
    )
    files = parser.add_argument_group("files")
    files.add_argument("--config", type=Path, metavar="FILE.json",
                       help="take the settings from this file; options given beside it win")  # fmt: skip
    files.add_argument("--csv", type=Path, metavar="FILE.csv",
                       help="take own points from a text file with the columns x1, x2 and label")  # fmt: skip
    files.add_argument("--save", type=Path, metavar="model.pth", help="write the bare state_dict")
    files.add_argument("--checkpoint", type=Path, metavar="full.pth",
                       help="write a full checkpoint, from which the run resumes bit for bit")  # fmt: skip
    files.add_argument("--resume", type=Path, metavar="full.pth",
                       help="go on from a full checkpoint; only --learning-rate and what ends the run "
                       "(--epochs, --target-loss, --target-accuracy, --patience) can change")  # fmt: skip
    files.add_argument("--losses", type=Path, metavar="FILE.json",
                       help="write every batch loss in full precision")  # fmt: skip
    files.add_argument("--script", type=Path, metavar="FILE.py",
                       help="write the plain PyTorch script instead of training")  # fmt: skip
    files.add_argument("--distributed-script", type=Path, metavar="FILE.py",
                       help="write the distributed form of the script, for torchrun")  # fmt: skip
    together = parser.add_argument_group(
        "distributed", "Under torchrun (torchrun --nproc-per-node=2 -m toytrain ...); a batch is per rank."
    )
    for option, dest, help in (
        ("--ddp", "wrapped", "wrap the model in DistributedDataParallel"),
        ("--set-epoch", "set_epoch", "let the sampler deal other shards in every epoch"),
        ("--seed-ranks", "seeded", "seed every rank"),
        ("--loader-shuffle", "loader_shuffle", "shuffle in the DataLoader too, which PyTorch refuses"),
    ):
        default = "yes" if getattr(Ranks(), dest) else "no"
        together.add_argument(option, dest=dest, action=argparse.BooleanOptionalAction,
                              help=f"{help} (default: {default})")  # fmt: skip
    together.add_argument("--timeout", type=float, metavar="SECONDS",
                          help=f"how long ranks wait for each other (default: {torchrun.TIMEOUT:g})",
                          )  # fmt: skip
    parser.add_argument("--steps", type=int, metavar="N", help="end after so many batches more")
    groups: dict[str, Any] = {}
    for spec in dataclasses.fields(Config):
        bounds: Limits = spec.metadata["limits"]
        if bounds.group not in groups:
            groups[bounds.group] = parser.add_argument_group(bounds.group)
        groups[bounds.group].add_argument("--" + spec.name.replace("_", "-"), **_option(spec, bounds))
    return parser


def _option(spec: dataclasses.Field, bounds: Limits) -> dict[str, Any]:
    """How argparse reads one field. What is out of range is left for Config to refuse."""
    book = f" [book {bounds.book}]" if bounds.book else ""
    value: Any = spec.default
    default = " ".join(map(str, value)) if bounds.count else value
    # argparse formats help with %, and knows an option was not given by the default None.
    shared = {"default": None, "dest": spec.name,
              "help": f"{bounds.help} (default: {default}){book}".replace("%", "%%")}  # fmt: skip
    if isinstance(value, bool):
        return shared | {"action": argparse.BooleanOptionalAction}
    if bounds.count:
        return shared | {"nargs": "+", "type": type(value[0]), "metavar": "VALUE"}
    return shared | {"type": type(value),
                     "metavar": "NAME" if bounds.choices else bounds.unit.upper() or "N"}  # fmt: skip


def _run(options: argparse.Namespace) -> None:
    given = {
        spec.name: getattr(options, spec.name)
        for spec in dataclasses.fields(Config)
        if getattr(options, spec.name) is not None
    }
    if options.steps is not None and options.steps < 1:
        raise ToytrainError(f"--steps = {options.steps} is not permitted; permitted is 1 or more.")
    if options.resume and (options.config or options.csv):
        option = "--config" if options.config else "--csv"
        raise ToytrainError(f"{option} does not go with --resume: a checkpoint holds its own settings.")
    if options.csv:
        given = {"dataset": OWN, "rows": _read_points(options.csv)} | given
    if options.resume is None:
        start = Config.from_json(_read_text(options.config)) if options.config else Config()
        config = dataclasses.replace(start, **given)
    process = _process(options)

    import torch  # after the settings are checked: a mistyped option need not wait for it

    from . import checkpoint

    torch.set_num_threads(1)
    saved = None
    if options.resume:  # the user's own file, of whatever length
        saved = checkpoint.load(options.resume.read_bytes(), most_bytes=sys.maxsize)
    if saved:
        config = saved.config or Config()
    with process.joined(config.device):
        if saved:
            trainer, config = _resume(saved, given, process)
        else:
            trainer = process.make_trainer(config)
        if options.script or options.distributed_script:
            _write_scripts(options, config, trainer, process)
            return
        _train(trainer, options.steps, process)
        snapshot = trainer.snapshot()
        if process.writes:
            if options.save:
                options.save.write_bytes(checkpoint.save_weights(snapshot))
            if options.checkpoint:
                options.checkpoint.write_bytes(checkpoint.save(snapshot))
            if options.losses:
                options.losses.write_text(json.dumps(snapshot.losses.tolist()))
        if snapshot.diverged:
            raise ToytrainError(snapshot.diverged)


def _process(options: argparse.Namespace) -> torchrun.Alone | torchrun.Member:
    """This process, alone or one of torchrun's with the switches given."""
    names = ("wrapped", "set_epoch", "seeded", "loader_shuffle")
    switches = {name: getattr(options, name) for name in names if getattr(options, name) is not None}
    if torchrun.is_under_torchrun():
        if options.timeout is not None and not 0 < options.timeout < 1e6:
            raise ToytrainError(f"--timeout = {options.timeout:g} is not permitted; give some seconds.")
        return torchrun.Member(Ranks(**switches), options.timeout or torchrun.TIMEOUT)
    if switches or options.timeout is not None:
        raise ToytrainError(
            "The options of a distributed run need several processes; start it with torchrun "
            "--nproc-per-node=2 -m toytrain."
        )
    return torchrun.Alone()


def _write_scripts(options: argparse.Namespace, config: Config, trainer, process) -> None:
    from . import checkpoint
    from .distributed.script import write_distributed_script
    from .script import INITIAL_WEIGHTS, write_script

    if not process.writes:
        return
    steps = trainer.steps + options.steps if options.steps else None
    initial = trainer.initial_weights
    arguments = (trainer.learning_rates, steps, initial is not None, trainer.edits)
    scripts = {}
    if options.script:
        scripts[options.script] = write_script(config, *arguments)
    if options.distributed_script:
        scripts[options.distributed_script] = write_distributed_script(config, process.ranks, *arguments)
    for path, script in scripts.items():
        path.write_text(script, encoding="utf-8")
        if initial is not None:
            path.with_name(INITIAL_WEIGHTS).write_bytes(checkpoint.save_state_dict(initial))


def _read_points(path: Path) -> str:
    """Own points as a Config holds them, from a file of which every row must be one."""
    table = read_table(path.read_bytes())
    taken = take(table, guess(table))
    if taken.problems:
        raise ToytrainError(f"{path}: {taken.problems[0]}")
    return write_rows(taken.points)


def _read_text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise ToytrainError(f"{path} is not a text file; take a file of settings in JSON.") from error


def _resume(snapshot, given: dict[str, Any], process):
    """The Trainer that goes on from a checkpoint, and its Config with the settings that may change."""
    wanted = dataclasses.replace(snapshot.config, **given)
    for name in given.keys() - MAY_CHANGE:
        if getattr(wanted, name) != getattr(snapshot.config, name):
            raise ToytrainError(
                f"{name} = {quoted(getattr(snapshot.config, name))} in the checkpoint cannot become "
                f"{quoted(getattr(wanted, name))}; only learning_rate and what ends the run can change.",
                field=name,
            )
    config = dataclasses.replace(wanted, learning_rate=snapshot.config.learning_rate)
    trainer = process.make_trainer(config)
    trainer.restore(snapshot)
    if 0 < trainer.stopping.ended < trainer.epoch:
        raise ToytrainError(
            f"With these conditions the run would not have come as far as the checkpoint. "
            f"{trainer.stopping.reason} Choose others, or train anew."
        )
    if "learning_rate" in given and wanted.learning_rate != trainer.learning_rate:
        trainer.set_learning_rate(wanted.learning_rate)
    return trainer, config


def _train(trainer, steps: int | None, process) -> None:
    """Train to the end, or until Ctrl-C in any process, with the book's log lines.

    One process alone shows a progress bar on a terminal.
    """
    from tqdm import tqdm

    batches = len(trainer.train_loader)
    total = trainer.epochs * batches or None
    if steps is not None:
        total = min(trainer.steps + steps, total or trainer.steps + steps)
    epochs = f"{trainer.epochs:03d}" if trainer.epochs else "…"
    stopped = False
    with (
        _Interrupt() as interrupt,
        tqdm(total=total, initial=trainer.steps, unit="batch", leave=False,
             disable=True if process.label else None) as bar,
    ):  # fmt: skip
        while not trainer.ended and (total is None or trainer.steps < total):
            if stopped := process.any(interrupt.came):
                break
            epoch, batch = trainer.epoch, trainer.batch
            loss = trainer.step()
            if trainer.diverged:
                break
            bar.write(f"{process.label}Epoch: {epoch + 1:03d}/{epochs} | Batch {batch:03d}/{batches:03d}"
                      f" | Train/Val Loss: {loss:.2f}", file=sys.stdout)  # fmt: skip
            bar.update()
    if stopped:
        print(f"{process.label}Stopped after {trainer.steps} batches.", file=sys.stderr)
    if trainer.stopping.reason:
        print(trainer.stopping.reason, file=sys.stderr)
    snapshot = trainer.snapshot()
    data = snapshot.data
    for name, dataset in ("Training", data.train), ("Test", data.test):
        print(f"{process.label}{name} {trainer.task.score_name}: {snapshot.evaluate(dataset)[1]:.4f}")
    if line := process.last_line():
        print(line)


class _Interrupt:
    """Ctrl-C as a mark to look at between steps: a step cut in two is no step of the run, and the
    checkpoint would not resume bit for bit. A second Ctrl-C ends at once."""

    came = False

    def __enter__(self) -> "_Interrupt":
        self._before = signal.signal(signal.SIGINT, self._note)
        return self

    def __exit__(self, *_: object) -> None:
        signal.signal(signal.SIGINT, self._before)

    def _note(self, *_: object) -> None:
        self.came = True
        signal.signal(signal.SIGINT, signal.default_int_handler)


if __name__ == "__main__":
    torchrun.leave(main())
