from lossgen.language import Max, Real, Sign, e, loss, where


@loss(
    reference=(
        'Hadsell, Chopra and LeCun, "Dimensionality Reduction by Learning an Invariant Mapping", '
        "CVPR 2006"
    ),
    family="embedding",
    class_name="HingeEmbeddingLoss",
    signature="input, target, margin, size_average, reduce, reduction",
    class_signature="margin, size_average, reduce, reduction",
)
def hinge_embedding(input: Real[e], target: Sign[e], *, margin: Real = 1.0):
    """A distance where the target is 1, its hinge below a margin where it is -1.

    As in torch, a target that is neither gets both terms. The slope at the hinge is that of its
    active side, as in torch before 2.14.
    """
    near = where(target[e] != -1, input[e], 0)
    far = where(target[e] != 1, Max(0, margin - input[e], tie=1), 0)
    return near + far
