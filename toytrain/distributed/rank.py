"""One rank: a Trainer on a shard, in a process group or as one of several copies in a process.

It knows no pipe and no screen. What differs from a plain run is here: the sampler, the wrapping in
DistributedDataParallel, and that a loss which is not finite on one rank ends all.
"""

import contextlib
import hashlib
from array import array
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import torch
import torch.distributed as dist
from torch.nn.parallel import DistributedDataParallel
from torch.utils.data import DataLoader
from torch.utils.data.distributed import DistributedSampler

from ..config import Config
from ..data import make_data
from ..devices import get_device
from ..errors import ToytrainError
from ..model import NeuralNetwork
from ..schedules import at_epoch
from ..snapshot import Snapshot
from ..trainer import Trainer, made_of
from .plan import check, deal, make_sampler
from .ranks import Progress, Ranks, Record, check_settings

TIMEOUT = 30.0  # seconds that a rank waits for the others before it gives up


class DDP(DistributedDataParallel):
    """DistributedDataParallel whose state_dict has the network's own keys, without `module.`."""

    def state_dict(self, *arguments: Any, **named: Any) -> Any:
        return self.module.state_dict(*arguments, **named)

    def load_state_dict(self, *arguments: Any, **named: Any) -> Any:
        return self.module.load_state_dict(*arguments, **named)


class RankTrainer(Trainer):
    """A Trainer whose batches are a rank's shard.

    `network` is the model itself, also where `model` is wrapped. `rows` are the training rows of the
    current batch. `total(loss)` is the sum of all ranks' losses: not finite if one of them is not.
    """

    network: torch.nn.Module
    ranks: Ranks
    rank: int
    total: Callable[[torch.Tensor], torch.Tensor]
    rows: tuple[int, ...] = ()
    _sampler: DistributedSampler
    _batches_alone: int
    _order: list[int]

    @classmethod
    def on_shard(cls, config: Config, ranks: Ranks, rank: int) -> "RankTrainer":
        """The rank's trainer, not wrapped yet, made in the order of the book's DDP script."""
        check_settings(config)
        device = get_device(config.device)
        data = make_data(config)
        batches_alone = check(config, ranks, data)
        sampler = make_sampler(config, ranks, rank, data.train)
        loader = _loader(config, ranks, data.train, sampler)
        if ranks.seeded:
            torch.manual_seed(config.seed)
        else:
            torch.seed()  # as a new process begins
        model = NeuralNetwork.from_config(config).to(device)
        trainer = cls(
            model,
            train_loader=loader,
            test_loader=DataLoader(data.test, batch_size=config.batch_size),
            data=data,
            **made_of(config, model),
        )
        trainer.network, trainer.ranks, trainer.rank = model, ranks, rank
        trainer._sampler, trainer._batches_alone = sampler, batches_alone
        trainer.total = torch.Tensor.detach  # alone, as long as nobody says otherwise
        return trainer

    @classmethod
    def in_group(cls, config: Config, ranks: Ranks) -> "RankTrainer":
        """The trainer of this process, which is in a process group (see `joined`)."""
        trainer = cls.on_shard(config, ranks, dist.get_rank())
        trainer.total = _sum_over_ranks
        if ranks.wrapped:
            on_gpu = trainer.device.type == "cuda"
            trainer.model = DDP(trainer.model, device_ids=[torch.cuda.current_device()] if on_gpu else None)
        return trainer

    def next_batch(self):
        if self._batches is None:
            self._order = deal(self._sampler, self.ranks, self.epoch)
        size = self.train_loader.batch_size or 1
        self.rows = tuple(self._order[self.batch * size : (self.batch + 1) * size])
        return super().next_batch()

    def record(self, loss: torch.Tensor) -> float:
        # A rank that stopped alone would leave the others waiting for its gradients.
        total = self.total(loss)
        return super().record(loss if total.isfinite() else total)

    def evaluate(self, dataset) -> tuple[float, float]:
        # A wrapped model talks to the other ranks in forward, and they may have nothing to evaluate.
        wrapped, self.model = self.model, self.network
        try:
            return super().evaluate(dataset)
        finally:
            self.model = wrapped

    def snapshot(self) -> Snapshot:
        """The run as it stands, its steps counted in epochs as one process alone has them.

        So a checkpoint loads anywhere. Of the test rows those stay whose step ends such an epoch too.
        """
        snapshot = super().snapshot()
        tests = snapshot.tests[snapshot.tests[:, 0] % self._batches_alone == 0]
        moved = _at_step(snapshot, self._batches_alone)
        return replace(moved, test_history=array("d", tests.flatten().tolist()), num_tests=len(tests))

    def restore(self, snapshot: Snapshot) -> None:
        """Go on from a Snapshot of the same Config, whatever the number of processes it was made by."""
        moved = _at_step(snapshot, len(self.train_loader))
        self._order = deal(self._sampler, self.ranks, moved.epoch)
        super().restore(moved)


