"""Every word that the live views show, by the key the JavaScript asks for.

{names} in braces are filled in by the browser.
"""

from ..words import _


def words() -> dict[str, str]:
    """Key -> text in the reader's language."""
    return {
        # figures (pages/parts/live/static/numbers.js)
        "epoch": _("epoch"),
        "batch": _("batch"),
        "samples": _("samples seen"),
        "rate": _("steps/s"),
        "train_loss": _("train loss"),
        "test_loss": _("test loss"),
        "train_accuracy": _("train accuracy"),
        "test_accuracy": _("test accuracy"),
        "train_r2": _("train R²"),
        "test_r2": _("test R²"),
        "learning_rate": _("learning rate"),
        # what the run does
        "status_starting": _("Starting"),
        "status_paused": _("Paused"),
        "status_playing": _("Playing"),
        "status_finished": _("Finished"),
        "status_diverged": _("Diverged"),
        "status_failed": _("Failed"),
        "warming": _("The training engine is warming up …"),
        "connection_lost": _("Connection lost, reconnecting …"),
        "slowed": _("updates slowed: {runs} runs train beside one another"),
        # decision boundary (boundary.js)
        "boundary": _("Decision boundary"),
        "predictions": _("Predictions"),
        "shading": _("Shading of the decision boundary"),
        "soft": _("soft"),
        "soft_help": _("The paler the colour, the less probable the class"),
        "hard": _("hard"),
        "hard_help": _("Only which class is the most probable"),
        "shown_points": _("Points shown"),
        "train": _("train"),
        "train_points_help": _("Show the training points (circles)"),
        "test": _("test"),
        "test_points_help": _("Show the test points (diamonds)"),
        "class": _("class {label}"),
        "wrong": _("wrong"),
        "reading": _("x1 {x1}  x2 {x2}  class {label}  p {probability}"),
        "reading_regression": _("x1 {x1}  x2 {x2}  prediction {value}"),
        "boundary_says": _(
            "Decision boundary of {classes} classes after epoch {epoch}: training accuracy {train}, "
            "{wrong} of {points} test points wrong"
        ),
        "boundary_says_regression": _(
            "Predictions over the plane after epoch {epoch}: R² {train} on the training data, "
            "{test} on the test data"
        ),
        # loss (loss.js)
        "loss": _("Loss"),
        "curve_batch": _("each batch"),
        "curve_smoothed": _("smoothed"),
        "curve_test": _("test, per epoch"),
        "batches": _("batches"),
        "loss_of_axis": _("loss"),
        "hover_title": _("batch {step}"),
        "loss_axis": _("Scale of the loss axis"),
        "linear": _("linear"),
        "linear_help": _("Equal steps are equal differences of the loss"),
        "logarithmic": _("log"),
        "logarithmic_help": _("Equal steps are equal ratios of the loss: small losses stay visible"),
        "whole_run": _("whole run"),
        "no_loss": _("The loss appears here with the first batch"),
        "loss_says": _(
            "Loss after {step} batches: {smoothed} smoothed over the latest training batches, "
            "{train} on the training data, {test} on the test data"
        ),
        # one step (step.js)
        "one_step": _("What one step does"),
        "backward": _("what backward() does"),
        "backward_help": _("The same step as single operations, as the fast step trains it"),
    }
