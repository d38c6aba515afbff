"""Care of a warehouse that is there: people withdrawn, blocks and files put together, plain copies, older tables brought up to date.

May touch every room but ``cli``; changes tables only by runs, as stages do.
"""
