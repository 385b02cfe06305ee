"""Write down what init and joins would write, and reach no host."""
