"""Statistics of ImageNet's pixels, of values in 0..1, per channel: the usual units of pretrained networks."""

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)
