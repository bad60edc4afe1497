"""FastStep: trains the next batches of a Trainer with the traced step.

A slice of batches is trained on copies of weights and optimizer state. If all went well they are copied
back, and nothing shows that it was not the plain step. If a loss or a weight is not finite, or something
fails, they are dropped, and the plain step trains the same batches again: it alone says what is wrong.
"""

import copy
import math
from collections.abc import Callable, Hashable
from typing import Any

import torch

from ..random_state import get_random_state, set_random_state
from .batches import ResidentBatches
from .captured import Captured
from .compiled import Compiled, structure
from .reasons import reason_against
from .run import Run, Slice

# Plain steps before the tracing, which takes about as long as they do, 20 ms: so a short run hardly pays
# for it, and the first loss of a long one does not wait for it.
WARM_UP = 64
FEWEST = 4  # batches that are worth the copying
MOST = 1000  # batches after which the copies are stored, so that a drop costs no more than these
TRIAL = 8  # batches that a new fast step trains beside the plain one
ASK_AGAIN = 100  # plain steps after which a reason against the fast step is looked at anew

Way = Compiled | Captured
WAYS: dict[str, Callable[[Run], Way]] = {"cpu": Compiled.of, "cuda": Captured}


class FastStep:
    """The fast step of one Trainer; see the package's docstring. `steps` counts what it has trained."""

    def __init__(self):
        self.steps = 0
        self._plain_left = WARM_UP  # plain steps to come before the fast one is tried
        self._compiled: Way | None = None
        self._structure: Hashable = None
        self._proven = False  # whether the trial has shown equal bits
        self._fault = ""

    def __reduce__(self):
        """A copy begins anew: what is compiled works on the tensors of this one."""
        return FastStep, ()

    def reason(self, run: Run) -> str:
        """Why the plain step trains this run; "" if the fast one may."""
        if against := reason_against(run):
            return against
        self._compile(run)
        return self._fault

    def source(self, run: Run) -> str:
        """The source of the step for a full batch; "" where the plain step trains."""
        return self._compiled.source if not self.reason(run) and self._compiled else ""

    def train(self, run: Run, last: float, deadline: float) -> bool:
        """Train batches until `last` steps or the deadline, or some of them; False: take a plain step."""
        if self._plain_left > 0:
            self._plain_left -= 1
            return False
        if last - run.steps < FEWEST or not _stands_in_epoch(run):
            return False
        if self.reason(run) or self._compiled is None:
            self._plain_left = ASK_AGAIN
            return False
        try:
            if self._proven:
                done = _trained(run, self._compiled, min(last, run.steps + MOST), deadline)
            else:
                done = _trained(run, self._compiled, min(last, run.steps + TRIAL), math.inf)
        except Exception as error:  # the plain step trains this batch; it fails too if the batch is bad
            self._fault = f"The fast step failed ({type(error).__name__}: {error})."
            return False
        if done is None or not done.finite:
            self._plain_left = ASK_AGAIN if done is None else done.steps - run.steps
            return False
        if done.declined:
            self._plain_left = ASK_AGAIN
        if done.steps == run.steps:
            return False
        if self._proven:
            self.steps += done.steps - run.steps
            self._compiled.store(run, done.number)
            _store(run, done)
        else:
            self._prove(run, self._compiled, done)
        return True

    def _compile(self, run: Run) -> None:
        """Make what `_compiled` holds fit the run as it is now."""
        found = structure(run)
        if found == self._structure:
            return
        self._structure, self._compiled, self._proven, self._fault = None, None, False, ""
        try:
            self._compiled = WAYS[run.device.type](run)
        except Exception as error:  # whatever the tracing met: the plain step needs no tracing
            self._fault = f"The fast step could not be prepared ({type(error).__name__}: {error})."
        self._structure = found

    def _prove(self, run: Run, compiled: Way, done: Slice) -> None:
        """Train what the fast step has trained with the plain one, which counts, and compare."""
        after = get_random_state(run.device)
        _put_back(run, done)
        while run.steps < done.steps and math.isfinite(run.step()):
            pass
        self._proven = (
            compiled.equals(run)
            and run.losses[run.steps - len(done.losses) :] == done.losses
            and run.tests[len(run.tests) - len(done.tests) :] == done.tests
            and run.optimizer.param_groups[0]["lr"] == done.learning_rate
            and all(torch.equal(after[name], state) for name, state in get_random_state(run.device).items())
        )
        if not self._proven:
            self._fault = "The fast step does not give the bits of the plain step on this machine."


