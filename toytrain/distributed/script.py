"""Config -> the distributed form of its script: the plain one plus what DDP adds, each line marked # NEW.

It is made from the plain script, line by line, so that what is not marked is the same. It knows
nothing of processes: torchrun starts them.
"""

from collections.abc import Mapping

from ..config import Config
from ..edits import Edits
from ..script import write_script
from .ranks import Ranks, check_settings

KEEP = "the line of the plain script"
Changes = dict[str, list[str]]  # how a line of the plain script starts -> the lines in its place


def write_distributed_script(
    config: Config,
    ranks: Ranks,
    learning_rates: Mapping[int, float] | None = None,
    steps: int | None = None,
    has_initial_weights: bool = False,
    edits: Edits | None = None,
) -> str:
    """The script that torchrun runs in every process (book, section A.9.3).

    The arguments are those of `write_script`, with steps counted per rank. What the switches of
    `ranks` leave out is named in a comment where it is missing, and `world_size` in the comment that
    tells how to start the script.
    """
    check_settings(config)
    lines = write_script(config, learning_rates, steps, has_initial_weights, edits).splitlines()
    for start, put in _changes(config, ranks).items():
        lines = _changed(lines, start, put)
    if ranks.wrapped:
        lines = [_within_ddp(line) if line.lstrip().startswith("model.layers[") else line for line in lines]
    return "\n".join(lines) + "\n"


def _changes(config: Config, ranks: Ranks) -> Changes:
    local_rank = 'int(os.environ["LOCAL_RANK"])'
    on_gpu = config.device == "cuda"
    changes = {
        "import numpy": [
            f"# Start it with: torchrun --nproc-per-node={ranks.world_size} script.py  # NEW",
            "import os  # NEW",
            "import sys  # NEW",
            "",
            KEEP,
        ],
        "from torch.utils.data import": [
            KEEP,
            "from torch.distributed import all_reduce, destroy_process_group, init_process_group  # NEW",
            *["from torch.nn.parallel import DistributedDataParallel as DDP  # NEW"] * ranks.wrapped,
            "from torch.utils.data.distributed import DistributedSampler  # NEW",
        ],
        "X, y = ": [
            'rank = int(os.environ["RANK"])  # NEW: torchrun numbers the processes',
            *[f"torch.cuda.set_device({local_rank})  # NEW: each process has a GPU of its own"] * on_gpu,
            f'init_process_group(backend="{"nccl" if on_gpu else "gloo"}")'
            "  # NEW: waits until all processes are there",
            KEEP,
        ],
        "num_workers=": [
            KEEP,
            f"sampler=DistributedSampler(train_ds, shuffle={config.shuffle}),"
            "  # NEW: deals each rank its shard",
        ],
        "optimizer = ": [
            KEEP,
            f"model = DDP(model{f', device_ids=[{local_rank}]' if on_gpu else ''})"
            "  # NEW: backward() averages the gradients of all ranks"
            if ranks.wrapped
            else "# model = DDP(model) is forgotten: each rank trains alone  # NEW",
        ],
        "for epoch in range(num_epochs)": [
            KEEP,
            "    train_loader.sampler.set_epoch(epoch)  # NEW: other shards in every epoch"
            if ranks.set_epoch
            else "    # train_loader.sampler.set_epoch(epoch) is forgotten: always the same shards  # NEW",
        ],
        "if not torch.isfinite(loss):": [
            "total = loss.detach().clone()  # NEW",
            "all_reduce(total)  # NEW: a rank that stopped alone would leave the others waiting",
            "if not torch.isfinite(total):  # NEW",
        ],
        'f"Epoch: ': ['f"[Rank {rank}] Epoch: {epoch + 1:03d}/{num_epochs:03d}"  # NEW: which rank'],
        'print("losses =", losses)': ['print(f"[Rank {rank}] losses =", losses)  # NEW'],
        "torch.save(": [
            "if rank == 0:  # NEW: one file is enough",
            '    torch.save(model.state_dict(), "model.pth")  # NEW',
            "destroy_process_group()  # NEW",
            "sys.stdout.flush()  # NEW",
            # Rarely a thread of gloo drops a tensor while Python ends, which ends the process with SIGABRT.
            "os._exit(0)  # NEW: at once, because of issue 190489 of PyTorch",
        ],
    }
    if config.shuffle and not ranks.loader_shuffle:
        changes["shuffle=True"] = ["shuffle=False,  # NEW: the sampler shuffles, and only one of them may"]
    if not ranks.seeded:
        changes["torch.manual_seed("] = ["# torch.manual_seed is forgotten: other losses each time  # NEW"]
    if ranks.wrapped:
        changes["model.eval()"] = [
            "model = model.module  # NEW: the network itself, with the book's keys",
            KEEP,
        ]
    if ranks.wrapped and config.l1:
        weights = "weights = [layer.weight for layer in "
        within = "model.module.layers if isinstance(layer, torch.nn.Linear)]  # NEW: within DDP"
        changes[weights] = [weights + within]
    return changes


def _within_ddp(line: str) -> str:
    """A line that sets a weight by hand, once DDP has wrapped the network."""
    return line.replace("model.layers", "model.module.layers") + "  # NEW: within DDP"


def _changed(lines: list[str], start: str, put: list[str]) -> list[str]:
    """The lines with others in place of the one line that starts so, at its indentation."""
    places = [number for number, line in enumerate(lines) if line.lstrip().startswith(start)]
    if len(places) != 1:
        raise RuntimeError(f"{len(places)} lines of the plain script start with {start!r}")
    (place,) = places
    plain = lines[place].lstrip()
    indent = " " * (len(lines[place]) - len(plain))
    new = [plain if text == KEEP else text for text in put]
    return [*lines[:place], *(indent + text if text else "" for text in new), *lines[place + 1 :]]
