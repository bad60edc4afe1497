"""The steps of the appendix in its order. A new one is a line here and a file of its name in `steps/`."""

from dataclasses import dataclass

from .settings import Settings


@dataclass(frozen=True)
class Section:
    """A step: its number in the book, and the functions of `steps/{key}.py` that compute its figures.

    `loads` says that its code goes through the DataLoader of the Settings, `always_processes` names the
    experiments that start processes whatever the Settings say.
    """

    key: str
    number: str
    experiments: tuple[str, ...]
    loads: bool = True
    always_processes: tuple[str, ...] = ()

    def starts_processes(self, experiment: str, settings: Settings) -> bool:
        """Whether an experiment lets processes load its batches: no worker of the engine waits for those."""
        return experiment in self.always_processes or (self.loads and settings.num_workers > 0)


SECTIONS = {
    section.key: section
    for section in (
        Section("autograd", "A.3, A.4", ("logistic_regression",), loads=False),
        Section("model", "A.5", ("count_parameters", "seeded_weights"), loads=False),
        Section("dataset", "A.6", ("count_examples",), loads=False),
        Section("dataloader", "A.6", ("list_batches", "list_batches_from_a_process"),
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
            "no_shuffling", "labels_from_one",
        )),
        Section("saving", "A.8", ("save_and_load",)),
        Section("device", "A.9.1, A.9.2", ("add_on_a_device", "train_on_a_device")),
        Section("distributed", "A.9.3", (
            "deal_shards", "one_process", "two_processes", "not_wrapped", "no_set_epoch",
        ), loads=False),
    )
}  # fmt: skip