def _trained(run: Run, compiled: Way, last: float, deadline: float) -> Slice | None:
    """The next batches, trained on copies; None where a plain step must come first.

    The run itself stands where it stood; so does the generator, if a number is not finite, if nothing
    was trained, or by an error or Ctrl-C.
    """
    number = compiled.load(run)
    if number is None:
        return None
    stays = False
    done = _begin(run, number)
    try:
        while done.finite and not done.late and done.steps < last and not _ended(run, done):
            if done.batches is None:
                done.epoch_random_state = get_random_state(run.device)
                done.batches = ResidentBatches(run.train_loader)
            _train_epoch(run, compiled, done, done.batches, last, deadline)
            if done.declined and done.batch == 0 and done.batches and done.epoch_random_state:
                set_random_state(done.epoch_random_state, run.device)  # the plain step deals this epoch
                done.batches = None
        done.finite = done.finite and compiled.is_finite()
        stays = done.finite and done.steps > run.steps
    finally:
        if not stays:
            _put_back(run, done)
    return done


def _ended(run: Run, done: Slice) -> bool:
    return 0 < run.epochs <= done.epoch or bool(done.stopping.reason)


def _put_back(run: Run, done: Slice) -> None:
    """Let generator and schedule stand where they stood before the Slice."""
    set_random_state(done.random_state, run.device)
    if run.schedule is not None and done.schedule is not None:
        run.schedule.load_state_dict(done.schedule)
        _set_rate(run, done.first_rate)


def _set_rate(run: Run, rate: float) -> None:
    for group in run.optimizer.param_groups:
        group["lr"] = rate


def _stands_in_epoch(run: Run) -> bool:
    """Whether the next batch is the one that the Trainer counts, and the model is in train mode."""
    if run.batch == 0:
        return run._batches is None
    # A DataLoader's own iterator keeps its position under another name.
    position = getattr(run._batches, "position", getattr(run._batches, "_num_yielded", None))
    return position == run.batch and all(module.training for module in run.model.modules())


def _begin(run: Run, number: float) -> Slice:
    """A Slice with nothing trained yet. The order of an epoch begun by the plain step is dealt again."""
    now = get_random_state(run.device)
    batches = None
    if run.batch == 0:
        run.model.train()
    elif isinstance(run._batches, ResidentBatches):
        batches = run._batches
    elif run._epoch_random_state is not None:
        set_random_state(run._epoch_random_state, run.device)
        batches = ResidentBatches(run.train_loader)
        set_random_state(now, run.device)
    rate = run.optimizer.param_groups[0]["lr"]
    return Slice(
        now,
        run.steps,
        run.epoch,
        run.batch,
        batches,
        run._epoch_random_state,
        rate,
        number,
        first_rate=rate,
        schedule=None if run.schedule is None else dict(run.schedule.state_dict()),
        stopping=copy.copy(run.stopping),
    )


def _train_epoch(
    run: Run,
    compiled: Way,
    done: Slice,
    batches: ResidentBatches,
    last: float,
    deadline: float,
) -> None:
    """Train on, at the most to the epoch's end, and close the epoch there."""
    compiled.train(done, batches, run.learning_rates, last, deadline)
    if not done.finite or done.batch < len(batches):
        return
    done.epoch += 1
    done.batch = 0
    done.batches = None
    if run.test_loader is not None:
        dataset: Any = run.test_loader.dataset
        with torch.inference_mode():
            logits = compiled.evaluate(dataset.features)
            labels = dataset.labels.to(logits.device)
            loss, score = run.task.loss(logits, labels).item(), run.task.score(logits, labels)
        done.tests.extend((done.steps, loss, score))
        done.stopping.look(loss, score)
    if run.schedule is not None:
        _set_rate(run, done.learning_rate)
        run.schedule.step()
        done.learning_rate = run.optimizer.param_groups[0]["lr"]


def _store(run: Run, done: Slice) -> None:
    """Note in the Trainer what it would have noted itself."""
    run.steps, run.epoch, run.batch = done.steps, done.epoch, done.batch
    run.losses.extend(done.losses)
    run.tests.extend(done.tests)
    run.stopping = done.stopping
    _set_rate(run, done.learning_rate)
    if done.batches is not None:
        done.batches.position = done.batch
    run._batches, run._epoch_random_state = done.batches, done.epoch_random_state
    # Only the weights after the last step matter here: they are finite, so none before are wanted.
    run._last_finite.keep()
