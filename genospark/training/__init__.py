"""From examples to a bundle: Petastorm feeds, Horovod trains, a simple model stands beside.

``stage`` is the training of any task, one file a task says what is its own. ``feed`` alone imports petastorm, ``launch`` alone
horovod.spark; ``worker`` is what one rank runs.
"""
