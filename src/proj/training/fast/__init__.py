"""Faster versions of Lightning's loops over the batches, for runs with plain steps; the results are equal bit by bit.

fast_loop.py        the training loop, with a backward pass on a CPU and a step of fused Adam of its own
fast_validation.py  the validation loop
plain_step.py       decides whether the steps of a run are plain
"""
