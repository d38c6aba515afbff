"""From ``examples`` to a bundle: Petastorm feeds, Horovod trains, a logistic regression stands beside.

``feed`` alone imports petastorm, ``launch`` alone horovod.spark; ``worker`` is what one rank runs.
"""
