from lossgen.language import Boxes, Max, Min, Positive, atan, loss, n, pi, stop_gradient


@loss(
    reference=(
        'Zheng et al., "Distance-IoU Loss: Faster and Better Learning for Bounding Box '
        'Regression", AAAI 2020'
    ),
    family="detection",
    class_name="CIoULoss",
    unbatched=True,
)
def ciou(input: Boxes[n, 4], target: Boxes[n, 4], *, eps: Positive = 1e-7):
    """One minus IoU, plus the centres' distance and the difference of the aspect ratios.

    One value for each pair of rows, as torchvision's `complete_box_iou_loss`. The paper's trade-off
    factor is held constant in the gradient, so the gradient is not the derivative of the value, and
    the slope of the aspect term is the exact one (the paper drops its factor 1 / (w² + h²)). A box
    of height 0 has an aspect ratio without a slope (NaN).

    Args:
        eps: added to the three denominators.
    """
    x1, y1, x2, y2 = input[n, 0], input[n, 1], input[n, 2], input[n, 3]
    u1, v1, u2, v2 = target[n, 0], target[n, 1], target[n, 2], target[n, 3]
    width, height = x2 - x1, y2 - y1
    target_width, target_height = u2 - u1, v2 - v1
    inter_width = Max(0, Min(x2, u2) - Max(x1, u1))
    inter_height = Max(0, Min(y2, v2) - Max(y1, v1))
    inter = inter_width * inter_height
    union = width * height + target_width * target_height - inter
    iou = inter / (union + eps)
    hull_width, hull_height = Max(x2, u2) - Min(x1, u1), Max(y2, v2) - Min(y1, v1)
    diagonal = hull_width**2 + hull_height**2
    step_x, step_y = (x1 + x2 - u1 - u2) / 2, (y1 + y2 - v1 - v2) / 2
    centres = step_x**2 + step_y**2
    tilt = atan(target_width / target_height) - atan(width / height)
    shape = 4 / pi**2 * tilt**2
    trade = stop_gradient(shape / (1 - iou + shape + eps))
    return 1 - iou + centres / (diagonal + eps) + trade * shape
