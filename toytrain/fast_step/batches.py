"""An epoch's batches in the DataLoader's own order, gathered at once instead of row by row."""

import math
from collections.abc import Iterator, Sequence

import torch
from torch.utils.data import DataLoader, RandomSampler

# Memory that PyTorch allocates begins at a multiple of 64 bytes. A batch and a parameter keep to that
# within a larger tensor too, because a matrix product may sum in another order where one does not.
ALIGNMENT = 64

Pair = tuple[torch.Tensor, torch.Tensor]


class ResidentBatches(Iterator[Pair]):
    """What iter(loader) would give, drawn from PyTorch's global generator at the same places.

    `features` and `labels` hold a tensor per batch; `position` is the next one's. The loader must be
    one that `reasons.reason_against` accepts.
    """

    def __init__(self, loader: DataLoader):
        draw_seed()  # the iterator's base seed, which worker processes would use
        order = deal(loader)
        size = _batch_size(loader)
        dataset = loader.dataset
        self.features = aligned_batches(dataset.features, order, size)  # type: ignore[attr-defined]
        self.labels = aligned_batches(dataset.labels, order, size)  # type: ignore[attr-defined]
        self.position = 0

    def __len__(self) -> int:
        return len(self.features)

    def __next__(self) -> Pair:
        if self.position == len(self.features):
            raise StopIteration
        self.position += 1
        return self.features[self.position - 1], self.labels[self.position - 1]


def draw_seed() -> int:
    """A seed from the global generator, drawn as torch.utils.data draws one."""
    return int(torch.empty((), dtype=torch.int64).random_().item())


def deal(loader: DataLoader) -> torch.Tensor | None:
    """The rows of an epoch in the order that the loader's sampler takes them; None: as they lie."""
    rows = len(loader.dataset)  # type: ignore[arg-type]
    order = None
    if isinstance(loader.sampler, RandomSampler):
        generator = torch.Generator()
        generator.manual_seed(draw_seed())
        order = torch.randperm(rows, generator=generator)
    if loader.drop_last:
        kept = rows - rows % _batch_size(loader)
        order = torch.arange(kept) if order is None else order[:kept]
    return order


def aligned_batches(rows: torch.Tensor, order: torch.Tensor | None, size: int) -> list[torch.Tensor]:
    """The rows (n, ...) in this order, cut into batches (size, ...) which begin as new tensors would."""
    dealt = rows if order is None else rows.index_select(0, order)
    whole = len(dealt) // size
    shape = (size, *dealt.shape[1:])
    entries = math.prod(shape)
    distance = round_up(entries, ALIGNMENT // dealt.element_size())
    memory = torch.empty(whole * distance, dtype=dealt.dtype)
    batches = memory.as_strided((whole, *shape), (distance, *_strides(shape)))
    batches.copy_(dealt[: whole * size].view(whole, *shape))
    found = list(batches.unbind())
    if len(dealt) % size:
        found.append(dealt[whole * size :].clone())
    return found


def _strides(shape: Sequence[int]) -> list[int]:
    """The strides of a contiguous tensor."""
    return [math.prod(shape[dimension + 1 :]) for dimension in range(len(shape))]


def round_up(number: int, multiple: int) -> int:
    return -(-number // multiple) * multiple


def _batch_size(loader: DataLoader) -> int:
    if loader.batch_size is None:
        raise ValueError("a loader without a batch size has no batches to gather")
    return loader.batch_size
