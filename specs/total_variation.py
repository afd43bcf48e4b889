from lossgen.language import Abs, Real, Sum, c, h, loss, n, w


@loss(
    reference=(
        'Rudin, Osher and Fatemi, "Nonlinear Total Variation Based Noise Removal Algorithms", '
        "Physica D 1992"
    ),
    family="image",
    unbatched=True,
)
def total_variation(input: Real[n, c, h, w]):
    """Anisotropic total variation of an image: absolute steps between neighbouring pixels.

    One value for each image, summed over its channels and steps and not divided by their number, as
    in TensorFlow and Kornia. The slope at a step of zero is 0.
    """
    down = input[n, c, h + 1, w] - input[n, c, h, w]
    right = input[n, c, h, w + 1] - input[n, c, h, w]
    return Sum(Abs(down), c, h, w) + Sum(Abs(right), c, h, w)
