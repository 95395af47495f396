"""The two halves of a translation model as layers: encoder, decoder, and a decoder's levels."""
