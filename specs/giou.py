from lossgen.language import Boxes, Max, Min, Positive, loss, n


@loss(
    reference='Rezatofighi et al., "Generalized Intersection over Union", CVPR 2019',
    family="detection",
    class_name="GIoULoss",
    unbatched=True,
)
def giou(input: Boxes[n, 4], target: Boxes[n, 4], *, eps: Positive = 1e-7):
    """One minus the generalised IoU of two boxes, which has a slope also when apart.

    One value for each pair of rows, as torchvision's `generalized_box_iou_loss`. At a tie of two
    edges each box gets half of the slope. Boxes whose corners are in the wrong order are not
    detected.

    Args:
        eps: added to both denominators.
    """
    x1, y1, x2, y2 = input[n, 0], input[n, 1], input[n, 2], input[n, 3]
    u1, v1, u2, v2 = target[n, 0], target[n, 1], target[n, 2], target[n, 3]
    inter_w, inter_h = Max(0, Min(x2, u2) - Max(x1, u1)), Max(0, Min(y2, v2) - Max(y1, v1))
    hull_w, hull_h = Max(x2, u2) - Min(x1, u1), Max(y2, v2) - Min(y1, v1)
    inter = inter_w * inter_h
    union = (x2 - x1) * (y2 - y1) + (u2 - u1) * (v2 - v1) - inter
    hull = hull_w * hull_h
    return 1 - inter / (union + eps) + (hull - union) / (hull + eps)