def _at_step(snapshot: Snapshot, batches: int) -> Snapshot:
    """The Snapshot with its steps counted in epochs of so many batches.

    What was random in an unfinished epoch is over: the sampler alone decides on the order.
    """
    epoch, batch = divmod(snapshot.steps, batches)
    began = snapshot.epoch_random_state or snapshot.random_state
    return replace(
        snapshot,
        epoch=epoch,
        batch=batch,
        batches=batches,
        epoch_random_state=began if batch else None,
        schedule_state=at_epoch(snapshot.schedule_state, epoch),
    )


class Reporter:
    """Trains a RankTrainer and tells of every step; `choose` picks the gradient that is told."""

    def __init__(self, trainer: RankTrainer):
        self.trainer = trainer
        self.parameters = dict(trainer.network.named_parameters())
        self._own = 0.0
        self._hook: Any = None
        self.choose(*default_gradient(trainer.network))

    def choose(self, name: str, index: int) -> None:
        """Tell of this entry of this parameter's gradient from the next step on."""
        if self._hook:
            self._hook.remove()
        self._parameter, self._index = self.parameters[name], index
        # A parameter's hook sees the gradient of this rank's batch before DDP averages it.
        self._hook = self._parameter.register_hook(self._note)

    def step(self) -> Record | None:
        """Train one batch; None if the run diverged at it."""
        return self.record(self.trainer.step)

    def record(self, step: Callable[[], float]) -> Record | None:
        """Let `step` end a step, and tell of it."""
        trainer = self.trainer
        epoch, batch = trainer.epoch, trainer.batch
        loss = step()
        if trainer.diverged:
            return None
        gradient = self._parameter.grad
        return Record(
            epoch=epoch,
            batch=batch,
            rows=trainer.rows,
            loss=loss,
            gradient=self._own,
            average=0.0 if gradient is None else gradient.flatten()[self._index].item(),
            digest=hashlib.blake2b(self.weights(), digest_size=16).digest(),
        )

    def train(self, steps: int) -> Progress:
        """Train so many batches, or until the run ends."""
        records = []
        for _ in range(steps):
            if self.trainer.ended or (record := self.step()) is None:
                break
            records.append(record)
        return self.progress(records)

    def progress(self, records: list[Record]) -> Progress:
        """How the rank stands after these Records."""
        trainer = self.trainer
        scores = [trainer.evaluate(part)[1] for part in (trainer.data.train, trainer.data.test)]  # type: ignore[union-attr]
        return Progress(
            records=tuple(records),
            epoch=trainer.epoch,
            batch=trainer.batch,
            weights=self.weights(),
            scores=(scores[0], scores[1]),
            finished=trainer.finished,
            diverged=trainer.diverged,
        )

    def weights(self) -> bytes:
        """Every parameter as float32, one after the other."""
        return b"".join(parameter.detach().cpu().numpy().tobytes() for parameter in self.parameters.values())

    def _note(self, gradient: torch.Tensor) -> None:
        self._own = gradient.flatten()[self._index].item()


def default_gradient(network: torch.nn.Module) -> tuple[str, int]:
    """The first entry of the last parameter: the output layer's bias, whose gradient is never stuck at 0."""
    return [name for name, _ in network.named_parameters()][-1], 0


