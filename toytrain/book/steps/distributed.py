"""A.9.3: the shards of several processes, and their losses, replayed as model copies in one process."""

from dataclasses import replace

from ...distributed.plan import make_plan, make_sampler
from ...distributed.ranks import Ranks
from ...distributed.replay import Replay, average_gradients
from ..ranks import RANKS, figures_of


def deal_shards(settings):
    config = replace(config_of(settings), drop_last=False)  # which rows are dealt does not depend on it
    one, two = (make_plan(config, Ranks(world_size), settings.epochs) for world_size in (1, 2))
    eight = Ranks(8).rows_per_rank(len(one.points)) // settings.batch_size
    return {
        "rows_of_one_rank": shards(one, rank=0),
        "rows_of_rank_0": shards(two, rank=0),
        "rows_of_rank_1": shards(two, rank=1),
        "full_batches_of_eight_ranks": eight,
    }


def shards(plan, rank):
    """The rows of a rank in each epoch; a star marks one that was dealt before."""
    epochs = [" ".join(f"{card.row}{'*' * card.padding}" for card in epoch[rank]) for epoch in plan.epochs]
    return " / ".join(epochs)


def replay(experiment, settings):
    config = config_of(settings)
    ranks = RANKS[experiment]
    batches = make_plan(config, ranks, 1).batches
    progress = Replay(config, ranks).train(settings.epochs * batches)
    losses = [[record.loss for record in one.records] for one in progress]
    return figures_of(experiment, losses, [one.scores for one in progress])


def one_process(settings):
    return replay("one_process", settings)


def two_processes(settings):
    return replay("two_processes", settings)


def not_wrapped(settings):
    return replay("not_wrapped", settings)


def no_set_epoch(settings):
    return replay("no_set_epoch", settings)


def config_of(settings):
    """Without loading processes, which change no figure."""
    return replace(settings.config, num_workers=0)


SHOWN = (make_sampler, replay, Replay._step, average_gradients)
