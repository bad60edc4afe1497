"""Replay: the ranks as model copies in one process, with the figures that processes give to six
decimals; and Single, the one process that trains on the same global batches.

Many of them take turns in one process, so each owns PyTorch's generator while it trains.
"""

from collections.abc import Iterator

import torch
from torch.utils.data import DataLoader

from .. import checkpoint
from ..config import Config
from ..data import Data, make_data
from ..devices import get_device
from ..model import NeuralNetwork
from ..random_state import OwnRandomState
from ..trainer import Trainer, made_of
from .plan import deal, make_plan, make_sampler, num_batches
from .rank import RankTrainer, Reporter
from .ranks import Plan, Progress, Ranks, Record
from .script import write_distributed_script


class Replica:
    """One rank of a Replay: its copy of the model and its own random state."""

    def __init__(self, config: Config, ranks: Ranks, rank: int):
        self.own = OwnRandomState(get_device(config.device))
        with self.own():
            self.trainer = RankTrainer.on_shard(config, ranks, rank)
        self.reporter = Reporter(self.trainer)

    def backward(self) -> torch.Tensor:
        """The first half of a step: the batch's loss and gradients."""
        with self.own():
            features, labels = self.trainer.next_batch()
            logits = self.trainer.model(features)
            loss = self.trainer.loss(logits, labels)
            self.trainer.optimizer.zero_grad()
            loss.backward()
        return loss

    def finish(self, loss: torch.Tensor, total: torch.Tensor) -> Record | None:
        """The second half: the optimizer's step, and the Record of it."""

        def finish() -> float:
            self.trainer.clip_gradients()
            self.trainer.optimizer.step()
            return self.trainer.record(loss)

        self.trainer.total = lambda loss: total
        with self.own():
            return self.reporter.record(finish)


class Replay:
    """All ranks of a run, stepped together."""

    def __init__(self, config: Config, ranks: Ranks):
        self.wrapped = ranks.wrapped
        self.replicas = [Replica(config, ranks, rank) for rank in range(ranks.world_size)]
        if self.wrapped:  # DistributedDataParallel begins by giving rank 0's weights to all
            for replica in self.replicas[1:]:
                replica.trainer.network.load_state_dict(self.replicas[0].trainer.network.state_dict())

    def train(self, steps: int, gradient: tuple[str, int] | None = None) -> list[Progress]:
        """Train so many batches, or until the run ends: the Progress of each rank."""
        for replica in self.replicas:
            if gradient:
                replica.reporter.choose(*gradient)
        records: list[list[Record]] = [[] for _ in self.replicas]
        for _ in range(steps):
            if self.replicas[0].trainer.ended:
                break
            for told, record in zip(records, self._step(), strict=True):
                if record:
                    told.append(record)
        return [replica.reporter.progress(told) for replica, told in zip(self.replicas, records, strict=True)]

    def files(self) -> tuple[bytes, bytes]:
        """model.pth and the full checkpoint of rank 0."""
        first = self.replicas[0]
        with first.own():
            snapshot = first.trainer.snapshot()
        return checkpoint.save_weights(snapshot), checkpoint.save(snapshot)

    def _step(self) -> list[Record | None]:
        networks = [replica.trainer.network for replica in self.replicas]
        if self.wrapped:
            _share_buffers(networks)
        losses = [replica.backward() for replica in self.replicas]
        if self.wrapped:
            average_gradients(networks)
        total = torch.stack([loss.detach() for loss in losses]).sum()
        return [replica.finish(loss, total) for replica, loss in zip(self.replicas, losses, strict=True)]


def _share_buffers(networks: list[torch.nn.Module]) -> None:
    """Give rank 0's running statistics of batch norm to all, as DistributedDataParallel does."""
    for first, *others in zip(*(network.buffers() for network in networks), strict=True):
        for other in others:
            other.copy_(first)


def average_gradients(networks: list[torch.nn.Module]) -> None:
    """What all-reduce does: divide by the number of ranks, then add up."""
    for parameters in zip(*(network.parameters() for network in networks), strict=True):
        gradients = [parameter.grad for parameter in parameters]
        average = sum(gradient / len(gradients) for gradient in gradients)
        for gradient in gradients:
            gradient.copy_(average)


