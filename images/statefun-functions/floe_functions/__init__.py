"""floe's remote functions for StateFun: a counter, a counter that forgets, a greeter."""
