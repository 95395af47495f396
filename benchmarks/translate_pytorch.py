"""The yardstick of benchmarks/translate.py: the same model and search in plain PyTorch.

Stock `nn.GRU` or `nn.LSTM` for both halves, with the weights of a Seq2Seq, and the beam search of
zoo/decoding/beam.py written with tensor operations, so that both must give the same translations.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import nn

from zoo.errors import ZooError
from zoo.text import BOS, EOS, PAD

NEVER = -1e30
STOCK = {"gru": nn.GRU, "lstm": nn.LSTM}


def tensor(weight: Any) -> torch.Tensor:
    """A Keras weight as a PyTorch tensor."""
    return torch.from_numpy(np.array(weight, dtype=np.float32))


def fill(stock: nn.Module, suffix: str, kernel: Any, recurrent: Any, bias: Any, cell: str) -> None:
    """Copy one layer's weights into nn.GRU (whose gates are r z n, ours z r h) or nn.LSTM."""

    def gates(matrix: torch.Tensor) -> torch.Tensor:
        rows = matrix if matrix.ndim == 1 else matrix.T
        if cell == "lstm":
            return rows
        z, r, h = rows.chunk(3)
        return torch.cat([r, z, h])

    both = tensor(bias) if cell == "gru" else torch.stack([tensor(bias), 0 * tensor(bias)])
    values = {
        f"weight_ih_{suffix}": gates(tensor(kernel)),
        f"weight_hh_{suffix}": gates(tensor(recurrent)),
        f"bias_ih_{suffix}": gates(both[0]),
        f"bias_hh_{suffix}": gates(both[1]),
    }
    with torch.no_grad():
        for name, value in values.items():
            getattr(stock, name).copy_(value)


