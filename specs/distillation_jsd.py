from lossgen.language import (
    Logits,
    Mask,
    Positive,
    Probabilities,
    Sum,
    averaged,
    c,
    exp,
    log,
    log_softmax,
    loss,
    s,
    where,
)


@loss(
    reference=(
        'Agarwal et al., "On-Policy Distillation of Language Models: Learning from '
        'Self-Generated Mistakes", ICLR 2024'
    ),
    family="distillation",
    class_name="DistillationJSDLoss",
)
def distillation_jsd(
    student: Logits[s, c],
    teacher: Logits[s, c],
    mask: Mask[s] = None,
    *,
    beta: Probabilities = 0.5,
    temperature: Positive = 1.0,
):
    """Generalised Jensen-Shannon divergence of a student's and a teacher's softmax.

    The mixture weighs the teacher by beta: beta KL(teacher || mixture) + (1 - beta)
    KL(student || mixture). The divergence vanishes at beta = 0 and 1, so there, as in TRL, the loss
    is KL(teacher || student) and KL(student || teacher): a jump, not a limit. Nothing is multiplied
    by the squared temperature. Classes are the last axis; positions that the mask leaves out count
    neither in the sum nor in the mean.

    Args:
        mask: the positions (tokens) that count.
        beta: weight of the teacher in the mixture, in [0, 1].
        temperature: divides both tensors of scores.
    """
    student_scores, teacher_scores = student[s, c] / temperature, teacher[s, c] / temperature
    log_p, log_q = log_softmax(student_scores, c), log_softmax(teacher_scores, c)
    p, q = exp(log_p), exp(log_q)
    # By logarithms: where both probabilities round to 0, that of their mixture is still a number.
    log_mix = log(exp(log_q + log(beta)) + exp(log_p + log(1 - beta)))
    excess_q, excess_p = log_q - log_mix, log_p - log_mix
    mixed = beta * q * excess_q + (1 - beta) * p * excess_p
    from_teacher = q * (log_q - log_p)
    from_student = p * (log_p - log_q)
    item = where(beta == 0, from_teacher, where(beta == 1, from_student, mixed))
    return averaged(where(mask[s], Sum(item, c), 0), over=where(mask[s], 1, 0))
