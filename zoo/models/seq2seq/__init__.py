"""The RNN translation model of section 2.4: encoder, decoder, search."""
