from lossgen.language import Real, Sign, e, loss, softplus


@loss(
    reference='Cox, "The Regression Analysis of Binary Sequences", J. R. Statist. Soc. B 1958',
    family="classification",
    class_name="SoftMarginLoss",
    signature="input, target, size_average, reduce, reduction",
    class_signature="size_average, reduce, reduction",
)
def soft_margin(input: Real[e], target: Sign[e]):
    """Logistic loss of a score against a label of -1 or 1."""
    return softplus(-target[e] * input[e])
