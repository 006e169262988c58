"""A residual-quantized autoencoder: vectors become a few codes, coarse to fine (as in TIGER, arXiv 2305.05065)."""

from __future__ import annotations

import warnings
from collections.abc import Iterator

import torch
from sklearn.cluster import KMeans
from sklearn.exceptions import ConvergenceWarning
from torch import Tensor, nn

from coresift.compute import one_openmp_thread, progress_bar
from coresift.foundation.options import SemanticIdOptions

_HIDDEN_FACTOR = 4
_WARM_UP_SHARE = 0.25
"""Share of the steps in which encoder and decoder learn without codes: clusters of untrained latents mean little."""
_STEPS_BETWEEN_REVIVALS = 20
_START_ROWS = 20_000
"""Vectors that k-means starts from at most."""


class ResidualQuantizer(nn.Module):
    """Encoder, codebooks of every level, decoder.

    Args:
        width: Length of a vector.
        size: Codes of a level.
        options: Shape.
    """

    def __init__(self, width: int, size: int, options: SemanticIdOptions) -> None:
        super().__init__()
        hidden = _HIDDEN_FACTOR * options.latent
        self.encoder = nn.Sequential(nn.Linear(width, hidden), nn.ReLU(), nn.Linear(hidden, options.latent))
        self.decoder = nn.Sequential(nn.Linear(options.latent, hidden), nn.ReLU(), nn.Linear(hidden, width))
        self.codebooks = nn.Parameter(torch.zeros(options.levels, size, options.latent))

    def quantize(self, latents: Tensor) -> tuple[Tensor, list[Tensor], list[Tensor]]:
        """Return codes (B, levels), and per level the residuals and the code vectors (B, latent) nearest to them."""
        codes, residuals, chosen = [], [latents], []
        for book in self.codebooks:
            code = torch.cdist(residuals[-1].detach(), book.detach()).argmin(1)
            codes.append(code)
            chosen.append(book[code])
            residuals.append(residuals[-1] - chosen[-1].detach())
        return torch.stack(codes, dim=1), residuals[:-1], chosen

    def reconstruction_loss(self, vectors: Tensor) -> Tensor:
        """Squared error of decoding what was encoded, without codes."""
        return (self.decoder(self.encoder(vectors)) - vectors).square().sum(1).mean()

    def loss(self, vectors: Tensor, commitment: float) -> Tensor:
        """Reconstruction error plus the errors of every level, which move codes and encoder towards each other."""
        latents = self.encoder(vectors)
        _, residuals, chosen = self.quantize(latents)
        straight_through = latents + (torch.stack(chosen).sum(0) - latents).detach()
        loss = (self.decoder(straight_through) - vectors).square().sum(1).mean()
        for residual, code in zip(residuals, chosen, strict=True):
            loss = loss + (code - residual.detach()).square().sum(1).mean()
            loss = loss + commitment * (residual - code.detach()).square().sum(1).mean()
        return loss

    @torch.no_grad()
    def start_from_clusters(self, vectors: Tensor, random_state: int) -> None:
        """Set every level's codes to the k-means centers of what the levels before it leave."""
        residual = self.encoder(vectors)
        for book in self.codebooks:
            with warnings.catch_warnings(), one_openmp_thread():
                # Fewer distinct residuals than codes leave codes to revive.
                warnings.filterwarnings("ignore", category=ConvergenceWarning)
                clusters = KMeans(len(book), n_init=1, random_state=random_state).fit(residual.numpy())
            book.copy_(torch.from_numpy(clusters.cluster_centers_))
            residual = residual - book[torch.from_numpy(clusters.labels_).long()]

    @torch.no_grad()
    def revive_dead_codes(self, vectors: Tensor, generator: torch.Generator) -> int:
        """Move codes that no vector takes to residuals of vectors drawn at random; return how many there were."""
        codes, residuals, _ = self.quantize(self.encoder(vectors))
        n_dead = 0
        for level, residual in enumerate(residuals):
            dead = (torch.bincount(codes[:, level], minlength=self.codebooks.shape[1]) == 0).nonzero().squeeze(1)
            drawn = torch.randint(len(residual), (len(dead),), generator=generator)
            self.codebooks[level, dead] = residual[drawn]
            n_dead += len(dead)
        return n_dead


def train_quantizer(vectors: Tensor, size: int, options: SemanticIdOptions, *, random_state: int) -> ResidualQuantizer:
    """Train a quantizer on the CPU, so that one catalogue gives one set of codes.

    Encoder and decoder start without codes, the codes start from k-means, and until the last quarter of the steps dead
    ones are revived every few steps.

    Args:
        vectors: (M, d) float32.
        size: Codes of a level.
        options: Shape and training.
        random_state: Seed of weights, batches and revived codes.
    """
    generator = torch.Generator().manual_seed(random_state)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(random_state)
        quantizer = ResidualQuantizer(vectors.shape[1], size, options)
    few = vectors[torch.randperm(len(vectors), generator=generator)[:_START_ROWS]]
    optimizer = torch.optim.AdamW(quantizer.parameters(), lr=options.learning_rate, weight_decay=0.0)
    start, settled = int(_WARM_UP_SHARE * options.steps), int((1 - _WARM_UP_SHARE) * options.steps)
    batches = _batches(len(vectors), options, generator)
    for step, rows in enumerate(progress_bar(batches, description="Learning semantic ids")):
        if step == start:
            quantizer.start_from_clusters(few, random_state)
        batch = vectors[rows]
        loss = quantizer.reconstruction_loss(batch) if step < start else quantizer.loss(batch, options.commitment)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if start <= step < settled and step % _STEPS_BETWEEN_REVIVALS == 0:
            quantizer.revive_dead_codes(few, generator)
    return quantizer.eval()


def _batches(n_rows: int, options: SemanticIdOptions, generator: torch.Generator) -> Iterator[Tensor]:
    """Yield the rows of every step."""
    done = 0
    while done < options.steps:
        parts = torch.randperm(n_rows, generator=generator).split(options.batch_size)[: options.steps - done]
        done += len(parts)
        yield from parts
