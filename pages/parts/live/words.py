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
        "predictions": _("Predictions"),
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
            "{classes} classes after epoch {epoch}, {shape}; {wrong} of {points} test points wrong, "
            "training accuracy {train}"
        ),
        "shape_unknown": _("not drawn yet"),
        "shape_one": _("class {label} everywhere"),
        "shape_line": _("boundary a straight line"),
        "shape_bends_0": _("boundary nearly straight"),
        "shape_bends_1": _("boundary an arc"),
        "shape_bends_2": _("boundary an S-shape"),
        "shape_bends": _("boundary a line with {bends} bends"),
        "shape_enclosed": _("class {label} enclosed by the other"),
        "shape_regions": _("{regions} separate regions"),
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
            "{train} on the training data and {trend}, {test} on the test data and {test_trend}"
        ),
        "trend_falling": _("falling"),
        "trend_rising": _("rising"),
        "trend_level": _("level"),
        # the charts under tabs (charts.js)
        "charts": _("Charts"),
        "loss_help": _("The loss of each batch, and on the test data"),
        "tab_rates": _("Rate"),
        "gradients": _("Gradients"),
        "gradients_help": _(
            "How strongly each layer is asked to change; a layer with far smaller gradients than the others "
            "hardly learns"
        ),
        "tab_weights": _("Weights"),
        "weights_help": _("How large the weights of each layer are"),
        "tab_activity": _("ReLUs"),
        "activity_help": _("How often each neuron is above 0, and which are dead"),
        # and those beside the loss (layer_charts.js, figure_view.js)
        "hidden_layer": _("hidden {number}"),
        "output_layer": _("output"),
        "rates_explains": _("How long the steps are: always the same, set by hand, or by a schedule."),
        "rates_say": _("Learning rate {rate} after {step} batches; it has changed {changes} times."),
        "find_rate": _("Find a rate"),
        "find_rate_help": _("Try ever larger rates on a copy of this run, and see where the loss falls"),
        "weights_explain": _(
            "How many weights have which size: close to 0 at first, spread out after learning."
        ),
        "layer_within": _("{layer}: within ±{reach}"),
        "gradients_explain": _(
            "How strongly the loss on 256 training rows asks each layer to change, while open."
        ),
        "layer_norm": _("{layer}: {norm}"),
        "over_time": _("over time"),
        "over_time_help": _("The norm of each layer's gradient, batch after batch"),
        "now": _("now"),
        "now_help": _("How many entries of each layer's gradient have which size"),
        "norm": _("norm"),
        "activity_explains": _(
            "On how many training rows each neuron is above 0. Never (outlined): dead, it learns no more."
        ),
        "no_relu": _(
            "There is no ReLU in this network, and so none can die: its activation is {activation}."
        ),
        "layer_dead": _("{layer}: {dead} of {width} dead"),
        "share_of_rows": _("share of rows"),
        # one step (step.js)
        "one_step": _("What one step does"),
        "backward": _("what backward() does"),
        "backward_help": _("The same step as single operations, as the fast step trains it"),
        # one step, part by part (half_step.js)
        "part_forward": _("forward"),
        "part_loss": _("loss"),
        "part_backward": _("backward"),
        "part_optimizer_step": _("optimizer step"),
        "about_forward": _(
            "Epoch {epoch}, batch {batch}: the network turns each row of features into a row of logits."
        ),
        "about_loss": _("One number says how far the logits are from the labels."),
        "about_backward": _(
            "Each weight and bias gets its gradient: how fast the loss grows with it. None has changed yet."
        ),
        "about_optimizer_step": _(
            "The optimizer moves each weight and bias against its gradient. The colour shows the change."
        ),
        "tensors": _("Tensors of this part"),
        "first_of_row": _("the first {count}"),
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
        "loss_by_hand": _("loss"),
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
