"""Config -> the distributed form of its script: the plain one plus what DDP adds, each line marked # NEW.

It is made from the plain script, line by line, so that what is not marked is the same. It knows
nothing of processes: torchrun starts them.
"""

from collections.abc import Mapping

from ..config import Config
from ..errors import ToytrainError
from ..script import write_script
from .ranks import Ranks

Edit = tuple[str, list[str], list[str], list[str] | None]


def write_distributed_script(
    config: Config,
    ranks: Ranks,
    learning_rates: Mapping[int, float] | None = None,
    steps: int | None = None,
) -> str:
    """The script that torchrun runs in every process (book, section A.9.3).

    The arguments are those of `write_script`, with steps counted per rank. What the switches of
    `ranks` leave out is named in a comment where it is missing, and `world_size` in the comment that
    tells how to start the script.
    """
    if config.device == "mps":
        raise ToytrainError("Apple GPUs have no process group in PyTorch; choose cpu or cuda.", "device")
    lines = write_script(config, learning_rates, steps).splitlines()
    for start, after, before, replaced in _edits(config, ranks):
        lines = _edited(lines, start, after, before, replaced)
    return "\n".join(lines) + "\n"


def _edits(config: Config, ranks: Ranks) -> list[Edit]:
    """How a line of the plain script starts; the lines put after and before it, or in its place."""
    on_gpu = config.device == "cuda"
    sampler = f"sampler=DistributedSampler(train_ds, shuffle={config.shuffle}),"
    group = "nccl" if on_gpu else "gloo"
    place = (
        ['torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))  # NEW: each process has a GPU of its own']
        if on_gpu
        else []
    )
    ids = ', device_ids=[int(os.environ["LOCAL_RANK"])]' if on_gpu else ""
    shuffled: list[Edit] = (
        [("shuffle=True", [], [], ["shuffle=False,  # NEW: the sampler shuffles, and only one of them may"])]
        if config.shuffle and not ranks.loader_shuffle
        else []
    )
    l1 = "weights = [layer.weight for layer in "
    penalty: list[Edit] = (
        [(l1, [], [], [l1 + "model.module.layers if isinstance(layer, torch.nn.Linear)]  # NEW: within DDP"])]
        if config.l1 and ranks.wrapped
        else []
    )
    wrap = (
        f"model = DDP(model{ids})  # NEW: backward() averages the gradients of all ranks"
        if ranks.wrapped
        else "# model = DDP(model) is forgotten: each rank trains alone  # NEW"
    )
    unwrap: list[Edit] = (
        [
            (
                "model.eval()",
                [],
                ["model = model.module  # NEW: the network itself, with the book's keys"],
                None,
            )
        ]
        if ranks.wrapped
        else []
    )
    set_epoch = (
        "train_loader.sampler.set_epoch(epoch)  # NEW: other shards in every epoch"
        if ranks.set_epoch
        else "# train_loader.sampler.set_epoch(epoch) is forgotten: the same shards in every epoch  # NEW"
    )
    unseeded: list[Edit] = (
        []
        if ranks.seeded
        else [
            (
                "torch.manual_seed(",
                [],
                [],
                ["# torch.manual_seed is forgotten: other losses each time  # NEW"],
            )
        ]
    )
    return [
        ("import numpy", [],
         [f"# Start it with: torchrun --nproc-per-node={ranks.world_size} script.py  # NEW",
          "import os  # NEW", ""], None),
        ("from torch.utils.data import", 
         ["from torch.distributed import all_reduce, destroy_process_group, init_process_group  # NEW",
          *["from torch.nn.parallel import DistributedDataParallel as DDP  # NEW"] * ranks.wrapped,
          "from torch.utils.data.distributed import DistributedSampler  # NEW"], [], None),
        ("X, y = ", [],
         ['rank = int(os.environ["RANK"])  # NEW: torchrun numbers the processes', *place,
          f'init_process_group(backend="{group}")  # NEW: waits until all processes are there'], None),
        *shuffled,
        ("num_workers=", [f"{sampler}  # NEW: deals each rank its shard"], [], None),
        *unseeded,
        ("optimizer = ", [wrap], [], None),
        ("for epoch in range(num_epochs)", [f"    {set_epoch}"], [], None),
        *penalty,
        ("if not torch.isfinite(loss):", [], [],
         ["total = loss.detach().clone()  # NEW",
          "all_reduce(total)  # NEW: a rank that stopped alone would leave the others waiting",
          "if not torch.isfinite(total):  # NEW"]),
        ('f"Epoch: ', [], [],
         ['f"[Rank {rank}] Epoch: {epoch + 1:03d}/{num_epochs:03d}"  # NEW: which rank']),
        *unwrap,
        ('print("losses =", losses)', [], [], ['print(f"[Rank {rank}] losses =", losses)  # NEW']),
        ("torch.save(", ["destroy_process_group()  # NEW"], ["if rank == 0:  # NEW: one file is enough"],
         ['    torch.save(model.state_dict(), "model.pth")  # NEW']),
    ]  # fmt: skip


def _edited(
    lines: list[str], start: str, after: list[str], before: list[str], replaced: list[str] | None
) -> list[str]:
    """The lines with one edit at the one line that starts so, at its indentation."""
    places = [number for number, line in enumerate(lines) if line.lstrip().startswith(start)]
    if len(places) != 1:
        raise RuntimeError(f"{len(places)} lines of the plain script start with {start!r}")
    (place,) = places
    line = lines[place]
    indent = line[: len(line) - len(line.lstrip())]
    put = [*before, *([line.lstrip()] if replaced is None else replaced), *after]
    return [*lines[:place], *(indent + text if text else "" for text in put), *lines[place + 1 :]]
