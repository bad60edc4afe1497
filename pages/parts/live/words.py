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
        # one step, part by part (half_step.js)
        "part_forward": _("forward"),
        "part_loss": _("loss"),
        "part_backward": _("backward"),
        "part_optimizer step": _("optimizer step"),
        "about_forward": _(
            "Epoch {epoch}, batch {batch}: the network turns each row of features into a row of logits."
        ),
        "about_loss": _("One number says how far the logits are from the labels."),
        "about_backward": _(
            "Each weight and bias gets its gradient: how fast the loss grows with it. None has changed yet."
        ),
        "about_optimizer step": _(
            "The optimizer moves each weight and bias against its gradient. The colour shows the change."
        ),
        "tensors": _("Tensors of this part"),
        "first_values": _("the first {rows} × {columns}"),
        "largest_change": _("changed by at most {change} here"),
        "changed_from": _("{before} → {after}"),
        # the data page (gallery.js, points.js)
        "datasets": _("Datasets"),
        "refused": _("not with these settings"),
        "together": _("together"),
        # the pad (pad.js)
        "pad_says": _(
            "Plane to draw points on. Arrow keys move a cursor, Enter adds a point, Delete erases, digits "
            "choose the class, Ctrl+Z undoes. The table beside it holds the same points."
        ),
        "class_of_new_points": _("Class of new points"),
        "another_class": _("Another class"),
        "tool": _("Tool"),
        "point": _("point"),
        "point_help": _("Click for a point, drag for a row of them"),
        "spray": _("spray"),
        "spray_help": _("Five points at a time, around the pointer"),
        "erase": _("erase"),
        "erase_help": _("Click or drag over the points to take away"),
        "undo": _("Undo"),
        "undo_help": _("Take the last change back, a file or the table included (Ctrl+Z)"),
        "redo": _("Redo"),
        "redo_help": _("Bring back what was undone (Ctrl+Y)"),
        "clear": _("Clear"),
        "clear_help": _("Take all points away; Undo brings them back"),
        "pad_empty": _("Click or drag on the plane to add points of the chosen class."),
        "pad_full": _("{most} points are the most that a run takes."),
        "pad_points": _("{points} points: {counts}"),
        "pad_cursor": _("x1 {x1}  x2 {x2}, {points} points"),
        # the DataLoader (batches.js)
        "batches_of_epoch": _("The batches of this epoch in order"),
        "batch_number": _("batch {number}"),
        "look_at_batch": _("Show this batch on the plane"),
        "just_trained": _("just trained"),
        "comes_next": _("next"),
        "dropped": _("dropped by drop_last"),
        "as_it_lies": _("rows as they lie"),
        "as_dealt": _("as this epoch deals"),
        "batch_shown": _("Large: the rows of batch {number}"),
        "batches_shown": _("Large: batch {now}, just trained. Ringed: batch {next}, which comes next"),
        "next_shown": _("Ringed: batch {next}, which comes next"),
    }


def prediction_words() -> dict[str, str]:
    """What the predict page's live part shows beside those."""
    return {
        # where the numbers stand (predict.js)
        "numbers_of": _("Numbers of batch {step} (epoch {epoch}), in eval mode"),
        "untrained": _("Not trained yet: these are the predictions of the weights that the seed drew."),
        "trace_failed": _("No answer from the server; the numbers below may be old."),
        # the point (point.js)
        "point_help": _("Click or drag on the plane, or type"),
        "x1": _("x1"),
        "x2": _("x2"),
        "target": _("target"),
        "target_help": _("What the output should be, for the loss"),
        "free_point": _("A point of your own"),
        "train_point": _("Training row {row}"),
        "test_point": _("Test row {row}"),
        "no_number": _("This is not a value for {name}; give a number between -1,000,000 and 1,000,000."),
        "trace_csv": _("CSV"),
        "trace_csv_help": _("Every number on the way of this point, with all its digits"),
        # layer by layer (trace.js)
        "trace": _("Layer by layer"),
        "trace_help": _("Choose a number to see how it is computed"),
        "stage_features": _("features"),
        "stage_hidden": _("hidden {number}"),
        "stage_logits": _("logits"),
        "stage_output": _("output"),
        "formula_features": _("what the network sees of the point"),
        "formula_Linear": _("z = a Wᵀ + b"),
        "formula_BatchNorm1d": _("(z − mean) / √(variance + ε) · γ + β, with the running mean and variance"),
        "formula_ReLU": _("max(0, z)"),
        "formula_LeakyReLU": _("z, or 0.01 z where z is negative"),
        "formula_Tanh": _("tanh z"),
        "formula_Sigmoid": _("1 / (1 + exp(−z))"),
        "formula_GELU": _("z · Φ(z), Φ being the normal distribution's"),
        "formula_Identity": _("z, unchanged"),
        "formula_Dropout": _("hands everything on: dropout is off in eval mode"),
        "zeros": _("{zeros} of {width} are 0"),
        "values_of": _("The values of {stage}, {kind}"),
        "by_hand": _("By hand"),
        # from the logits on (outputs.js)
        "outputs": _("From logits to loss"),
        "outputs_regression": _("From output to loss"),
        "label": _("label"),
        "label_help": _("The class that the point belongs to, for the loss"),
        "no_label": _("no label"),
        "logit": _("logit"),
        "logit_of": _("logit of class {label}"),
        "output": _("output"),
        "softmax": _("softmax"),
        "loss_if": _("loss if label"),
        "argmax": _("argmax"),
        "squared_error": _("loss"),
        "drag": _("What if: drag a logit"),
        "drag_output": _("What if: drag the output"),
        "dragged": _("What if: these are your logits, not the network's"),
        "dragged_output": _("What if: this is your output, not the network's"),
        "undrag": _("Back to the network's"),
        "choose_label": _("choose a label to see the loss"),
        "choose_target": _("give a target to see the loss"),
        "no_class": _("no class: the logits are not numbers any more"),
        "trace_says": _("Class {label} with probability {probability}."),
        "trace_says_loss": _(
            "Class {label} with probability {probability}; the label is {target}, the loss {loss}."
        ),
        "trace_says_regression": _("The output is {output}."),
        "trace_says_error": _("The output is {output}, the target {target}, the loss {loss}."),
    }
