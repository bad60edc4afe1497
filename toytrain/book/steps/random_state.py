"""A.7, looked at closely: what moves PyTorch's global generator, and so the batches that come next."""

import io
from dataclasses import replace

import torch

from .training import begin, train


def losses(settings):
    return train(begin(settings), settings).losses


def as_in_the_book(settings):
    return losses(settings)


def load_in_a_process(settings):
    return losses(replace(settings, num_workers=max(settings.num_workers, 1)))


def evaluate_on_tensors(settings):
    return losses(replace(settings, evaluate="tensors"))


def evaluate_through_a_loader(settings):
    return losses(replace(settings, evaluate="loader"))


def draw_a_random_number(settings):
    return losses(replace(settings, random_number=True))


def own_generator(settings):
    return losses(replace(settings, own_generator=True))


def no_shuffling(settings):
    return losses(replace(settings, shuffle=False))


def keep_the_last_batch(settings):
    return losses(replace(settings, drop_last=False))


def stop_after_an_epoch(settings):
    training = train(begin(settings), settings, epochs=1)
    file = io.BytesIO()
    torch.save(
        {
            "model_state_dict": training.model.state_dict(),
            "optimizer_state_dict": training.optimizer.state_dict(),
            "random_state": torch.get_rng_state(),
        },
        file,
    )
    return file.getvalue()


def go_on(saved, settings):
    state = torch.load(io.BytesIO(saved), weights_only=True)
    training = begin(settings)
    training.model.load_state_dict(state["model_state_dict"])
    training.optimizer.load_state_dict(state["optimizer_state_dict"])
    return training, state


def resume(settings):
    training, state = go_on(stop_after_an_epoch(settings), settings)
    torch.set_rng_state(state["random_state"])
    return train(training, settings, epochs=settings.epochs - 1).losses


def reseed(settings):
    training, _ = go_on(stop_after_an_epoch(settings), settings)
    torch.manual_seed(settings.seed)
    return train(training, settings, epochs=settings.epochs - 1).losses


SHOWN = (losses, evaluate_on_tensors, evaluate_through_a_loader, draw_a_random_number, own_generator,
         no_shuffling, keep_the_last_batch, stop_after_an_epoch, go_on, resume, reseed)  # fmt: skip
