"""Layer-wise relevance propagation: the score is handed back to the pixels, layer by layer.

At the top, the relevance of a class is its score. Every layer hands what it gets to its inputs. A
linear layer adds up contributions and a bias, z_j = b_j + sum over i of x_i w_ij, and shares the
relevance R_j of its output in proportion to them:

    epsilon   R_i = sum over j of  R_j x_i w_ij / (z_j + e sign(z_j)),  where e prevents 0 / 0
    gamma     the same, but contributions and biases with the sign of z_j count 1 + gamma times
    z+        only contributions with the sign of z_j count, and no bias. Where z_j > 0:
              R_i = sum over j of  R_j (x_i w_ij)+ / sum over k of (x_k w_kj)+
    box       z+ for pixels: x_i is measured from black where w_ij > 0, from white where w_ij < 0

What comes between the linear layers keeps the relevance whole: an activation passes it on, a
maximum hands it to the winner. So the relevance of each layer adds up to the score, but for what
the biases get.

In code, each rule is input times gradient, with R_j / z_j in the gradient's place. (Bach 2015,
Montavon 2019)
"""

import tensorflow as tf

from helpers import gradients
from helpers.core.bottlenecks import bottlenecks
from helpers.core.graphs import channels_first, twin
from helpers.core.heads import WITHOUT_LOGITS, kind_of, logits
from helpers.core.linear import Flow, passed
from helpers.core.probabilities import within
from helpers.core.tracing import layers as layers_of
from helpers.core.tracing import once, seen, watch
from helpers.networks import find_layer, input_shape

RULES = "epsilon", "zplus", "composite"


def lrp(
    network, images, target=None, rule="composite", batch_size=16, *,
    against=None, epsilon=1e-6, gamma=0.25,
):  # fmt: skip
    """Return how much of the score each pixel gets: float32 in the images' shape, signed.

    In units of score: what does not go to biases adds up to the score.

    Arguments:
        target: None (the predicted class), an int, or one int per image.
        rule: "epsilon" or "zplus" in all layers; or "composite": box in the layer that sees the
            pixels, gamma in all other convolutions, sums and averages, epsilon in dense layers.
        against: None for the score; an int for the margin over that class; "rest" for the log-odds
            (see `gradients.quantity`), whose relevance is that of the margins over all other
            classes, weighted by their probabilities: the log-odds and the rivals' entropy.
        epsilon: 0 or more, as a share of a layer's root mean square.
        gamma: 0 (epsilon) or more (towards z+), in "composite".

    Biases, also those of batch normalization, take part in the epsilon and gamma rules, and what
    they get is lost. In z+ they get nothing, but what a bias alone brought about has no input to
    hand its relevance to. What scales or shifts on its own, as preprocessing does, keeps all
    relevance, except under "epsilon". A gate, as in squeeze-and-excitation, counts as a constant.

    Raises ValueError, which names the layer, where there is no rule (attention, layer
    normalization), and as `gradients.quantity` does. (Bach 2015, Montavon 2019)
    """
    options = _options(rule, epsilon, gamma)
    how = dict(against=against, batch_size=batch_size)
    return gradients.explain(_lrp, network, images, target, *options, **how)[0]


def lrp_by_layer(
    network, images, target=None, rule="composite", layers=None, batch_size=16, *,
    against=None, epsilon=1e-6, gamma=0.25,
):  # fmt: skip
    """Return the relevance of layers' outputs, from pixels to scores: `{name: float32 (N, ...)}`.

    The pixels' relevance, that of `lrp`, is under "pixels", and comes first.

    Arguments:
        layers: names of layers, or one; None for all whose output is all that the score comes
            from, so that the sums of their relevance can be compared. A branch gets a share only.

    The other arguments and errors are those of `lrp`. Raises ValueError for a layer that is
    unknown, called more than once, or without relevance: on no path to the scores, or in a gate.
    """
    names = None if layers is None else (layers,) if isinstance(layers, str) else tuple(layers)
    for name in names or ():
        find_layer(network, name)
    options = names, *_options(rule, epsilon, gamma)
    how = dict(against=against, batch_size=batch_size)
    *found, pixels = gradients.explain(_by_layer, network, images, target, *options, **how)
    if names is None:
        size = pixels.shape[-len(input_shape(network)) :]
        names = once(network, ("names on every path", size), tuple)
    return {"pixels": pixels, **dict(zip(names, found, strict=True))}


def _options(rule, epsilon, gamma):
    """Return the options of a rule as they are compiled; ValueError for impossible ones."""
    if rule not in RULES:
        raise ValueError(f"rule must be one of {', '.join(RULES)}, not {rule!r}.")
    for name, value in ("epsilon", epsilon), ("gamma", gamma):
        if not 0 <= value < float("inf"):
            raise ValueError(f"{name} must be a number, 0 or more, not {value!r}.")
    return rule, float(epsilon), float(gamma)


def _lrp(network, x, pairs, *options):
    relevance, _ = _propagated(network, x, pairs, *options)
    return [_of(relevance, x)]


def _by_layer(network, x, pairs, names, *options):
    named = layers_of(network, operations=True)
    with watch(named.values()) as outputs:
        relevance, values = _propagated(network, x, pairs, *options)
    if names is None:
        makers = {}
        for name, layer in named.items():
            output = outputs.get(layer)
            if tf.is_tensor(output) and not channels_first(output):
                makers.setdefault(_before_head(twin(output), relevance).ref(), name)
        whole = [one.ref() for one in bottlenecks(x, values) if one.ref() in relevance]
        names = tuple(makers[one] for one in whole if one in makers)
        once(network, ("names on every path", tuple(x.shape[1:])), lambda: names)
    found = []
    for name in names:
        tensor = _before_head(seen(outputs, find_layer(network, name), x), relevance)
        if tensor.ref() not in relevance:
            raise ValueError(
                f"Layer {name!r} gets no relevance: it is on no path to the scores, or in a gate."
            )
        found.append(_of(relevance, tensor))
    return [*found, _of(relevance, x)]