@contextlib.contextmanager
def joined(
    rank: int, world_size: int, device: str, address: str, timeout: float, store: dist.Store | None = None
) -> Iterator[None]:
    """Be in the process group, which is left again however the block ends.

    Without a store the environment says where the ranks meet, as torchrun sets it. A group that does
    not come together, or that loses a rank, is a ToytrainError with code "group".
    """
    try:
        dist.init_process_group(
            "nccl" if device == "cuda" else "gloo",
            store=store,
            rank=rank,
            world_size=world_size,
            timeout=timedelta(seconds=timeout),
        )
        yield
        dist.barrier()  # so that no rank is gone while another still waits for its part
    except RuntimeError as error:
        raise explained(error, address, timeout) from error
    finally:
        if dist.is_initialized():
            dist.destroy_process_group()


def take_gpu(local_rank: int) -> None:
    """Let this process have the GPU of its number, one process per device."""
    if local_rank >= torch.cuda.device_count():
        raise ToytrainError(
            f"Rank {local_rank} of this machine has no GPU of its own: there are "
            f"{torch.cuda.device_count()}; start fewer processes or choose cpu.",
            "device",
        )
    torch.cuda.set_device(local_rank)


def open_store(address: str, world_size: int, serves: bool, timeout: float) -> dist.TCPStore:
    """The store at "host:port" through which ranks find each other; one process serves it.

    Port 0 takes a free one, which `store.port` tells.
    """
    host, _, port = address.rpartition(":")
    try:
        return dist.TCPStore(
            host,
            int(port),
            world_size,
            is_master=serves,
            timeout=timedelta(seconds=timeout),
            wait_for_workers=False,
        )
    except RuntimeError as error:
        raise explained(error, address, timeout) from error


def explained(error: RuntimeError, address: str, timeout: float) -> Exception:
    """The ToytrainError of what went wrong between ranks; any other error as it is."""
    text = str(error)
    if "EADDRINUSE" in text:
        port = address.rpartition(":")[2]
        return ToytrainError(
            f"Port {port} is in use by another program; choose another, or 0 for a free one.", code="group"
        )
    if "timed out" in text.lower() or "timeout" in text.lower():
        return ToytrainError(
            f"The ranks at {address} did not answer within {timeout:g} seconds; start all of them with the "
            "same address.",
            code="group",
        )
    if isinstance(error, dist.DistError) or "gloo" in text.lower() or "closed by peer" in text.lower():
        return ToytrainError(
            "Another rank is gone, and without it no gradient can be averaged; start all of them again.",
            code="group",
        )
    return error


def spread_in_group(network: torch.nn.Module) -> float:
    """The largest difference of a weight between two ranks of the process group; every rank must ask."""
    flat = torch.nn.utils.parameters_to_vector(network.parameters()).detach()
    high, low = flat.clone(), flat.clone()
    dist.all_reduce(high, op=dist.ReduceOp.MAX)
    dist.all_reduce(low, op=dist.ReduceOp.MIN)
    return (high - low).abs().max().item()


def any_rank(mark: bool, device: torch.device) -> bool:
    """Whether any rank of the process group says so; every rank must ask."""
    marks = torch.tensor(float(mark), device=device)
    dist.all_reduce(marks)
    return marks.item() > 0


def _sum_over_ranks(loss: torch.Tensor) -> torch.Tensor:
    total = loss.detach().clone()
    dist.all_reduce(total)
    return total


def _loader(config: Config, ranks: Ranks, dataset, sampler: DistributedSampler) -> DataLoader:
    try:
        return DataLoader(
            dataset,
            batch_size=config.batch_size,
            shuffle=ranks.loader_shuffle,
            drop_last=config.drop_last,
            num_workers=config.num_workers,
            sampler=sampler,
        )
    except ValueError as error:
        raise ToytrainError(
            f'PyTorch refuses shuffle=True in the DataLoader beside a sampler: "{error}"; leave it off, '
            "the DistributedSampler shuffles.",
            "loader_shuffle",
        ) from error
