"""The steps of the appendix in its order. A new one is a line here and a file of its name in `steps/`."""

from dataclasses import dataclass, replace

from .settings import Settings

GRAPH = ("x1", "w1", "b", "y")
LOADER = ("seed", "batch_size", "shuffle", "own_generator", "num_workers")
TRAINING = (*LOADER, "drop_last", "learning_rate", "epochs", "evaluate", "random_number")
RANKS = ("seed", "batch_size", "shuffle", "drop_last", "learning_rate", "epochs")


@dataclass(frozen=True)
class Section:
    """A step: its number in the book, and the functions of `steps/{key}.py` that compute its figures.

    `heeds` names the Settings that its figures depend on, `always_processes` the experiments that start
    processes whatever the Settings say.
    """

    key: str
    number: str
    experiments: tuple[str, ...]
    heeds: tuple[str, ...] = TRAINING
    always_processes: tuple[str, ...] = ()

    def heeded(self, settings: Settings) -> Settings:
        """The Settings with what this section does not depend on as in the book."""
        return replace(Settings(), **{name: getattr(settings, name) for name in self.heeds})

    def starts_processes(self, experiment: str, settings: Settings) -> bool:
        """Whether an experiment lets processes load its batches: no worker of the engine waits for those."""
        return experiment in self.always_processes or self.heeded(settings).num_workers > 0


SECTIONS = {
    section.key: section
    for section in (
        Section("autograd", "A.3, A.4", ("logistic_regression",), GRAPH),
        Section("model", "A.5", ("count_parameters", "seeded_weights"), ("seed",)),
        Section("dataset", "A.6", ("count_examples",), ()),
        Section("dataloader", "A.6", ("list_batches", "list_batches_from_a_process"), LOADER,
                always_processes=("list_batches_from_a_process",)),
        Section("training", "A.7", ("training_loop",)),
        Section("accuracy", "A.7", ("predict", "measure_accuracy")),
        Section("random_state", "A.7", (
            "as_in_the_book", "load_in_a_process", "evaluate_on_tensors", "evaluate_through_a_loader",
            "draw_a_random_number", "own_generator", "no_shuffling", "keep_the_last_batch",
            "resume", "reseed",
        ), always_processes=("load_in_a_process",)),
        Section("mistakes", "A.7", (
            "no_zero_grad", "zero_grad_after_backward", "softmax_before_cross_entropy", "floor_of_the_loss",
            "sorted_data", "labels_from_one",
        )),
        Section("saving", "A.8", ("save_and_load",)),
        Section("device", "A.9.1, A.9.2", ("add_on_a_device", "train_on_a_device")),
        Section("distributed", "A.9.3", (
            "deal_shards", "one_process", "two_processes", "not_wrapped", "no_set_epoch",
        ), RANKS),
    )
}  # fmt: skip
