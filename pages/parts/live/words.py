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
        # network (network.js, network_heads.js, editor.js)
        "network": _("Network"),
        "signs_help": _(
            "Colour is the sign of a weight, a bias or an activation; width and depth are its size"
        ),
        "larger": _("larger"),
        "larger_help": _("Give the network the room of the loss as well"),
        "hidden_layers": _("Hidden layers"),
        "one_layer": _("{count} hidden layer"),
        "many_layers": _("{count} hidden layers"),
        "fewer_layers": _("Take the last hidden layer away"),
        "more_layers": _("Add a hidden layer"),
        "neurons_of_layer": _("Neurons of hidden layer {layer}"),
        "fewer_neurons": _("Take a neuron from hidden layer {layer}"),
        "more_neurons": _("Add a neuron to hidden layer {layer}"),
        "neurons_help": _(
            "Neurons: arrow keys go from one to the next, Enter enlarges one or takes a feature"
        ),
        "output": _("output"),
        "feature": _("feature {name}"),
        "feature_used": _("{name}: click to leave this feature out"),
        "feature_unused": _("{name}: click to let the network see this feature"),
        "neuron": _("{layer}, neuron {index}"),
        "output_neuron": _("{layer}, neuron {index}: logit of class {label}"),
        "neuron_reading": _("{layer}, neuron {index}\nbias {bias}\nactivation at most ±{most}"),
        "network_says": _(
            "Network of the features {features}, hidden layers of {hidden} neurons and {outputs} outputs "
            "after epoch {epoch}: the greatest weight is {name} = {value}; {silent} hidden neurons are 0 "
            "everywhere"
        ),
        "set_weight": _("Set"),
        "edit_help": _("The run stands still; its script will set this number too."),
        "no_number": _("This is no number from −{most} to {most}; write one such as 0.5."),
        # what stands in the square (boundary.js, hidden.js)
        "stage": _("What stands here"),
        "back": _("back"),
        "back_help": _("Put the decision boundary back (Esc)"),
        "bias": _("bias"),
        "weights_of": _("Bias and weights of {layer}, neuron {index}"),
        "negative": _("negative"),
        "positive": _("positive"),
        "reading_neuron": _("x1 {x1}  x2 {x2}  activation {value}"),
        "neuron_says": _("Activation of {name} over the plane after epoch {epoch}, at most ±{most}"),
        "hidden_space": _("Hidden space"),
        "hidden_space_help": _(
            "The training points and the plane's grid as the last hidden layer bends them"
        ),
        "hidden_space_says": _(
            "The training points in the {width} dimensions of the last hidden layer, seen along {first} and "
            "{second}, after epoch {epoch}: training score {train}"
        ),
        "first_axis": _("Horizontal axis"),
        "second_axis": _("Vertical axis"),
        "component": _("component {number}"),
        "component_share": _("component {number}: {percent} % of the variance"),
        "boundary": _("Boundary"),
        "boundary_help": _("What the network says everywhere on the plane"),
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
