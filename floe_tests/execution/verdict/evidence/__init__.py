"""What speaks for each verdict: one function a rule, from facts to the evidence it finds.

No evidence means that the rule does not apply. Which rule comes before which, and what each is
called, stands in rules.py alone. `start`, `disruption`, `resources` and `program` look at the pod
and its Job, `results` at what the tests said; `ends` tells how the tests ended, `words` puts facts
into evidence.
"""
