"""Lightning's loops over the batches without what a plain step does not need; the results are the same to the bit.

fast_loop.py        the loop of the training
fast_validation.py  that of the validation
plain_step.py       whether a run's steps are plain
fast_step.py        the backward pass on a CPU, the step of fused Adam
"""
