"""Is a mapping a sound generator of counterfactuals?"""