def _before_head(tensor, relevance):
    """Return the logits to the probabilities that are a layer's output, else the output itself."""
    while tensor.ref() not in relevance and tensor.op.type in ("Softmax", "LogSoftmax", "Sigmoid"):
        tensor = tensor.op.inputs[0]
    return tensor


def _of(relevance, tensor):
    if tensor.ref() not in relevance:
        raise ValueError("The score does not depend on the images: no relevance reaches them.")
    return tf.cast(relevance[tensor.ref()], tf.float32)


def _propagated(network, x, pairs, *options):
    """Return the relevance of each tensor between x and the scores, `{ref: tensor}`; the scores."""
    values = logits(network, x)
    flow, relevance = Flow(network, x, values), {}

    def give(tensor, share):
        share = tf.cast(share, tensor.dtype)
        relevance[tensor.ref()] = relevance.get(tensor.ref(), 0) + share

    top = flow.last_layers(values) if kind_of(network) in WITHOUT_LOGITS else [values]
    score = gradients.difference_of(values, pairs)
    for tensor, slope in zip(top, tf.gradients(score, top, stop_gradients=top), strict=True):
        give(tensor, tensor * slope)
    for op in reversed(flow.operations):
        arrived = [relevance.get(output.ref()) for output in op.outputs]
        if all(share is None for share in arrived):
            continue
        layer = flow.layer(op)
        if layer is None:
            shares = flow.onward(op, arrived)
        else:
            shares = zip(layer.inputs, _shared(flow, layer, *arrived, *options), strict=True)
        for tensor, share in shares:
            give(tensor, share)
    return relevance, values


def _shared(flow, layer, relevance, rule, epsilon, gamma):
    """Return the relevance of a layer's inputs, by the rule that applies to it."""
    limits = flow.limits(layer) if rule == "composite" else None
    if limits is not None:
        return _box(layer, relevance, *limits)
    if rule == "epsilon" or (rule == "composite" and layer.kind == "dense"):
        return _epsilon(layer, relevance, epsilon)
    if layer.kind == "scaled":
        return [passed(layer.inputs[0], relevance)[1]]
    return _zplus(layer, relevance) if rule == "zplus" else _gamma(layer, relevance, gamma)


def _epsilon(layer, relevance, epsilon):
    """All contributions count, and the bias; e is a share of the root mean square of z."""
    z, inputs = layer.output, [tf.identity(x) for x in layer.inputs]
    e = epsilon * tf.sqrt(tf.reduce_mean(z**2, list(range(1, z.shape.rank)), keepdims=True))
    ratio = tf.math.divide_no_nan(relevance, z + tf.where(z >= 0, e, -e))
    return _times_gradient(inputs, [layer.linear(inputs, layer.kernel)], [ratio])


def _gamma(layer, relevance, gamma):
    """All count, and those with the sign of z 1 + gamma times."""
    z, (above, below) = layer.output, _by_sign(layer.inputs)
    sums = _sums(layer, above, below)
    parts = [*sums, z - tf.add_n(sums)]  # the last is the bias
    favoured = tf.add_n([tf.where(_agree(part, z), part, 0) for part in parts])
    ratio = tf.math.divide_no_nan(relevance, z + gamma * favoured)
    ratios = [tf.where(_agree(part, z), 1 + gamma, 1) * ratio for part in sums]
    return _times_gradient(above, sums, ratios, below)


def _zplus(layer, relevance):
    """Only contributions with the sign of z count."""
    return _agreeing(layer, relevance, *_by_sign(layer.inputs))


def _box(layer, relevance, black, white):
    """The same, measured from black and from white rather than from 0."""
    (x,) = layer.inputs
    return _agreeing(layer, relevance, [x - black], [x - white])


def _agreeing(layer, relevance, above, below):
    sums = _sums(layer, above, below)
    shares = [tf.math.divide_no_nan(relevance, part) for part in sums]
    agree = [_agree(part, layer.output) for part in sums]
    ratios = [tf.where(same, share, 0) for same, share in zip(agree, shares, strict=True)]
    return _times_gradient(above, sums, ratios, below)


def _agree(part, z):
    return tf.equal(part > 0, z > 0)


def _by_sign(inputs):
    """Return inputs with 0 for what is below it, and with 0 for what is above it.

    The second list is empty if nothing can be below.
    """
    above = [tf.nn.relu(x) for x in inputs]
    never = all(within(x, 0, float("inf")) for x in inputs)
    return above, [] if never else [-tf.nn.relu(-x) for x in inputs]


def _sums(layer, above, below):
    """Return for each output the sum of its contributions of one sign, and that of the other.

    The first is positive, unless a batch normalization turns the signs around.
    """
    if layer.kernel is None:
        return [layer.linear(inputs) for inputs in (above, below) if inputs]
    plus, minus = tf.nn.relu(layer.kernel), -tf.nn.relu(-layer.kernel)
    sums = [layer.linear(above, plus), layer.linear(above, minus)]
    if below:
        sums = [sums[0] + layer.linear(below, minus), sums[1] + layer.linear(below, plus)]
    return sums


def _times_gradient(inputs, sums, ratios, others=()):
    """Return inputs times the gradient of the sums, weighted; plus the same of the others."""
    parts = [*inputs, *others]
    slopes = tf.gradients(sums, parts, ratios)
    shares = [part * slope for part, slope in zip(parts, slopes, strict=True)]
    more = shares[len(inputs) :]
    return [one + other for one, other in zip(shares, more, strict=False)] if more else shares
