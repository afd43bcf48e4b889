from lossgen.language import Max, Real, Sign, e, loss


@loss(
    reference='Joachims, "Optimizing Search Engines Using Clickthrough Data", KDD 2002',
    family="classification",
    class_name="MarginRankingLoss",
    signature="input1, input2, target, margin, size_average, reduce, reduction",
    class_signature="margin, size_average, reduce, reduction",
)
def margin_ranking(input1: Real[e], input2: Real[e], target: Sign[e], *, margin: Real = 0.0):
    """Hinge on the difference of two scores; a target of 1 wants the first to be higher.

    The slope at the hinge is that of its active side, as in torch before 2.14.
    """
    return Max(0, margin - target[e] * (input1[e] - input2[e]), tie=1)
