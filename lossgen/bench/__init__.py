"""What a loss costs beside what it must cost: the generated forms, torch's, others', the limit.

In: a ``LossSpec``, its generated modules and a ``Request``. Out: a ``Bench``: time, memory and
error of every form, measured in one process, in turn.

    request ─→ traffic ─bytes, functions, products→ limit ─seconds→ ┐
    generated modules, peers ─Form→ timing, memory, error ─→ Bench ─→ cli, chart

What the machine cannot avoid is derived from the loss's programs and measured in the same rounds.
"""
