"""Data and options that the studies of encoders share."""

FASHION_MNIST = {
    "fashion_mnist/train": "e0509924186993b3b0d8703bc7eff41e213f76bf99552abfef3c447a345da98c",
    "fashion_mnist/test": "20b8b8836cefafae03c2892d87396d4d99ceddc4e6988e92f2931ffcef14a917",
}
JEPA = {
    "size": "nano",
    "clip": 8,
    "crop": [],
    "flip": 0.0,
    "model.frameskip": 1,
    "model.positions": "rope",
    "training.batch_size": 16,
    "model.mask_tokens": 2,
    "training.lr": 1e-3,
    "training.ema": [0.998, 0.998],
}
"""V-JEPA on whole frames, for minutes: nothing is cropped, small batches leave more updates."""
DENSE = {
    "objective": [
        {"name": "masked_prediction", "options": {"distance": "l1"}},
        {"name": "visible_prediction", "weight": 0.5},
    ]
}
"""The loss of V-JEPA 2.1. Without it the latents of so short a training are nearly alike."""
