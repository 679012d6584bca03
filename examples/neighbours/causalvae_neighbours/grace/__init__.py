"""A graph-aware causal discrepancy VAE for network data, and simulated perturbation screens whose causes are known.

After Zhang, Li & Zheleva 2025 (GraCE-VAE, arXiv 2509.01916) and its ancestor, the discrepancy VAE of Zhang, Greenewald,
Squires, Srivastava, Shanmugam & Uhler 2023 (arXiv 2307.06250): an encoder that passes messages along a known gene
network, a latent structural causal model whose mechanisms soft interventions change, and a discrepancy between the
perturbed cells that the model makes and those that were seen. Written from the papers' public descriptions.
"""
