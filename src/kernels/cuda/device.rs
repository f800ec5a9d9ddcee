//! Memory and launches on an NVIDIA GPU.
