"""Functions that a generated module may have beside those of its loss, without their underscores.

An author's function that is called like one of them is named after its loss as well.
"""

from __future__ import annotations

_HELPERS = """
    a_number acos add_transpose aligns all_within amax amin applied as_given at at_least
    at_most at_once balanced block blocks both_ways broadcasts by_class call_ capability
    chosen common_dtype compiler dense digamma digest few finite fitted fitting folders
    fused_balance fused_eye fused_log_share fused_log_total fused_logsigmoid fused_nll
    fused_norm fused_share fused_sigmoid fused_sigmoid_slope gauss gauss_minus_one
    gradient_like hypot hypot_minus_one hypot_power_minus_one hypot_power_slope in_autocast
    in_blocks is_interpreted is_known is_ordinary kept kernel_function kernels laid_out large
    large_pages_free largest launch library load log log1mexp log1p_square log_cosh log_erfc
    log_mixture log_ratio log_softmax log_sum madvise masked masked_amax masked_amin
    masked_logsumexp may_scale native new_like nll nll_and_slope norm not_negative on_device
    openmp_runtime or_infinite part parts positive pow1p_minus_one power power_slope
    power_slopes processor product pull pull_both_ways quotient raise_fault recorded
    rel_entropy remainder rows run shape shaped sigmoid softmax softmax_backward softplus_tail
    solved sqrt square_over square_times step straight_through streamed stride strides sum
    sum_in_blocks tangents threads through_autograd tiles times_bent_slope times_clipped_gap
    times_fading_sigmoid times_gap times_sigmoid transformed trigamma triton_kernels turned
    types unlike where_above whole why_not widened within written xlogx xlogy zeros
"""

OWN_FUNCTIONS = frozenset(f"_{x}" for x in _HELPERS.split())