class UnionBatches:
    """The batch sampler of a single process: each batch is the union of what the ranks train at once."""

    def __init__(self, config: Config, ranks: Ranks, data: Data):
        self.ranks = ranks
        self.epoch = 0
        self._size = config.batch_size
        self._samplers = [make_sampler(config, ranks, rank, data.train) for rank in range(ranks.world_size)]
        self._batches = num_batches(config, ranks, len(data.train))

    def __len__(self) -> int:
        return self._batches

    def __iter__(self) -> Iterator[list[int]]:
        shards = [deal(sampler, self.ranks, self.epoch) for sampler in self._samplers]
        for start in range(0, len(self) * self._size, self._size):
            yield [row for shard in shards for row in shard[start : start + self._size]]


class Single(Trainer):
    """A plain Trainer on the global batches.

    It begins with rank 0's weights. The mean loss over the union is the mean of the ranks' losses,
    so its gradient is theirs averaged, as long as no layer looks at the whole batch (batch norm) or
    draws (dropout).
    """

    own: OwnRandomState
    union: UnionBatches

    @classmethod
    def beside(cls, config: Config, ranks: Ranks, weights: bytes) -> "Single":
        """The single process of a run whose rank 0 began with these weights."""
        device = get_device(config.device)
        data = make_data(config)
        union = UnionBatches(config, ranks, data)
        own = OwnRandomState(device)
        with own():
            torch.manual_seed(config.seed)
            model = NeuralNetwork.from_config(config).to(device)
        flat = torch.frombuffer(bytearray(weights), dtype=torch.float32).to(device)
        torch.nn.utils.vector_to_parameters(flat, model.parameters())
        single = cls(
            model,
            train_loader=DataLoader(data.train, batch_sampler=union),  # type: ignore[arg-type]
            data=data,
            **made_of(config, model),
        )
        single.own, single.union = own, union
        return single

    def next_batch(self):
        self.union.epoch = self.epoch
        return super().next_batch()

    def train(self, steps: int) -> tuple[list[float], bytes, tuple[float, float]]:
        """Train so many batches: their losses, the weights as float32, training and test score."""
        start = self.steps
        with self.own():
            for _ in range(steps):
                if not self.ended:
                    self.step()
        scores = [self.evaluate(part)[1] for part in (self.data.train, self.data.test)]  # type: ignore[union-attr]
        flat = torch.nn.utils.parameters_to_vector(self.model.parameters()).detach().cpu()
        return self.losses[start : self.steps].tolist(), flat.numpy().tobytes(), (scores[0], scores[1])


class Host:
    """The Replays and Singles of one process, by the id of their run. Each method is a command."""

    def __init__(self) -> None:
        self.replays: dict[str, Replay] = {}
        self.singles: dict[str, Single] = {}

    def plan(self, config: Config, ranks: Ranks, epochs: int) -> Plan:
        return make_plan(config, ranks, epochs)

    def script(self, config: Config, ranks: Ranks, steps: int | None) -> str:
        return write_distributed_script(config, ranks, steps=steps)

    def open(self, run_id: str, config: Config, ranks: Ranks) -> list[Progress]:
        self.replays[run_id] = Replay(config, ranks)
        return self.replays[run_id].train(0)

    def train(self, run_id: str, steps: int, gradient: tuple[str, int] | None) -> list[Progress]:
        return self.replays[run_id].train(steps, gradient)

    def files(self, run_id: str) -> tuple[bytes, bytes]:
        return self.replays[run_id].files()

    def open_single(self, run_id: str, config: Config, ranks: Ranks, weights: bytes) -> None:
        self.singles[run_id] = Single.beside(config, ranks, weights)

    def train_single(self, run_id: str, steps: int) -> tuple[list[float], bytes, tuple[float, float]]:
        return self.singles[run_id].train(steps)

    def close(self, run_id: str) -> None:
        self.replays.pop(run_id, None)
        self.singles.pop(run_id, None)