class TorchTranslator:
    """A Seq2Seq with extensions I and II, and any of III, IV, V and attention, in PyTorch.

    Args:
        model: the Keras model whose weights and tokenizers are used.
    """

    def __init__(self, model: Any) -> None:
        settings = model.settings
        if settings.cell not in STOCK or not settings.separate_weights:
            raise ZooError("the PyTorch yardstick needs cell gru or lstm, and separate_weights")
        if not settings.feed_context:
            raise ZooError("the PyTorch yardstick needs feed_context")
        self.model, self.settings = model, settings
        self.source_vectors = tensor(model.encoder.embedding.embeddings)
        self.target_vectors = tensor(model.decoder.embedding.embeddings)
        self.encoder = self._encoder()
        self.decoder = self._decoder()
        self.bridges = [(tensor(b.kernel), tensor(b.bias)) for b in model.encoder.bridges]
        output = model.output_projection
        self.output = tensor(output.kernel).contiguous(), tensor(output.bias)
        attention = model.decoder.attention
        self.attention = attention and [
            tensor(getattr(attention, name))
            for name in ("query_kernel", "memory_kernel", "bias", "score_kernel")
        ]
        readout = model.decoder.readout
        self.readout = readout and (tensor(readout.kernel), tensor(readout.bias))

    def _stock(self, inputs: int, both: bool) -> nn.Module:
        settings = self.settings
        return STOCK[settings.cell](
            inputs,
            settings.units,
            settings.num_layers,
            batch_first=True,
            bidirectional=both,
        )

    def _encoder(self) -> nn.Module:
        settings, layers = self.settings, self.model.encoder.recurrent_layers
        both = settings.bidirectional_encoder
        stock = self._stock(settings.embedding_dim, both)
        for i, layer in enumerate(layers):
            parts = [layer.forward_layer, layer.backward_layer] if both else [layer]
            for part, suffix in zip(parts, (f"l{i}", f"l{i}_reverse"), strict=False):
                weights = part.kernel, part.recurrent_kernel, part.bias
                fill(stock, suffix, *weights, settings.cell)
        return stock

    def _decoder(self) -> nn.Module:
        levels = self.model.decoder.levels
        stock = self._stock(levels[0].projection.kernel.shape[0], False)
        for i, level in enumerate(levels):
            own = level.recurrent
            weights = level.projection.kernel, own.recurrent_kernel, own.bias
            fill(stock, f"l{i}", *weights, self.settings.cell)
        return stock

    def translate(self, texts: list[str], beam: int = 5) -> list[list[tuple[str, float]]]:
        """The five best translations of each text with their scores."""
        ids = torch.from_numpy(self.model.source_rows(texts)).long()
        with torch.inference_mode():
            found, scores = self.search(ids, beam)
        decode = self.model.target_tokenizer.decode
        return [
            [(decode(row), float(score)) for row, score in zip(best, values, strict=True)]
            for best, values in zip(found.tolist(), scores.tolist(), strict=True)
        ]

    def encode(self, ids: torch.Tensor) -> tuple[Any, torch.Tensor, torch.Tensor]:
        """First states, c = h_T and the outputs [batch, source, width]."""
        lengths = (ids != PAD).sum(1)
        packed = nn.utils.rnn.pack_padded_sequence(
            self.source_vectors[ids], lengths, batch_first=True, enforce_sorted=False
        )
        outputs, last = self.encoder(packed)
        outputs, _ = nn.utils.rnn.pad_packed_sequence(outputs, batch_first=True)
        states = list(last) if isinstance(last, tuple) else [last]
        if self.settings.bidirectional_encoder:
            states = [torch.cat([s[0::2], s[1::2]], dim=-1) for s in states]
        context = states[0][-1]
        if self.bridges:
            kinds = len(states)
            states = [
                torch.stack(
                    [
                        s[i] @ self.bridges[i * kinds + k][0] + self.bridges[i * kinds + k][1]
                        for i in range(len(s))
                    ]
                )
                for k, s in enumerate(states)
            ]
        return states, context, outputs

    def step(self, tokens: torch.Tensor, states: Any, source: Any) -> tuple[torch.Tensor, Any]:
        """Log-probabilities [rows, vocabulary] and the new states [layers, rows, units]."""
        vectors = self.target_vectors[tokens]
        context = self._context(states[0][-1], source)
        state = tuple(states) if len(states) > 1 else states[0]
        hidden, new = self.decoder(torch.cat([vectors, context], -1)[:, None], state)
        hidden = hidden[:, 0]
        if self.readout is not None:
            kernel, bias = self.readout
            hidden = torch.tanh(torch.cat([hidden, context, vectors], -1) @ kernel + bias)
        logits = hidden @ self.output[0] + self.output[1]
        return torch.log_softmax(logits, -1), list(new) if isinstance(new, tuple) else [new]

    def _context(self, query: torch.Tensor, source: Any) -> torch.Tensor:
        context, outputs, keys, mask = source
        if self.attention is None:
            return context
        query_kernel, _, _, score_kernel = self.attention
        energy = torch.tanh((query @ query_kernel)[:, None] + keys) @ score_kernel
        weights = torch.softmax(energy[..., 0].masked_fill(~mask, NEVER), -1)
        return torch.bmm(weights[:, None], outputs)[:, 0]

    def search(self, ids: torch.Tensor, width: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Beam search: ids [batch, width, time] and scores [batch, width]."""
        states, source, limits = self._start(ids, width)
        batch, steps, alpha = len(ids), int(limits.max()), self.settings.length_alpha
        rows = torch.arange(batch)[:, None]
        tokens = torch.full((batch, width), BOS)
        scores = torch.full((batch, width), NEVER)
        scores[:, 0] = 0.0
        texts = torch.full((batch, width, max(steps, 1)), PAD)
        pool, pool_texts = torch.full((batch, width), NEVER), texts.clone()
        best_penalty = ((5 + limits.float()) / 6) ** alpha
        for t in range(steps):
            hope = scores.max(1).values / best_penalty
            if not ((hope > pool[:, -1]) & (hope > NEVER / 2) & (t < limits)).any():
                break
            log_probs, states = self.step(tokens.view(-1), states, source)
            log_probs[:, [PAD, BOS]] = NEVER
            total = (scores[..., None] + log_probs.view(batch, width, -1)).view(batch, -1)
            new, flat = total.topk(width, 1)
            used = (pool > NEVER / 2).sum(1, keepdim=True)
            new = torch.where(torch.arange(width) < width - used, new, torch.tensor(NEVER))
            parents, tokens = flat // log_probs.shape[1], flat % log_probs.shape[1]
            moved = texts[rows, parents]
            moved[:, :, t] = tokens
            running = (t < limits)[:, None]
            ends = running & (tokens == EOS) & (new > NEVER / 2)
            final = torch.where(ends, new / ((5 + t + 1) / 6) ** alpha, torch.tensor(NEVER))
            pool, order = torch.cat([pool, final], 1).topk(width, 1)
            pool_texts = torch.cat([pool_texts, moved], 1)[rows, order]
            open_scores = torch.where(running, new, scores)
            scores = torch.where(running & (tokens == EOS), torch.tensor(NEVER), open_scores)
            texts = torch.where(running[..., None], moved, texts)
            places = (rows * width + parents).view(-1)
            states = [s[:, places] for s in states]
        return self._answer(pool, pool_texts, scores / best_penalty[:, None], texts)

    def _start(self, ids: torch.Tensor, width: int) -> tuple[Any, Any, torch.Tensor]:
        """First states and the source's tensors, repeated for each place, and length limits."""
        states, context, outputs = self.encode(ids)
        keys = outputs if self.attention is None else outputs @ self.attention[1]
        keys = keys if self.attention is None else keys + self.attention[2]
        source = context, outputs, keys, (ids != PAD)[:, : outputs.shape[1]]
        source = [x.repeat_interleave(width, 0) for x in source]
        limits = torch.from_numpy(self.model.target_limits(ids.numpy()))
        return [s.repeat_interleave(width, 1) for s in states], source, limits

    def _answer(
        self, pool: torch.Tensor, pool_texts: torch.Tensor, scores: torch.Tensor, texts: Any
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Ended texts first, then those that the limit cut."""
        width = pool.shape[1]
        scores, texts = torch.cat([pool, scores], 1), torch.cat([pool_texts, texts], 1)
        behind = (scores <= NEVER / 2).int() * 2 * width + torch.arange(2 * width)
        order = behind.argsort(1)[:, :width]
        rows = torch.arange(len(scores))[:, None]
        return texts[rows, order], scores[rows, order]
