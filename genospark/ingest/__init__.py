"""The front door: cohort files in, raw tables out.

One file a kind of input; each checks what it reads; a bad record ends the stage with its file, line and reason,
or is put aside (``quarantine``). Fits nothing.
"""
