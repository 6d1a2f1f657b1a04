"""What speaks for each verdict: one function a rule, from facts to the evidence it finds.

No evidence means that the rule does not apply. Which rule comes before which, and what each is
called, stands in verdict.py alone. `pod` looks at the pod and its Job, `results` at what the tests
said; `ends` tells how the tests ended, `words` puts facts into evidence.
"""
