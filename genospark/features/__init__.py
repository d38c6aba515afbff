"""From raw tables to fixed-size rows: the split, what is fitted on training people, and the fused vector of any person.

``fusion`` alone makes vectors, for training and for scoring, so that both agree by construction. May import ``models`` for the
specification of the features, never ``training`` or ``scoring``.
"""
